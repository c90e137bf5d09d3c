//! Where the steps of the figure stand in the paper's algorithm.

use crate::text::say;

/// What happens to one head, in the order of the paper's Algorithm 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Nothing has happened yet.
    Look,
    /// Grouped Cholesky: the heads' blocks of H⁻¹ are factored, all at once.
    Factor,
    /// Errors: each head is scored.
    Score,
    /// The cheapest head comes first.
    Reorder,
    /// Its columns are set to zero.
    Cut,
    /// The others make up for it.
    Compensate,
    /// The heads go back to their places.
    Restore,
}

impl Phase {
    /// What each removal goes through.
    pub const OF_A_REMOVAL: [Self; 6] =
        [Self::Factor, Self::Score, Self::Reorder, Self::Cut, Self::Compensate, Self::Restore];

    /// The removal, from 0, and the phase of it that a step shows.
    pub fn at(step: usize) -> (usize, Self) {
        let phases = Self::OF_A_REMOVAL.len();
        step.checked_sub(1).map_or((0, Self::Look), |step| (step / phases, Self::OF_A_REMOVAL[step % phases]))
    }

    /// Whether the heads stand in the order of their scores.
    pub fn is_ordered(self) -> bool {
        (Self::Reorder..=Self::Compensate).contains(&self)
    }

    /// Its name in the list of phases.
    pub fn name(self) -> &'static str {
        match self {
            Self::Look => "",
            Self::Factor => say::five_phase_factor(),
            Self::Score => say::five_phase_score(),
            Self::Reorder => say::five_phase_reorder(),
            Self::Cut => say::five_phase_cut(),
            Self::Compensate => say::five_phase_compensate(),
            Self::Restore => say::five_phase_restore(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_removal_goes_through_all_phases() {
        assert_eq!(
            [0, 1, 6, 7].map(Phase::at),
            [(0, Phase::Look), (0, Phase::Factor), (0, Phase::Restore), (1, Phase::Factor)]
        );
        let ordered = Phase::OF_A_REMOVAL.map(Phase::is_ordered);
        assert_eq!(ordered, [false, false, true, true, true, false]);
    }
}
