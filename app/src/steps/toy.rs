//! What is pruned of the toy layer, and how: the layer itself is [`ToyLayer`].

use slimgpt::obs::toy::ToyLayer;
use slimgpt::obs::trace::{Trace, TraceTarget, trace_at_once};
use slimgpt::obs::{ChannelSteps, Options};

use crate::remedy::told;

/// What the toy layer is made of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Toy {
    /// What two neighbouring inputs have in common, 0 to 1.
    pub correlation: f64,
    /// λ in units of the mean diagonal.
    pub damping: f64,
    /// Columns that go, at least one and at most seven.
    pub remove: usize,
    /// Seed of inputs and weights.
    pub seed: u64,
}

impl Default for Toy {
    fn default() -> Self {
        Self { correlation: 0.6, damping: 0.01, remove: 4, seed: 1 }
    }
}

impl Toy {
    /// Prunes the layer, step by step.
    ///
    /// # Errors
    /// In the words of the library.
    pub fn trace(&self) -> Result<Trace, String> {
        let what = TraceTarget::Channels { remove: self.remove, steps: ChannelSteps::OneByOne };
        let options = Options { damping: self.damping, ..Options::default() };
        let layer = ToyLayer { correlation: self.correlation, seed: self.seed, ..ToyLayer::default() };
        trace_at_once(&layer.x(), &layer.weight(), what, &options).map_err(told)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The error of removing half of the columns, as a share of what they would cost alone.
    fn share_that_is_lost(correlation: f64) -> f64 {
        let toy = Toy { correlation, damping: 0.001, ..Toy::default() };
        let trace = toy.trace().unwrap();
        let norm = |j: usize| (0..trace.start.weight.rows).map(|i| trace.start.weight.at(i, j).powi(2)).sum::<f64>();
        let alone = |j: &usize| norm(*j) * trace.hessian.at(*j, *j);
        let gone = trace.steps.iter().flat_map(|s| s.columns.iter());
        trace.steps.iter().map(|s| s.cost).sum::<f64>() / gone.map(alone).sum::<f64>()
    }

    #[test]
    fn inputs_that_are_alike_stand_in_for_each_other() {
        let (alike, apart) = (share_that_is_lost(0.95), share_that_is_lost(0.0));
        assert!(2.0 * alike < apart, "{alike} {apart}");
    }
}
