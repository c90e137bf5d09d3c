//! Reconstruction: the weights of the columns that stay, and what the change costs.
//!
//! With Δ = W − Ŵ over all columns (Ŵ zero where they went), μ the mean input and T tokens, the
//! squared error is tr(Δ H Δᵀ). Where the bias gains Δμ it is tr(Δ H Δᵀ) − T ‖Δμ‖², which is the
//! least that any bias reaches. Elimination knows tr(Δ (H + λI) Δᵀ) already as the sum of its costs.

use burn::tensor::{Int, Tensor, TensorData};

use super::select::Chosen;
use super::site::LinearSite;
use super::{Executor, ObsError, Reconstruction};
use crate::device::readback::floats;

/// Ŵ and what it costs.
pub(super) struct Rebuilt {
    /// Ŵ_K `(out, kept)`, on the device of the weight.
    pub weight: Tensor<2>,
    /// Δμ `(out)`, where the bias gains it.
    pub bias_change: Option<Vec<f32>>,
    /// The squared error on the tokens.
    pub loss: f64,
    /// ‖XWᵀ‖²_F on the same tokens.
    pub signal: f64,
}

/// Computes what stays and what it costs.
pub(super) async fn rebuild<E: Executor>(
    site: &LinearSite<'_, E>,
    chosen: &Chosen<E::Problem>,
) -> Result<Rebuilt, ObsError> {
    let signal = site.signal().await?;
    let (weight, mut loss) = match site.options.reconstruction {
        Reconstruction::LeastSquares => least_squares(site, chosen).await?,
        Reconstruction::Unchanged | Reconstruction::MeanBias => unchanged(site, chosen).await?,
    };
    let mut bias_change = None;
    if site.options.reconstruction == Reconstruction::MeanBias {
        let change = mean_change(site, &chosen.columns, &weight).await?;
        // The difference may be nearly nothing, and rounding may bring it below zero.
        loss = (loss - site.inputs.tokens * change.iter().map(|b| b * b).sum::<f64>()).max(0.0);
        bias_change = Some(change.into_iter().map(|b| b as f32).collect());
    }
    Ok(Rebuilt { weight, bias_change, loss, signal })
}

/// The refit and tr(Δ H Δᵀ).
async fn least_squares<E: Executor>(
    site: &LinearSite<'_, E>,
    chosen: &Chosen<E::Problem>,
) -> Result<(Tensor<2>, f64), ObsError> {
    let Some(problem) = &chosen.problem else {
        // A ranking inverted nothing and added up no costs: both are made up for here.
        let mut problem = site.factor().await?;
        site.executor.end_elimination(&mut problem);
        let refit = site.executor.refit(&problem, &chosen.columns, site.draw.as_ref()).await?;
        let loss = loss(site, &chosen.columns, &refit.weight).await?;
        return Ok((refit.weight, loss));
    };
    let refit = site.executor.refit(problem, &chosen.columns, site.draw.as_ref()).await?;
    if site.draw.is_some() || site.options.swaps > 0 {
        // Drawn elsewhere, the outputs are not those of which the removals added up the costs; and costs less gains have
        // the rounding of both.
        let loss = loss(site, &chosen.columns, &refit.weight).await?;
        return Ok((refit.weight, loss));
    }
    // The removals cost tr(Δ(H + λI)Δᵀ); the tokens will see tr(ΔHΔᵀ).
    let damped: f64 = chosen.removed.iter().map(|r| r.cost).sum();
    let loss = (damped - site.damping.lambda * refit.squared_change).max(0.0);
    Ok((refit.weight, loss))
}

async fn unchanged<E: Executor>(
    site: &LinearSite<'_, E>,
    chosen: &Chosen<E::Problem>,
) -> Result<(Tensor<2>, f64), ObsError> {
    let index: Vec<i32> = chosen.columns.iter().map(|&j| j as i32).collect();
    let count = index.len();
    let index: Tensor<1, Int> = Tensor::from_data(TensorData::new(index, [count]), &site.weight.device());
    let weight = site.weight.clone().select(1, index);
    let loss = loss(site, &chosen.columns, &weight).await?;
    Ok((weight, loss))
}

/// tr(Δ H Δᵀ), for the weights `fitted` `(out, columns)` of the columns that stay.
async fn loss<E: Executor>(site: &LinearSite<'_, E>, columns: &[usize], fitted: &Tensor<2>) -> Result<f64, ObsError> {
    let delta = TensorData::new(change(site.weight, columns, fitted).await?, site.weight.dims());
    let delta = Tensor::from_data(delta, &site.weight.device());
    site.executor.squared_error(site.sum, &delta, &site.damping.dead).await
}

/// Δμ: the mean of what the outputs lose.
async fn mean_change<E: Executor>(
    site: &LinearSite<'_, E>,
    columns: &[usize],
    fitted: &Tensor<2>,
) -> Result<Vec<f64>, ObsError> {
    let delta = change(site.weight, columns, fitted).await?;
    let product = |row: &[f32]| row.iter().zip(&site.inputs.means).map(|(&d, mean)| f64::from(d) * mean).sum();
    Ok(delta.chunks_exact(site.inputs.means.len()).map(product).collect())
}

/// Δ = W − Ŵ, row by row.
async fn change(weight: &Tensor<2>, columns: &[usize], fitted: &Tensor<2>) -> Result<Vec<f32>, ObsError> {
    let [_, features] = weight.dims();
    let mut delta = floats(weight.clone()).await?;
    let fitted = floats(fitted.clone()).await?;
    // Columns that went keep all of W, since Ŵ is zero there.
    for (wide, narrow) in delta.chunks_exact_mut(features).zip(fitted.chunks_exact(columns.len())) {
        columns.iter().zip(narrow).for_each(|(&j, value)| wide[j] -= value);
    }
    Ok(delta)
}
