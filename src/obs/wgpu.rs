//! The executor on a wgpu device: our kernels, and burn's matmul for the products.

mod factor;
mod restore;
mod scores;

use burn::tensor::{Device, Tensor};

use super::executor::{Executor, Inspect, Refit, Removal, complement, with_zeros};
use super::{FactoredMatrix, ObsError, Score, score};
use crate::device::panels::Panels;
use crate::device::product::minus_product;
use crate::device::readback::{doubles, floats, indices};
use crate::gpu::eliminate::{self, Elimination, Removals};
use crate::gpu::{gather, hessian, reduce};
use factor::{block_factor, factored};

/// Runs on the wgpu device its tensors live on, in f32.
#[derive(Clone, Debug)]
pub struct WgpuExecutor {
    device: Device,
}

/// W, H and H⁻¹ on the device.
///
/// Matrices of H's size are in blocks of rows that the device can bind; W is whole, and so is what is as large.
/// Whatever is done, at most three matrices of H's size exist at a time. Hence H + λI is made from the sum where it is
/// needed and not kept, and H⁻¹ goes before the weights are refitted.
pub struct Problem {
    state: Elimination,
    weight: Tensor<2>,
    /// The raw sum, shared with whoever summed it.
    sum: Panels,
    lambda: f32,
}

impl Problem {
    /// H + λI, made anew.
    fn damped(&self) -> Panels {
        hessian::mirrored(self.sum.clone(), self.lambda)
    }
}

impl WgpuExecutor {
    /// An executor for tensors of `device`, a wgpu device of burn.
    pub fn new(device: &Device) -> Self {
        Self { device: device.clone() }
    }
}

impl Executor for WgpuExecutor {
    type Sum = Panels;
    type Problem = Problem;

    fn zero_sum(&self, features: usize) -> Panels {
        Panels::zeros([features, features], &self.device)
    }

    async fn accumulate(&self, sum: Panels, x: &Tensor<2>) -> Result<Panels, ObsError> {
        Ok(hessian::accumulate(sum, x))
    }

    async fn diagonal(&self, sum: &Panels) -> Result<Vec<f64>, ObsError> {
        Ok(doubles(gather::diagonal(sum)).await?)
    }

    async fn squared_error(&self, sum: &Panels, delta: &Tensor<2>, dead: &[usize]) -> Result<f64, ObsError> {
        // The mirrored sum has ones on the diagonal of dead inputs, which must not count.
        let delta = with_zeros(delta, dead);
        row_by_row(hessian::mirrored(sum.clone(), 0.0).left_times(delta.clone()) * delta).await
    }

    async fn factor(&self, sum: &Panels, weight: &Tensor<2>, lambda: f64, dead: &[usize]) -> Result<Problem, ObsError> {
        let lambda = lambda as f32;
        let factor = factored(hessian::mirrored(sum.clone(), lambda), || FactoredMatrix::Hessian).await?;
        // Weights of inputs that never fired change no output, but would be charged λ each.
        let weight = with_zeros(weight, dead);
        let [_, n] = weight.dims();
        let state = Elimination { w: weight.clone(), h_inv: factor.inverse(), alive: Tensor::ones([n], &self.device) };
        Ok(Problem { state, weight, sum: sum.clone(), lambda })
    }

    async fn group_scores(&self, problem: &Problem, groups: &[Vec<usize>], score: Score) -> Result<Vec<f64>, ObsError> {
        scores::of_groups(&problem.state, groups, score).await
    }

    async fn eliminate(&self, problem: &mut Problem, columns: &[usize]) -> Result<f64, ObsError> {
        let Problem { state, .. } = problem;
        let j = block_factor(state, columns).await?.j;
        // With [H⁻¹]_gg = L Lᵀ, J = L⁻¹: E = W_g Jᵀ, Y = J [H⁻¹]_g:, W −= E Y, H⁻¹ −= Yᵀ Y.
        let e = j.times_transposed(gather::columns(&state.w, columns));
        let y = j.times(&gather::panel_rows(&state.h_inv, columns).whole());
        let cost = floats(reduce::sum_squares(&e.clone().unsqueeze())).await?[0];
        // Taken out while it moves, so that burn can write over it: H⁻¹ of 11008 channels has 462 MiB.
        state.w.inplace(|w| minus_product(w, e, y.clone()));
        let [size, _] = y.dims();
        state.h_inv.inplace(|first, block| {
            let rows = y.clone().slice([0..size, first..first + block.dims()[0]]);
            minus_product(block, rows.transpose(), y.clone())
        });
        state.alive.inplace(|alive| with_zeros(&alive.unsqueeze(), columns).squeeze_dim(0));
        Ok(cost.into())
    }

