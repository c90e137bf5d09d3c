//! Swaps after elimination (OSSCAR's local search, arXiv 2403.12983): a unit that went and one that stayed change places
//! while the error falls. Greedy removal never takes anything back, although a later removal may have made an earlier one
//! a mistake.
//!
//! A unit p returns by the way it would go, in reverse. With K the columns that are there, W₀ the weights before anything
//! went, and V = I_:p − T over all columns:
//!
//! ```text
//! T = [H⁻¹]_KK H_Kp      S = H_pp − H_pK T = L Lᵀ      R = (W₀ − W) H_:p
//! E = R L⁻ᵀ     Y = L⁻¹ Vᵀ     W += E Y     H⁻¹ += Yᵀ Y     the error falls by ‖E‖² = tr(R S⁻¹ Rᵀ)
//! ```
//!
//! Then the cheapest other unit of its set goes, if that costs less than the return has won; if not, p goes again.

use super::select::cheapest_first;
use super::{Executor, ObsError, Removal, Score};

/// Units that may return for one swap are tried in the order of what they would win, no more than so many: behind them
/// are those whose going was right.
const TRIES: usize = 32;

/// The share of what a return wins by which a swap must be better: less is what rounding in single precision makes of
/// nothing.
const MARGIN: f64 = 1e-3;

/// Swaps units of `removed` for units that stayed, at most `most` times, within sets of `set_size` neighbouring units.
/// `removed` is then what is gone; what a swap wins is taken off the cost of the unit whose place another took.
pub(super) async fn swap<E: Executor>(
    executor: &E,
    problem: &mut E::Problem,
    units: &[Vec<usize>],
    set_size: usize,
    removed: &mut [Removal],
    most: usize,
) -> Result<(), ObsError> {
    for _ in 0..most {
        if !swap_one(executor, problem, units, set_size, removed).await? {
            break;
        }
    }
    Ok(())
}

/// Whether there was a swap that lowers the error.
async fn swap_one<E: Executor>(
    executor: &E,
    problem: &mut E::Problem,
    units: &[Vec<usize>],
    set_size: usize,
    removed: &mut [Removal],
) -> Result<bool, ObsError> {
    let mut is_gone = vec![false; units.len()];
    removed.iter().for_each(|removal| is_gone[removal.unit] = true);
    let gone: Vec<Vec<usize>> = removed.iter().map(|removal| units[removal.unit].clone()).collect();
    let gains = executor.gains(problem, &gone).await?;
    let mut places: Vec<usize> = (0..removed.len()).filter(|&place| gains[place] > 0.0).collect();
    // Equals by unit, so that two runs try alike.
    places.sort_by(|&a, &b| gains[b].total_cmp(&gains[a]).then(removed[a].unit.cmp(&removed[b].unit)));
    for place in places.into_iter().take(TRIES) {
        let unit = removed[place].unit;
        let set = unit / set_size * set_size..(unit / set_size + 1) * set_size;
        let rivals: Vec<usize> = set.filter(|&u| !is_gone[u]).collect();
        let groups: Vec<Vec<usize>> = rivals.iter().map(|&u| units[u].clone()).collect();
        let gain = match executor.restore(problem, &units[unit]).await {
            Ok(gain) => gain,
            // By rounding S has no factor here, although it had one beside the others: then nothing was changed.
            Err(ObsError::NotPositiveDefinite { .. }) => continue,
            Err(error) => return Err(error),
        };
        let scores = executor.group_scores(problem, &groups, Score::Exact).await?;
        let best = cheapest_first(&rivals, &scores)?[0];
        if scores[best] < gain * (1.0 - MARGIN) {
            let cost = executor.eliminate(problem, &groups[best]).await?;
            let cost = removed[place].cost - gain + cost;
            removed[place] = Removal { unit: rivals[best], score: scores[best], cost };
            return Ok(true);
        }
        executor.eliminate(problem, &units[unit]).await?;
    }
    Ok(false)
}
