//! What the CPU executor asks of faer: products, solves, norms, picked rows and columns, and the
//! Cholesky factor of what should have one.

use faer::linalg::cholesky::llt::factor::LltError;
use faer::linalg::matmul::matmul;
use faer::linalg::solvers::Llt;
use faer::linalg::triangular_solve::solve_lower_triangular_in_place;
use faer::{Accum, Mat, MatRef, Side};

use super::real::Real;
use crate::obs::{FactoredMatrix, ObsError};

/// A = L Lᵀ; `what` names A if it has no such factor.
pub(super) fn llt<T: Real>(a: MatRef<'_, T>, what: impl FnOnce() -> FactoredMatrix) -> Result<Llt<T>, ObsError> {
    // Of the lower triangle alone: rounding may have left the two a little apart.
    Llt::new(a, Side::Lower).map_err(|LltError::NonPositivePivot { index }| not_positive(a, index, what()))
}

/// What is told of a symmetric matrix whose factorisation stopped at row `pivot`. faer does not say
/// what it found there, so the rows before, which could be factored, are factored again.
pub(super) fn not_positive<T: Real>(a: MatRef<'_, T>, pivot: usize, what: FactoredMatrix) -> ObsError {
    // Rounding may stop this one too; then no value is told.
    let before = Llt::new(a.get(..pivot, ..pivot), Side::Lower).ok();
    let left = before.map(|llt| {
        // What was left of the pivot is the Schur complement a_pp − ‖L⁻¹ a_p‖².
        let row = solved(llt.L(), a.get(pivot..pivot + 1, ..pivot).transpose().to_owned());
        let diagonal: f64 = a[(pivot, pivot)].into();
        diagonal - squared(row.as_ref())
    });
    ObsError::not_positive(what, pivot, left)
}

/// L⁻¹ B for a lower triangular `l` `(n, n)` and `b` `(n, columns)`.
pub(super) fn solved<T: Real>(l: MatRef<'_, T>, mut b: Mat<T>) -> Mat<T> {
    solve_lower_triangular_in_place(l, b.as_mut(), faer::get_global_parallelism());
    b
}

pub(super) fn add_product<T: Real>(to: &mut Mat<T>, a: MatRef<'_, T>, b: MatRef<'_, T>) {
    matmul(to.as_mut(), Accum::Add, a, b, T::of(1.0), faer::get_global_parallelism());
}

pub(super) fn subtract_product<T: Real>(from: &mut Mat<T>, a: MatRef<'_, T>, b: MatRef<'_, T>) {
    matmul(from.as_mut(), Accum::Add, a, b, T::of(-1.0), faer::get_global_parallelism());
}

/// ‖A‖²_F, added up in `T`.
pub(super) fn squared<T: Real>(a: MatRef<'_, T>) -> f64 {
    a.squared_norm_l2().into()
}

pub(super) fn picked<T: Real>(a: MatRef<'_, T>, rows: &[usize], columns: &[usize]) -> Mat<T> {
    Mat::from_fn(rows.len(), columns.len(), |i, j| a[(rows[i], columns[j])])
}

pub(super) fn picked_columns<T: Real>(a: MatRef<'_, T>, columns: &[usize]) -> Mat<T> {
    Mat::from_fn(a.nrows(), columns.len(), |i, j| a[(i, columns[j])])
}
