//! Columns one at a time on the CPU, with W and H⁻¹ rewritten once per block of removals: the
//! twin of `shaders/pick_column.wgsl` and its four companions, step for step.

use faer::Mat;

use super::algebra::{add_product, squared, subtract_product};
use super::problem::Problem;
use super::real::Real;
use crate::obs::{ObsError, Removal, score};

/// Removals between two flushes.
const BLOCK: usize = 32;

/// Removes `count` columns, the cheapest at its time first; of equals the lowest.
pub(super) fn eliminate<T: Real>(problem: &mut Problem<T>, count: usize) -> Result<Vec<Removal>, ObsError> {
    let mut removed = Vec::with_capacity(count);
    while removed.len() < count {
        // Longer blocks rewrite H⁻¹ less often, but every removal within one is corrected by more pairs.
        block(problem, BLOCK.min(count - removed.len()), &mut removed)?;
    }
    Ok(removed)
}

/// What is kept aside since the last flush: W = base − E Uᵀ, H⁻¹ = base − U Uᵀ.
struct Deferred<T> {
    e: Mat<T>,        // (out, block)
    u: Mat<T>,        // (in, block)
    norms: Vec<f64>,  // ‖W_:j‖²
    pivots: Vec<f64>, // [H⁻¹]_jj
}

fn block<T: Real>(problem: &mut Problem<T>, size: usize, removed: &mut Vec<Removal>) -> Result<(), ObsError> {
    let (rows, columns) = (problem.w.nrows(), problem.w.ncols());
    let mut deferred = Deferred {
        e: Mat::zeros(rows, size),
        u: Mat::zeros(columns, size),
        // Anew in every block, so that the updates below round over one block only.
        norms: (0..columns).map(|j| squared(problem.w.col(j).as_mat())).collect(),
        pivots: (0..columns).map(|j| problem.h_inv[(j, j)].into()).collect(),
    };
    for k in 0..size {
        let removal = cheapest(&deferred, &problem.alive)?;
        problem.alive[removal.unit] = false;
        deferred.remove(problem, removal.unit, k);
        removed.push(removal);
    }
    subtract_product(&mut problem.w, deferred.e.as_ref(), deferred.u.transpose());
    subtract_product(&mut problem.h_inv, deferred.u.as_ref(), deferred.u.transpose());
    Ok(())
}

fn cheapest<T>(deferred: &Deferred<T>, alive: &[bool]) -> Result<Removal, ObsError> {
    let cost = |j: usize| score::of_column(j, deferred.norms[j], deferred.pivots[j]);
    // What has no score goes first, so that it is told and not passed over.
    let rank = |j: usize| cost(j).unwrap_or(-1.0);
    let unit = (0..alive.len())
        .filter(|&j| alive[j])
        .min_by(|&a, &b| rank(a).total_cmp(&rank(b)).then(a.cmp(&b)))
        .ok_or(ObsError::NothingLeft { unit: "channels", remove: alive.len(), present: alive.len() })?;
    let cost = cost(unit)?;
    Ok(Removal { unit, score: cost, cost })
}

impl<T: Real> Deferred<T> {
    /// Keeps aside the removal of column `p` as pair `k`.
    fn remove(&mut self, problem: &Problem<T>, p: usize, k: usize) {
        let root = T::of(self.pivots[p].sqrt());
        let u = self.pivot_row(problem, p, k, root);
        let e = self.pivot_column(problem, p, k, root);
        let v = self.correlation(problem, &e, k);
        let cost = squared(e.as_ref());
        for j in 0..u.nrows() {
            let u_j: f64 = u[(j, 0)].into();
            self.pivots[j] -= u_j * u_j;
            // ‖W_:j − e u_j‖² = ‖W_:j‖² − 2 u_j v_j + u_j² ‖e‖². A length cannot be negative, but rounding
            // could make it so where W_:j is nearly all compensation.
            let change = u_j * u_j * cost - 2.0 * u_j * v[(j, 0)].into();
            self.norms[j] = (self.norms[j] + change).max(0.0);
        }
        self.u.col_mut(k).copy_from(u.col(0));
        self.e.col_mut(k).copy_from(e.col(0));
    }

    /// u = [H⁻¹]_:p / √[H⁻¹]_pp; zero where a column is gone.
    fn pivot_row(&self, problem: &Problem<T>, p: usize, k: usize, root: T) -> Mat<T> {
        let mut u = problem.h_inv.col(p).as_mat().to_owned();
        subtract_product(&mut u, self.u.get(.., ..k), self.u.get(p..p + 1, ..k).transpose());
        // Exactly zero where a column is gone: what rounding left in its row of H⁻¹ must move nothing.
        Mat::from_fn(u.nrows(), 1, |j, _| match (j == p, problem.alive[j]) {
            (true, _) => root,
            (_, true) => u[(j, 0)] / root,
            _ => T::of(0.0),
        })
    }

    /// e = W_:p / √[H⁻¹]_pp.
    fn pivot_column(&self, problem: &Problem<T>, p: usize, k: usize, root: T) -> Mat<T> {
        let mut e = problem.w.col(p).as_mat().to_owned();
        subtract_product(&mut e, self.e.get(.., ..k), self.u.get(p..p + 1, ..k).transpose());
        Mat::from_fn(e.nrows(), 1, |i, _| e[(i, 0)] / root)
    }

    /// v = Wᵀ e `(in, 1)`, for `e` `(out, 1)`.
    fn correlation(&self, problem: &Problem<T>, e: &Mat<T>, k: usize) -> Mat<T> {
        // W is deferred: Wᵀe = baseᵀe − U (Eᵀe). This alone reads all of W.
        let mut v = Mat::zeros(problem.w.ncols(), 1);
        add_product(&mut v, problem.w.transpose(), e.as_ref());
        let mut g = Mat::zeros(k, 1);
        add_product(&mut g, self.e.get(.., ..k).transpose(), e.as_ref());
        subtract_product(&mut v, self.u.get(.., ..k), g.as_ref());
        v
    }
}
