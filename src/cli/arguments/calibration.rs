//! Which text the layers are calibrated on, and how it is cut.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Result, anyhow};
use clap::Args;
use slimgpt::checkpoint::Checkpoint;
use slimgpt::format;
use slimgpt::hub::{HubError, Name};
use slimgpt::session;
use slimgpt::shape::ModelConfig;
use slimgpt::shipped;
use slimgpt::text::{Bos, Files, Sampling, Tokenizer, Windows};

use crate::cli::choice::{choice, choice_of};
use crate::cli::exit::Usage;
use crate::cli::hub::{Online, Source};
use crate::cli::{out, parse, progress};

/// Which text the layers are calibrated on.
#[derive(Args, Clone)]
pub struct Calibration {
    /// A text of the kind the model is for; may be given several times. By default the first shard of C4
    ///
    /// .txt, .jsonl, .parquet, .csv, .tsv (see --text-key) or Alpaca-style .json; each may be packed (.gz, .zst). A folder
    /// or a quoted pattern ('data/*.parquet') means all of its files, - standard input, dataset:org/name/file a file of the hub. The default is what the SlimGPT
    /// paper takes, 319 MB that are downloaded once; the model that comes with the program has a text of its own.
    #[arg(long, value_name = "FILE")]
    calibration: Vec<PathBuf>,
    /// Key or column of the text in a row; a.b is the part b of a
    ///
    /// Where messages (role, content) stand there, they become a text by the model's chat template.
    #[arg(long, default_value = "text", value_name = "KEY", hide_short_help = true)]
    text_key: String,
    /// Only the first N documents of all files together
    ///
    /// The paper takes the first 200000 of C4.
    #[arg(long, value_name = "N", value_parser = parse::at_least_one, hide_short_help = true)]
    documents: Option<usize>,
    #[command(flatten)]
    pub size: CalibrationSize,
    #[command(flatten)]
    pub cutting: Cutting,
    /// Seed of the random windows, and of the method random
    #[arg(long, default_value_t = 0, hide_short_help = true)]
    pub seed: u64,
}

/// How a calibration text is cut.
#[derive(Args, Clone)]
pub struct Cutting {
    /// How the windows are chosen
    #[arg(long, value_name = "HOW", value_parser = choice::<Sampling>(), default_value = "random", hide_short_help = true)]
    pub sampling: Sampling,
    /// Where the begin-of-sequence token stands in a calibration window
    #[arg(long, value_name = "WHERE", value_parser = choice_of(&[Bos::Each, Bos::None]), default_value = "none", hide_short_help = true)]
    pub bos: Bos,
}

impl Cutting {
    /// `count` windows of `length` tokens.
    pub fn windows(&self, count: usize, length: usize, seed: u64) -> Windows {
        Windows { count: Some(count), length, sampling: self.sampling, bos: self.bos, seed }
    }
}

/// How much text: windows, and tokens of each.
#[derive(Args, Clone)]
pub struct CalibrationSize {
    /// Calibration windows
    #[arg(long, default_value = "256", value_name = "N", value_parser = parse::at_least_one)]
    pub samples: usize,
    /// Tokens of a window; by default 2048, or the model's context if that is shorter
    #[arg(long, value_name = "N", value_parser = parse::window_length)]
    pub seq_len: Option<usize>,
}

/// Tokens of a window: as asked, else 2048, and never more than the model was made for.
pub fn window_length(asked: Option<usize>, config: &ModelConfig) -> Result<usize> {
    window_length_of("--seq-len", asked, config)
}

/// [`window_length`] where another flag asks.
pub fn window_length_of(flag: &str, asked: Option<usize>, config: &ModelConfig) -> Result<usize> {
    match asked {
        // The paper's windows have 2048 tokens.
        None => Ok(2048.min(config.max_positions)),
        Some(n) if n <= config.max_positions => Ok(n),
        Some(n) => {
            Err(Usage(format!("{flag} {n} is longer than the model's context of {} tokens", config.max_positions))
                .into())
        }
    }
}

