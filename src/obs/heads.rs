//! Which heads go from an attention layer, and what o_proj becomes: K/V heads with all query heads that read them, query
//! heads of every K/V head, or first the one and then the other.

use burn::tensor::Tensor;

use super::prune::{Pruned, rebuilt, untouched};
use super::select::{Chosen, Quota, cheapest_first, lowest};
use super::site::LinearSite;
use super::swap::swap;
use super::{
    Executor, HeadCut, HeadLayout, HeadUnit, Hessian, ObsError, Options, Ranking, Removal, Score, Selection, rank,
};

/// Removes heads from the columns of o_proj, one unit at a time; the units that it tells of are those of
/// [`HeadCut::unit`].
///
/// # Errors
/// When the Hessian cannot be inverted where that is needed, when nothing would stay, or when the device fails.
pub async fn prune_heads<E: Executor>(
    executor: &E,
    weight: &Tensor<2>,
    hessian: &Hessian<E>,
    layout: HeadLayout,
    cut: HeadCut,
    options: &Options,
) -> Result<Pruned, ObsError> {
    let choose = async |site: &LinearSite<'_, E>| match options.selection {
        Selection::Elimination(score) => eliminated(site, layout, cut, score).await,
        Selection::Ranking(ranking) => ranked(site, layout, cut, ranking).await,
    };
    chosen_by(choose, (executor, weight, hessian), (layout, cut), options).await
}

/// Removes heads by scores that the caller brings.
///
/// # Errors
/// As [`prune_heads`]; [`ObsError::NoScores`] where what goes has none.
pub async fn prune_heads_by<E: Executor>(
    executor: &E,
    weight: &Tensor<2>,
    hessian: &Hessian<E>,
    (layout, cut): (HeadLayout, HeadCut),
    scores: &HeadScores,
    options: &Options,
) -> Result<Pruned, ObsError> {
    let choose = async |_: &LinearSite<'_, E>| scores.chosen(layout, cut);
    chosen_by(choose, (executor, weight, hessian), (layout, cut), options).await
}

/// Removes the heads that `choose` says, if any are to go.
async fn chosen_by<E: Executor>(
    choose: impl AsyncFnOnce(&LinearSite<'_, E>) -> Result<Chosen<E::Problem>, ObsError>,
    (executor, weight, hessian): (&E, &Tensor<2>, &Hessian<E>),
    (layout, cut): (HeadLayout, HeadCut),
    options: &Options,
) -> Result<Pruned, ObsError> {
    refuse_all(layout, cut)?;
    let units = layout.columns(cut.unit());
    if cut.is_none() {
        // Nothing goes, so nothing is inverted: a layer without an inverse can still be kept whole.
        return Ok(untouched(weight, units.len()));
    }
    let pruned = async {
        let site = LinearSite::new(executor, weight, hessian, options).await?;
        let chosen = choose(&site).await?;
        rebuilt(&site, chosen).await
    };
    pruned.await.map_err(|e| e.with_context(options.damping, &units))
}

/// Refuses a cut that leaves no K/V head, or none of its query heads.
fn refuse_all(layout: HeadLayout, cut: HeadCut) -> Result<(), ObsError> {
    let asked = [(cut.kv_heads, HeadUnit::KeyValue), (cut.per_group, HeadUnit::Query)];
    match asked.into_iter().find(|&(remove, unit)| remove > 0 && remove >= layout.set_size(unit)) {
        Some((remove, unit)) => Err(ObsError::NothingLeft { unit: "heads", remove, present: layout.set_size(unit) }),
        None => Ok(()),
    }
}

async fn eliminated<E: Executor>(
    site: &LinearSite<'_, E>,
    layout: HeadLayout,
    cut: HeadCut,
    score: Score,
) -> Result<Chosen<E::Problem>, ObsError> {
    let (unit, mut problem) = (cut.unit(), site.factor().await?);
    let (units, set) = (layout.columns(unit), layout.set_size(unit));
    let (mut removed, mut scores, mut each) = (Vec::new(), None, cut.kv_heads);
    if unit == HeadUnit::Query {
        each = cut.per_group;
        if cut.kv_heads > 0 {
            scores = Some(site.executor.group_scores(&problem, &units, score).await?);
            removed = without_groups(site, &mut problem, layout, cut.kv_heads, score).await?;
        }
    }
    let whole_groups = removed.len();
    let mut alive = alive(units.len(), &removed);
    let quota = Quota::among(&alive, units.len(), set, each);
    let gone = eliminate_heads(site, &mut problem, &mut alive, &units, quota, score).await?;
    removed.extend(gone.removed);
    // A group that is gone has no head that could come back alone.
    swap(site.executor, &mut problem, &units, set, &mut removed[whole_groups..], site.options.swaps).await?;
    Ok(Chosen::eliminated(&units, scores.unwrap_or(gone.first_scores), removed, problem))
}

/// Removes so many K/V heads with their query heads, and tells it by query heads.
async fn without_groups<E: Executor>(
    site: &LinearSite<'_, E>,
    problem: &mut E::Problem,
    layout: HeadLayout,
    count: usize,
    score: Score,
) -> Result<Vec<Removal>, ObsError> {
    let groups = layout.columns(HeadUnit::KeyValue);
    let quota = Quota::new(groups.len(), groups.len(), count);
    let mut alive = (0..groups.len()).collect();
    let gone = eliminate_heads(site, problem, &mut alive, &groups, quota, score).await?;
    Ok(by_heads(layout, gone.removed))
}

/// Removals of K/V heads as those of their query heads. A group has one score and one cost; they are spread evenly.
fn by_heads(layout: HeadLayout, groups: Vec<Removal>) -> Vec<Removal> {
    let each = layout.heads_per_group();
    let heads = |group: Removal| {
        let [score, cost] = [group.score, group.cost].map(|value| value / each as f64);
        (group.unit * each..(group.unit + 1) * each).map(move |unit| Removal { unit, score, cost })
    };
    groups.into_iter().flat_map(heads).collect()
}

fn alive(units: usize, removed: &[Removal]) -> Vec<usize> {
    (0..units).filter(|&unit| removed.iter().all(|removal| removal.unit != unit)).collect()
}

/// The lowest scores of the columns as they are.
async fn ranked<E: Executor>(
    site: &LinearSite<'_, E>,
    layout: HeadLayout,
    cut: HeadCut,
    ranking: Ranking,
) -> Result<Chosen<E::Problem>, ObsError> {
    let of = async |unit| rank::scores(ranking, site.weight, &site.inputs, &layout.columns(unit)).await;
    let mut scores = HeadScores::default();
    if cut.kv_heads > 0 {
        scores.groups = of(HeadUnit::KeyValue).await?;
    }
    if cut.per_group > 0 {
        scores.heads = of(HeadUnit::Query).await?;
    }
    scores.chosen(layout, cut)
}

/// Scores of one layer's heads; the lowest go.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HeadScores {
    /// Of every K/V head with its query heads; may be empty where none of them goes.
    pub groups: Vec<f64>,
    /// Of every query head; may be empty where they go only with their K/V head.
    pub heads: Vec<f64>,
}

