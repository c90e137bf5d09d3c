//! The executor on the CPU: the same operations on faer. In f64 it is the oracle of the kernels,
//! in f32 it is what runs when there is no GPU.

mod algebra;
mod cheapest;
mod host;
mod problem;
mod real;
mod restore;
mod symmetric;
mod tiles;

use std::sync::Arc;

use burn::tensor::Tensor;
use faer::linalg::solvers::Solve;
use faer::{Mat, MatRef};

use super::executor::{Executor, Inspect, Refit, Removal, complement, with_zeros};
use super::{FactoredMatrix, ObsError, Score};
use algebra::{add_product, llt, picked, picked_columns, solved, squared, subtract_product};
use host::{Elements, row_by_row};
use problem::Problem;
pub use real::Real;
use symmetric::Damped;

/// L of A = L Lᵀ, row by row, for the inverse `a` `(n, n)` of a traced layer.
pub(super) fn lower_factor(a: &[f64], n: usize) -> Result<Vec<f64>, ObsError> {
    let all: Vec<usize> = (0..n).collect();
    let factor = llt(MatRef::from_row_major_slice(a, n, n), || FactoredMatrix::inverse_block(&all))?;
    Ok(row_by_row(factor.L()))
}

/// The score of a group of columns of a traced layer, with `weight` `(rows, n)` and `inverse` `(n, n)`
/// row by row.
pub(super) fn score(
    weight: &[f64],
    inverse: &[f64],
    n: usize,
    columns: &[usize],
    score: Score,
) -> Result<f64, ObsError> {
    let weight = MatRef::from_row_major_slice(weight, weight.len() / n, n);
    problem::group_score(weight, MatRef::from_row_major_slice(inverse, n, n), columns, score)
}

/// Runs on the CPU in `T`.
#[derive(Clone, Copy, Debug, Default)]
pub struct CpuExecutor<T = f32>(std::marker::PhantomData<T>);

impl<T: Real> CpuExecutor<T> {
    /// The executor. It has no state.
    pub fn new() -> Self {
        Self(std::marker::PhantomData)
    }
}

impl<T: Real> Executor for CpuExecutor<T> {
    /// The lower triangle; shared with the problems made of it.
    type Sum = Arc<Mat<T>>;
    type Problem = Problem<T>;

    fn zero_sum(&self, features: usize) -> Self::Sum {
        Arc::new(Mat::zeros(features, features))
    }

    async fn accumulate(&self, mut sum: Self::Sum, x: &Tensor<2>) -> Result<Self::Sum, ObsError> {
        let elements = Elements::of(x).await?;
        let values = elements.values();
        // Copies only where a problem still shares the sum; during calibration none does.
        symmetric::accumulate(Arc::make_mut(&mut sum), elements.matrix(&values));
        Ok(sum)
    }

    async fn diagonal(&self, sum: &Self::Sum) -> Result<Vec<f64>, ObsError> {
        Ok((0..sum.nrows()).map(|j| sum[(j, j)].into()).collect())
    }

    async fn squared_error(&self, sum: &Self::Sum, delta: &Tensor<2>, _dead: &[usize]) -> Result<f64, ObsError> {
        // The raw sum is zero where an input never fired, so `dead` need not be looked at.
        let delta = host::matrix(delta).await?;
        Ok(symmetric::quadratic_form(sum, delta.as_ref()))
    }

    async fn factor(
        &self,
        sum: &Self::Sum,
        weight: &Tensor<2>,
        lambda: f64,
        dead: &[usize],
    ) -> Result<Problem<T>, ObsError> {
        let hessian = Damped::new(sum, lambda);
        // Weights of inputs that never fired change no output, but would be charged λ each.
        let weight = with_zeros(weight, dead);
        Ok(Problem {
            w: host::matrix(&weight).await?,
            h_inv: hessian.inverse()?,
            alive: vec![true; hessian.order()],
            weight,
            hessian,
        })
    }

    async fn group_scores(
        &self,
        problem: &Problem<T>,
        groups: &[Vec<usize>],
        score: Score,
    ) -> Result<Vec<f64>, ObsError> {
        groups.iter().map(|columns| problem.score(columns, score)).collect()
    }

