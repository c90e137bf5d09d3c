//! The methods that are compared, each as a request: what it selects by, what it does with the rest.
//!
//! All of them see the same tokens. Those that do not say themselves how much each layer loses
//! ([`Method::shares_out`]) see them through the same pruned layers and leave the same sizes, so that only selection and
//! reconstruction differ. The published code of Wanda-sp takes its statistics from the dense model instead.

use serde::{Deserialize, Serialize};

use super::{Plan, Request};
use crate::allocate::{Allocation, Curve, KeptEnds, Schedule};
use crate::names::Named;
use crate::obs::{Brought, ChannelSteps, Options, Ranking, Reconstruction, Score, Selection};

/// Channels that go together where the paper's dynamic groups are switched off.
const FIXED_GROUP: usize = 128;

/// A way to prune that has a name.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    Serialize,
    Deserialize,
    strum::Display,
    strum::IntoStaticStr,
    strum::EnumMessage,
    strum::VariantArray,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
// From the bluntest to the most careful: the order in which they are listed and compared.
pub enum Method {
    /// The floor that every method must beat.
    #[strum(message = "drawn with the seed; nothing makes up for what goes")]
    Random,
    /// ‖W_g‖² of the pruned matrix's own columns.
    #[strum(message = "‖W_g‖² of the columns of o_proj and down_proj; nothing makes up for what goes")]
    Magnitude,
    /// Wanda's score over whole columns, as the FLAP paper's baseline has it.
    #[strum(message = "Σ mean|W|·‖X‖ of the columns (Wanda-sp); nothing makes up for what goes")]
    WandaSp,
    /// FLAP's metric and its bias compensation, not its adaptive allocation.
    #[strum(message = "flap's scores and biases, with the ratios of the schedule")]
    FlapScores,
    /// FLAP (arXiv 2312.11983) with its adaptive structure across layers and modules.
    #[strum(
        message = "variance of the dense model's inputs × ‖W‖², standardised site by site, one threshold for the heads and \
                       channels of all layers (FLAP); the bias takes over the mean of what goes. How much each layer loses \
                       follows from the text"
    )]
    Flap,
    /// LLM-Pruner's importance of every weight (arXiv 2305.11627).
    #[strum(
        message = "Σ |W · ∂loss/∂W| over a head's or channel's weights in all projections (LLM-Pruner), 10 windows of 64 \
                       tokens; nothing makes up for what goes. The first eighth and last sixteenth of the layers stay whole"
    )]
    LlmPruner,
    /// The same row by row.
    #[strum(message = "llm-pruner with the terms of a row added up before their size is taken")]
    LlmPrunerVector,
    /// LoRAPrune (arXiv 2305.18403): scores from the gradients of low-rank factors that are trained while units go.
    #[strum(
        message = "Σ |W · ∂W| with ∂W from low-rank factors' gradients (LoRAPrune), as a moving mean over 200 training steps \
                       on the calibration text in which more and more goes; what was trained stays. The first tenth and \
                       the last layer stay whole. Published: two epochs of 20,000 instructions"
    )]
    Loraprune,
    /// Compresso (arXiv 2310.05015): hard-concrete gates learnt beside low-rank factors.
    #[strum(
        message = "gates on heads and channels, learnt beside low-rank factors to the layer's own budget in 200 steps on the \
                       calibration text (Compresso); what was trained stays. Published: one budget for all layers, which \
                       the gates share out, and a prompt that tells of the pruning"
    )]
    Compresso,
    /// SlimGPT as its paper has it (arXiv 2412.18110).
    #[strum(message = "as published: grouped Cholesky, dynamic groups down to 8, least-squares weights")]
    Slimgpt,
    /// The paper's ablation −GCD (§5.3.1).
    #[strum(message = "slimgpt without grouped Cholesky: head scores from the diagonal of H⁻¹")]
    SlimgptNoGcd,
    /// The paper's ablation −DGS (§5.3.1).
    #[strum(message = "slimgpt without dynamic groups: 128 channels at a time")]
    SlimgptNoDgs,
    /// This program's own: exact scores, taken anew after every removal.
    #[strum(message = "exact scores, channels one by one, least-squares weights")]
    Exact,
}

impl Method {
    /// The method that a plan carries out, if its settings have a name.
    pub fn of_plan(plan: &Plan) -> Option<Self> {
        let asked = &plan.request;
        // By what it is made of, so that settings chosen one by one have the name too.
        let is_it = |method: &Self| {
            let done = method.of(asked.clone());
            done.options == asked.options && done.channel_steps == asked.channel_steps
        };
        Self::all().iter().copied().find(is_it)
    }

