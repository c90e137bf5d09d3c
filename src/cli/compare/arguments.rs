//! What is typed after `slimgpt compare`, and what it means.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::{Args, ValueEnum};
use slimgpt::checkpoint::Checkpoint;
use slimgpt::compare::{Evaluation, Grid, Protocol, distinct};
use slimgpt::obs::schedule::Shape;
use slimgpt::obs::{HeadUnit, Options};
use slimgpt::pipeline::{Method, Request};
use slimgpt::shape::ModelConfig;
use slimgpt::shipped;
use slimgpt::text::{Bos, Sampling, Tokenizer, Windows, read_documents, windows_watched};

use crate::cli::arguments::{DeviceArgument, window_length};
use crate::cli::exit::Usage;
use crate::cli::parse;
use crate::cli::progress::counting;

const EXAMPLES: &str = "\
Examples:
  slimgpt compare ./Llama-2-7b-hf --text wikitext-2-raw-test.txt --calibration c4.jsonl --out ./compared
  slimgpt compare ./model --text eval.txt --calibration c4.jsonl --out ./compared \\
      --methods slimgpt,exact --targets 0.2,0.3,0.5 --schedules log,linear,uniform
  slimgpt compare ./model --text eval.txt --calibration c4.jsonl --calibration alpaca.json --out ./texts \\
      --methods exact --targets 0.5                       (every --calibration apart)
  slimgpt compare ./model --text eval.txt --calibration c4.jsonl --out ./how-much \\
      --methods exact --targets 0.5 --samples 128,256,512,1024 --seq-len 256
  slimgpt compare examples/tiny_model --out ./compared    (the shipped model brings its own texts)

Methods:
  random          at random; nothing makes up for what goes
  magnitude       lowest ‖W_g‖² of the columns of o_proj and down_proj; nothing makes up for what goes
  wanda-sp        lowest Σ mean|W|·‖X‖ of the columns; nothing makes up for what goes
  flap            lowest variance of the inputs × ‖W‖²; the bias takes over the mean of what goes.
                  The ratios are those of --schedules, not FLAP's adaptive ones
  slimgpt         as published: grouped Cholesky, dynamic groups down to 8, least-squares weights
  slimgpt-no-gcd  slimgpt with head scores from the diagonal of H⁻¹
  slimgpt-no-dgs  slimgpt with groups of 128 channels
  exact           exact scores, channels one by one, least-squares weights

OUT gets compare.json, compare.csv and compare.svg, and for every cell its report and page.
Interrupted with Ctrl-C or killed, the same command goes on; finished cells are not done again.
A cell that cannot be done, for instance because a layer would be empty, is a row that says why.";

