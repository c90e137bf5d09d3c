//! Reconstruction: the weights of the columns that stay, and what the change costs.
//!
//! With Δ = W − Ŵ over all columns (Ŵ zero where they went), μ the mean input and T tokens, the
//! squared error is tr(Δ H Δᵀ). Where the bias gains Δμ it is tr(Δ H Δᵀ) − T ‖Δμ‖², which is the
//! least that any bias reaches. Elimination knows tr(Δ (H + λI) Δᵀ) already as the sum of its costs.

use burn::tensor::{Int, Tensor, TensorData};

use super::hessian::{Damping, InputMoments};
use super::prune::{Quota, cheapest_first};
use super::{Executor, Hessian, ObsError, Options, Pruned, Reconstruction, Removal, host_values};

/// One linear layer with what its inputs say.
pub(super) struct LinearSite<'a, E: Executor> {
    pub executor: &'a E,
    /// W `(out, features)`.
    pub weight: &'a Tensor<2>,
    pub sum: &'a E::Sum,
    pub inputs: InputMoments,
    damping: Damping,
    options: &'a Options,
}

/// What a selection leaves.
pub(super) struct Chosen<P> {
    /// Units that stay, ascending.
    units: Vec<usize>,
    /// Columns that stay, ascending.
    columns: Vec<usize>,
    /// Units that went, in order.
    removed: Vec<Removal>,
    /// The score of every unit before the first went.
    scores: Vec<f64>,
    /// The inverted problem, where the removals were eliminated and their costs are known.
    problem: Option<P>,
}

/// Ŵ and what it costs.
struct Rebuilt {
    /// `(out, kept)`.
    weight: Tensor<2>,
    /// tr(Δ H Δᵀ).
    loss: f64,
}

impl<'a, E: Executor> LinearSite<'a, E> {
    /// Holds the inputs against the weight.
    pub async fn new(
        executor: &'a E,
        weight: &'a Tensor<2>,
        hessian: &'a Hessian<E>,
        options: &'a Options,
    ) -> Result<Self, ObsError> {
        let [_, columns] = weight.dims();
        if columns != hessian.features() {
            return Err(ObsError::Shape { hessian: hessian.features(), weight: columns });
        }
        let inputs = hessian.moments(executor).await?;
        let damping = inputs.damping(options.damping);
        Ok(Self { executor, weight, sum: hessian.sum()?, inputs, damping, options })
    }

    /// W and H⁻¹, ready for elimination or refit.
    pub async fn factor(&self) -> Result<E::Problem, ObsError> {
        let Damping { lambda, dead } = &self.damping;
        let problem = self.executor.factor(self.sum, self.weight, *lambda, dead).await;
        problem.map_err(|e| with_damping(e, self.options.damping))
    }
}

impl<P> Chosen<P> {
    /// After an elimination.
    pub fn eliminated(units: &[Vec<usize>], scores: Vec<f64>, removed: Vec<Removal>, problem: P) -> Self {
        Self { problem: Some(problem), ..Self::without(units, scores, removed) }
    }

    /// The lowest scores go, as many as the quota allows; their costs are not known yet.
    pub fn ranked(units: &[Vec<usize>], scores: &[f64], mut quota: Quota) -> Result<Self, ObsError> {
        let mut removed = Vec::new();
        for unit in cheapest_first(scores)? {
            if quota.has(unit) {
                quota.take(unit);
                removed.push(Removal { unit, score: scores[unit], cost: 0.0 });
            }
        }
        Ok(Self::without(units, scores.to_vec(), removed))
    }

    fn without(units: &[Vec<usize>], scores: Vec<f64>, removed: Vec<Removal>) -> Self {
        let mut stays = vec![true; units.len()];
        removed.iter().for_each(|r| stays[r.unit] = false);
        let kept: Vec<usize> = (0..units.len()).filter(|&u| stays[u]).collect();
        let columns = kept.iter().flat_map(|&u| units[u].iter().copied()).collect();
        Self { units: kept, columns, removed, scores, problem: None }
    }
}

