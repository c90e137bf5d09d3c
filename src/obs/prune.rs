//! Selection and reconstruction of one linear layer, written against the executor's operations.

use burn::tensor::Tensor;

use super::hessian::Damping;
use super::{ChannelSteps, Executor, HeadLayout, HeadUnit, Hessian, ObsError, Removal, Score};

/// How to choose.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Options {
    /// The score of a group.
    pub score: Score,
    /// λ in units of the mean of H's diagonal.
    pub damping: f64,
}

impl Default for Options {
    fn default() -> Self {
        Self { score: Score::Exact, damping: 0.01 }
    }
}

/// A pruned linear layer.
pub struct Pruned {
    /// The units that stay, ascending.
    pub kept_units: Vec<usize>,
    /// The input columns that stay, ascending.
    pub kept_columns: Vec<usize>,
    /// The units that went, in order.
    pub removed: Vec<Removal>,
    /// Ŵ `(out, kept columns)`.
    pub weight: Tensor<2>,
    /// ‖XWᵀ − XŴᵀ‖²_F over the calibration tokens, as the mathematics predicts it.
    pub predicted_loss: f64,
    /// Inputs that never fired.
    pub dead: usize,
    /// The score of every unit before the first went, by its index.
    pub scores: Vec<f64>,
}

/// Removes `remove` K/V groups (or, of every K/V group, `remove` query heads), one at a time,
/// from the columns of o_proj.
///
/// # Errors
/// When the Hessian cannot be inverted, when nothing would stay, or when the device fails.
pub async fn prune_heads<E: Executor>(
    executor: &E,
    weight: &Tensor<2>,
    hessian: &Hessian<E>,
    layout: HeadLayout,
    unit: HeadUnit,
    remove: usize,
    options: &Options,
) -> Result<Pruned, ObsError> {
    let units: Vec<Vec<usize>> = layout.units(unit).into_iter().map(Iterator::collect).collect();
    let present = layout.quota_size(unit);
    if remove >= present {
        return Err(ObsError::NothingLeft { unit: "heads", remove, present });
    }
    let quota_sets = units.len() / present;
    let total = remove * quota_sets;
    if total == 0 {
        return Ok(untouched(weight, units.len()));
    }
    let (mut problem, damping) = start(executor, weight, hessian, options).await?;
    let mut quota = vec![remove; quota_sets];
    let mut alive: Vec<usize> = (0..units.len()).collect();
    let (mut removed, mut first_scores) = (Vec::with_capacity(total), Vec::new());
    for _ in 0..total {
        let candidates: Vec<usize> = alive.iter().copied().filter(|&u| quota[layout.quota_set(unit, u)] > 0).collect();
        let groups: Vec<Vec<usize>> = candidates.iter().map(|&u| units[u].clone()).collect();
        let scores = executor.group_scores(&problem, &groups, options.score).await?;
        if removed.is_empty() {
            first_scores.clone_from(&scores);
        }
        let best = cheapest_first(&scores)?[0];
        let cost = executor.eliminate(&mut problem, &groups[best]).await?;
        let gone = candidates[best];
        alive.retain(|&u| u != gone);
        quota[layout.quota_set(unit, gone)] -= 1;
        removed.push(Removal { unit: gone, score: scores[best], cost });
    }
    let kept_columns: Vec<usize> = alive.iter().flat_map(|&u| units[u].iter().copied()).collect();
    let pruned = finish(executor, &problem, damping, alive, kept_columns, removed).await?;
    Ok(Pruned { scores: first_scores, ..pruned })
}

/// Removes `remove` channels from the columns of down_proj.
///
/// # Errors
/// As [`prune_heads`].
pub async fn prune_channels<E: Executor>(
    executor: &E,
    weight: &Tensor<2>,
    hessian: &Hessian<E>,
    remove: usize,
    steps: ChannelSteps,
    options: &Options,
) -> Result<Pruned, ObsError> {
    let [_, present] = weight.dims();
    if remove >= present {
        return Err(ObsError::NothingLeft { unit: "channels", remove, present });
    }
    if remove == 0 {
        return Ok(untouched(weight, present));
    }
    let (mut problem, damping) = start(executor, weight, hessian, options).await?;
    let singles: Vec<Vec<usize>> = (0..present).map(|j| vec![j]).collect();
    let scores = executor.group_scores(&problem, &singles, Score::Diagonal).await?;
    let removed = match steps {
        ChannelSteps::OneByOne => executor.eliminate_cheapest(&mut problem, remove).await?,
        _ => in_groups(executor, &mut problem, present, &steps.sizes(remove)).await?,
    };
    let mut stays = vec![true; present];
    removed.iter().for_each(|r| stays[r.unit] = false);
    let kept: Vec<usize> = (0..present).filter(|&j| stays[j]).collect();
    let pruned = finish(executor, &problem, damping, kept.clone(), kept, removed).await?;
    Ok(Pruned { scores, ..pruned })
}

