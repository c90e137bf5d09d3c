//! Arguments that several commands share, and what they mean for a checkpoint.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::{Args, ValueEnum};
use pollster::block_on;
use slimgpt::checkpoint::{Checkpoint, Dtype};
use slimgpt::device::{Device, DeviceChoice};
use slimgpt::obs::{HeadUnit, Options, Score};
use slimgpt::pipeline::{Limits, Propagate, Request, Schedule, Target};
use slimgpt::shape::ModelConfig;
use slimgpt::text::{Bos, Sampling, Tokenizer, Windows, read_documents, windows};

use super::exit::Usage;
use super::{parse, shipped};

/// Where to compute.
#[derive(Args, Clone)]
pub struct DeviceArgument {
    /// auto (a hardware GPU if there is one, else the CPU), gpu, cpu, or part of an adapter's name
    #[arg(long, default_value = "auto", value_name = "auto|gpu|cpu|NAME")]
    pub device: DeviceChoice,
}

impl DeviceArgument {
    /// Opens the device; says so when `auto` found no GPU.
    pub fn open(&self) -> Result<Device> {
        let device = block_on(Device::open(&self.device))?;
        if self.device == DeviceChoice::Auto && !device.is_gpu() {
            eprintln!("no hardware GPU with a driver was found: running on the CPU (see `slimgpt devices`)");
        }
        Ok(device)
    }
}

/// What is to go, and how it is chosen.
#[derive(Args, Clone)]
pub struct Pruning {
    /// Share of the decoder layers' parameters to remove, between 0 and 1
    #[arg(long, value_name = "RATIO", conflicts_with = "target_params")]
    pub target: Option<f64>,
    /// Parameters that are to be left in the whole model, such as 5.4B
    #[arg(long, value_name = "COUNT", value_parser = parse::count)]
    pub target_params: Option<usize>,
    /// How the ratio goes from layer to layer: log (the paper's), linear, uniform, log-decrease,
    /// linear-decrease, or a FILE with one ratio for each layer
    #[arg(long, default_value = "log", value_name = "SHAPE|FILE", value_parser = parse::schedule)]
    pub schedule: Schedule,
    /// Ratio of the first layer (of the last for a decreasing schedule); by default 0.3125 × target
    #[arg(long, value_name = "R")]
    pub first_ratio: Option<f64>,
    /// By what the next group is chosen: exact is the true increase of the error
    #[arg(long, value_enum, default_value = "exact")]
    score: ScoreName,
    /// one-by-one, dynamic[:FLOOR] (the paper's group sizes, floor 8), or fixed:N
    #[arg(long, default_value = "one-by-one", value_name = "STEPS", value_parser = parse::channel_steps)]
    channels: slimgpt::obs::ChannelSteps,
    /// What goes from attention: kv (a key/value head with its query heads), or query (the same
    /// number of query heads from every key/value head)
    #[arg(long, value_enum, default_value = "kv")]
    heads: HeadsName,
    /// Kept channels are a multiple of N; by default gcd(width, 32)
    #[arg(long, value_name = "N")]
    channel_multiple: Option<usize>,
    /// λ in units of the mean of the Hessian's diagonal
    #[arg(long, default_value_t = 0.01)]
    damping: f64,
    /// Everything as in the SlimGPT paper: grouped-cholesky, dynamic:8, channel multiple 1
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

#[derive(ValueEnum, Clone, Copy)]
enum DtypeName {
    Source,
    F32,
    F16,
    Bf16,
}

impl Pruning {
    /// What is asked for, with so many calibration windows.
    pub fn request(&self, windows: usize, window_tokens: usize, seed: u64) -> Request {
        let request = Request {
            target: self.target.map(Target::Ratio).or(self.target_params.map(Target::Parameters)),
            schedule: self.schedule.clone(),
            first_ratio: self.first_ratio,
            options: Options { score: self.score(), damping: self.damping },
            channel_steps: self.channels,
            head_unit: match self.heads {
                HeadsName::Kv => HeadUnit::KeyValue,
                HeadsName::Query => HeadUnit::Query,
            },
            channel_multiple: self.channel_multiple,
            dtype: self.dtype(),
            propagate: match self.propagate {
                PropagateName::Pruned => Propagate::Pruned,
                PropagateName::Dense => Propagate::Dense,
            },
            windows,
            window_tokens,
            seed,
            memory: self.memory,
        };
        if self.paper { request.as_in_the_paper() } else { request }
    }

