//! How many units of a layer's sites go, and which gates are theirs.

use super::{GOES, STEPS, STILL};
use crate::allocate::LayerPlan;
use crate::obs::HeadUnit;
use crate::pipeline::UnitScores;

/// The units of a layer, from which a plan takes some.
pub(super) struct Quota {
    plan: LayerPlan,
}

impl Quota {
    pub fn new(plan: LayerPlan) -> Self {
        Self { plan }
    }

    /// Units of attention and of the feed-forward part.
    pub fn units(&self) -> [usize; 2] {
        let shape = self.plan.before;
        let heads = match self.plan.unit {
            HeadUnit::KeyValue => shape.kv_heads,
            HeadUnit::Query => shape.heads,
        };
        [heads, shape.channels]
    }

    /// Query heads of a unit of attention.
    pub fn heads_of_unit(&self) -> usize {
        match self.plan.unit {
            HeadUnit::KeyValue => self.plan.before.heads_per_group(),
            HeadUnit::Query => 1,
        }
    }

    /// The shares of both sites' units that go in the end.
    pub fn shares(&self) -> [f64; 2] {
        [self.plan.head_share_removed(), self.plan.channels_removed() as f64 / self.plan.before.channels as f64]
    }

    /// Which units of both sites go when this share of what is to go has gone: those that score lowest, as many of every
    /// set whose members must stay equally many.
    pub fn shut(&self, scores: [&[f64]; 2], share: f64) -> [Vec<bool>; 2] {
        let part = |count: usize| (share * count as f64).round() as usize;
        let [heads, channels] = scores;
        let (cut, per_group) = (self.plan.head_cut(), self.plan.before.heads_per_group().max(1));
        let heads = match self.plan.unit {
            HeadUnit::KeyValue => lowest(heads, part(cut.kv_heads)),
            HeadUnit::Query => {
                let groups: Vec<f64> = heads.chunks(per_group).map(|group| group.iter().sum()).collect();
                let without = lowest(&groups, part(cut.kv_heads)).into_iter().zip(heads.chunks(per_group));
                // Of a group that goes no head stays.
                let of_group = |(goes, group): (bool, &[f64])| {
                    if goes { vec![true; group.len()] } else { lowest(group, part(cut.per_group)) }
                };
                without.flat_map(of_group).collect()
            }
        };
        [heads, lowest(channels, part(self.plan.channels_removed()))]
    }

    /// Gates of query heads and channels from those of units.
    pub fn gates(&self, [heads, channels]: [Vec<f32>; 2]) -> [Vec<f32>; 2] {
        let per_unit = self.heads_of_unit();
        [heads.into_iter().flat_map(|gate| std::iter::repeat_n(gate, per_unit)).collect(), channels]
    }

    /// Scores by which exactly those go that are shut.
    pub fn scores(&self, scores: [&[f64]; 2], shut: &[Vec<bool>; 2]) -> UnitScores {
        let of = |scores: &[f64], shut: &[bool]| -> Vec<f64> {
            let score = |(&score, &shut): (&f64, &bool)| f64::from(if shut { GOES } else { score as f32 });
            scores.iter().zip(shut).map(score).collect()
        };
        let (heads, channels) = (of(scores[0], &shut[0]), of(scores[1], &shut[1]));
        match self.plan.unit {
            HeadUnit::KeyValue => UnitScores { heads: Vec::new(), groups: heads, channels },
            HeadUnit::Query => {
                // A group goes where all its heads do; any that stays lifts it above those.
                let groups = heads.chunks(self.plan.before.heads_per_group().max(1));
                let groups = groups.map(|group| group.iter().copied().fold(f64::MIN, f64::max)).collect();
                UnitScores { heads, groups, channels }
            }
        }
    }
}

/// Open and shut gates.
pub(super) fn binary(shut: &[Vec<bool>; 2]) -> [Vec<f32>; 2] {
    let gates = |shut: &Vec<bool>| shut.iter().map(|&shut| if shut { 0.0 } else { 1.0 }).collect();
    [gates(&shut[0]), gates(&shut[1])]
}

/// The share of what is to go that has gone at a step: none, more and more slowly, all (Zhu and Gupta's cubic schedule,
/// arXiv 1710.01878).
pub(super) fn share_gone(step: usize) -> f64 {
    let at = step as f64 / STEPS as f64;
    let way = ((at - STILL) / (1.0 - 2.0 * STILL)).clamp(0.0, 1.0);
    1.0 - (1.0 - way).powi(3)
}

/// The `count` lowest; of equals the first.
fn lowest(scores: &[f64], count: usize) -> Vec<bool> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    // Stable: of units alike the first goes.
    order.sort_by(|&a, &b| scores[a].total_cmp(&scores[b]));
    let mut goes = vec![false; scores.len()];
    order.iter().take(count).for_each(|&unit| goes[unit] = true);
    goes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::allocate::LayerRatio;
    use crate::shape::LayerShape;

    fn quota(unit: HeadUnit, after: LayerShape) -> Quota {
        let before = LayerShape { heads: 8, kv_heads: 4, channels: 10 };
        let ratio = LayerRatio::default();
        Quota::new(LayerPlan { ratio, unit, before, after, parameters_before: 0, parameters_after: 0 })
    }

    #[test]
    fn as_many_go_of_every_group_of_query_heads() {
        let quota = quota(HeadUnit::Query, LayerShape { heads: 4, kv_heads: 4, channels: 7 });
        let heads = [0.1, 0.2, 0.9, 0.8, 0.5, 0.5, 0.0, 1.0];
        let channels: Vec<f64> = (0..10).map(f64::from).collect();
        let shut = quota.shut([&heads, &channels], 1.0);
        assert_eq!(shut[0], [true, false, false, true, true, false, true, false]);
        assert_eq!(shut[1].iter().filter(|&&shut| shut).count(), 3);
        assert_eq!(quota.scores([&heads, &channels], &shut).heads[0], -1.0);
        // A third of the three channels, and no head: half of one rounds up.
        assert_eq!(quota.shut([&heads, &channels], 0.34)[1].iter().filter(|&&shut| shut).count(), 1);
    }

    #[test]
    fn a_group_goes_with_all_its_heads_before_the_others_give() {
        let quota = quota(HeadUnit::Query, LayerShape { heads: 3, kv_heads: 3, channels: 10 });
        let heads = [0.1, 0.2, 0.9, 0.8, 0.5, 0.5, 0.0, 1.0];
        let shut = quota.shut([&heads, &[0.0; 10]], 1.0);
        assert_eq!(shut[0], [true, true, false, true, true, false, true, false]);
        let scores = quota.scores([&heads, &[0.0; 10]], &shut);
        assert_eq!(scores.groups[0], -1.0);
        assert!(scores.groups[1..].iter().all(|&score| score > -1.0), "{:?}", scores.groups);
    }

    #[test]
    fn a_gate_of_a_group_is_that_of_its_query_heads() {
        let quota = quota(HeadUnit::KeyValue, LayerShape { heads: 6, kv_heads: 3, channels: 10 });
        let shut = quota.shut([&[0.4, 0.3, 0.2, 0.1], &[0.0; 10]], 1.0);
        assert_eq!(quota.gates(binary(&shut))[0], [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0]);
    }

    #[test]
    fn the_schedule_begins_late_and_ends_early() {
        assert_eq!(share_gone(STEPS / 10), 0.0);
        assert_eq!(share_gone(STEPS * 9 / 10), 1.0);
        assert!(share_gone(STEPS / 2) > 0.8, "most goes early");
    }
}