    async fn eliminate(&self, problem: &mut Problem<T>, columns: &[usize]) -> Result<f64, ObsError> {
        let all: Vec<usize> = (0..problem.h_inv.nrows()).collect();
        let l = problem.block_factor(columns)?;
        // With [H⁻¹]_gg = L Lᵀ: Eᵀ = L⁻¹ W_gᵀ, Y = L⁻¹ [H⁻¹]_g:, W −= E Y, H⁻¹ −= Yᵀ Y.
        let et = solved(l.L(), picked_columns(problem.w.as_ref(), columns).transpose().to_owned());
        let y = solved(l.L(), picked(problem.h_inv.as_ref(), columns, &all));
        subtract_product(&mut problem.w, et.transpose(), y.as_ref());
        subtract_product(&mut problem.h_inv, y.transpose(), y.as_ref());
        columns.iter().for_each(|&j| problem.alive[j] = false);
        // ‖E‖²_F = ‖L⁻¹ W_gᵀ‖²_F = tr(W_g [H⁻¹]_gg⁻¹ W_gᵀ): what the group costs.
        Ok(squared(et.as_ref()))
    }

    async fn eliminate_cheapest(&self, problem: &mut Problem<T>, count: usize) -> Result<Vec<Removal>, ObsError> {
        cheapest::eliminate(problem, count)
    }

    async fn gains(&self, problem: &Problem<T>, groups: &[Vec<usize>]) -> Result<Vec<f64>, ObsError> {
        restore::gains(problem, groups).await
    }

    async fn restore(&self, problem: &mut Problem<T>, columns: &[usize]) -> Result<f64, ObsError> {
        restore::restore(problem, columns).await
    }

    fn end_elimination(&self, problem: &mut Problem<T>) {
        (problem.w, problem.h_inv) = (Mat::new(), Mat::new());
    }

    async fn refit(&self, problem: &Problem<T>, kept: &[usize], draw: Option<&Tensor<2>>) -> Result<Refit, ObsError> {
        let Problem { weight, hessian, .. } = problem;
        let gone = complement(kept, hessian.order());
        let elements = Elements::of(weight).await?;
        let values = elements.values();
        let mut fitted = picked_columns(elements.matrix(&values), kept);
        let mut squared_change = 0.0;
        if !gone.is_empty() || draw.is_some() {
            let w_gone = picked_columns(elements.matrix(&values), &gone);
            // Only the correction W_P H_PK passes through the inverse: W H_:K would lose more digits.
            let mut pulled = Mat::zeros(fitted.nrows(), kept.len());
            add_product(&mut pulled, w_gone.as_ref(), hessian.block(&gone, kept).as_ref());
            if let Some(draw) = draw {
                let elements = Elements::of(draw).await?;
                let values = elements.values::<T>();
                pulled += picked_columns(elements.matrix(&values), kept);
            }
            let h_kept = hessian.block(kept, kept);
            // H_KK is symmetric, so solving from the left gives the change transposed.
            let change = llt(h_kept.as_ref(), || FactoredMatrix::KeptHessian)?.solve(pulled.transpose());
            // What went counts as zero in Ŵ, so it changed by all of W_P.
            squared_change = squared(change.as_ref()) + squared(w_gone.as_ref());
            fitted += change.transpose();
        }
        Ok(Refit { weight: host::tensor(fitted.as_ref(), &weight.device()), squared_change })
    }
}

impl<T: Real> Inspect for CpuExecutor<T> {
    async fn eliminated_weight(&self, problem: &Problem<T>) -> Result<Vec<f64>, ObsError> {
        Ok(row_by_row(problem.w.as_ref()))
    }

    async fn inverse(&self, problem: &Problem<T>) -> Result<Vec<f64>, ObsError> {
        Ok(row_by_row(problem.h_inv.as_ref()))
    }

    async fn damped_hessian(&self, problem: &Problem<T>) -> Result<Vec<f64>, ObsError> {
        let all: Vec<usize> = (0..problem.hessian.order()).collect();
        Ok(row_by_row(problem.hessian.block(&all, &all).as_ref()))
    }

    async fn replace_inverse(&self, problem: &mut Problem<T>, inverse: &Tensor<2>) -> Result<(), ObsError> {
        problem.h_inv = host::matrix(inverse).await?;
        Ok(())
    }
}