    async fn eliminate_cheapest(&self, problem: &mut Problem, count: usize) -> Result<Vec<Removal>, ObsError> {
        if count == 0 {
            // Nothing is launched for no result.
            return Ok(Vec::new());
        }
        let Removals { order, costs, roots } = eliminate::cheapest(&mut problem.state, count);
        // Read back once for all removals: a wait after each would leave the device idle.
        let (order, costs, roots) = (indices(order).await?, doubles(costs).await?, doubles(roots).await?);
        let removal = |((unit, cost), root): ((usize, f64), f64)| {
            // Where there was no root to take, it is the pivot itself.
            let cost = score::checked(unit, cost, root)?;
            Ok(Removal { unit, score: cost, cost })
        };
        order.into_iter().zip(costs).zip(roots).map(removal).collect()
    }

    async fn gains(&self, problem: &Problem, groups: &[Vec<usize>]) -> Result<Vec<f64>, ObsError> {
        restore::gains(problem, groups).await
    }

    async fn restore(&self, problem: &mut Problem, columns: &[usize]) -> Result<f64, ObsError> {
        restore::restore(problem, columns).await
    }

    fn end_elimination(&self, problem: &mut Problem) {
        // The smallest that there is stands for nothing.
        problem.state.h_inv = Panels::zeros([1, 1], &self.device);
        problem.state.w = problem.weight.clone();
        // What removals left for reuse has other sizes than what the refit is computed in.
        self.device.memory_cleanup();
    }

    async fn refit(&self, problem: &Problem, kept: &[usize], draw: Option<&Tensor<2>>) -> Result<Refit, ObsError> {
        let Problem { weight, .. } = problem;
        let [_, n] = weight.dims();
        let gone = complement(kept, n);
        let w_kept = gather::columns(weight, kept);
        if gone.is_empty() && draw.is_none() {
            return Ok(Refit { weight: w_kept, squared_change: 0.0 });
        }
        let (h_kept, h_gone) = {
            let h_rows = gather::panel_rows(&problem.damped(), kept); // (kept, n)
            let h_gone = (!gone.is_empty()).then(|| gather::panel_columns(&h_rows, &gone));
            (gather::panel_columns(&h_rows, kept), h_gone)
        };
        let j = factored(h_kept, || FactoredMatrix::KeptHessian).await?.j;
        let mut pulled = draw.map(|draw| gather::columns(draw, kept));
        let mut squared_change = 0.0;
        if let Some(h_gone) = h_gone {
            let w_gone = gather::columns(weight, &gone);
            // Ŵ_K = W_K + W_P H_PK H_KK⁻¹: only the correction passes through the inverse.
            // H is symmetric: H_PK is H_KP transposed, whose rows are at hand.
            let of_gone = h_gone.times_transposed(w_gone.clone());
            squared_change += row_by_row(w_gone.clone() * w_gone).await?;
            pulled = Some(match pulled {
                Some(pulled) => pulled + of_gone,
                None => of_gone,
            });
        }
        // One of the two is there, or nothing would have come here.
        let Some(pulled) = pulled else { return Ok(Refit { weight: w_kept, squared_change }) };
        let change = j.left_times(j.times_transposed(pulled));
        squared_change += row_by_row(change.clone() * change.clone()).await?;
        Ok(Refit { weight: w_kept + change, squared_change })
    }
}

impl Inspect for WgpuExecutor {
    async fn eliminated_weight(&self, problem: &Problem) -> Result<Vec<f64>, ObsError> {
        Ok(doubles(problem.state.w.clone()).await?)
    }

    async fn inverse(&self, problem: &Problem) -> Result<Vec<f64>, ObsError> {
        elements(problem.state.h_inv.clone()).await
    }

    async fn damped_hessian(&self, problem: &Problem) -> Result<Vec<f64>, ObsError> {
        elements(problem.damped()).await
    }

    async fn replace_inverse(&self, problem: &mut Problem, inverse: &Tensor<2>) -> Result<(), ObsError> {
        problem.state.h_inv = Panels::cut(inverse.clone(), problem.sum.step());
        Ok(())
    }
}

async fn elements(a: Panels) -> Result<Vec<f64>, ObsError> {
    Ok(a.floats().await?.into_iter().map(f64::from).collect())
}

/// Σ of all elements: each row's on the device, theirs in f64.
async fn row_by_row(a: Tensor<2>) -> Result<f64, ObsError> {
    Ok(doubles(a.sum_dim(1)).await?.into_iter().sum())
}
