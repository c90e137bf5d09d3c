//! Arguments that several commands share, and what they mean for a checkpoint.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::{Args, ValueEnum};
use pollster::block_on;
use slimgpt::checkpoint::{Checkpoint, Dtype};
use slimgpt::device::{Device, DeviceChoice, DeviceError};
use slimgpt::obs::{ChannelSteps, HeadUnit, Options, Score, Selection};
use slimgpt::pipeline::{Method, PlanError, Propagate, Request, Schedule, Target};
use slimgpt::shape::ModelConfig;
use slimgpt::shipped;
use slimgpt::text::{Bos, Sampling, Tokenizer, Windows, read_documents, windows_watched};

use super::exit::Usage;
use super::{parse, progress};

/// Where to compute.
#[derive(Args, Clone)]
pub struct DeviceArgument {
    /// auto (a hardware GPU if there is one, else the CPU), gpu, cpu, or part of an adapter's name
    #[arg(long, default_value = "auto", value_name = "auto|gpu|cpu|NAME")]
    pub device: DeviceChoice,
}

impl DeviceArgument {
    /// Opens the device. `auto` takes a GPU that works, else the CPU, and says so in one line.
    pub fn open(&self) -> Result<Device> {
        match &self.device {
            DeviceChoice::Auto => {
                Ok(block_on(Device::open(&DeviceChoice::Gpu)).unwrap_or_else(|error| without_gpu(&error)))
            }
            choice => Ok(block_on(Device::open(choice))?),
        }
    }
}

fn without_gpu(error: &DeviceError) -> Device {
    match error {
        DeviceError::NoGpu { .. } => {
            eprintln!("note: no usable GPU driver was found, so the CPU computes (see `slimgpt devices`)")
        }
        other => eprintln!("note: the CPU computes: {other}"),
    }
    Device::cpu()
}

/// What is to go, and how it is chosen.
#[derive(Args, Clone)]
pub struct Pruning {
    /// Share of the decoder layers' parameters to remove, between 0 and 1
    #[arg(long, value_name = "RATIO", value_parser = parse::ratio, allow_negative_numbers = true, conflicts_with = "target_params")]
    target: Option<f64>,
    /// Parameters that are to be left in the whole model, such as 5.4B
    #[arg(long, value_name = "COUNT", value_parser = parse::count, allow_negative_numbers = true)]
    target_params: Option<usize>,
    /// How the ratio goes from layer to layer: log (the paper's), linear, uniform, log-decrease,
    /// linear-decrease, or a FILE with one ratio for each layer, which needs no target
    #[arg(long, default_value = "log", value_name = "SHAPE|FILE", value_parser = parse::schedule)]
    schedule: Schedule,
    /// Ratio of the first layer (of the last for a decreasing schedule); by default 0.3125 × target
    #[arg(long, value_name = "R", value_parser = parse::first_ratio, allow_negative_numbers = true)]
    first_ratio: Option<f64>,
    /// A method by name: random, magnitude, wanda-sp, flap, slimgpt (as published), slimgpt-no-gcd,
    /// slimgpt-no-dgs or exact. What is given beside it holds
    #[arg(long, value_name = "NAME", conflicts_with = "paper")]
    method: Option<Method>,
    /// By what the next group is chosen; exact, the default, is the true increase of the error
    #[arg(long, value_enum)]
    score: Option<ScoreName>,
    /// Channels go one-by-one (the default), in groups of the paper's sizes (dynamic or
    /// dynamic:FLOOR, floor 8), or fixed:N at a time
    #[arg(long, value_name = "STEPS", value_parser = parse::channel_steps)]
    channels: Option<ChannelSteps>,
    /// What goes from attention: kv (a key/value head with its query heads), or query (the same
    /// number of query heads from every key/value head)
    #[arg(long, value_enum, default_value = "kv")]
    heads: HeadsName,
    /// Kept channels are a multiple of N; by default gcd(width, 32). 256 is worth it for llama.cpp's
    /// k-quants (Q4_K_M …): they cut rows into blocks of 256 and keep 5 to 8 bits instead of 4 to 6
    /// for each weight of a row that leaves a rest
    #[arg(long, value_name = "N", value_parser = parse::at_least_one)]
    channel_multiple: Option<usize>,
    /// λ in units of the mean of the Hessian's diagonal
    #[arg(long, default_value = "0.01", value_name = "LAMBDA", value_parser = parse::not_negative, allow_negative_numbers = true)]
    damping: f64,
    /// Everything as in the SlimGPT paper: grouped-cholesky, dynamic, channel multiple 1. What is
    /// given beside it holds: --paper --channels dynamic:64 is its published code
    #[arg(long)]
    paper: bool,
    /// Which activations the next layer is fitted to: those of the pruned layers before it (as the
    /// paper does), or those of the dense model
    #[arg(long, value_enum, default_value = "pruned")]
    propagate: PropagateName,
    /// Element type of the output; source keeps the checkpoint's
    #[arg(long, value_enum, default_value = "source")]
    dtype: DtypeName,
    /// Memory that may be used where the work is done, such as 8GiB
    #[arg(long, value_name = "BYTES", value_parser = parse::bytes)]
    memory: Option<u64>,
}