/// What the paper calibrates on.
const USUAL: &str = "dataset:allenai/c4/en/c4-train.00000-of-01024.json.gz";

/// What to do where that cannot be had.
const WAYS: &str = "Three ways on: --calibration FILE with a text of your own (.txt, .jsonl, .parquet, .csv or Alpaca-style .json). Good is \
text of the kind the model will be used for, varied, and not what it will be tested on; a few thousand web documents (C4, \
FineWeb-Edu) suit most models, and 256 windows of 2048 tokens are about half a million tokens, or 2 to 3 MB. Or the same \
command once with a connection, without --offline and HF_HUB_OFFLINE: the 319 MB stay in the cache. Or that file fetched on another machine, with \
--calibration c4-train.00000-of-01024.json.gz";

/// That nothing may be downloaded was typed; that it could not be was not.
fn no_text(error: HubError) -> anyhow::Error {
    let said = format!("no calibration text: {error}. {WAYS}");
    match error {
        // Whoever stopped it needs no other way.
        HubError::Stopped => error.into(),
        HubError::Offline { .. } => Usage(said).into(),
        _ => anyhow!(said),
    }
}

impl Calibration {
    /// The files that are read.
    pub fn files(&self) -> &[PathBuf] {
        &self.calibration
    }

    /// The same with so many windows.
    pub fn of(&self, samples: usize) -> Self {
        let size = CalibrationSize { samples, ..self.size.clone() };
        Self { size, ..self.clone() }
    }

    /// The key of the text in a row.
    pub fn key(&self) -> &str {
        &self.text_key
    }

    /// The same, to put paths in the place of names.
    pub fn files_mut(&mut self) -> &mut [PathBuf] {
        &mut self.calibration
    }

    /// The same with the paper's text where none was named, from the cache or the hub.
    ///
    /// # Errors
    /// When it cannot be had, with what else can be done.
    pub fn or_usual(&self, checkpoint: &Checkpoint, online: Online, json: bool) -> Result<Self> {
        let mut found = self.clone();
        let shipped = checkpoint.folder().is_some_and(shipped::is_in);
        // Layers are fitted to what the text makes of them: the shipped text suits the shipped model only.
        if self.calibration.is_empty() && !shipped {
            out::note(format_args!(
                "no --calibration: the text is the paper's, the first shard of C4 (319 MB: {USUAL})"
            ));
            let name = Name::of_dataset(USUAL).transpose().map_err(HubError::NoName)?;
            let text = name.map(|name| Source::new(online, json).text(&name)).transpose();
            found.calibration.extend(text.map_err(no_text)?);
        }
        Ok(found)
    }

    /// Cuts the windows for a checkpoint; a bar shows how far it is unless `hidden`. Without files it
    /// is the shipped text, for the shipped model only.
    pub fn windows(&self, checkpoint: &Checkpoint, tokenizer: &Tokenizer, hidden: bool) -> Result<Vec<Vec<u32>>> {
        let length = window_length(self.size.seq_len, checkpoint.config())?;
        let which = self.cutting.windows(self.size.samples, length, self.seed);
        let started = Instant::now();
        let files = Files { paths: &self.calibration, key: &self.text_key, documents: self.documents };
        let mut counting = progress::counting("reading the text", hidden);
        let cut = session::windows(files, checkpoint, shipped::CALIBRATION, tokenizer, &which, &mut counting)?;
        let cut = cut.ok_or_else(|| Usage(format!("no calibration text. {WAYS}")))?;
        out::notes(&cut.notes);
        self.told(cut.windows.len(), length, started);
        Ok(cut.windows)
    }

    /// Says what was read, and how long it took.
    fn told(&self, windows: usize, length: usize, started: Instant) {
        let files: Vec<String> = self.calibration.iter().map(|file| file.display().to_string()).collect();
        let text = if files.is_empty() { "the shipped text".into() } else { files.join(", ") };
        let seconds = format::seconds(started.elapsed().as_secs_f64());
        out::detail(format_args!("calibration: {windows} windows of {length} tokens from {text}, cut in {seconds}"));
    }
}
