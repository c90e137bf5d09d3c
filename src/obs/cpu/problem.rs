//! W, H and H⁻¹ on the host while columns go, and the scores that are read off them.

use burn::tensor::Tensor;
use faer::Mat;
use faer::linalg::solvers::Llt;

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
        let norm = |j: usize| squared(self.w.col(j).as_mat());
        match score {
            // tr(W_g [H⁻¹]_gg⁻¹ W_gᵀ) = ‖L⁻¹ W_gᵀ‖²_F: a solve instead of an inverse.
            Score::Exact if columns.len() > 1 => {
                let l = self.block_factor(columns)?;
                let wt = picked_columns(self.w.as_ref(), columns).transpose().to_owned();
                Ok(squared(solved(l.L(), wt).as_ref()))
            }
            // L_kk² is [H⁻¹]_kk after the columns before k went; W is not updated (SlimGPT, Algorithm 1).
            Score::GroupedCholesky if columns.len() > 1 => {
                let l = self.block_factor(columns)?;
                let root = |k: usize| -> f64 { l.L()[(k, k)].into() };
                Ok(columns.iter().enumerate().map(|(k, &j)| norm(j) / root(k).powi(2)).sum())
            }
            // The block of a single column is one number, for which all three scores are the same.
            _ => score::diagonal(columns, norm, |j| self.h_inv[(j, j)].into()),
        }
    }

    /// The Cholesky factor of [H⁻¹]_gg.
    pub(super) fn block_factor(&self, columns: &[usize]) -> Result<Llt<T>, ObsError> {
        let block = picked(self.h_inv.as_ref(), columns, columns);
        llt(block.as_ref(), || FactoredMatrix::inverse_block(columns))
    }
}
