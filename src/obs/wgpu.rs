//! The executor on a wgpu device: our kernels, and burn's matmul for the products.

use burn::tensor::{Device, Tensor};

use super::executor::{Executor, Refit, Removal, complement, with_zeros};
use super::{ObsError, Score};
use crate::gpu::block_cholesky::{self, MAX_BLOCK};
use crate::gpu::cholesky::{floats, inverse_factor};
use crate::gpu::eliminate::{self, Elimination};
use crate::gpu::{gather, hessian, reduce};

/// Runs on the wgpu device its tensors live on, in f32.
#[derive(Clone, Debug)]
pub struct WgpuExecutor {
    device: Device,
}

/// W, H and H⁻¹ on the device.
pub struct Problem {
    state: Elimination,
    weight: Tensor<2>,
    hessian: Tensor<2>,
}

impl WgpuExecutor {
    /// An executor for tensors of `device`, a wgpu device of burn.
    pub fn new(device: &Device) -> Self {
        Self { device: device.clone() }
    }
}

impl Executor for WgpuExecutor {
    type Sum = Tensor<2>;
    type Problem = Problem;

    fn zero_sum(&self, features: usize) -> Tensor<2> {
        Tensor::zeros([features, features], &self.device)
    }

    async fn accumulate(&self, sum: Tensor<2>, x: &Tensor<2>) -> Result<Tensor<2>, ObsError> {
        Ok(hessian::accumulate(sum, x))
    }

    async fn diagonal(&self, sum: &Tensor<2>) -> Result<Vec<f64>, ObsError> {
        doubles(gather::diagonal(sum)).await
    }

    async fn squared_error(&self, sum: &Tensor<2>, delta: &Tensor<2>, dead: &[usize]) -> Result<f64, ObsError> {
        // The mirrored sum has ones on the diagonal of dead inputs, which must not count.
        let delta = with_zeros(delta, dead);
        let products = delta.clone().matmul(hessian::mirrored(sum, 0.0)) * delta;
        Ok(doubles(products.sum_dim(1)).await?.into_iter().sum())
    }

    async fn factor(
        &self,
        sum: &Tensor<2>,
        weight: &Tensor<2>,
        lambda: f64,
        dead: &[usize],
    ) -> Result<Problem, ObsError> {
        let damped = hessian::mirrored(sum, lambda as f32);
        let factor = inverse_factor(damped.clone());
        factor.check().await?;
        let weight = with_zeros(weight, dead);
        let [_, n] = weight.dims();
        let state = Elimination { w: weight.clone(), h_inv: factor.inverse(), alive: Tensor::ones([n], &self.device) };
        Ok(Problem { state, weight, hessian: damped })
    }

    async fn group_scores(&self, problem: &Problem, groups: &[Vec<usize>], score: Score) -> Result<Vec<f64>, ObsError> {
        let size = groups.first().map_or(0, Vec::len);
        match score {
            _ if size == 1 => self.diagonal_scores(problem, groups).await,
            Score::Diagonal => self.diagonal_scores(problem, groups).await,
            Score::GroupedCholesky => self.pivot_scores(problem, groups).await,
            Score::Exact if size <= MAX_BLOCK => self.exact_scores(problem, groups).await,
            Score::Exact => self.exact_scores_of_large_groups(problem, groups).await,
        }
    }

    async fn eliminate(&self, problem: &mut Problem, columns: &[usize]) -> Result<f64, ObsError> {
        let Elimination { w, h_inv, alive } = &problem.state;
        let index = gather::index(&[columns.to_vec()], &self.device);
        let factor = inverse_factor(gather::diagonal_blocks(h_inv, &index).squeeze_dim(0));
        factor.check().await.map_err(group_failed)?;
        // With [H⁻¹]_gg = L Lᵀ: E = W_g L⁻ᵀ, Y = L⁻¹ [H⁻¹]_g:, W −= E Y, H⁻¹ −= Yᵀ Y.
        let e = gather::columns(w, columns).matmul(factor.j.clone().transpose());
        let y = factor.j.matmul(gather::rows(h_inv, columns));
        let cost = floats(reduce::sum_squares(&e.clone().unsqueeze())).await?[0];
        let alive = with_zeros(&alive.clone().unsqueeze(), columns).squeeze_dim(0);
        problem.state = Elimination {
            w: w.clone() - e.matmul(y.clone()),
            h_inv: h_inv.clone() - y.clone().transpose().matmul(y),
            alive,
        };
        Ok(cost.into())
    }

