//! The executor on the CPU: the same operations on faer. In f64 it is the oracle of the kernels,
//! in f32 it is what runs when there is no GPU.

mod cheapest;

use std::borrow::Cow;

use burn::tensor::{Tensor, TensorData};
use faer::linalg::matmul::matmul;
use faer::linalg::matmul::triangular::{self, BlockStructure};
use faer::linalg::solvers::{DenseSolveCore, Llt, Solve};
use faer::linalg::triangular_solve::solve_lower_triangular_in_place;
use faer::{Accum, Mat, MatRef, Side};

use super::executor::{Executor, Refit, Removal, complement};
use super::{ObsError, Score};

/// The element types the CPU executor computes in.
pub trait Real: faer::traits::RealField + Copy + Into<f64> + Send + Sync + 'static {
    /// The nearest value to an f64.
    fn of(value: f64) -> Self;
    /// The value as an f32.
    fn single(self) -> f32;
    /// Singles in this type; not copied where they are that already.
    fn of_singles(values: &[f32]) -> Cow<'_, [Self]>;
}

impl Real for f32 {
    fn of(value: f64) -> Self {
        value as f32
    }
    fn single(self) -> f32 {
        self
    }
    fn of_singles(values: &[f32]) -> Cow<'_, [f32]> {
        Cow::Borrowed(values)
    }
}

impl Real for f64 {
    fn of(value: f64) -> Self {
        value
    }
    fn single(self) -> f32 {
        self as f32
    }
    fn of_singles(values: &[f32]) -> Cow<'_, [f64]> {
        values.iter().map(|&v| v.into()).collect()
    }
}

/// Runs on the CPU in `T`.
#[derive(Clone, Copy, Debug, Default)]
pub struct CpuExecutor<T = f32>(std::marker::PhantomData<T>);

/// W, H and H⁻¹ on the host.
pub struct Problem<T> {
    /// The weights as elimination left them `(out, in)`.
    w: Mat<T>,
    h_inv: Mat<T>,
    alive: Vec<bool>,
    weight: Mat<T>,
    hessian: Mat<T>,
    device: burn::tensor::Device,
}

impl<T: Real> CpuExecutor<T> {
    /// The executor. It has no state.
    pub fn new() -> Self {
        Self(std::marker::PhantomData)
    }
}

impl<T: Real> Executor for CpuExecutor<T> {
    type Sum = Mat<T>;
    type Problem = Problem<T>;

    fn zero_sum(&self, features: usize) -> Mat<T> {
        Mat::zeros(features, features)
    }

    async fn accumulate(&self, mut sum: Mat<T>, x: &Tensor<2>) -> Result<Mat<T>, ObsError> {
        let [tokens, features] = x.dims();
        let data = read(x).await?;
        let values = T::of_singles(singles(&data)?);
        let x = MatRef::from_row_major_slice(&values, tokens, features);
        triangular::matmul(
            sum.as_mut(),
            BlockStructure::TriangularLower,
            Accum::Add,
            x.transpose(),
            BlockStructure::Rectangular,
            x,
            BlockStructure::Rectangular,
            T::of(1.0),
            faer::get_global_parallelism(),
        );
        Ok(sum)
    }

    async fn diagonal(&self, sum: &Mat<T>) -> Result<Vec<f64>, ObsError> {
        Ok((0..sum.nrows()).map(|j| sum[(j, j)].into()).collect())
    }

    async fn squared_error(&self, sum: &Mat<T>, delta: &Tensor<2>, _dead: &[usize]) -> Result<f64, ObsError> {
        let delta: Mat<T> = host(delta).await?;
        let mut pulled = Mat::zeros(delta.nrows(), delta.ncols());
        add_product(&mut pulled, delta.as_ref(), mirrored(sum).as_ref());
        let product = |i: usize, j: usize| -> f64 { pulled[(i, j)].into() * delta[(i, j)].into() };
        let row = |i: usize| (0..delta.ncols()).map(|j| product(i, j)).sum::<f64>();
        Ok((0..delta.nrows()).map(row).sum())
    }

