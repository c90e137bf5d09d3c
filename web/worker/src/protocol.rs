//! What page and worker say to each other, as JSON: a request starts a job, events tell of it until
//! one ends it.

use serde::{Deserialize, Serialize};
use slimgpt::obs::Score;
use slimgpt::pipeline::{self, LayerRecord};
use slimgpt::shape::Site;
use slimgpt::text::Bos;

/// A job under a number that all its events carry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// Chosen by who asks.
    pub id: u32,
    /// What is to be done.
    pub job: Job,
    /// Whether a GPU is left alone where there is one: for who has lost it.
    #[serde(default)]
    pub cpu: bool,
}

/// What the worker can do with the shipped model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(clippy::large_enum_variant, reason = "one is sent at a time, and none is kept in a list")]
pub enum Job {
    /// The whole pipeline; the result stays in the worker under a number.
    Prune(Prune),
    /// Continues a text, piece by piece.
    Generate(Generate),
    /// How far the hidden states are off after each layer, and what becomes of perplexity.
    Depth {
        /// The prunings that are compared.
        runs: Vec<Prune>,
    },
    /// A real layer before its first removal, and what goes from it by each score.
    Layer(Layer),
    /// The files of a pruned model.
    Download {
        /// The number that its pruning answered with.
        number: u32,
    },
}

/// A pruning: all that the command line's flags say.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Prune {
    /// Sizes, schedule, unit of heads, score, damping, calibration windows and seed.
    pub request: pipeline::Request,
    /// What the layers are calibrated on.
    pub text: Text,
    /// How it is measured.
    pub eval: Eval,
}

/// How perplexity is measured on the evaluation text: the flags of the command line's `ppl`, with
/// its defaults.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Eval {
    /// Windows from the beginning of the text; `None` takes all there are.
    pub windows: Option<usize>,
    /// Tokens of a window; `None` takes 2048, or the model's context if that is shorter.
    pub tokens: Option<usize>,
    /// Where the begin-of-sequence token stands in a window.
    pub bos: Bos,
}

/// A calibration text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Text {
    /// The stories that the model was made for.
    #[default]
    Shipped,
    /// Nothing but digits, drawn with a seed.
    Digits(u64),
    /// The words of the stories, out of order.
    Shuffled(u64),
}

/// The model as it came, or one that was pruned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Which {
    /// As it came.
    Dense,
    /// The number that its pruning answered with.
    Pruned(u32),
}

/// A text to continue.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Generate {
    /// Who continues it.
    pub model: Which,
    /// Its beginning.
    pub prompt: String,
    /// Tokens to add at most.
    pub tokens: usize,
    /// 0 takes the likeliest token.
    pub temperature: f64,
    /// Seed of the draws.
    pub seed: u64,
}

/// A layer to look at.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Layer {
    /// The layer, counted from 0.
    pub layer: usize,
    /// Which of its two projections that lose inputs.
    pub site: Site,
    /// How many K/V heads or channels go.
    pub remove: usize,
    /// λ in units of the mean diagonal.
    pub damping: f64,
}

/// What the worker tells of a job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// The job's number.
    pub id: u32,
    /// What became of it.
    pub news: News,
    /// Whether the worker is of no use any more, as when it lost its device.
    #[serde(default)]
    pub broken: bool,
}

/// One thing that happened to a job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum News {
    /// It goes on.
    Progress(Progress),
    /// It ends, done.
    Done(Answer),
    /// It ends, not done, for the reason in words.
    Failed(String),
}

/// How far a job is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Progress {
    /// Bytes of the model that have arrived.
    Loading {
        /// Bytes that are there.
        done: u64,
        /// Bytes of all files.
        total: u64,
    },
    /// The device is open.
    Opened(On),
    /// Steps of the work.
    Working {
        /// Steps that are done.
        done: usize,
        /// Steps of the stage.
        total: usize,
        /// Which stage.
        stage: Stage,
    },
    /// A piece of the text, to be put after those before.
    Written(String),
}

/// What is being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// The perplexity of the dense model.
    MeasuringDense,
    /// Layers of a pruning.
    Pruning,
    /// The perplexity of the pruned model.
    MeasuringPruned,
    /// Hidden states of dense and pruned layers.
    Comparing,
}

/// Where a job is computed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct On {
    /// Whether it is a GPU.
    pub gpu: bool,
    /// The device by its name.
    pub name: String,
}

/// What a job came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// Of [`Job::Prune`].
    Pruned(Box<Pruned>),
    /// Of [`Job::Generate`]: the whole continuation.
    Text(String),
    /// Of [`Job::Depth`].
    Depth(Depth),
    /// Of [`Job::Layer`]: one entry for each score that ranks differently.
    Layer(Vec<Scored>),
    /// Of [`Job::Download`].
    Files(Vec<File>),
}

/// A pruned model, measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pruned {
    /// The name by which the worker knows it: the number of the request.
    pub number: u32,
    /// Where it was computed.
    pub on: On,
    /// What went from each layer and what that cost; `report::figures::heads` draws it.
    pub layers: Vec<LayerRecord>,
    /// Before and after.
    pub parameters: [usize; 2],
    /// Bytes of all weights before and after.
    pub bytes: [u64; 2],
    /// On the evaluation text, before and after.
    pub perplexity: [f64; 2],
    /// Tokens that were predicted for each perplexity.
    pub predictions: usize,
    /// Tokens of the calibration windows together.
    pub calibration_tokens: usize,
}

/// Prunings side by side.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Depth {
    /// Where it was computed.
    pub on: On,
    /// Perplexity of the dense model on the evaluation text.
    pub dense_perplexity: f64,
    /// One for each pruning that was asked for.
    pub runs: Vec<Run>,
}

/// One of several prunings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// The share of each layer's parameters that went.
    pub ratios: Vec<f64>,
    /// ‖x_l − x̂_l‖ / ‖x_l‖ of the hidden states after each layer, on the evaluation text.
    pub errors: Vec<f64>,
    /// On the evaluation text.
    pub perplexity: f64,
    /// Parameters that are left.
    pub parameters: usize,
}

/// What goes from a layer by one score.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scored {
    /// The score.
    pub score: Score,
    /// Of every head or channel, before the first removal.
    pub scores: Vec<f64>,
    /// Those that went, in order.
    pub removed: Vec<usize>,
    /// The squared error of all that went, relative to what the layer computed.
    pub error: f64,
}

/// A file of a pruned model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// Its name in the folder.
    pub name: String,
    /// How large it is.
    pub bytes: usize,
    /// Where the browser has it, as long as the worker lives.
    pub url: String,
}
