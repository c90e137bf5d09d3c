//! Which columns of one linear layer go, and what the others become: selection written against the executor's operations,
//! then [`reconstruct`]. Heads have a file of their own.

use burn::tensor::Tensor;

use super::reconstruct::{self, Rebuilt};
use super::select::{Chosen, Quota, cheapest_first};
use super::site::LinearSite;
use super::swap::swap;
use super::{ChannelSteps, Executor, Hessian, ObsError, Options, Removal, Score, Selection, rank};

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
    /// What is added to the bias `(out)`; `None` where the bias stays as it is.
    pub bias_change: Option<Vec<f32>>,
    /// ‖XWᵀ − XŴᵀ‖²_F over the calibration tokens (with the change of the bias), as the
    /// mathematics predicts it.
    pub predicted_loss: f64,
    /// ‖XWᵀ‖²_F over the same tokens: what the loss is to be held against.
    pub signal: f64,
    /// Inputs that never fired.
    pub dead: usize,
    /// The score of every unit before the first went, by its index.
    pub scores: Vec<f64>,
}

/// Removes `remove` channels from the columns of down_proj.
///
/// # Errors
/// As [`prune_channels`](super::prune_heads).
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
    let units: Vec<Vec<usize>> = (0..present).map(|j| vec![j]).collect();
    let pruned = async {
        let site = LinearSite::new(executor, weight, hessian, options).await?;
        let chosen = match options.selection {
            // A channel is one column, for which all scores are the same.
            Selection::Elimination(_) => eliminate_channels(&site, &units, remove, steps).await?,
            Selection::Ranking(ranking) => {
                let scores = rank::scores(ranking, weight, &site.inputs, &units).await?;
                // All channels are one set, which gives all that goes.
                Chosen::ranked(&units, scores, Quota::new(present, present, remove))?
            }
        };
        rebuilt(&site, chosen).await
    };
    pruned.await.map_err(|e| e.with_context(options.damping, &units))
}

async fn eliminate_channels<E: Executor>(
    site: &LinearSite<'_, E>,
    units: &[Vec<usize>],
    remove: usize,
    steps: ChannelSteps,
) -> Result<Chosen<E::Problem>, ObsError> {
    let mut problem = site.factor().await?;
    let scores = site.executor.group_scores(&problem, units, Score::Diagonal).await?;
    let mut removed = in_steps(site.executor, &mut problem, units.len(), remove, steps).await?;
    swap(site.executor, &mut problem, units, units.len(), &mut removed, site.options.swaps).await?;
    Ok(Chosen::eliminated(units, scores, removed, problem))
}

/// Removes channels in these steps, the cheapest at their time first.
pub(super) async fn in_steps<E: Executor>(
    executor: &E,
    problem: &mut E::Problem,
    present: usize,
    remove: usize,
    steps: ChannelSteps,
) -> Result<Vec<Removal>, ObsError> {
    match steps {
        ChannelSteps::OneByOne => executor.eliminate_cheapest(problem, remove).await,
        _ => in_groups(executor, problem, present, &steps.sizes(remove)).await,
    }
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
        // Within a group no score follows the removals: that is what larger steps give up for speed.
        let chosen = &cheapest_first(&alive, &scores)?[..size];
        let columns: Vec<usize> = chosen.iter().map(|&i| alive[i]).collect();
        // The cost of the group is one number; it is spread over its columns evenly.
        let cost = executor.eliminate(problem, &columns).await? / size as f64;
        removed.extend(chosen.iter().map(|&i| Removal { unit: alive[i], score: scores[i], cost }));
        alive.retain(|j| !columns.contains(j));
    }
    Ok(removed)
}

/// Removes the `remove` channels that score lowest by what the caller brings, a score for each.
///
/// # Errors
/// As [`prune_channels`]; [`ObsError::NoScores`] where some have none.
pub async fn prune_channels_by<E: Executor>(
    executor: &E,
    weight: &Tensor<2>,
    hessian: &Hessian<E>,
    remove: usize,
    scores: &[f64],
    options: &Options,
) -> Result<Pruned, ObsError> {
    let [_, present] = weight.dims();
    if remove >= present {
        return Err(ObsError::NothingLeft { unit: "channels", remove, present });
    }
    if scores.len() != present {
        return Err(ObsError::NoScores);
    }
    if remove == 0 {
        return Ok(untouched(weight, present));
    }
    let units: Vec<Vec<usize>> = (0..present).map(|j| vec![j]).collect();
    let pruned = async {
        let site = LinearSite::new(executor, weight, hessian, options).await?;
        let quota = Quota::new(present, present, remove);
        rebuilt(&site, Chosen::ranked(&units, scores.to_vec(), quota)?).await
    };
    pruned.await.map_err(|e| e.with_context(options.damping, &units))
}