/// Removes groups of the given sizes, each the cheapest columns by the scores at its time.
async fn in_groups<E: Executor>(
    executor: &E,
    problem: &mut E::Problem,
    present: usize,
    sizes: &[usize],
) -> Result<Vec<Removal>, ObsError> {
    let mut alive: Vec<usize> = (0..present).collect();
    let mut removed = Vec::new();
    for &size in sizes {
        let singles: Vec<Vec<usize>> = alive.iter().map(|&j| vec![j]).collect();
        let scores = executor.group_scores(problem, &singles, Score::Diagonal).await?;
        let chosen = &cheapest_first(&scores)?[..size];
        let columns: Vec<usize> = chosen.iter().map(|&i| alive[i]).collect();
        // The cost of the group is one number; it is spread over its columns evenly.
        let cost = executor.eliminate(problem, &columns).await? / size as f64;
        removed.extend(chosen.iter().map(|&i| Removal { unit: alive[i], score: scores[i], cost }));
        alive.retain(|j| !columns.contains(j));
    }
    Ok(removed)
}

/// Indices by ascending score; of equal scores the lower index first.
fn cheapest_first(scores: &[f64]) -> Result<Vec<usize>, ObsError> {
    if let Some((index, &value)) = scores.iter().enumerate().find(|(_, s)| !s.is_finite()) {
        return Err(ObsError::NotFinite { what: "the score of candidate", index, value });
    }
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&a, &b| scores[a].total_cmp(&scores[b]).then(a.cmp(&b)));
    Ok(order)
}

fn untouched(weight: &Tensor<2>, units: usize) -> Pruned {
    Pruned {
        kept_units: (0..units).collect(),
        kept_columns: (0..weight.dims()[1]).collect(),
        removed: Vec::new(),
        weight: weight.clone(),
        predicted_loss: 0.0,
        dead: 0,
        scores: Vec::new(),
    }
}

async fn start<E: Executor>(
    executor: &E,
    weight: &Tensor<2>,
    hessian: &Hessian<E>,
    options: &Options,
) -> Result<(E::Problem, Damping), ObsError> {
    let [_, columns] = weight.dims();
    if columns != hessian.features() {
        return Err(ObsError::Shape { hessian: hessian.features(), weight: columns });
    }
    let damping = hessian.damping(executor, options.damping).await?;
    let problem = executor
        .factor(hessian.sum()?, weight, damping.lambda, &damping.dead)
        .await
        .map_err(|e| with_damping(e, options.damping))?;
    Ok((problem, damping))
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

/// The removals cost tr(Δ(H + λI)Δᵀ); the tokens will see tr(ΔHΔᵀ).
async fn finish<E: Executor>(
    executor: &E,
    problem: &E::Problem,
    damping: Damping,
    kept_units: Vec<usize>,
    kept_columns: Vec<usize>,
    removed: Vec<Removal>,
) -> Result<Pruned, ObsError> {
    let refit = executor.refit(problem, &kept_columns).await?;
    let damped: f64 = removed.iter().map(|r| r.cost).sum();
    let predicted_loss = (damped - damping.lambda * refit.squared_change).max(0.0);
    let (weight, dead) = (refit.weight, damping.dead.len());
    Ok(Pruned { kept_units, kept_columns, removed, weight, predicted_loss, dead, scores: Vec::new() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_equal_scores_the_lower_index_goes_first() {
        assert_eq!(cheapest_first(&[2.0, 1.0, 1.0, 0.5]).unwrap(), [3, 1, 2, 0]);
    }

    #[test]
    fn a_score_that_is_no_number_is_an_error() {
        assert!(matches!(cheapest_first(&[1.0, f64::NAN]), Err(ObsError::NotFinite { index: 1, .. })));
    }
}
