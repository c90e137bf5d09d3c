//! A site that goes as a whole: there is nothing to choose, and nothing is left to be fitted.

use burn::tensor::Tensor;

use super::site::LinearSite;
use super::{Executor, Hessian, ObsError, Options};

/// ‖XWᵀ‖²_F over the calibration tokens: what is lost where all input columns of W `(out, in)` go. With it, how many
/// inputs never fired.
///
/// # Errors
/// When the sum is of other inputs or of none, is not finite, or the device fails.
pub async fn whole_output<E: Executor>(
    executor: &E,
    weight: &Tensor<2>,
    hessian: &Hessian<E>,
) -> Result<(f64, usize), ObsError> {
    let options = Options::default();
    let site = LinearSite::new(executor, weight, hessian, &options).await?;
    Ok((site.signal().await?, site.damping.dead.len()))
}