    async fn eliminate_cheapest(&self, problem: &mut Problem, count: usize) -> Result<Vec<Removal>, ObsError> {
        let Elimination { w, h_inv, alive } = &problem.state;
        let state = Elimination { w: w.clone(), h_inv: h_inv.clone(), alive: alive.clone() };
        let (state, removals) = eliminate::cheapest(state, count);
        problem.state = state;
        let costs = doubles(removals.costs).await?;
        let order = removals.order.into_data_async().await.map_err(|e| ObsError::Readback(format!("{e:?}")))?;
        let order = order.try_to_vec::<i32>().map_err(|e| ObsError::Readback(format!("{e:?}")))?;
        if let Some((index, &value)) = costs.iter().enumerate().find(|(_, c)| !c.is_finite()) {
            return Err(ObsError::NotFinite { what: "the cost of removal", index, value });
        }
        Ok(order.iter().zip(costs).map(|(&p, cost)| Removal { unit: p as usize, score: cost, cost }).collect())
    }

    async fn refit(&self, problem: &Problem, kept: &[usize]) -> Result<Refit, ObsError> {
        let Problem { weight, hessian, .. } = problem;
        let [_, n] = weight.dims();
        let gone = complement(kept, n);
        let w_kept = gather::columns(weight, kept);
        if gone.is_empty() {
            return Ok(Refit { weight: w_kept, squared_change: 0.0 });
        }
        let w_gone = gather::columns(weight, &gone);
        let h_rows = gather::rows(hessian, kept); // (kept, n)
        let factor = inverse_factor(gather::columns(&h_rows, kept));
        factor.check().await?;
        // Ŵ_K = W_K + W_P H_PK H_KK⁻¹: only the correction passes through the inverse.
        let pulled = w_gone.clone().matmul(gather::columns(&h_rows, &gone).transpose());
        let change = pulled.matmul(factor.j.clone().transpose()).matmul(factor.j);
        let squares = reduce::sum_squares(&change.clone().unsqueeze()) + reduce::sum_squares(&w_gone.unsqueeze());
        let squared_change = floats(squares).await?[0].into();
        Ok(Refit { weight: w_kept + change, squared_change })
    }

    async fn eliminated_weight(&self, problem: &Problem) -> Result<Vec<f64>, ObsError> {
        doubles(problem.state.w.clone()).await
    }

    async fn inverse(&self, problem: &Problem) -> Result<Vec<f64>, ObsError> {
        doubles(problem.state.h_inv.clone()).await
    }

    async fn damped_hessian(&self, problem: &Problem) -> Result<Vec<f64>, ObsError> {
        doubles(problem.hessian.clone()).await
    }
}

impl WgpuExecutor {
    async fn diagonal_scores(&self, problem: &Problem, groups: &[Vec<usize>]) -> Result<Vec<f64>, ObsError> {
        let norms = doubles(reduce::column_norms(&problem.state.w)).await?;
        let pivots = doubles(gather::diagonal(&problem.state.h_inv)).await?;
        Ok(groups.iter().map(|g| g.iter().map(|&j| norms[j] / pivots[j]).sum()).collect())
    }

    async fn pivot_scores(&self, problem: &Problem, groups: &[Vec<usize>]) -> Result<Vec<f64>, ObsError> {
        let size = groups.first().map_or(0, Vec::len);
        if size > MAX_BLOCK {
            return self.pivot_scores_of_large_groups(problem, groups).await;
        }
        let index = gather::index(groups, &self.device);
        let l = self.factored_blocks(problem, groups).await?;
        doubles(reduce::pivot_scores(&l, &reduce::column_norms(&problem.state.w), &index)).await
    }

