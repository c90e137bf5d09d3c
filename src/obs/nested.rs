//! Nested removals from one site: a single elimination gives an order in which units go, and what it has cost after each;
//! at some stages the weights of what stays are computed.
//!
//! A search over sizes asks what a site costs at many counts. Since greedy removal never takes anything back, the kept
//! sets of all counts are nested, and one order answers for all of them.

use burn::tensor::Tensor;

use super::heads::eliminate_heads;
use super::prune::in_steps;
use super::select::Quota;
use super::site::LinearSite;
use super::{ChannelSteps, Executor, HeadLayout, HeadUnit, Hessian, ObsError, Options, Removal};

/// A site with ever fewer units.
pub struct Nested {
    /// In the order of going. Where equally many go of several sets, one of each goes before a second of any.
    pub removed: Vec<Removal>,
    /// ‖XWᵀ‖²_F over the calibration tokens: what costs are to be held against.
    pub signal: f64,
    /// The stages that were asked for, in their order.
    pub stages: Vec<Stage>,
}

/// What stays of a site at a stage.
pub struct Stage {
    /// Input columns that stay, ascending.
    pub kept_columns: Vec<usize>,
    /// Ŵ `(out, kept columns)`.
    pub weight: Tensor<2>,
}

/// Removes K/V groups, or of every K/V group query heads, until the largest of `counts` (of each set) has gone, and
/// computes what stays at each of them.
///
/// # Errors
/// As [`prune_heads`](super::prune_heads).
pub async fn nested_heads<E: Executor>(
    executor: &E,
    weight: &Tensor<2>,
    hessian: &Hessian<E>,
    layout: HeadLayout,
    unit: HeadUnit,
    counts: &[usize],
    options: &Options,
) -> Result<Nested, ObsError> {
    let units = layout.columns(unit);
    let (set, most) = (layout.set_size(unit), most(counts, layout.set_size(unit), "heads")?);
    let score = options.selection.elimination();
    let nested = async {
        let site = LinearSite::new(executor, weight, hessian, options).await?;
        let mut problem = site.factor().await?;
        let mut alive = (0..units.len()).collect();
        let mut removed = Vec::new();
        for _ in 0..most {
            // One of every set at a time, so that every stage has as many left of each.
            let quota = Quota::new(units.len(), set, 1);
            removed.extend(eliminate_heads(&site, &mut problem, &mut alive, &units, quota, score).await?.removed);
        }
        let sets = units.len() / set;
        let counts: Vec<usize> = counts.iter().map(|count| count * sets).collect();
        site.executor.end_elimination(&mut problem);
        stages(&site, &problem, &units, removed, &counts).await
    };
    nested.await.map_err(|e| e.with_context(options.damping, &units))
}

/// Removes channels until the largest of `counts` has gone, and computes what stays at each of them.
///
/// # Errors
/// As [`prune_channels`](super::prune_channels).
pub async fn nested_channels<E: Executor>(
    executor: &E,
    weight: &Tensor<2>,
    hessian: &Hessian<E>,
    steps: ChannelSteps,
    counts: &[usize],
    options: &Options,
) -> Result<Nested, ObsError> {
    let [_, present] = weight.dims();
    let most = most(counts, present, "channels")?;
    let units: Vec<Vec<usize>> = (0..present).map(|j| vec![j]).collect();
    let nested = async {
        let site = LinearSite::new(executor, weight, hessian, options).await?;
        let mut problem = site.factor().await?;
        let removed = in_steps(executor, &mut problem, present, most, steps).await?;
        executor.end_elimination(&mut problem);
        stages(&site, &problem, &units, removed, counts).await
    };
    nested.await.map_err(|e| e.with_context(options.damping, &units))
}

/// The largest count, which leaves something.
fn most(counts: &[usize], present: usize, unit: &'static str) -> Result<usize, ObsError> {
    let remove = counts.iter().copied().max().unwrap_or(0);
    if remove < present { Ok(remove) } else { Err(ObsError::NothingLeft { unit, remove, present }) }
}

async fn stages<E: Executor>(
    site: &LinearSite<'_, E>,
    problem: &E::Problem,
    units: &[Vec<usize>],
    removed: Vec<Removal>,
    counts: &[usize],
) -> Result<Nested, ObsError> {
    let signal = site.signal().await?;
    let mut stages = Vec::with_capacity(counts.len());
    for &count in counts {
        let mut stays = vec![true; units.len()];
        removed[..count].iter().for_each(|r| stays[r.unit] = false);
        let kept = units.iter().zip(stays).filter(|(_, stays)| *stays);
        let kept_columns: Vec<usize> = kept.flat_map(|(unit, _)| unit.iter().copied()).collect();
        // From the original weights: a stage has no rounding of the removals before it.
        let weight = site.executor.refit(problem, &kept_columns, None).await?.weight;
        stages.push(Stage { kept_columns, weight });
    }
    Ok(Nested { removed, signal, stages })
}