impl HeadScores {
    /// What goes by these scores: of K/V heads the lowest, then of every other the lowest of its query heads.
    fn chosen<P>(&self, layout: HeadLayout, cut: HeadCut) -> Result<Chosen<P>, ObsError> {
        let groups = match cut.kv_heads {
            0 => Vec::new(),
            _ if self.groups.len() != layout.kv_heads => return Err(ObsError::NoScores),
            count => lowest(&self.groups, Quota::new(layout.kv_heads, layout.kv_heads, count))?,
        };
        if cut.unit() == HeadUnit::KeyValue {
            return Ok(Chosen::without(&layout.columns(HeadUnit::KeyValue), self.groups.clone(), groups));
        }
        if self.heads.len() != layout.heads {
            return Err(ObsError::NoScores);
        }
        let mut removed = by_heads(layout, groups);
        let alive = alive(layout.heads, &removed);
        let quota = Quota::among(&alive, layout.heads, layout.heads_per_group(), cut.per_group);
        removed.extend(lowest(&self.heads, quota)?);
        Ok(Chosen::without(&layout.columns(HeadUnit::Query), self.heads.clone(), removed))
    }
}

/// Units that went, and the scores of all candidates before the first did.
pub(super) struct Gone {
    pub removed: Vec<Removal>,
    pub first_scores: Vec<f64>,
}

/// Removes units that are alive one at a time, the lowest score at its time first.
pub(super) async fn eliminate_heads<E: Executor>(
    site: &LinearSite<'_, E>,
    problem: &mut E::Problem,
    alive: &mut Vec<usize>,
    units: &[Vec<usize>],
    mut quota: Quota,
    score: Score,
) -> Result<Gone, ObsError> {
    let (mut removed, mut first_scores) = (Vec::new(), Vec::new());
    while !quota.is_used_up() {
        // All are scored anew, since a removal moves W and H⁻¹; sets that gave their share are left out.
        let candidates: Vec<usize> = alive.iter().copied().filter(|&u| quota.has(u)).collect();
        let groups: Vec<Vec<usize>> = candidates.iter().map(|&u| units[u].clone()).collect();
        let scores = site.executor.group_scores(problem, &groups, score).await?;
        if removed.is_empty() {
            // Nobody has given anything yet, so the candidates are all units that are there.
            first_scores.clone_from(&scores);
        }
        let best = cheapest_first(&candidates, &scores)?[0];
        let cost = site.executor.eliminate(problem, &groups[best]).await?;
        let gone = candidates[best];
        alive.retain(|&u| u != gone);
        quota.take(gone);
        removed.push(Removal { unit: gone, score: scores[best], cost });
    }
    Ok(Gone { removed, first_scores })
}

/// What it costs to remove both K/V heads and query heads of those that stay: every such cut that leaves something, with
/// its squared error as a share of the signal, by K/V heads and then by query heads.
///
/// # Errors
/// As [`prune_heads`].
pub async fn mixed_cuts<E: Executor>(
    executor: &E,
    weight: &Tensor<2>,
    hessian: &Hessian<E>,
    layout: HeadLayout,
    options: &Options,
) -> Result<Vec<(HeadCut, f64)>, ObsError> {
    let units = layout.columns(HeadUnit::Query);
    let score = options.selection.elimination();
    let cuts = async {
        let site = LinearSite::new(executor, weight, hessian, options).await?;
        let signal = site.signal().await?.max(f64::MIN_POSITIVE);
        let mut found = Vec::new();
        for kv_heads in 1..layout.kv_heads {
            // From the beginning each time: a problem cannot be copied, and heads are few.
            let mut problem = site.factor().await?;
            let mut removed = without_groups(&site, &mut problem, layout, kv_heads, score).await?;
            let mut alive = alive(units.len(), &removed);
            for per_group in 1..layout.heads_per_group() {
                let quota = Quota::among(&alive, units.len(), layout.heads_per_group(), 1);
                let gone = eliminate_heads(&site, &mut problem, &mut alive, &units, quota, score).await?;
                removed.extend(gone.removed);
                let error = removed.iter().map(|removal| removal.cost).sum::<f64>() / signal;
                found.push((HeadCut { kv_heads, per_group }, error));
            }
        }
        Ok(found)
    };
    cuts.await.map_err(|e: ObsError| e.with_context(options.damping, &units))
}
