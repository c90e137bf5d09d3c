//! How a group of columns is scored.

/// The score by which the next group is chosen: the lowest goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Score {
    /// tr(W_g [H⁻¹]_gg⁻¹ W_gᵀ): the true increase of the layer's squared error.
    #[default]
    Exact,
    /// Σ_{j∈g} ‖W_:j‖² / (L_g)_jj² with L_g the Cholesky factor of [H⁻¹]_gg: the SlimGPT paper's.
    GroupedCholesky,
    /// Σ_{j∈g} ‖W_:j‖² / [H⁻¹]_jj: the paper's ablation without grouped Cholesky.
    Diagonal,
}
