//! Columns that come back on the device: the letters are those of `obs/swap.rs`.

use std::ops::Range;

use burn::tensor::{Tensor, TensorData};

use super::Problem;
use super::factor::factored;
use crate::device::panels::Panels;
use crate::device::product::product;
use crate::device::readback::{doubles, floats};
use crate::gpu::cholesky::InverseFactor;
use crate::gpu::{gather, reduce};
use crate::obs::executor::with_zeros;
use crate::obs::{FactoredMatrix, ObsError};

/// What is known of columns that are gone.
struct Pulled {
    /// H_:p `(in, gone)`.
    h: Tensor<2>,
    /// H_Kp over all columns `(in, gone)`; zero where a column is gone, as in T.
    there: Tensor<2>,
    /// T `(in, gone)`.
    t: Tensor<2>,
    /// R `(out, gone)`.
    r: Tensor<2>,
}

impl Pulled {
    /// With H as [`Problem::damped`] makes it.
    fn of(problem: &Problem, hessian: &Panels, columns: &[usize]) -> Self {
        let Problem { state, weight, .. } = problem;
        let [_, n] = weight.dims();
        let alive = state.alive.clone().reshape([n, 1]);
        let h = gather::panel_columns(hessian, columns).whole();
        // What rounding left in rows and columns of H⁻¹ that are gone must move nothing.
        let there = h.clone() * alive.clone();
        let t = state.h_inv.times(&there) * alive.clone();
        let r = product(weight.clone() - state.w.clone() * alive.transpose(), h.clone());
        Self { h, there, t, r }
    }

    /// L⁻¹ with S = L Lᵀ of the `group` at these places.
    async fn factor(&self, group: &[usize], places: Range<usize>) -> Result<InverseFactor, ObsError> {
        let of_group = |a: &Tensor<2>| a.clone().slice([0..a.dims()[0], places.clone()]);
        let s = gather::rows(&of_group(&self.h), group) - of_group(&self.there).transpose().matmul(of_group(&self.t));
        factored(s.into(), || FactoredMatrix::KeptHessian).await
    }
}

/// What each group would win back alone; zero where rounding has left S no factor.
pub(super) async fn gains(problem: &Problem, groups: &[Vec<usize>]) -> Result<Vec<f64>, ObsError> {
    let columns = groups.concat();
    let hessian = problem.damped();
    let pulled = Pulled::of(problem, &hessian, &columns);
    if groups.iter().all(|group| group.len() == 1) {
        return of_columns(&hessian, &columns, pulled).await;
    }
    drop(hessian);
    let (mut gains, mut next) = (Vec::with_capacity(groups.len()), 0);
    for group in groups {
        let places = next..next + group.len();
        next = places.end;
        let rows = pulled.r.dims()[0];
        gains.push(match pulled.factor(group, places.clone()).await {
            Ok(factor) => {
                let e = factor.j.times_transposed(pulled.r.clone().slice([0..rows, places]));
                floats(reduce::sum_squares(&e.unsqueeze())).await?[0].into()
            }
            Err(ObsError::NotPositiveDefinite { .. }) => 0.0,
            Err(error) => return Err(error),
        });
    }
    Ok(gains)
}

/// The same of single columns, whose S are numbers: read back together.
async fn of_columns(hessian: &Panels, columns: &[usize], pulled: Pulled) -> Result<Vec<f64>, ObsError> {
    let Pulled { there, t, r, .. } = pulled;
    let diagonal = doubles(gather::diagonal(hessian)).await?;
    let explained = doubles((there * t).sum_dim(0)).await?;
    let squares = doubles((r.clone() * r).sum_dim(0)).await?;
    let gain = |((&column, explained), square): ((&usize, f64), f64)| {
        let s = diagonal[column] - explained;
        if s > 0.0 { square / s } else { 0.0 }
    };
    Ok(columns.iter().zip(explained).zip(squares).map(gain).collect())
}

/// Brings a group back and tells what that has won.
pub(super) async fn restore(problem: &mut Problem, columns: &[usize]) -> Result<f64, ObsError> {
    let pulled = Pulled::of(problem, &problem.damped(), columns);
    let j = pulled.factor(columns, 0..columns.len()).await?.j;
    let state = &mut problem.state;
    let ([_, n], size, device) = (state.w.dims(), columns.len(), state.w.device());
    let mut places = vec![0.0f32; n * size];
    columns.iter().enumerate().for_each(|(k, &column)| places[column * size + k] = 1.0);
    let places: Tensor<2> = Tensor::from_data(TensorData::new(places, [n, size]), &device);
    // T is zero in the rows of what is gone, and so of what returns.
    let y = j.times(&(places.clone() - pulled.t).transpose());
    let e = j.times_transposed(pulled.r);
    let gain = floats(reduce::sum_squares(&e.clone().unsqueeze())).await?[0];
    let returning: Tensor<2> = places.sum_dim(1); // (in, 1)
    let others = returning.clone().neg().add_scalar(1.0);
    state.w.inplace(|w| with_zeros(&w, columns) + product(e, y.clone()));
    state.h_inv.inplace(|first, block| {
        let own = first..first + block.dims()[0];
        let rows = y.clone().slice([0..size, own.clone()]);
        with_zeros(&block, columns) * others.clone().slice([own, 0..1]) + product(rows.transpose(), y.clone())
    });
    state.alive.inplace(|alive| alive + returning.squeeze_dim(1));
    Ok(gain.into())
}
