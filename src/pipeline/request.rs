//! What was asked for, before it is held against a model.

use serde::{Deserialize, Serialize};

use crate::checkpoint::Dtype;
use crate::obs::schedule::Shape;
use crate::obs::{ChannelSteps, HeadUnit, Options, Score, Selection};

/// How much is to go.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Target {
    /// The mean ratio over the decoder layers, between 0 and 1.
    Ratio(f64),
    /// How many parameters the whole model is to have afterwards, embeddings included.
    Parameters(usize),
}

/// How the target is shared out among the layers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Schedule {
    /// By a formula.
    Shape(Shape),
    /// One ratio for each layer, in [0, 1). Used as it stands when there is no target; with a
    /// target it is a profile, scaled until the target is met.
    List(Vec<f64>),
}

impl Default for Schedule {
    fn default() -> Self {
        Self::Shape(Shape::default())
    }
}

/// Which activations a layer hands to the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Propagate {
    /// Those of the pruned layer: every layer is fitted to what it will really see.
    #[default]
    Pruned,
    /// Those of the layer as it was, for the ablation.
    Dense,
}

/// What the user asked for. [`plan`](super::plan) holds it against a model.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// How much is to go; may be absent only with [`Schedule::List`].
    pub target: Option<Target>,
    /// How it is shared out among the layers.
    pub schedule: Schedule,
    /// r₀ of the schedule's formula, instead of the paper's share of the target.
    pub first_ratio: Option<f64>,
    /// The score and the damping.
    pub options: Options,
    /// The steps in which channels go.
    pub channel_steps: ChannelSteps,
    /// What goes from attention as one.
    pub head_unit: HeadUnit,
    /// Kept channels are a multiple of this; without it of gcd(channels, 32).
    pub channel_multiple: Option<usize>,
    /// Element type of the output; without it the source's.
    pub dtype: Option<Dtype>,
    /// Which activations a layer hands to the next.
    pub propagate: Propagate,
    /// Calibration windows.
    pub windows: usize,
    /// Tokens of one window.
    pub window_tokens: usize,
    /// Seed of the calibration windows.
    pub seed: u64,
    /// Bytes that may be used on the device that computes.
    pub memory: Option<u64>,
}

impl Default for Request {
    fn default() -> Self {
        Self {
            target: None,
            schedule: Schedule::default(),
            first_ratio: None,
            options: Options::default(),
            channel_steps: ChannelSteps::default(),
            head_unit: HeadUnit::default(),
            channel_multiple: None,
            dtype: None,
            propagate: Propagate::default(),
            windows: 256,
            window_tokens: 2048,
            seed: 0,
            memory: None,
        }
    }
}

impl Request {
    /// The same request done as the SlimGPT paper does it: grouped-Cholesky scores, Dynamic Group
    /// Size down to its text's 8, and counts that are rounded to whole channels only.
    pub fn as_in_the_paper(self) -> Self {
        Self {
            options: Options { selection: Selection::Elimination(Score::GroupedCholesky), ..self.options },
            channel_steps: ChannelSteps::Dynamic { floor: 8 },
            channel_multiple: Some(1),
            ..self
        }
    }
}