    /// ‖L_g⁻¹ W_gᵀ‖² of every group.
    async fn exact_scores(&self, problem: &Problem, groups: &[Vec<usize>]) -> Result<Vec<f64>, ObsError> {
        let l = self.factored_blocks(problem, groups).await?;
        let [rows, _] = problem.state.w.dims();
        let all_rows = gather::index(&vec![(0..rows).collect(); groups.len()], &self.device);
        let index = gather::index(groups, &self.device);
        let w = gather::gather(&problem.state.w, &all_rows, &index); // (groups, out, size)
        let y = block_cholesky::solve(&l, w.swap_dims(1, 2));
        doubles(reduce::sum_squares(&y)).await
    }

    async fn factored_blocks(&self, problem: &Problem, groups: &[Vec<usize>]) -> Result<Tensor<3>, ObsError> {
        let index = gather::index(groups, &self.device);
        let (l, failures) = block_cholesky::factor(gather::diagonal_blocks(&problem.state.h_inv, &index));
        let failures = floats(failures).await?;
        for (group, failed) in failures.chunks(2).enumerate() {
            if failed[0] >= 0.0 {
                return Err(not_positive(group, failed[0] as usize, failed[1]));
            }
        }
        Ok(l)
    }

    async fn exact_scores_of_large_groups(
        &self,
        problem: &Problem,
        groups: &[Vec<usize>],
    ) -> Result<Vec<f64>, ObsError> {
        let mut scores = Vec::with_capacity(groups.len());
        for (group, columns) in groups.iter().enumerate() {
            let j = self.large_block(problem, group, columns).await?;
            let y = gather::columns(&problem.state.w, columns).matmul(j.transpose());
            scores.push(floats(reduce::sum_squares(&y.unsqueeze())).await?[0].into());
        }
        Ok(scores)
    }

    /// J = L⁻¹ has the diagonal 1 / L_jj, which is all the score needs.
    async fn pivot_scores_of_large_groups(
        &self,
        problem: &Problem,
        groups: &[Vec<usize>],
    ) -> Result<Vec<f64>, ObsError> {
        let norms = doubles(reduce::column_norms(&problem.state.w)).await?;
        let mut scores = Vec::with_capacity(groups.len());
        for (group, columns) in groups.iter().enumerate() {
            let j = self.large_block(problem, group, columns).await?;
            let inverse_roots = doubles(gather::diagonal(&j)).await?;
            scores.push(columns.iter().zip(inverse_roots).map(|(&c, r)| norms[c] * r * r).sum());
        }
        Ok(scores)
    }

    async fn large_block(&self, problem: &Problem, group: usize, columns: &[usize]) -> Result<Tensor<2>, ObsError> {
        let index = gather::index(&[columns.to_vec()], &self.device);
        let factor = inverse_factor(gather::diagonal_blocks(&problem.state.h_inv, &index).squeeze_dim(0));
        factor.check().await.map_err(|e| match e {
            crate::gpu::GpuError::NotPositiveDefinite { pivot, value } => not_positive(group, pivot, value),
            other => other.into(),
        })?;
        Ok(factor.j)
    }
}

fn not_positive(group: usize, pivot: usize, value: f32) -> ObsError {
    let what = format!("the block of H⁻¹ of candidate {group}");
    ObsError::NotPositiveDefinite { what, pivot, value: value.into(), damping: f64::NAN }
}

fn group_failed(error: crate::gpu::GpuError) -> ObsError {
    match error {
        crate::gpu::GpuError::NotPositiveDefinite { pivot, value } => not_positive(0, pivot, value),
        other => other.into(),
    }
}

pub(super) async fn doubles<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f64>, ObsError> {
    Ok(floats(tensor).await?.into_iter().map(f64::from).collect())
}
