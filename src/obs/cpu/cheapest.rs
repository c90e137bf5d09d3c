//! Columns one at a time on the CPU: the twin of `shaders/remove_column.wgsl` and its two companions. W, H⁻¹ and
//! M = WᵀW are rewritten once per block of removals; between, a removal reads a row of H⁻¹ and one of M.

use faer::{Mat, MatRef};

use super::algebra::{picked, picked_columns, solved, squared, subtract_product};
use super::problem::Problem;
use super::real::Real;
use super::symmetric::{accumulate, subtract_lower};
use super::tiles::mirror;
use crate::obs::{ObsError, Removal, score};

/// Removals between two flushes.
const BLOCK: usize = 128;

/// Removes `count` columns, the cheapest at its time first; of equals the lowest.
pub(super) fn eliminate<T: Real>(problem: &mut Problem<T>, count: usize) -> Result<Vec<Removal>, ObsError> {
    let columns = problem.w.ncols();
    let mut gram = Mat::zeros(columns, columns);
    accumulate(&mut gram, problem.w.as_ref());
    let mut removed = Vec::with_capacity(count);
    while removed.len() < count {
        // Longer blocks rewrite H⁻¹ less often, but every removal within one is corrected by more pairs.
        block(problem, &mut gram, BLOCK.min(count - removed.len()), &mut removed)?;
    }
    // Only its lower triangle was kept up to date.
    mirror(problem.h_inv.as_mut());
    Ok(removed)
}

/// What is kept aside since the last flush: H⁻¹ = base − U Uᵀ, M = base − Z Uᵀ − U Zᵀ.
struct Deferred<T> {
    u: Mat<T>,        // (in, block)
    z: Mat<T>,        // (in, block)
    norms: Vec<f64>,  // ‖W_:j‖²
    pivots: Vec<f64>, // [H⁻¹]_jj
}

fn block<T: Real>(
    problem: &mut Problem<T>,
    gram: &mut Mat<T>,
    size: usize,
    removed: &mut Vec<Removal>,
) -> Result<(), ObsError> {
    let columns = problem.w.ncols();
    let mut deferred = Deferred {
        u: Mat::zeros(columns, size),
        z: Mat::zeros(columns, size),
        // Anew in every block, so that the updates below round over one block only.
        norms: (0..columns).map(|j| squared(problem.w.col(j).as_mat())).collect(),
        pivots: (0..columns).map(|j| problem.h_inv[(j, j)].into()).collect(),
    };
    let before = removed.len();
    for k in 0..size {
        let removal = cheapest(&deferred, &problem.alive)?;
        problem.alive[removal.unit] = false;
        deferred.remove(problem, gram, removal, k);
        removed.push(removal);
    }
    let gone: Vec<usize> = removed[before..].iter().map(|r| r.unit).collect();
    deferred.flush(problem, gram, &gone);
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

/// Row `p` of the symmetric matrix with this lower triangle, as a column `(in, 1)`.
fn row<T: Real>(lower: &Mat<T>, p: usize) -> Mat<T> {
    Mat::from_fn(lower.nrows(), 1, |j, _| lower[(j.max(p), j.min(p))])
}

impl<T: Real> Deferred<T> {
    /// Keeps aside the removal of a column as pair `k`.
    fn remove(&mut self, problem: &Problem<T>, gram: &Mat<T>, removal: Removal, k: usize) {
        let (p, half_cost) = (removal.unit, T::of(removal.cost / 2.0));
        let root = T::of(self.pivots[p].sqrt());
        let (u, z) = (self.u.get(.., ..k), self.z.get(.., ..k));
        let (u_p, z_p) = (self.u.get(p..p + 1, ..k).transpose(), self.z.get(p..p + 1, ..k).transpose());
        let mut inverse = row(&problem.h_inv, p);
        subtract_product(&mut inverse, u, u_p);
        let mut products = row(gram, p);
        subtract_product(&mut products, z, u_p);
        subtract_product(&mut products, u, z_p);
        for j in 0..inverse.nrows() {
            // Exactly zero where a column is gone: what rounding left in its row of H⁻¹ must move nothing.
            let (u, z) = match (j == p, problem.alive[j]) {
                (true, _) => (root, half_cost * root),
                (_, true) => {
                    let u = inverse[(j, 0)] / root;
                    (u, products[(j, 0)] / root - half_cost * u)
                }
                _ => (T::of(0.0), T::of(0.0)),
            };
            (self.u[(j, k)], self.z[(j, k)]) = (u, z);
            let (u, z): (f64, f64) = (u.into(), z.into());
            self.pivots[j] -= u * u;
            // A length cannot be negative, but rounding could make it so where W_:j is nearly all compensation.
            self.norms[j] = (self.norms[j] - 2.0 * u * z).max(0.0);
        }
    }

    /// Moves W, H⁻¹ and M by what was kept aside for the columns `gone`, in the order of their going.
    fn flush(&self, problem: &mut Problem<T>, gram: &mut Mat<T>, gone: &[usize]) {
        let (u, z): (MatRef<'_, T>, MatRef<'_, T>) = (self.u.as_ref(), self.z.as_ref());
        // E Uᵀ takes all of W_:p, and u_i is zero where a column went before: Eᵀ is W_Pᵀ behind a triangle of U's rows.
        let triangle = picked(u, gone, &(0..gone.len()).collect::<Vec<_>>());
        let et = solved(triangle.as_ref(), picked_columns(problem.w.as_ref(), gone).transpose().to_owned());
        subtract_product(&mut problem.w, et.transpose(), u.transpose());
        subtract_lower(&mut problem.h_inv, u, u.transpose());
        subtract_lower(gram, z, u.transpose());
        subtract_lower(gram, u, z.transpose());
    }
}