/// Arguments of `compare`.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Compare {
    /// Folder of a Hugging Face checkpoint
    pub model: PathBuf,
    /// Folder for results; the same folder goes on
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// The text that perplexity is measured on: .txt, .jsonl or .json
    #[arg(long, value_name = "FILE")]
    text: Option<PathBuf>,
    /// A calibration text; given several times, each is compared apart
    #[arg(long, value_name = "FILE")]
    calibration: Vec<PathBuf>,
    /// Key of the text in a .jsonl line
    #[arg(long, default_value = "text", value_name = "KEY")]
    text_key: String,
    /// Methods, separated by commas; see below
    #[arg(
        long,
        value_name = "LIST",
        value_delimiter = ',',
        default_value = "random,magnitude,wanda-sp,flap,slimgpt,slimgpt-no-gcd,slimgpt-no-dgs,exact"
    )]
    methods: Vec<Method>,
    /// Shares of the decoder layers' parameters to remove
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "0.2,0.5", value_parser = parse::ratio)]
    targets: Vec<f64>,
    /// How the ratio goes from layer to layer: log, linear, uniform, log-decrease, linear-decrease
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "log", value_parser = shape)]
    schedules: Vec<Shape>,
    /// Calibration windows
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "256", value_parser = parse::at_least_one)]
    samples: Vec<usize>,
    /// Tokens of a calibration window; by default 2048, or the model's context if that is shorter
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = parse::window_length)]
    seq_len: Vec<usize>,
    /// Calibration windows at random starts, or one after the other from the beginning
    #[arg(long, value_enum, default_value = "random")]
    sampling: SamplingName,
    /// Begin-of-sequence token at the head of each calibration window, or nowhere
    #[arg(long, value_enum, default_value = "none")]
    bos: BosName,
    /// Windows of the measured text from its beginning; by default all
    #[arg(long, value_name = "N", value_parser = parse::at_least_one)]
    windows: Option<usize>,
    /// Tokens of a measured window; papers on structured pruning often use 128
    #[arg(long, value_name = "N", default_value = "128", value_parser = parse::window_length)]
    eval_seq_len: usize,
    /// Begin-of-sequence token at the head of each measured window, of the first, or nowhere
    #[arg(long, value_enum, default_value = "none")]
    eval_bos: BosName,
    /// What goes from attention: kv (a key/value head with its query heads), or query
    #[arg(long, value_enum, default_value = "kv")]
    heads: HeadsName,
    /// Kept channels are a multiple of N, the same for all methods
    #[arg(long, default_value = "1", value_name = "N", value_parser = parse::at_least_one)]
    channel_multiple: usize,
    /// λ in units of the mean of the Hessian's diagonal
    #[arg(long, default_value = "0.01", value_name = "LAMBDA", value_parser = parse::not_negative, allow_negative_numbers = true)]
    damping: f64,
    /// Seed of calibration windows and of the method random
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Memory that may be used where the work is done, such as 8GiB
    #[arg(long, value_name = "BYTES", value_parser = parse::bytes)]
    memory: Option<u64>,
    /// Keep the weights of every cell
    #[arg(long)]
    pub keep_weights: bool,
    /// Write the chart here too
    #[arg(long, value_name = "FILE.svg")]
    pub plot: Option<PathBuf>,
    #[command(flatten)]
    pub device: DeviceArgument,
    /// Print the comparison as one JSON object
    #[arg(long)]
    pub json: bool,
}

#[derive(ValueEnum, Clone, Copy)]
enum SamplingName {
    Random,
    Sequential,
}

#[derive(ValueEnum, Clone, Copy)]
enum BosName {
    Each,
    First,
    None,
}

#[derive(ValueEnum, Clone, Copy)]
enum HeadsName {
    Kv,
    Query,
}

fn shape(text: &str) -> Result<Shape, String> {
    let names = Shape::ALL.map(Shape::name).join(", ");
    Shape::ALL
        .into_iter()
        .find(|s| s.name() == text)
        .ok_or_else(|| format!("\"{text}\" is no schedule; there are {names}"))
}

fn bos(name: BosName) -> Bos {
    match name {
        BosName::Each => Bos::Each,
        BosName::First => Bos::First,
        BosName::None => Bos::None,
    }
}

const NO_TEXT: &str = "give --text FILE to measure on and --calibration FILE to calibrate on; they should share no text. \
WikiText-2's raw test split and C4 are what papers use";

impl Compare {
    /// The combinations that are asked for.
    pub fn grid(&self, config: &ModelConfig) -> Result<Grid> {
        let seq_lens = match self.seq_len.as_slice() {
            [] => vec![window_length(None, config)?],
            asked => asked.iter().map(|&n| window_length(Some(n), config)).collect::<Result<_>>()?,
        };
        Ok(Grid {
            methods: without_repeats(&self.methods),
            targets: without_repeats(&self.targets),
            schedules: without_repeats(&self.schedules),
            calibrations: self.calibration_names(),
            samples: without_repeats(&self.samples),
            seq_lens: without_repeats(&seq_lens),
        })
    }

