//! What a selection is made of: how many units may go from where, which go first, and what is
//! left when they are gone.

use super::{ObsError, Removal};

/// How many units may still go from each set of units; sets are runs of equal length.
pub(super) struct Quota {
    set_size: usize,
    left: Vec<usize>,
}

impl Quota {
    /// `each` of every `set_size` of so many `units`.
    pub fn new(units: usize, set_size: usize, each: usize) -> Self {
        Self { set_size, left: vec![each; units / set_size] }
    }

    /// The same, where sets of which no unit is `alive` give nothing more.
    pub fn among(alive: &[usize], units: usize, set_size: usize, each: usize) -> Self {
        let mut left = vec![0; units / set_size];
        alive.iter().for_each(|unit| left[unit / set_size] = each);
        Self { set_size, left }
    }

    pub fn has(&self, unit: usize) -> bool {
        self.left[unit / self.set_size] > 0
    }

    pub fn take(&mut self, unit: usize) {
        self.left[unit / self.set_size] -= 1;
    }

    pub fn is_used_up(&self) -> bool {
        self.left.iter().all(|&l| l == 0)
    }
}

/// Positions by ascending score; of equal scores the first. `units` are named if a score is none.
pub(super) fn cheapest_first(units: &[usize], scores: &[f64]) -> Result<Vec<usize>, ObsError> {
    // What has no score would be sorted to one end, and be passed over or go without a word.
    if let Some((i, &value)) = scores.iter().enumerate().find(|(_, s)| !s.is_finite()) {
        return Err(ObsError::score(units[i], value));
    }
    let mut order: Vec<usize> = (0..scores.len()).collect();
    // Ties go by position, so that two runs choose alike.
    order.sort_by(|&a, &b| scores[a].total_cmp(&scores[b]).then(a.cmp(&b)));
    Ok(order)
}

/// The units with the lowest scores, as many as the quota allows; their costs are not known yet.
pub(super) fn lowest(scores: &[f64], mut quota: Quota) -> Result<Vec<Removal>, ObsError> {
    let all: Vec<usize> = (0..scores.len()).collect();
    let mut removed = Vec::new();
    for unit in cheapest_first(&all, scores)? {
        if quota.has(unit) {
            quota.take(unit);
            removed.push(Removal { unit, score: scores[unit], cost: 0.0 });
        }
    }
    Ok(removed)
}

/// What a selection leaves.
pub(super) struct Chosen<P> {
    /// Units that stay, ascending.
    pub units: Vec<usize>,
    /// Columns that stay, ascending.
    pub columns: Vec<usize>,
    /// Units that went, in order.
    pub removed: Vec<Removal>,
    /// The score of every unit before the first went.
    pub scores: Vec<f64>,
    /// The inverted problem, where the removals were eliminated and their costs are known.
    pub problem: Option<P>,
}

impl<P> Chosen<P> {
    /// What an elimination leaves, with the costs it added up.
    pub fn eliminated(units: &[Vec<usize>], scores: Vec<f64>, removed: Vec<Removal>, problem: P) -> Self {
        Self { problem: Some(problem), ..Self::without(units, scores, removed) }
    }

    /// The lowest scores go, as many as the quota allows; their costs are not known yet.
    pub fn ranked(units: &[Vec<usize>], scores: Vec<f64>, quota: Quota) -> Result<Self, ObsError> {
        let removed = lowest(&scores, quota)?;
        Ok(Self::without(units, scores, removed))
    }

    /// What is left of `units` without those in `removed`, whose costs are not known yet.
    pub fn without(units: &[Vec<usize>], scores: Vec<f64>, removed: Vec<Removal>) -> Self {
        let mut stays = vec![true; units.len()];
        removed.iter().for_each(|r| stays[r.unit] = false);
        let kept: Vec<usize> = (0..units.len()).filter(|&u| stays[u]).collect();
        let columns = kept.iter().flat_map(|&u| units[u].iter().copied()).collect();
        Self { units: kept, columns, removed, scores, problem: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_equal_scores_the_first_goes() {
        assert_eq!(cheapest_first(&[4, 5, 6, 7], &[2.0, 1.0, 1.0, 0.5]).unwrap(), [3, 1, 2, 0]);
    }

    #[test]
    fn a_score_that_is_no_number_names_its_unit() {
        let error = cheapest_first(&[4, 9], &[1.0, f64::INFINITY]).unwrap_err();
        assert_eq!(error, ObsError::score(9, f64::INFINITY));
    }

    #[test]
    fn a_quota_is_counted_set_by_set() {
        let mut quota = Quota::new(6, 3, 1);
        quota.take(1);
        assert_eq!([0, 2, 3, 5].map(|unit| quota.has(unit)), [false, false, true, true]);
        quota.take(4);
        assert!(quota.is_used_up());
        // The second set is not there any more.
        let mut quota = Quota::among(&[0, 2], 6, 3, 1);
        assert_eq!([0, 1, 3, 5].map(|unit| quota.has(unit)), [true, true, false, false]);
        quota.take(2);
        assert!(quota.is_used_up());
    }
}