    fn score(&self) -> Score {
        match self.score {
            ScoreName::Exact => Score::Exact,
            ScoreName::GroupedCholesky => Score::GroupedCholesky,
            ScoreName::Diagonal => Score::Diagonal,
        }
    }

    fn dtype(&self) -> Option<Dtype> {
        match self.dtype {
            DtypeName::Source => None,
            DtypeName::F32 => Some(Dtype::F32),
            DtypeName::F16 => Some(Dtype::F16),
            DtypeName::Bf16 => Some(Dtype::Bf16),
        }
    }
}

/// Which text the layers are calibrated on.
#[derive(Args, Clone)]
pub struct Calibration {
    /// A text of the kind the model is for: .txt, .jsonl (see --text-key) or Alpaca-style .json;
    /// may be given several times
    #[arg(long, value_name = "FILE")]
    calibration: Vec<PathBuf>,
    /// Key of the text in a .jsonl line
    #[arg(long, default_value = "text", value_name = "KEY")]
    text_key: String,
    #[command(flatten)]
    pub size: CalibrationSize,
    /// Windows at random starts (the paper's way) or one after the other
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
    #[arg(long, default_value_t = 256)]
    pub samples: usize,
    /// Tokens of a window; by default 2048, or the model's context if that is shorter
    #[arg(long)]
    pub seq_len: Option<usize>,
}

impl CalibrationSize {
    /// Tokens of a window for this model.
    pub fn length(&self, config: &ModelConfig) -> usize {
        self.seq_len.unwrap_or(2048.min(config.max_positions))
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

const NO_TEXT: &str = "--calibration FILE is needed: a plain text, JSON lines or Alpaca rows of the kind the model is used for. \
A few thousand general web documents (C4, FineWeb-Edu) are a good choice: 256 windows of 2048 tokens are about 2 MB of text";

impl Calibration {
    /// Cuts the windows for a checkpoint.
    pub fn windows(&self, checkpoint: &Checkpoint, tokenizer: &Tokenizer) -> Result<Vec<Vec<u32>>> {
        let documents = self.documents(checkpoint)?;
        let which = Windows {
            count: Some(self.size.samples),
            length: self.size.length(checkpoint.config()),
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
        Ok(windows(tokenizer, &documents, checkpoint.config().bos_token, &which)?)
    }

    fn documents(&self, checkpoint: &Checkpoint) -> Result<Vec<String>> {
        if !self.calibration.is_empty() {
            let mut documents = Vec::new();
            for file in &self.calibration {
                documents.extend(read_documents(file, &self.text_key)?);
            }
            return Ok(documents);
        }
        match checkpoint.folder().is_some_and(shipped::is_shipped) {
            true => Ok(vec![shipped::CALIBRATION.to_owned()]),
            false => Err(Usage(NO_TEXT.into()).into()),
        }
    }
}

/// Opens a folder and its tokenizer.
pub fn open(model: &Path) -> Result<(Checkpoint, Tokenizer)> {
    let checkpoint = Checkpoint::open(model)?;
    let tokenizer = Tokenizer::open(model, checkpoint.config().vocab_size)?;
    Ok((checkpoint, tokenizer))
}

/// What the device and this machine can hold.
pub fn limits(device: &Device) -> Limits {
    let mut system = sysinfo::System::new();
    system.refresh_memory();
    Limits {
        is_gpu: device.is_gpu(),
        max_binding_bytes: device.max_binding_bytes(),
        device_bytes: None,
        host_bytes: Some(system.available_memory()).filter(|&b| b > 0),
    }
}