#[derive(ValueEnum, Clone, Copy)]
enum ScoreName {
    Exact,
    GroupedCholesky,
    Diagonal,
}

#[derive(ValueEnum, Clone, Copy)]
enum HeadsName {
    Kv,
    Query,
}

#[derive(ValueEnum, Clone, Copy)]
enum PropagateName {
    Pruned,
    Dense,
}

/// An element type, or that of the source.
#[derive(ValueEnum, Clone, Copy)]
pub enum DtypeName {
    Source,
    F32,
    F16,
    Bf16,
}

impl DtypeName {
    /// The element type; `None` keeps the source's.
    pub fn dtype(self) -> Option<Dtype> {
        match self {
            Self::Source => None,
            Self::F32 => Some(Dtype::F32),
            Self::F16 => Some(Dtype::F16),
            Self::Bf16 => Some(Dtype::Bf16),
        }
    }
}

impl Pruning {
    /// What is asked for, with so many calibration windows.
    ///
    /// # Errors
    /// When nothing says how much is to go, or a window is longer than the model's context.
    pub fn request(&self, size: &CalibrationSize, config: &ModelConfig, seed: u64) -> Result<Request> {
        if self.target.is_none() && self.target_params.is_none() && matches!(self.schedule, Schedule::Shape(_)) {
            return Err(PlanError::NoTarget.into());
        }
        let asked = Request {
            target: self.target.map(Target::Ratio).or(self.target_params.map(Target::Parameters)),
            schedule: self.schedule.clone(),
            first_ratio: self.first_ratio,
            options: Options { damping: self.damping, ..Options::default() },
            head_unit: match self.heads {
                HeadsName::Kv => HeadUnit::KeyValue,
                HeadsName::Query => HeadUnit::Query,
            },
            dtype: self.dtype.dtype(),
            propagate: match self.propagate {
                PropagateName::Pruned => Propagate::Pruned,
                PropagateName::Dense => Propagate::Dense,
            },
            windows: size.samples,
            window_tokens: window_length(size.seq_len, config)?,
            seed,
            memory: self.memory,
            ..Request::default()
        };
        Ok(self.with_what_was_given(match self.method {
            Some(method) => method.of(asked),
            None if self.paper => asked.as_in_the_paper(),
            None => asked,
        }))
    }

    /// What was typed goes before what a preset says.
    fn with_what_was_given(&self, preset: Request) -> Request {
        let selection = self.score.map_or(preset.options.selection, |name| {
            Selection::Elimination(match name {
                ScoreName::Exact => Score::Exact,
                ScoreName::GroupedCholesky => Score::GroupedCholesky,
                ScoreName::Diagonal => Score::Diagonal,
            })
        });
        Request {
            options: Options { selection, ..preset.options },
            channel_steps: self.channels.unwrap_or(preset.channel_steps),
            channel_multiple: self.channel_multiple.or(preset.channel_multiple),
            ..preset
        }
    }
}

