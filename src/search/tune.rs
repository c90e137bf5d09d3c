//! Damping and calibration tokens by trying them: which of a few makes the pruned model best on held-out text.

use serde::{Deserialize, Serialize};

/// A setting that was pruned with and measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TuneTrial {
    /// λ in units of the mean of the Hessian's diagonal.
    pub damping: f64,
    /// Calibration windows.
    pub windows: usize,
    /// Of the pruned model on the held-out text; `None` where the model could not be pruned so.
    pub perplexity: Option<f64>,
}

/// Settings that were tried, and what came of each.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tuning {
    /// The version that tried them.
    pub version: String,
    /// What tells it from others: text, model and settings of the pruning.
    pub id: String,
    /// Tokens of the held-out text that were predicted.
    pub tokens: usize,
    /// The damping that was asked for.
    pub damping: f64,
    /// The calibration windows that were asked for, or as many of them as fit.
    pub windows: usize,
    /// In the order in which they were tried; the settings that were asked for are the first.
    pub trials: Vec<TuneTrial>,
}

/// Steps of the ladder, as factors of the damping that was asked for: it first, then what is near it.
const LADDER: [f64; 5] = [1.0, 0.3, 3.0, 0.1, 10.0];
/// The ladder where no damping was asked for.
const FROM_NOTHING: [f64; 5] = [0.0, 0.001, 0.003, 0.01, 0.03];
/// Parts of the calibration windows, after the whole.
const PARTS: [usize; 2] = [2, 4];

impl Tuning {
    /// The file in a folder that was pruned by it.
    pub const FILE: &'static str = "slimgpt-tuning.json";

    /// How many settings are tried in all.
    pub fn most(&self) -> usize {
        self.ladder().len() + self.parts().len()
    }

    /// The damping and the windows that are to be tried next; `None` where all are tried: first the dampings with all
    /// windows, then fewer windows with the best damping.
    pub fn untried(&self) -> Option<(f64, usize)> {
        let ladder = self.ladder();
        let tried = self.trials.len();
        match ladder.get(tried) {
            Some(&damping) => Some((damping, self.windows)),
            None => {
                let damping = self.best().map_or(self.damping, |best| best.damping);
                self.parts().get(tried - ladder.len()).map(|&windows| (damping, windows))
            }
        }
    }

    /// The setting with the lowest perplexity; of equals the one that was tried first, so that what was asked for stays
    /// where nothing is better. `None` where nothing could be pruned.
    pub fn best(&self) -> Option<&TuneTrial> {
        let measured = self.trials.iter().filter_map(|trial| {
            let perplexity = trial.perplexity.filter(|perplexity| perplexity.is_finite())?;
            Some((trial, perplexity))
        });
        measured.min_by(|(_, a), (_, b)| a.total_cmp(b)).map(|(trial, _)| trial)
    }

    fn ladder(&self) -> [f64; 5] {
        if self.damping > 0.0 { LADDER.map(|factor| factor * self.damping) } else { FROM_NOTHING }
    }

    /// Fewer windows than all, ever fewer.
    fn parts(&self) -> Vec<usize> {
        let mut parts: Vec<usize> =
            PARTS.iter().map(|part| self.windows / part).filter(|&windows| windows > 0).collect();
        parts.dedup();
        parts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tuned(damping: f64, windows: usize, perplexity: impl Fn(f64, usize) -> Option<f64>) -> Tuning {
        let (version, id) = (String::new(), String::new());
        let mut tuning = Tuning { version, id, tokens: 1, damping, windows, trials: Vec::new() };
        while let Some((damping, windows)) = tuning.untried() {
            assert!(tuning.trials.len() < tuning.most(), "{tuning:?}");
            tuning.trials.push(TuneTrial { damping, windows, perplexity: perplexity(damping, windows) });
        }
        assert_eq!(tuning.trials.len(), tuning.most());
        tuning
    }

    fn chosen(tuning: &Tuning) -> (f64, usize) {
        let best = tuning.best().unwrap();
        (best.damping, best.windows)
    }

    #[test]
    fn the_lowest_is_chosen_whatever_it_is() {
        for wanted in LADDER.map(|factor| factor * 0.01) {
            for windows in [64, 32, 16] {
                // A valley around one damping and one number of windows.
                let valley =
                    |d: f64, w: usize| Some(20.0 + (d / wanted).ln().abs() + (w as f64 / windows as f64).ln().abs());
                assert_eq!(chosen(&tuned(0.01, 64, valley)), (wanted, windows));
            }
        }
    }

    #[test]
    fn nothing_better_leaves_what_was_asked_for() {
        assert_eq!(chosen(&tuned(0.02, 9, |_, _| Some(12.0))), (0.02, 9));
        let worse = |damping: f64, windows: usize| Some(if (damping, windows) == (0.02, 9) { 12.0 } else { 13.0 });
        let tuning = tuned(0.02, 9, worse);
        assert_eq!(chosen(&tuning), (0.02, 9));
        assert_eq!(tuning.trials[0], TuneTrial { damping: 0.02, windows: 9, perplexity: Some(12.0) });
        assert_eq!(tuning.trials.iter().map(|trial| trial.windows).collect::<Vec<_>>(), [9, 9, 9, 9, 9, 4, 2]);
    }

    #[test]
    fn what_cannot_be_pruned_is_not_chosen() {
        let undamped = |damping: f64, _| (damping > 0.0).then_some(10.0 + damping);
        assert_eq!(chosen(&tuned(0.0, 4, undamped)), (0.001, 4));
        assert_eq!(chosen(&tuned(0.01, 4, |damping, _| Some(if damping < 0.005 { f64::NAN } else { 9.0 }))), (0.01, 4));
        assert!(tuned(0.01, 4, |_, _| None).best().is_none());
    }

    #[test]
    fn few_windows_have_few_parts() {
        for (windows, parts) in [(1, vec![]), (2, vec![1]), (3, vec![1]), (4, vec![2, 1]), (256, vec![128, 64])] {
            assert_eq!(tuned(0.01, windows, |_, _| None).parts(), parts);
        }
    }

    #[test]
    fn a_file_keeps_what_failed() {
        let tuning = tuned(0.0, 4, |damping, _| (damping > 0.0).then_some(10.0));
        let json = serde_json::to_string(&tuning).unwrap();
        assert_eq!(serde_json::from_str::<Tuning>(&json).unwrap(), tuning);
    }
}
