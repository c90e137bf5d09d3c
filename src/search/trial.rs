//! Candidates that were pruned and measured, where the budget is a rise of perplexity.

use serde::{Deserialize, Serialize};

/// A candidate that was pruned and measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// Parameters of the whole model.
    pub parameters: usize,
    /// Σ of the sites' divergences, in nats a token.
    pub predicted_divergence: f64,
    /// On the held-out text.
    pub perplexity: f64,
}

/// How sizes were found for a rise of perplexity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rise {
    /// What tells it from others: text, and settings of the pruning.
    pub id: String,
    /// By how much perplexity may rise: 0.05 for 5 %.
    pub most: f64,
    /// Tokens of the held-out text that were predicted.
    pub tokens: usize,
    /// Perplexity of the dense model there.
    pub dense: f64,
    /// In the order in which they were made.
    pub trials: Vec<Trial>,
}

impl Rise {
    /// By how much a candidate's perplexity rises.
    pub fn of(&self, trial: &Trial) -> f64 {
        trial.perplexity / self.dense - 1.0
    }

    /// The smallest candidate that stays within the rise, by its place.
    pub fn best(&self) -> Option<usize> {
        let within = self.trials.iter().enumerate().filter(|(_, trial)| self.of(trial) <= self.most);
        within.min_by_key(|(_, trial)| trial.parameters).map(|(i, _)| i)
    }

    /// Nats a token that perplexity may rise by.
    pub(super) fn limit(&self) -> f64 {
        self.most.ln_1p()
    }

    /// Nats a token that a candidate's perplexity rises by.
    pub(super) fn nats(&self, trial: &Trial) -> f64 {
        (trial.perplexity / self.dense).ln()
    }
}