/// Which text the layers are calibrated on.
#[derive(Args, Clone)]
pub struct Calibration {
    /// A text of the kind the model is for: .txt, .jsonl (see --text-key) or Alpaca-style .json, each
    /// may be gzipped (.gz); may be given several times
    #[arg(long, value_name = "FILE")]
    calibration: Vec<PathBuf>,
    /// Key of the text in a .jsonl line
    #[arg(long, default_value = "text", value_name = "KEY")]
    text_key: String,
    /// Only the first N documents of all files together (the paper takes the first 200000 of C4)
    #[arg(long, value_name = "N", value_parser = parse::at_least_one)]
    documents: Option<usize>,
    #[command(flatten)]
    pub size: CalibrationSize,
    /// Windows at random starts (the paper's way), or one after the other from the beginning
    #[arg(long, value_enum, default_value = "random")]
    sampling: SamplingName,
    /// Begin-of-sequence token at the head of each window, or nowhere
    #[arg(long, value_enum, default_value = "none")]
    bos: CalibrationBos,
    /// Seed of the random windows
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
}

/// How much text.
#[derive(Args, Clone)]
pub struct CalibrationSize {
    /// Calibration windows
    #[arg(long, default_value = "256", value_name = "N", value_parser = parse::at_least_one)]
    samples: usize,
    /// Tokens of a window; by default 2048, or the model's context if that is shorter
    #[arg(long, value_name = "N", value_parser = parse::window_length)]
    seq_len: Option<usize>,
}

/// Tokens of a window: as asked, else 2048, and never more than the model was made for.
pub fn window_length(asked: Option<usize>, config: &ModelConfig) -> Result<usize> {
    match asked {
        None => Ok(2048.min(config.max_positions)),
        Some(n) if n <= config.max_positions => Ok(n),
        Some(n) => {
            Err(Usage(format!("--seq-len {n} is longer than the model's context of {} tokens", config.max_positions))
                .into())
        }
    }
}

#[derive(ValueEnum, Clone, Copy)]
enum SamplingName {
    Random,
    Sequential,
}

#[derive(ValueEnum, Clone, Copy)]
enum CalibrationBos {
    Each,
    None,
}

const NO_TEXT: &str = "no calibration text: give --calibration FILE (.txt, .jsonl or Alpaca-style .json). \
Good is text of the kind the model will be used for, varied, and not what it will be tested on; a few thousand web documents \
(C4, FineWeb-Edu) suit most models. 256 windows of 2048 tokens are about half a million tokens, or 2 to 3 MB";

impl Calibration {
    /// Refuses a run that has no text, before anything is computed.
    pub fn check(&self, checkpoint: &Checkpoint) -> Result<()> {
        let shipped = checkpoint.folder().is_some_and(shipped::is_in);
        if self.calibration.is_empty() && !shipped { Err(Usage(NO_TEXT.into()).into()) } else { Ok(()) }
    }

    /// Cuts the windows for a checkpoint; a bar shows how far it is unless `hidden`.
    pub fn windows(&self, checkpoint: &Checkpoint, tokenizer: &Tokenizer, hidden: bool) -> Result<Vec<Vec<u32>>> {
        let documents = self.documents()?;
        let which = Windows {
            count: Some(self.size.samples),
            length: window_length(self.size.seq_len, checkpoint.config())?,
            sampling: match self.sampling {
                SamplingName::Random => Sampling::Random,
                SamplingName::Sequential => Sampling::Sequential,
            },
            bos: match self.bos {
                CalibrationBos::Each => Bos::Each,
                CalibrationBos::None => Bos::None,
            },
            seed: self.seed,
        };
        let bos = checkpoint.config().bos_token;
        Ok(windows_watched(tokenizer, &documents, bos, &which, &mut progress::counting("reading the text", hidden))?)
    }

    /// The files' documents; without files the shipped text, which [`Self::check`] allowed.
    fn documents(&self) -> Result<Vec<String>> {
        if self.calibration.is_empty() {
            return Ok(vec![shipped::CALIBRATION.to_owned()]);
        }
        let mut documents = Vec::new();
        for file in &self.calibration {
            documents.extend(read_documents(file, &self.text_key)?);
        }
        documents.truncate(self.documents.unwrap_or(usize::MAX));
        Ok(documents)
    }
}

/// Opens a folder and its tokenizer.
pub fn open(model: &Path) -> Result<(Checkpoint, Tokenizer)> {
    let checkpoint = Checkpoint::open(model)?;
    let tokenizer = Tokenizer::open(model, checkpoint.config().vocab_size)?;
    Ok((checkpoint, tokenizer))
}