    /// Whether the weights that stay are refitted.
    pub fn refits(self) -> bool {
        // Any seed does: only the reconstruction is asked for.
        self.parts(0).1 == Reconstruction::LeastSquares
    }

    /// Whether it says itself how much each layer loses.
    pub fn shares_out(self) -> bool {
        matches!(self, Self::Flap | Self::LlmPruner | Self::LlmPrunerVector | Self::Loraprune | Self::Compresso)
    }

    /// Whether the model is trained before anything goes, which takes as long as a recovery.
    pub fn trains(self) -> bool {
        matches!(self, Self::Loraprune | Self::Compresso)
    }

    /// The request done by this method. Sizes, schedule and tokens stay as they were asked for.
    pub fn of(self, request: Request) -> Request {
        let (selection, reconstruction) = self.parts(request.seed);
        let options = Options { selection, reconstruction, ..request.options };
        let allocation = match self {
            Self::Flap => Allocation { schedule: Schedule::Scores, ..request.allocation },
            // Its layers are its own: alike, but for the ends, which lose nothing.
            Self::LlmPruner | Self::LlmPrunerVector => uniform(request.allocation, KeptEnds::LlmPruner),
            Self::Loraprune => uniform(request.allocation, KeptEnds::LoraPrune),
            Self::Compresso => uniform(request.allocation, KeptEnds::None),
            _ => request.allocation,
        };
        Request { options, allocation, channel_steps: self.channel_steps(), ..request }
    }

    fn parts(self, seed: u64) -> (Selection, Reconstruction) {
        use Reconstruction::{LeastSquares, MeanBias, Unchanged};
        use Selection::{Elimination, Ranking as Ranked};
        match self {
            Self::Random => (Ranked(Ranking::Random { seed }), Unchanged),
            Self::Magnitude => (Ranked(Ranking::Magnitude), Unchanged),
            Self::WandaSp => (Ranked(Ranking::WandaSp), Unchanged),
            Self::FlapScores => (Ranked(Ranking::Fluctuation), MeanBias),
            Self::Flap => (Ranked(Ranking::Brought(Brought::Fluctuation)), MeanBias),
            Self::LlmPruner => (Ranked(Ranking::Brought(Brought::Taylor)), Unchanged),
            Self::LlmPrunerVector => (Ranked(Ranking::Brought(Brought::TaylorVector)), Unchanged),
            Self::Loraprune => (Ranked(Ranking::Brought(Brought::LoraGradients)), Unchanged),
            Self::Compresso => (Ranked(Ranking::Brought(Brought::Gates)), Unchanged),
            Self::Slimgpt | Self::SlimgptNoDgs => (Elimination(Score::GroupedCholesky), LeastSquares),
            Self::SlimgptNoGcd => (Elimination(Score::Diagonal), LeastSquares),
            Self::Exact => (Elimination(Score::Exact), LeastSquares),
        }
    }

    fn channel_steps(self) -> ChannelSteps {
        match self {
            Self::Slimgpt | Self::SlimgptNoGcd => ChannelSteps::PAPER,
            Self::SlimgptNoDgs => ChannelSteps::Fixed(FIXED_GROUP),
            // A ranking takes all at once and has no steps.
            _ => ChannelSteps::OneByOne,
        }
    }
}

/// The same amount from every layer but those at the ends.
fn uniform(asked: Allocation, keep_ends: KeptEnds) -> Allocation {
    Allocation { schedule: Schedule::Curve(Curve::Uniform), keep_ends, ..asked }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::allocate::Rounding;

    #[test]
    fn every_method_is_found_by_its_name() {
        for &method in Method::all() {
            assert_eq!(Method::named(method.name()), Some(method));
            assert_eq!(serde_json::to_value(method).unwrap(), method.name());
        }
        assert_eq!(Method::named("lasso"), None);
    }

    #[test]
    fn the_published_method_is_the_papers_preset() {
        let allocation =
            Allocation { channel_multiple: Some(1), rounding: Some(Rounding::Layer), ..Allocation::default() };
        let asked = Request { allocation, ..Request::default() };
        assert_eq!(Method::Slimgpt.of(asked.clone()), asked.clone().as_in_the_paper());
        assert_eq!(Method::Exact.of(asked.clone()), asked);
    }

    #[test]
    fn the_ablations_differ_from_the_published_method_in_one_thing() {
        let published = Method::Slimgpt.of(Request::default());
        let no_gcd = Method::SlimgptNoGcd.of(Request::default());
        assert_eq!(no_gcd.channel_steps, published.channel_steps);
        assert_ne!(no_gcd.options, published.options);
        let no_dgs = Method::SlimgptNoDgs.of(Request::default());
        assert_eq!(no_dgs.options, published.options);
        assert_ne!(no_dgs.channel_steps, published.channel_steps);
    }
}