    async fn factor(
        &self,
        sum: &Mat<T>,
        weight: &Tensor<2>,
        lambda: f64,
        dead: &[usize],
    ) -> Result<Problem<T>, ObsError> {
        let hessian = damped(sum, T::of(lambda));
        let h_inv = llt(hessian.as_ref(), || "the Hessian".into())?.inverse();
        let mut w = host(weight).await?;
        for &j in dead {
            w.col_mut(j).fill(T::of(0.0));
        }
        Ok(Problem {
            w: w.clone(),
            h_inv,
            alive: vec![true; hessian.nrows()],
            weight: w,
            hessian,
            device: weight.device(),
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
        let Problem { weight, hessian, device, .. } = problem;
        let gone = complement(kept, hessian.nrows());
        let mut fitted = picked_columns(weight.as_ref(), kept);
        let mut squared_change = 0.0;
        if !gone.is_empty() {
            let w_gone = picked_columns(weight.as_ref(), &gone);
            let mut pulled = Mat::zeros(fitted.nrows(), kept.len());
            add_product(&mut pulled, w_gone.as_ref(), picked(hessian.as_ref(), &gone, kept).as_ref());
            let h_kept = picked(hessian.as_ref(), kept, kept);
            let change = llt(h_kept.as_ref(), || "the Hessian of the kept inputs".into())?.solve(pulled.transpose());
            squared_change = squared(change.as_ref()) + squared(w_gone.as_ref());
            fitted += change.transpose();
        }
        Ok(Refit { weight: tensor(fitted.as_ref(), device), squared_change })
    }

    async fn eliminated_weight(&self, problem: &Problem<T>) -> Result<Vec<f64>, ObsError> {
        Ok(row_by_row(&problem.w))
    }

    async fn inverse(&self, problem: &Problem<T>) -> Result<Vec<f64>, ObsError> {
        Ok(row_by_row(&problem.h_inv))
    }

    async fn damped_hessian(&self, problem: &Problem<T>) -> Result<Vec<f64>, ObsError> {
        Ok(row_by_row(&problem.hessian))
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
    Llt::new(a, Side::Lower).map_err(|faer::linalg::cholesky::llt::factor::LltError::NonPositivePivot { index }| {
        ObsError::NotPositiveDefinite { what: what(), pivot: index, value: f64::NAN, damping: f64::NAN }
    })
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

fn row_by_row<T: Real>(a: &Mat<T>) -> Vec<f64> {
    (0..a.nrows()).flat_map(|i| (0..a.ncols()).map(move |j| a[(i, j)].into())).collect()
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

/// The full symmetric matrix of a lower triangle.
fn mirrored<T: Real>(lower: &Mat<T>) -> Mat<T> {
    let mut full = lower.transpose().to_owned();
    full.copy_from_triangular_lower(lower);
    full
}

/// The full symmetric matrix of a lower triangle plus λI; a zero diagonal becomes one.
fn damped<T: Real>(lower: &Mat<T>, lambda: T) -> Mat<T> {
    let mut full = mirrored(lower);
    full.diagonal_mut().column_vector_mut().iter_mut().for_each(|value| {
        let sum = *value + lambda;
        *value = if sum == T::of(0.0) { T::of(1.0) } else { sum };
    });
    full
}

async fn read(tensor: &Tensor<2>) -> Result<TensorData, ObsError> {
    tensor.to_data_async().await.map_err(|e| ObsError::Readback(format!("{e:?}")))
}

fn singles(data: &TensorData) -> Result<&[f32], ObsError> {
    data.as_slice::<f32>().map_err(|e| ObsError::Readback(format!("{e:?}")))
}

async fn host<T: Real>(tensor: &Tensor<2>) -> Result<Mat<T>, ObsError> {
    let [rows, columns] = tensor.dims();
    let data = read(tensor).await?;
    Ok(MatRef::from_row_major_slice(&T::of_singles(singles(&data)?), rows, columns).to_owned())
}

fn tensor<T: Real>(a: MatRef<'_, T>, device: &burn::tensor::Device) -> Tensor<2> {
    let values: Vec<f32> = (0..a.nrows()).flat_map(|i| (0..a.ncols()).map(move |j| a[(i, j)].single())).collect();
    Tensor::from_data(TensorData::new(values, [a.nrows(), a.ncols()]), device)
}
