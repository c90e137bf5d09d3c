//! What was asked for: every knob of a recovery once.

use serde::{Deserialize, Serialize};

use crate::shape::{LayerShape, Projection};

/// What is learnt.
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
pub enum Train {
    /// Low-rank factors beside the weights (LoRA, arXiv 2106.09685), merged at the end.
    #[default]
    #[strum(message = "low-rank factors beside the weights, merged at the end: little memory, hard to spoil")]
    Lora,
    /// The scales of all norms, and biases where there are any.
    #[strum(message = "the scales of the norms, and the biases where there are any: a few thousand numbers")]
    Norms,
    /// Every weight, embedding and head included.
    #[strum(message = "every weight: the best result from much text, and four times the model in memory")]
    All,
}

/// Which tokens count.
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
pub enum Counted {
    /// Only what is answered.
    #[default]
    #[strum(message = "only the tokens of responses")]
    Response,
    /// The prompt too.
    #[strum(message = "every token, those of the prompt too")]
    All,
}

/// How long it is learnt.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Length {
    /// So often through the data.
    Epochs(f64),
    /// So many steps.
    Steps(usize),
}

impl Length {
    /// Steps of `batch` sequences over `examples` of them.
    pub fn steps(self, examples: usize, batch: usize) -> usize {
        match self {
            Self::Steps(steps) => steps,
            // The last step of an epoch may be of fewer sequences.
            Self::Epochs(epochs) => (epochs * examples.div_ceil(batch.max(1)) as f64).ceil() as usize,
        }
    }
}

/// The projections that get low-rank factors.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Targets(Vec<String>);

impl Targets {
    /// All seven.
    pub fn all() -> Self {
        Self::of(&Projection::ALL)
    }

    /// q, k, v and o.
    pub fn attention() -> Self {
        Self::of(&[Projection::Q, Projection::K, Projection::V, Projection::O])
    }

    /// gate, up and down.
    pub fn mlp() -> Self {
        Self::of(&[Projection::Gate, Projection::Up, Projection::Down])
    }

    fn of(projections: &[Projection]) -> Self {
        Self(projections.iter().map(ToString::to_string).collect())
    }

    /// `all`, `attention`, `mlp`, or names such as `q_proj` with commas between.
    ///
    /// # Errors
    /// With the name that is none, and those that are.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text {
            "all" => return Ok(Self::all()),
            "attention" => return Ok(Self::attention()),
            "mlp" => return Ok(Self::mlp()),
            _ => {}
        }
        let names: Vec<&str> = text.split(',').map(str::trim).collect();
        let known = Self::all().0;
        match names.iter().find(|name| !known.iter().any(|known| known == *name)) {
            Some(name) => {
                Err(format!("\"{name}\" is no projection; there are all, attention, mlp, {}", known.join(", ")))
            }
            // In the order of a layer, whatever was typed.
            None => Ok(Self(known.into_iter().filter(|known| names.contains(&known.as_str())).collect())),
        }
    }

    /// The projections, in the order in which a layer computes with them.
    pub fn projections(&self) -> Vec<Projection> {
        Projection::ALL.into_iter().filter(|projection| self.0.contains(&projection.to_string())).collect()
    }

    /// Those that a layer has: one without a half has nothing to learn there.
    pub(super) fn in_layer(&self, shape: LayerShape) -> impl Iterator<Item = Projection> {
        self.projections().into_iter().filter(move |projection| shape.has(projection.site()))
    }
}

impl std::fmt::Display for Targets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.join(", "))
    }
}

/// What was asked for. [`plan`](super::plan) holds it against a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// What is learnt.
    pub train: Train,
    /// Columns of the low-rank factors.
    pub rank: usize,
    /// The factors' product counts α / rank.
    pub alpha: f64,
    /// Share of the factors' inputs that is dropped while learning.
    pub dropout: f64,
    /// Which projections get factors.
    pub targets: Targets,
    /// Highest learning rate.
    pub rate: f64,
    /// Steps in which the rate rises to it.
    pub warm_up: usize,
    /// How long it is learnt.
    pub length: Length,
    /// Sequences of a step.
    pub batch: usize,
    /// Sequences that go through a layer together; `None` as the memory allows.
    pub micro_batch: Option<usize>,
    /// Most tokens of a sequence.
    pub window: usize,
    /// Which tokens count.
    pub counted: Counted,
    /// How much the teacher's expectation counts beside the text, from 0 to 1.
    pub teacher: f64,
    /// Both models' logits are divided by it before they are compared.
    pub temperature: f64,
    /// Steps between two looks at the held-out sequences.
    pub eval_every: usize,
    /// Sequences that are held out; `None` a tenth, and at most 2000.
    pub hold_out: Option<usize>,
    /// Looks without a better held-out loss after which it ends; `None` never.
    pub patience: Option<usize>,
    /// The gradient is shortened to this norm.
    pub clip: f64,
    /// Seed of factors, order and dropout.
    pub seed: u64,
}

impl Settings {
    /// How much a teacher counts beside the text unless somebody says otherwise. A model that learnt from both by halves
    /// was as good on the text as one that learnt from it alone, and better on other text (README, "Recover what was lost").
    pub const TEACHER_SHARE: f64 = 0.5;
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            train: Train::Lora,
            // Rank to window: as the published code trains (algorithm facts of SlimGPT §3).
            rank: 8,
            alpha: 16.0,
            dropout: 0.05,
            targets: Targets::all(),
            rate: 1e-4,
            warm_up: 10,
            length: Length::Epochs(1.0),
            batch: 64,
            micro_batch: None,
            window: 256,
            counted: Counted::Response,
            teacher: 0.0,
            temperature: 1.0,
            eval_every: 50,
            hold_out: None,
            patience: None,
            // transformers' own, which the published code leaves as it is.
            clip: 1.0,
            seed: 0,
        }
    }
}

/// Most sequences that are held out unless more are asked for: as many as the published code holds out.
pub(super) const MOST_HELD_OUT: usize = 2000;

impl Settings {
    /// Sequences that are held out of so many.
    pub fn held_out(&self, examples: usize) -> usize {
        self.hold_out.unwrap_or((examples / 10).min(MOST_HELD_OUT))
    }

    /// The factor at the product of the low-rank factors.
    pub fn scale(&self) -> f64 {
        self.alpha / self.rank as f64
    }
}
