//! Columns that come back on the CPU: the letters are those of `obs/swap.rs`.

use std::ops::Range;

use faer::Mat;
use faer::linalg::solvers::Llt;

use super::algebra::{add_product, llt, solved, squared, subtract_product};
use super::host::Elements;
use super::problem::Problem;
use super::real::Real;
use crate::obs::{FactoredMatrix, ObsError};

/// What is known of columns that are gone.
struct Pulled<T> {
    /// H_Kp over all columns `(in, gone)`; zero where a column is gone, as in T.
    there: Mat<T>,
    /// T `(in, gone)`.
    t: Mat<T>,
    /// R `(out, gone)`.
    r: Mat<T>,
}

impl<T: Real> Pulled<T> {
    async fn of(problem: &Problem<T>, columns: &[usize]) -> Result<Self, ObsError> {
        let Problem { w, h_inv, alive, hessian, .. } = problem;
        let (n, zero) = (hessian.order(), T::of(0.0));
        let all = Mat::from_fn(n, columns.len(), |i, k| hessian.element(i, columns[k]));
        // What rounding left in rows and columns of H⁻¹ that are gone must move nothing.
        let masked = |a: &Mat<T>| Mat::from_fn(n, a.ncols(), |i, k| if alive[i] { a[(i, k)] } else { zero });
        let there = masked(&all);
        let mut t = Mat::zeros(n, columns.len());
        add_product(&mut t, h_inv.as_ref(), there.as_ref());
        let t = masked(&t);
        let elements = Elements::of(&problem.weight).await?;
        let values = elements.values::<T>();
        let before = elements.matrix(&values);
        let lost = Mat::from_fn(w.nrows(), n, |i, j| before[(i, j)] - if alive[j] { w[(i, j)] } else { zero });
        let mut r = Mat::zeros(w.nrows(), columns.len());
        add_product(&mut r, lost.as_ref(), all.as_ref());
        Ok(Self { there, t, r })
    }

    /// S = L Lᵀ of the `group` at these places.
    fn factor(&self, problem: &Problem<T>, group: &[usize], places: Range<usize>) -> Result<Llt<T>, ObsError> {
        let mut s = problem.hessian.block(group, group);
        subtract_product(&mut s, self.there.get(.., places.clone()).transpose(), self.t.get(.., places));
        llt(s.as_ref(), || FactoredMatrix::KeptHessian)
    }
}

/// What each group would win back alone; zero where rounding has left S no factor.
pub(super) async fn gains<T: Real>(problem: &Problem<T>, groups: &[Vec<usize>]) -> Result<Vec<f64>, ObsError> {
    let pulled = Pulled::of(problem, &groups.concat()).await?;
    let mut next = 0;
    let gain = |group: &Vec<usize>| {
        let places = next..next + group.len();
        next = places.end;
        let of_group = pulled.r.get(.., places.clone()).transpose().to_owned();
        pulled.factor(problem, group, places).map_or(0.0, |l| squared(solved(l.L(), of_group).as_ref()))
    };
    Ok(groups.iter().map(gain).collect())
}

/// Brings a group back and tells what that has won.
pub(super) async fn restore<T: Real>(problem: &mut Problem<T>, columns: &[usize]) -> Result<f64, ObsError> {
    let pulled = Pulled::of(problem, columns).await?;
    let l = pulled.factor(problem, columns, 0..columns.len())?;
    let place = |j: usize| columns.iter().position(|&column| column == j);
    let v = Mat::from_fn(columns.len(), problem.h_inv.nrows(), |k, j| match place(j) {
        Some(own) => T::of(if own == k { 1.0 } else { 0.0 }),
        None => T::of(0.0) - pulled.t[(j, k)],
    });
    let (y, et) = (solved(l.L(), v), solved(l.L(), pulled.r.transpose().to_owned()));
    for &j in columns {
        problem.w.col_mut(j).fill(T::of(0.0));
        problem.h_inv.col_mut(j).fill(T::of(0.0));
        problem.h_inv.row_mut(j).fill(T::of(0.0));
        problem.alive[j] = true;
    }
    add_product(&mut problem.w, et.transpose(), y.as_ref());
    add_product(&mut problem.h_inv, y.transpose(), y.as_ref());
    Ok(squared(et.as_ref()))
}
