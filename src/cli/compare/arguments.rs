//! What is typed after `slimgpt compare`, and what it means.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;
use slimgpt::allocate::{Allocation, Curve};
use slimgpt::checkpoint::Checkpoint;
use slimgpt::compare::{Cell, Evaluation, Grid, Protocol, distinct};
use slimgpt::hub::model_of_snapshot;
use slimgpt::names::Named;
use slimgpt::obs::HeadUnit;
use slimgpt::pipeline::{Method, Request};
use slimgpt::session::{documents, windows};
use slimgpt::shape::ModelConfig;
use slimgpt::shipped;
use slimgpt::text::{Bos, Cut, Files, Sampling, Tokenizer, Windows};

use super::further::Measures;
use super::recovery::Recovering;
use crate::cli::arguments::{Cutting, DevicesArgument, Knobs, window_length, window_length_of};
use crate::cli::choice::{choice, listed};
use crate::cli::evaluate::Chosen;
use crate::cli::exit::Usage;
use crate::cli::hub::{Given, Online};
use crate::cli::progress::counting;
use crate::cli::{out, parse};

const EXAMPLES: &str = "\
Examples:
  slimgpt compare ./Llama-2-7b-hf --text wikitext-2-raw-test.txt --calibration c4.jsonl --out ./compared
  slimgpt compare ./model --text eval.txt --calibration c4.jsonl --out ./compared \\
      --methods slimgpt,exact --targets 0.2,0.3,0.5 --schedules log,linear,uniform
  slimgpt compare ./model --text eval.txt --calibration c4.jsonl --calibration alpaca.json --out ./texts \\
      --methods exact --targets 0.5                       (every --calibration apart)
  slimgpt compare ./model --text eval.txt --calibration c4.jsonl --out ./how-much \\
      --methods exact --targets 0.5 --samples 128,256,512,1024 --seq-len 256
  slimgpt compare ./model --text eval.txt --calibration c4.jsonl --out ./seeds --seed 0,1,2 --damping 0.01,0.1
  slimgpt compare ./model --text eval.txt --calibration c4.jsonl --out ./tasks --tasks zero-shot --task-dir ./tasks --bench
  slimgpt compare examples/tiny_model --out ./compared    (the shipped model brings its own texts)

OUT gets compare.json, compare.csv and compare.svg, and for every cell a folder with its report and
page, whose name ends in a digest of everything that decides it: another comparison in the same OUT
takes nothing of it away. OUT keeps to one model.
Interrupted with Ctrl-C or killed, the same command goes on; finished cells are not done again.
A cell that cannot be done, for instance because a layer would be empty, is a row that says why.";

#[derive(Args)]
#[command(after_long_help = format!("{}\n\n{EXAMPLES}", listed::<Method>("Methods:")))]
pub struct Compare {
    /// Folder of a Hugging Face checkpoint, or its name on the hub (org/name)
    pub model: PathBuf,
    /// Folder for results; the same folder goes on
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// The text that perplexity is measured on: .txt, .jsonl, .json, .parquet or .csv, or
    /// dataset:org/name/file of the hub
    #[arg(long, value_name = "FILE")]
    text: Option<PathBuf>,
    /// A calibration text; given several times, each is compared apart
    #[arg(long, value_name = "FILE")]
    calibration: Vec<PathBuf>,
    /// Key or column of the text in a row; a.b is the part b of a
    #[arg(long, default_value = "text", value_name = "KEY", hide_short_help = true)]
    text_key: String,
    /// Methods, separated by commas; by default all that need no training
    #[arg(
        long,
        value_name = "LIST",
        value_delimiter = ',',
        value_parser = choice::<Method>(),
        hide_possible_values = true,
        default_values = Method::all().iter().filter(|m| !m.trains()).map(|m| m.name()),
        hide_default_value = true
    )]
    methods: Vec<Method>,
    /// Shares of the decoder layers' parameters to remove
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "0.2,0.5", value_parser = parse::ratio)]
    targets: Vec<f64>,
    /// How the ratio goes from layer to layer, for methods that do not say it themselves
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "log", value_parser = choice::<Curve>())]
    schedules: Vec<Curve>,
    /// What goes from attention as one
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "kv", value_parser = choice::<HeadUnit>())]
    heads: Vec<HeadUnit>,
    /// λ in units of the mean of the Hessian's diagonal
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "0.01", value_parser = parse::not_negative)]
    damping: Vec<f64>,
    /// Seeds of the random windows, and of the method random; of several the mean is told too
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "0")]
    seed: Vec<u64>,
    /// Calibration windows
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "256", value_parser = parse::at_least_one)]
    samples: Vec<usize>,
    /// Tokens of a calibration window
    ///
    /// By default 2048, or the model's context if that is shorter.
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = parse::window_length)]
    seq_len: Vec<usize>,
    #[command(flatten)]
    cutting: Cutting,
    /// Windows of the measured text from its beginning; by default all
    #[arg(long, value_name = "N", value_parser = parse::at_least_one)]
    windows: Option<usize>,
    /// Tokens of a measured window; papers on structured pruning often use 128
    #[arg(long, value_name = "N", default_value = "128", value_parser = parse::window_length)]
    eval_seq_len: usize,
    /// Where the begin-of-sequence token stands in a measured window
    #[arg(long, value_name = "WHERE", value_parser = choice::<Bos>(), default_value = "none", hide_short_help = true)]
    eval_bos: Bos,
    #[command(flatten)]
    pub recovering: Recovering,
    #[command(flatten)]
    pub measures: Measures,
    #[command(flatten)]
    pub knobs: Knobs,
    /// Keep the weights of every cell
    #[arg(long, hide_short_help = true)]
    pub keep_weights: bool,
    /// Write the chart here too
    #[arg(long, value_name = "FILE.svg")]
    pub plot: Option<PathBuf>,
    #[command(flatten)]
    pub device: DevicesArgument,
    #[command(flatten)]
    online: Online,
    /// Print the comparison as one JSON object
    #[arg(long)]
    pub json: bool,
}