/// Computes what stays and what it costs.
pub(super) async fn finish<E: Executor>(
    site: &LinearSite<'_, E>,
    mut chosen: Chosen<E::Problem>,
) -> Result<Pruned, ObsError> {
    let signal = site.executor.squared_error(site.sum, site.weight, &site.damping.dead).await?;
    let Rebuilt { weight, mut loss } = match site.options.reconstruction {
        Reconstruction::LeastSquares => least_squares(site, &mut chosen).await?,
        Reconstruction::Unchanged | Reconstruction::MeanBias => unchanged(site, &chosen).await?,
    };
    let bias_change = match site.options.reconstruction {
        Reconstruction::MeanBias => Some(mean_change(site, &chosen.columns, &weight).await?),
        _ => None,
    };
    if let Some(change) = &bias_change {
        loss = (loss - site.inputs.tokens * change.iter().map(|b| b * b).sum::<f64>()).max(0.0);
    }
    if chosen.problem.is_none() {
        // What went all at once has one cost; it is spread evenly.
        let share = loss / chosen.removed.len() as f64;
        chosen.removed.iter_mut().for_each(|r| r.cost = share);
    }
    Ok(Pruned {
        kept_units: chosen.units,
        kept_columns: chosen.columns,
        removed: chosen.removed,
        weight,
        bias_change: bias_change.map(|change| change.into_iter().map(|b| b as f32).collect()),
        predicted_loss: loss,
        signal,
        dead: site.damping.dead.len(),
        scores: chosen.scores,
    })
}

async fn least_squares<E: Executor>(
    site: &LinearSite<'_, E>,
    chosen: &mut Chosen<E::Problem>,
) -> Result<Rebuilt, ObsError> {
    let Some(problem) = &chosen.problem else {
        let refit = site.executor.refit(&site.factor().await?, &chosen.columns).await?;
        let loss = loss(site, &chosen.columns, &refit.weight).await?;
        return Ok(Rebuilt { weight: refit.weight, loss });
    };
    let refit = site.executor.refit(problem, &chosen.columns).await?;
    // The removals cost tr(Δ(H + λI)Δᵀ); the tokens will see tr(ΔHΔᵀ).
    let damped: f64 = chosen.removed.iter().map(|r| r.cost).sum();
    let loss = (damped - site.damping.lambda * refit.squared_change).max(0.0);
    Ok(Rebuilt { weight: refit.weight, loss })
}

async fn unchanged<E: Executor>(site: &LinearSite<'_, E>, chosen: &Chosen<E::Problem>) -> Result<Rebuilt, ObsError> {
    let index: Vec<i32> = chosen.columns.iter().map(|&j| j as i32).collect();
    let count = index.len();
    let index: Tensor<1, Int> = Tensor::from_data(TensorData::new(index, [count]), &site.weight.device());
    let weight = site.weight.clone().select(1, index);
    let loss = loss(site, &chosen.columns, &weight).await?;
    Ok(Rebuilt { weight, loss })
}

/// tr(Δ H Δᵀ).
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
    let mut delta = host_values(weight).await?;
    let fitted = host_values(fitted).await?;
    for (wide, narrow) in delta.chunks_exact_mut(features).zip(fitted.chunks_exact(columns.len())) {
        columns.iter().zip(narrow).for_each(|(&j, value)| wide[j] -= value);
    }
    Ok(delta)
}

/// The executor knows the pivot; the fraction the user can change is known here.
fn with_damping(error: ObsError, fraction: f64) -> ObsError {
    match error {
        ObsError::NotPositiveDefinite { what, pivot, value, .. } => {
            ObsError::NotPositiveDefinite { what, pivot, value, damping: fraction }
        }
        ObsError::Gpu(crate::gpu::GpuError::NotPositiveDefinite { pivot, value }) => {
            ObsError::NotPositiveDefinite { what: "the Hessian".into(), pivot, value: value.into(), damping: fraction }
        }
        other => other,
    }
}
