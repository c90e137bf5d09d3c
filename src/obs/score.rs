//! How a group of columns is scored.

use super::ObsError;
use super::error::FactoredMatrix;

/// The score by which the next group is chosen: the lowest goes.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    serde::Serialize,
    serde::Deserialize,
    strum::IntoStaticStr,
    strum::EnumMessage,
    strum::VariantArray,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Score {
    /// tr(W_g [H⁻¹]_gg⁻¹ W_gᵀ): the true increase of the layer's squared error, as in ZipLM
    /// (arXiv 2302.04089).
    #[default]
    #[strum(message = "the true increase of the layer's squared error")]
    Exact,
    /// Σ_{j∈g} ‖W_:j‖² / (L_g)_jj² with L_g the Cholesky factor of [H⁻¹]_gg: the SlimGPT paper's
    /// (arXiv 2412.18110, Algorithm 1).
    #[strum(message = "the paper's, from the Cholesky factor of each group's block of H⁻¹")]
    GroupedCholesky,
    /// Σ_{j∈g} ‖W_:j‖² / [H⁻¹]_jj: the paper's ablation without grouped Cholesky.
    #[strum(message = "the paper's ablation, from the diagonal of H⁻¹")]
    Diagonal,
}

/// [`Score::Diagonal`] of a group, from ‖W_:j‖² and [H⁻¹]_jj of every column.
pub(super) fn diagonal(
    group: &[usize],
    norm: impl Fn(usize) -> f64,
    pivot: impl Fn(usize) -> f64,
) -> Result<f64, ObsError> {
    group.iter().map(|&j| Ok(norm(j) / positive(j, pivot(j))?)).sum()
}

/// ‖W_:j‖² / [H⁻¹]_jj: what removing column `j` alone costs (SlimGPT, equation 4).
pub(super) fn of_column(j: usize, norm: f64, pivot: f64) -> Result<f64, ObsError> {
    checked(j, norm / pivot, pivot)
}

/// The score of column `j`, unless it or the pivot it came from is impossible.
pub(super) fn checked(j: usize, score: f64, pivot: f64) -> Result<f64, ObsError> {
    // The pivot first: it is the cause, and a score that is not finite its effect.
    positive(j, pivot)?;
    if score.is_finite() { Ok(score) } else { Err(ObsError::score(j, score)) }
}

/// [H⁻¹]_jj, unless rounding has eaten it.
fn positive(j: usize, pivot: f64) -> Result<f64, ObsError> {
    // Written this way round, a pivot that is not a number fails too.
    match pivot > 0.0 {
        true => Ok(pivot),
        false => Err(ObsError::not_positive(FactoredMatrix::inverse_block(&[j]), 0, Some(pivot))),
    }
}
