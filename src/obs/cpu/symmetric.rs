//! H on the CPU: the lower triangle that accumulation sums up, its damping, and its inverse. The
//! full matrix is never stored.

use std::sync::Arc;

use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::cholesky::llt::factor::{LltError, cholesky_in_place, cholesky_in_place_scratch};
use faer::linalg::cholesky::llt::inverse::{inverse, inverse_scratch};
use faer::linalg::matmul::triangular::{self, BlockStructure};
use faer::{Accum, Mat, MatRef};

use super::algebra::not_positive;
use super::real::Real;
use super::tiles::mirror;
use crate::obs::{FactoredMatrix, ObsError};

/// Adds XᵀX to the lower triangle of `sum` `(features, features)`, with `x` `(tokens, features)`.
pub(super) fn accumulate<T: Real>(sum: &mut Mat<T>, x: MatRef<'_, T>) {
    triangular::matmul(
        sum.as_mut(),
        // The upper triangle says nothing new: half of the products.
        BlockStructure::TriangularLower,
        Accum::Add,
        x.transpose(),
        BlockStructure::Rectangular,
        x,
        BlockStructure::Rectangular,
        T::of(1.0),
        faer::get_global_parallelism(),
    );
}

/// Takes the lower triangle of A B, `(n, k) · (k, n)`, from that of `from` `(n, n)`.
pub(super) fn subtract_lower<T: Real>(from: &mut Mat<T>, a: MatRef<'_, T>, b: MatRef<'_, T>) {
    triangular::matmul(
        from.as_mut(),
        BlockStructure::TriangularLower,
        Accum::Add,
        a,
        BlockStructure::Rectangular,
        b,
        BlockStructure::Rectangular,
        T::of(-1.0),
        faer::get_global_parallelism(),
    );
}

/// tr(Δ H Δᵀ) for H given by its lower triangle. With H = L + Lᵀ − D, where L holds the diagonal
/// D, that is 2 tr(Δ L Δᵀ) − tr(Δ D Δᵀ): half of the work.
pub(super) fn quadratic_form<T: Real>(lower: &Mat<T>, delta: MatRef<'_, T>) -> f64 {
    let mut pulled = Mat::<T>::zeros(delta.nrows(), delta.ncols());
    triangular::matmul(
        pulled.as_mut(),
        BlockStructure::Rectangular,
        Accum::Replace,
        delta,
        BlockStructure::Rectangular,
        lower.as_ref(),
        BlockStructure::TriangularLower,
        T::of(1.0),
        faer::get_global_parallelism(),
    );
    let column = |j: usize| {
        let pivot: f64 = lower[(j, j)].into();
        let term = |i: usize| -> f64 {
            let change: f64 = delta[(i, j)].into();
            change * (2.0 * pulled[(i, j)].into() - pivot * change)
        };
        (0..delta.nrows()).map(term).sum::<f64>()
    };
    (0..delta.ncols()).map(column).sum()
}

/// H + λI, over a sum that others hold too.
pub(super) struct Damped<T> {
    lower: Arc<Mat<T>>,
    lambda: T,
}

impl<T: Real> Damped<T> {
    pub fn new(lower: &Arc<Mat<T>>, lambda: f64) -> Self {
        Self { lower: Arc::clone(lower), lambda: T::of(lambda) }
    }

    pub fn order(&self) -> usize {
        self.lower.nrows()
    }

    /// An element; a zero on the diagonal, of an input that never fired, counts as one.
    pub fn element(&self, i: usize, j: usize) -> T {
        let value = self.lower[(i.max(j), i.min(j))];
        match (i == j, value + self.lambda) {
            (false, _) => value,
            (true, sum) if sum == T::of(0.0) => T::of(1.0),
            (true, sum) => sum,
        }
    }

    /// The elements where `rows` meet `columns`.
    pub fn block(&self, rows: &[usize], columns: &[usize]) -> Mat<T> {
        Mat::from_fn(rows.len(), columns.len(), |i, j| self.element(rows[i], columns[j]))
    }

    /// The full inverse, symmetric to the last bit.
    ///
    /// # Errors
    /// Names the first pivot that is not positive.
    pub fn inverse(&self) -> Result<Mat<T>, ObsError> {
        let n = self.order();
        let cpus = faer::get_global_parallelism();
        // The larger of both, since the two steps never run at once.
        let scratch = cholesky_in_place_scratch::<T>(n, cpus, Default::default()).or(inverse_scratch::<T>(n, cpus));
        let mut memory = MemBuffer::new(scratch);
        // Factored in place: beside the sum only the factor and the inverse are ever stored.
        let mut l = Mat::zeros(n, n);
        l.copy_from_triangular_lower(self.lower.as_ref());
        (0..n).for_each(|j| l[(j, j)] = self.element(j, j));
        cholesky_in_place(l.as_mut(), Default::default(), cpus, MemStack::new(&mut memory), Default::default())
            .map_err(|error| self.not_positive(error))?;
        let mut full = Mat::zeros(n, n);
        inverse(full.as_mut(), l.as_ref(), cpus, MemStack::new(&mut memory));
        // faer computes the lower triangle alone.
        mirror(full.as_mut());
        Ok(full)
    }

    fn not_positive(&self, LltError::NonPositivePivot { index }: LltError) -> ObsError {
        // The factorisation wrote over its copy, so the rows up to its stop are taken from the sum again.
        let upto: Vec<usize> = (0..=index).collect();
        not_positive(self.block(&upto, &upto).as_ref(), index, FactoredMatrix::Hessian)
    }
}