const NO_TEXT: &str = "give --text FILE to measure on and --calibration FILE to calibrate on; they should share no text. \
WikiText-2's raw test split and C4 are what papers use";

impl Compare {
    /// What may be a name on the hub.
    pub fn given(&mut self) -> Given<'_> {
        let texts = self.text.iter_mut().chain(&mut self.calibration).chain(self.recovering.files_mut()).collect();
        let (online, models, json) = (self.online, vec![&mut self.model], self.json);
        Given { texts, ..Given::of(online, models, json) }
    }

    /// Key of the text in a row.
    pub fn text_key(&self) -> &str {
        &self.text_key
    }

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
            heads: without_repeats(&self.heads),
            dampings: without_repeats(&self.damping),
            seeds: without_repeats(&self.seed),
        })
    }

    /// What all cells share. Any number of channels stays unless it is said otherwise, because the
    /// methods are to be told apart and not the widths.
    pub fn base(&self) -> Request {
        let request = self.knobs.request();
        // Single channels, so that all rows of one target are of one size.
        let channel_multiple = request.allocation.channel_multiple.or(Some(1));
        Request { allocation: Allocation { channel_multiple, ..request.allocation }, ..request }
    }

    /// Which windows to cut for calibration.
    pub fn calibration_windows(&self, cell: &Cell) -> Windows {
        self.cutting.windows(cell.samples, cell.seq_len, cell.seed)
    }

    /// The files of texts that are read.
    pub fn texts(&self) -> impl Iterator<Item = &PathBuf> {
        self.text.iter().chain(&self.calibration)
    }

    fn calibration_names(&self) -> Vec<String> {
        let stem =
            |file: &PathBuf| file.file_stem().map_or_else(|| "text".into(), |s| s.to_string_lossy().into_owned());
        match self.calibration.as_slice() {
            [] => vec!["shipped".into()],
            files => distinct(&files.iter().map(stem).collect::<Vec<_>>()),
        }
    }

    fn files<'a>(&'a self, paths: &'a [PathBuf]) -> Files<'a> {
        Files { paths, key: &self.text_key, documents: None }
    }

    /// The documents of each calibration, by its name.
    pub fn calibration_texts(&self, checkpoint: &Checkpoint) -> Result<Vec<(String, Vec<String>)>> {
        let names = self.calibration_names();
        // Each file is a calibration of its own; without files there is one, the shipped text.
        let each: Vec<&[PathBuf]> = match self.calibration.as_slice() {
            [] => vec![&[]],
            files => files.chunks(1).collect(),
        };
        let read = |(name, files): (String, &[PathBuf])| {
            let read = documents(self.files(files), checkpoint, shipped::CALIBRATION)?;
            let read = read.ok_or_else(|| Usage(NO_TEXT.into()))?;
            out::notes(&read.notes);
            Ok((name, read.texts))
        };
        names.into_iter().zip(each).map(read).collect()
    }

    /// What every model is measured on.
    pub fn evaluation(&self, checkpoint: &Checkpoint, tokenizer: &Tokenizer, tasks: &[Chosen]) -> Result<Evaluation> {
        let config = checkpoint.config();
        let which = Windows {
            count: self.windows,
            length: window_length_of("--eval-seq-len", Some(self.eval_seq_len), config)?,
            // In order and from the beginning, so that the seed does not change what is measured.
            sampling: Sampling::Sequential,
            bos: self.eval_bos,
            seed: 0,
        };
        let name = self.text.as_deref().map_or_else(|| "the shipped evaluation text".into(), file_name);
        self.texts().for_each(|file| out::detail(format_args!("text: {}", file.display())));
        let mut progress = counting("reading the text", self.json);
        let files = self.files(self.text.as_slice());
        let cut = windows(files, checkpoint, shipped::EVALUATION, tokenizer, &which, &mut progress)?;
        let Cut { windows, notes } = cut.ok_or_else(|| Usage(NO_TEXT.into()))?;
        out::notes(&notes);
        let base = self.base();
        let protocol = Protocol {
            text: name,
            windows: windows.len(),
            seq_len: which.length,
            bos: which.bos,
            calibration_sampling: self.cutting.sampling,
            calibration_bos: self.cutting.bos,
            channel_multiple: base.allocation.channel_multiple.unwrap_or(1),
            rounding: base.allocation.rounding(),
        };
        let tasks = self.measures.tasks(tasks, checkpoint, tokenizer, self.json)?;
        Ok(Evaluation { windows, protocol, tasks, timed: self.measures.timed(config) })
    }

    /// The model's name on the hub, or its folder without the way to it.
    pub fn model_name(&self) -> String {
        // "." and ".." have no name; the folders they lead to have.
        let folder = || file_name(&self.model.canonicalize().unwrap_or_else(|_| self.model.clone()));
        model_of_snapshot(&self.model).unwrap_or_else(folder)
    }
}

fn file_name(path: &Path) -> String {
    path.file_name().map_or_else(|| path.display().to_string(), |n| n.to_string_lossy().into_owned())
}

fn without_repeats<T: PartialEq + Clone>(list: &[T]) -> Vec<T> {
    // Not a set: cells follow the order that was typed, and f64 has no hash.
    let mut once: Vec<T> = Vec::new();
    for item in list {
        if !once.contains(item) {
            once.push(item.clone());
        }
    }
    once
}
