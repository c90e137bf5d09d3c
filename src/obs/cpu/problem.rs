//! W, H and H⁻¹ on the host while columns go, and the scores that are read off them.

use burn::tensor::Tensor;
use faer::linalg::solvers::Llt;
use faer::{Mat, MatRef};

use super::algebra::{llt, picked, picked_columns, solved, squared};
use super::real::Real;
use super::symmetric::Damped;
use crate::obs::{FactoredMatrix, ObsError, Score, score};

/// W, H + λI and the inverse of one layer, in `T`.
pub struct Problem<T> {
    /// The weights as elimination left them `(out, in)`.
    pub(super) w: Mat<T>,
    pub(super) h_inv: Mat<T>,
    pub(super) alive: Vec<bool>,
    /// The weights before, dead inputs zeroed `(out, in)`: what the refit begins with.
    pub(super) weight: Tensor<2>,
    pub(super) hessian: Damped<T>,
}

impl<T: Real> Problem<T> {
    pub(super) fn score(&self, columns: &[usize], score: Score) -> Result<f64, ObsError> {
        group_score(self.w.as_ref(), self.h_inv.as_ref(), columns, score)
    }

    /// The Cholesky factor of [H⁻¹]_gg.
    pub(super) fn block_factor(&self, columns: &[usize]) -> Result<Llt<T>, ObsError> {
        block_factor(self.h_inv.as_ref(), columns)
    }
}

/// The score of a group of columns of `w` `(out, in)`, with H⁻¹ as `h_inv`.
pub(super) fn group_score<T: Real>(
    w: MatRef<'_, T>,
    h_inv: MatRef<'_, T>,
    columns: &[usize],
    score: Score,
) -> Result<f64, ObsError> {
    let norm = |j: usize| squared(w.col(j).as_mat());
    match score {
        // tr(W_g [H⁻¹]_gg⁻¹ W_gᵀ) = ‖L⁻¹ W_gᵀ‖²_F: a solve instead of an inverse.
        Score::Exact if columns.len() > 1 => {
            let l = block_factor(h_inv, columns)?;
            let wt = picked_columns(w, columns).transpose().to_owned();
            Ok(squared(solved(l.L(), wt).as_ref()))
        }
        // L_kk² is [H⁻¹]_kk after the columns before k went; W is not updated (SlimGPT, Algorithm 1).
        Score::GroupedCholesky if columns.len() > 1 => {
            let l = block_factor(h_inv, columns)?;
            let root = |k: usize| -> f64 { l.L()[(k, k)].into() };
            Ok(columns.iter().enumerate().map(|(k, &j)| norm(j) / root(k).powi(2)).sum())
        }
        // The block of a single column is one number, for which all three scores are the same.
        _ => score::diagonal(columns, norm, |j| h_inv[(j, j)].into()),
    }
}

fn block_factor<T: Real>(h_inv: MatRef<'_, T>, columns: &[usize]) -> Result<Llt<T>, ObsError> {
    llt(picked(h_inv, columns, columns).as_ref(), || FactoredMatrix::inverse_block(columns))
}
