//! What was asked for, before it is held against a model: every knob once. A plan, the window and a
//! comparison embed it.

use serde::{Deserialize, Serialize};

use crate::activations::Elements;
use crate::allocate::{Allocation, Rounding, Target};
use crate::checkpoint::Dtype;
use crate::obs::{ChannelSteps, Options, Score, Selection};
use crate::shape::ModelConfig;

/// Which activations a layer hands to the next.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
    strum::IntoStaticStr,
    strum::EnumMessage,
    strum::VariantArray,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Propagate {
    /// Every layer is fitted to what it will really see.
    #[default]
    #[strum(message = "the outputs of the pruned layers before, as the paper does")]
    Pruned,
    /// Every layer is fitted to what the dense model would hand it: for the ablation.
    #[strum(message = "the outputs of the dense layers before")]
    Dense,
}

/// Which calibration tokens the losses of the new weights are measured on.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
    strum::IntoStaticStr,
    strum::EnumMessage,
    strum::VariantArray,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Measure {
    /// As many as tell the loss of all within a few percent.
    #[default]
    #[strum(message = "all while there are at most 65536, else so many, with the standard error")]
    Sample,
    /// Every token.
    #[strum(message = "all")]
    All,
}

/// What the user asked for. [`plan`](super::plan) holds it against a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Request {
    /// How much goes, and from which layers.
    #[serde(flatten)]
    pub allocation: Allocation,
    /// Selection, reconstruction and damping.
    pub options: Options,
    /// The steps in which channels go.
    pub channel_steps: ChannelSteps,
    /// Element type of the output; without it the source's.
    pub dtype: Option<Dtype>,
    /// Which activations a layer hands to the next.
    pub propagate: Propagate,
    /// Which tokens the losses are measured on.
    pub measure: Measure,
    /// In which numbers hidden states and attention contexts wait between two passes.
    pub activations: Elements,
    /// How many calibration windows are cut from the text.
    pub windows: usize,
    /// Tokens of one window.
    pub window_tokens: usize,
    /// Seed of the calibration windows.
    pub seed: u64,
}

impl Default for Request {
    fn default() -> Self {
        Self {
            allocation: Allocation::default(),
            options: Options::default(),
            channel_steps: ChannelSteps::default(),
            dtype: None,
            propagate: Propagate::default(),
            measure: Measure::default(),
            activations: Elements::default(),
            // The paper's calibration: 256 windows of 2048 tokens.
            windows: 256,
            window_tokens: 2048,
            // As in the published code.
            seed: 0,
        }
    }
}

impl Request {
    /// A request of the default kind.
    pub fn to(target: Target) -> Self {
        Self { allocation: Allocation::to(target), ..Self::default() }
    }

    /// `config` with the biases that the method adds. One that shifts biases needs one on every pruned projection; other
    /// programs know biases on these only together with those on all others, which are then zero.
    pub fn written_config(&self, config: &ModelConfig) -> ModelConfig {
        let adds = self.options.adds_bias();
        ModelConfig {
            qkv_bias: config.qkv_bias || adds,
            o_bias: config.o_bias || adds,
            mlp_bias: config.mlp_bias || adds,
            ..config.clone()
        }
    }

    /// The same request done as the SlimGPT paper does it: grouped-Cholesky scores, Dynamic Group
    /// Size down to its text's 8, and every layer's counts rounded by themselves to whole channels.
    pub fn as_in_the_paper(self) -> Self {
        let allocation = Allocation { channel_multiple: Some(1), rounding: Some(Rounding::Layer), ..self.allocation };
        Self {
            allocation,
            options: Options { selection: Selection::Elimination(Score::GroupedCholesky), ..self.options },
            channel_steps: ChannelSteps::PAPER,
            ..self
        }
    }
}