    /// What all cells share.
    pub fn base(&self) -> Request {
        Request {
            options: Options { damping: self.damping, ..Options::default() },
            head_unit: match self.heads {
                HeadsName::Kv => HeadUnit::KeyValue,
                HeadsName::Query => HeadUnit::Query,
            },
            channel_multiple: Some(self.channel_multiple),
            seed: self.seed,
            memory: self.memory,
            ..Request::default()
        }
    }

    /// Which windows to cut for calibration.
    pub fn calibration_windows(&self, samples: usize, length: usize) -> Windows {
        Windows { count: Some(samples), length, sampling: self.sampling(), bos: bos(self.bos), seed: self.seed }
    }

    fn sampling(&self) -> Sampling {
        match self.sampling {
            SamplingName::Random => Sampling::Random,
            SamplingName::Sequential => Sampling::Sequential,
        }
    }

    fn calibration_names(&self) -> Vec<String> {
        let stem =
            |file: &PathBuf| file.file_stem().map_or_else(|| "text".into(), |s| s.to_string_lossy().into_owned());
        match self.calibration.as_slice() {
            [] => vec!["shipped".into()],
            files => distinct(&files.iter().map(stem).collect::<Vec<_>>()),
        }
    }

    /// The documents of each calibration, by its name.
    pub fn calibration_texts(&self, checkpoint: &Checkpoint) -> Result<Vec<(String, Vec<String>)>> {
        let names = self.calibration_names();
        if self.calibration.is_empty() {
            refuse_unless_shipped(checkpoint)?;
            return Ok(names.into_iter().map(|name| (name, vec![shipped::CALIBRATION.to_owned()])).collect());
        }
        let read = |(name, file): (String, &PathBuf)| Ok((name, read_documents(file, &self.text_key)?));
        names.into_iter().zip(&self.calibration).map(read).collect()
    }

    /// What every model is measured on.
    pub fn evaluation(&self, checkpoint: &Checkpoint, tokenizer: &Tokenizer) -> Result<Evaluation> {
        let config = checkpoint.config();
        let which = Windows {
            count: self.windows,
            length: window_length(Some(self.eval_seq_len), config).map_err(|_| {
                Usage(format!(
                    "--eval-seq-len {} is longer than the model's context of {} tokens",
                    self.eval_seq_len, config.max_positions
                ))
            })?,
            sampling: Sampling::Sequential,
            bos: bos(self.eval_bos),
            seed: 0,
        };
        let (name, documents) = match &self.text {
            Some(file) => (file_name(file), read_documents(file, &self.text_key)?),
            None => {
                refuse_unless_shipped(checkpoint)?;
                ("the shipped evaluation text".to_owned(), vec![shipped::EVALUATION.to_owned()])
            }
        };
        let mut progress = counting("reading the text", self.json);
        let windows = windows_watched(tokenizer, &documents, config.bos_token, &which, &mut progress)?;
        let protocol = Protocol {
            text: name,
            windows: windows.len(),
            seq_len: which.length,
            bos: which.bos,
            calibration_sampling: self.sampling(),
            calibration_bos: bos(self.bos),
            seed: self.seed,
            damping: self.damping,
            channel_multiple: self.channel_multiple,
        };
        Ok(Evaluation { windows, protocol })
    }

    /// The model's folder without the way to it.
    pub fn model_name(&self) -> String {
        file_name(&self.model.canonicalize().unwrap_or_else(|_| self.model.clone()))
    }
}

fn file_name(path: &Path) -> String {
    path.file_name().map_or_else(|| path.display().to_string(), |n| n.to_string_lossy().into_owned())
}

fn refuse_unless_shipped(checkpoint: &Checkpoint) -> Result<()> {
    match checkpoint.folder().is_some_and(shipped::is_in) {
        true => Ok(()),
        false => Err(Usage(NO_TEXT.into()).into()),
    }
}

fn without_repeats<T: PartialEq + Clone>(list: &[T]) -> Vec<T> {
    let mut once: Vec<T> = Vec::new();
    for item in list {
        if !once.contains(item) {
            once.push(item.clone());
        }
    }
    once
}
