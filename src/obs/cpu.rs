//! The executor on the CPU: the same operations on faer. In f64 it is the oracle of the kernels,
//! in f32 it is what runs when there is no GPU.

mod cheapest;
mod host;
mod symmetric;
mod tiles;

use std::sync::Arc;

use burn::tensor::Tensor;
use faer::linalg::matmul::matmul;
use faer::linalg::solvers::{Llt, Solve};
use faer::linalg::triangular_solve::solve_lower_triangular_in_place;
use faer::{Accum, Mat, MatRef, Side};

use super::executor::{Executor, Refit, Removal, complement, with_zeros};
use super::{ObsError, Score};
pub use host::Real;
use host::{Elements, row_by_row};
use symmetric::Damped;

/// Runs on the CPU in `T`.
#[derive(Clone, Copy, Debug, Default)]
pub struct CpuExecutor<T = f32>(std::marker::PhantomData<T>);

/// W, H and H⁻¹ on the host.
pub struct Problem<T> {
    /// The weights as elimination left them `(out, in)`.
    w: Mat<T>,
    h_inv: Mat<T>,
    alive: Vec<bool>,
    /// The weights before.
    weight: Tensor<2>,
    hessian: Damped<T>,
}

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
        let values = elements.values()?;
        symmetric::accumulate(Arc::make_mut(&mut sum), elements.matrix(&values));
        Ok(sum)
    }

    async fn diagonal(&self, sum: &Self::Sum) -> Result<Vec<f64>, ObsError> {
        Ok((0..sum.nrows()).map(|j| sum[(j, j)].into()).collect())
    }

    async fn squared_error(&self, sum: &Self::Sum, delta: &Tensor<2>, _dead: &[usize]) -> Result<f64, ObsError> {
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
        groups.iter().enumerate().map(|(i, columns)| problem.score(i, columns, score)).collect()
    }

    async fn eliminate(&self, problem: &mut Problem<T>, columns: &[usize]) -> Result<f64, ObsError> {
        let all: Vec<usize> = (0..problem.h_inv.nrows()).collect();
        let l = problem.block_factor(0, columns)?;
        // With [H⁻¹]_gg = L Lᵀ: Eᵀ = L⁻¹ W_gᵀ, Y = L⁻¹ [H⁻¹]_g:, W −= E Y, H⁻¹ −= Yᵀ Y.
        let et = solved(l.L(), picked_columns(problem.w.as_ref(), columns).transpose().to_owned());
        let y = solved(l.L(), picked(problem.h_inv.as_ref(), columns, &all));
        subtract_product(&mut problem.w, et.transpose(), y.as_ref());
        subtract_product(&mut problem.h_inv, y.transpose(), y.as_ref());
        columns.iter().for_each(|&j| problem.alive[j] = false);
        Ok(squared(et.as_ref()))
    }

    async fn eliminate_cheapest(&self, problem: &mut Problem<T>, count: usize) -> Result<Vec<Removal>, ObsError> {
        cheapest::eliminate(problem, count)
    }

    async fn refit(&self, problem: &Problem<T>, kept: &[usize]) -> Result<Refit, ObsError> {
        let Problem { weight, hessian, .. } = problem;
        let gone = complement(kept, hessian.order());
        let elements = Elements::of(weight).await?;
        let values = elements.values()?;
        let mut fitted = picked_columns(elements.matrix(&values), kept);
        let mut squared_change = 0.0;
        if !gone.is_empty() {
            let w_gone = picked_columns(elements.matrix(&values), &gone);
            let mut pulled = Mat::zeros(fitted.nrows(), kept.len());
            add_product(&mut pulled, w_gone.as_ref(), hessian.block(&gone, kept).as_ref());
            let h_kept = hessian.block(kept, kept);
            let change = llt(h_kept.as_ref(), || "the Hessian of the kept inputs".into())?.solve(pulled.transpose());
            squared_change = squared(change.as_ref()) + squared(w_gone.as_ref());
            fitted += change.transpose();
        }
        Ok(Refit { weight: host::tensor(fitted.as_ref(), &weight.device()), squared_change })
    }

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
}

impl<T: Real> Problem<T> {
    fn score(&self, group: usize, columns: &[usize], score: Score) -> Result<f64, ObsError> {
        let norm = |j: usize| squared(self.w.col(j).as_mat());
        match score {
            Score::Exact if columns.len() > 1 => {
                let l = self.block_factor(group, columns)?;
                let wt = picked_columns(self.w.as_ref(), columns).transpose().to_owned();
                Ok(squared(solved(l.L(), wt).as_ref()))
            }
            Score::GroupedCholesky if columns.len() > 1 => {
                let l = self.block_factor(group, columns)?;
                let root = |k: usize| -> f64 { l.L()[(k, k)].into() };
                Ok(columns.iter().enumerate().map(|(k, &j)| norm(j) / root(k).powi(2)).sum())
            }
            _ => Ok(columns.iter().map(|&j| norm(j) / self.h_inv[(j, j)].into()).sum()),
        }
    }

    /// The Cholesky factor of [H⁻¹]_gg.
    fn block_factor(&self, group: usize, columns: &[usize]) -> Result<Llt<T>, ObsError> {
        let block = picked(self.h_inv.as_ref(), columns, columns);
        llt(block.as_ref(), || format!("the block of H⁻¹ of candidate {group}"))
    }
}

fn llt<T: Real>(a: MatRef<'_, T>, what: impl Fn() -> String) -> Result<Llt<T>, ObsError> {
    Llt::new(a, Side::Lower).map_err(|error| symmetric::not_positive(error, what()))
}

/// L⁻¹ B.
fn solved<T: Real>(l: MatRef<'_, T>, mut b: Mat<T>) -> Mat<T> {
    solve_lower_triangular_in_place(l, b.as_mut(), faer::get_global_parallelism());
    b
}

fn add_product<T: Real>(to: &mut Mat<T>, a: MatRef<'_, T>, b: MatRef<'_, T>) {
    matmul(to.as_mut(), Accum::Add, a, b, T::of(1.0), faer::get_global_parallelism());
}

fn subtract_product<T: Real>(from: &mut Mat<T>, a: MatRef<'_, T>, b: MatRef<'_, T>) {
    matmul(from.as_mut(), Accum::Add, a, b, T::of(-1.0), faer::get_global_parallelism());
}

/// ‖A‖²_F.
fn squared<T: Real>(a: MatRef<'_, T>) -> f64 {
    a.squared_norm_l2().into()
}

fn picked<T: Real>(a: MatRef<'_, T>, rows: &[usize], columns: &[usize]) -> Mat<T> {
    Mat::from_fn(rows.len(), columns.len(), |i, j| a[(rows[i], columns[j])])
}

fn picked_columns<T: Real>(a: MatRef<'_, T>, columns: &[usize]) -> Mat<T> {
    Mat::from_fn(a.nrows(), columns.len(), |i, j| a[(i, columns[j])])
}