/// Removes channels in groups of these sizes, each the cheapest columns by the scores at its time: for
/// steps that are none of [`ChannelSteps`]. A group of none is passed over.
///
/// # Errors
/// As [`prune_channels`].
pub async fn remove_groups<E: Executor>(
    executor: &E,
    weight: &Tensor<2>,
    hessian: &Hessian<E>,
    sizes: &[usize],
    options: &Options,
) -> Result<Pruned, ObsError> {
    let ([_, present], remove) = (weight.dims(), sizes.iter().sum());
    if remove >= present {
        return Err(ObsError::NothingLeft { unit: "channels", remove, present });
    }
    if remove == 0 {
        return Ok(untouched(weight, present));
    }
    let sizes: Vec<usize> = sizes.iter().copied().filter(|&size| size > 0).collect();
    let units: Vec<Vec<usize>> = (0..present).map(|j| vec![j]).collect();
    let pruned = async {
        let site = LinearSite::new(executor, weight, hessian, options).await?;
        let mut problem = site.factor().await?;
        let scores = executor.group_scores(&problem, &units, Score::Diagonal).await?;
        let removed = in_groups(executor, &mut problem, present, &sizes).await?;
        rebuilt(&site, Chosen::eliminated(&units, scores, removed, problem)).await
    };
    pruned.await.map_err(|e| e.with_context(options.damping, &units))
}

/// Removes these columns one after the other, in this order, whatever they cost: what somebody else
/// chose. The scores are those of all columns before the first went.
///
/// # Errors
/// As [`prune_channels`]; a column that is named twice or is not there is [`ObsError::NoSuchColumn`].
pub async fn remove_columns<E: Executor>(
    executor: &E,
    weight: &Tensor<2>,
    hessian: &Hessian<E>,
    order: &[usize],
    options: &Options,
) -> Result<Pruned, ObsError> {
    let [_, present] = weight.dims();
    if let Some(i) = (0..order.len()).find(|&i| order[i] >= present || order[..i].contains(&order[i])) {
        return Err(ObsError::NoSuchColumn { column: order[i], present });
    }
    match order.len() {
        0 => return Ok(untouched(weight, present)),
        remove if remove >= present => return Err(ObsError::NothingLeft { unit: "channels", remove, present }),
        _ => {}
    }
    let units: Vec<Vec<usize>> = (0..present).map(|j| vec![j]).collect();
    let pruned = async {
        let site = LinearSite::new(executor, weight, hessian, options).await?;
        rebuilt(&site, eliminate_in_order(&site, &units, order).await?).await
    };
    pruned.await.map_err(|e| e.with_context(options.damping, &units))
}

async fn eliminate_in_order<E: Executor>(
    site: &LinearSite<'_, E>,
    units: &[Vec<usize>],
    order: &[usize],
) -> Result<Chosen<E::Problem>, ObsError> {
    let mut problem = site.factor().await?;
    let first_scores = site.executor.group_scores(&problem, units, Score::Diagonal).await?;
    let mut alive: Vec<usize> = (0..units.len()).collect();
    let mut removed = Vec::new();
    for &column in order {
        // All are scored, as an elimination that chooses scores them: whoever watches sees what was passed over.
        let singles: Vec<Vec<usize>> = alive.iter().map(|&j| vec![j]).collect();
        let scores = site.executor.group_scores(&problem, &singles, Score::Diagonal).await?;
        let score = alive.iter().zip(scores).find_map(|(&j, score)| (j == column).then_some(score));
        let cost = site.executor.eliminate(&mut problem, &[column]).await?;
        removed.push(Removal { unit: column, score: score.unwrap_or(cost), cost });
        alive.retain(|&j| j != column);
    }
    Ok(Chosen::eliminated(units, first_scores, removed, problem))
}

/// A selection with its weights and what they cost.
pub(super) async fn rebuilt<E: Executor>(
    site: &LinearSite<'_, E>,
    mut chosen: Chosen<E::Problem>,
) -> Result<Pruned, ObsError> {
    if let Some(problem) = &mut chosen.problem {
        site.executor.end_elimination(problem);
    }
    let Rebuilt { weight, bias_change, loss, signal } = reconstruct::rebuild(site, &chosen).await?;
    let mut removed = chosen.removed;
    if chosen.problem.is_none() {
        // What went all at once has one cost; it is spread evenly.
        let share = loss / removed.len() as f64;
        removed.iter_mut().for_each(|r| r.cost = share);
    }
    Ok(Pruned {
        kept_units: chosen.units,
        kept_columns: chosen.columns,
        removed,
        weight,
        bias_change,
        predicted_loss: loss,
        signal,
        dead: site.damping.dead.len(),
        scores: chosen.scores,
    })
}

pub(super) fn untouched(weight: &Tensor<2>, units: usize) -> Pruned {
    Pruned {
        kept_units: (0..units).collect(),
        kept_columns: (0..weight.dims()[1]).collect(),
        removed: Vec::new(),
        weight: weight.clone(),
        bias_change: None,
        predicted_loss: 0.0,
        signal: 0.0,
        dead: 0,
        scores: Vec::new(),
    }
}
