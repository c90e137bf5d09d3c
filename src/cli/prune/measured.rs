//! `prune --text`: perplexity before and after, measured as `slimgpt ppl` does.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;
use serde::Serialize;
use serde_json::{Value, json};
use slimgpt::checkpoint::Checkpoint;
use slimgpt::device::Device;
use slimgpt::eval::{EvalEntry, EvalRecord, Perplexity};
use slimgpt::pipeline::Report;
use slimgpt::report;
use slimgpt::shape::ModelConfig;
use slimgpt::text::{Bos, Files, Join, Tokenizer};

use crate::cli::arguments::window_length_of;
use crate::cli::choice::choice;
use crate::cli::ppl::{self, Measure};
use crate::cli::{out, parse};

/// Texts to measure on, and how: the flags of `ppl` with their defaults.
#[derive(Args)]
pub struct Text {
    /// A text to measure perplexity on, before and after, as `slimgpt ppl` does
    ///
    /// May be given several times, and be a name on the hub (dataset:org/name/file).
    #[arg(long, value_name = "FILE")]
    text: Vec<PathBuf>,
    /// How lines or rows of --text become one text
    #[arg(long, value_name = "NAME", value_parser = choice::<Join>(), default_value = "plain", requires = "text", hide_short_help = true)]
    join: Join,
    /// Tokens of a measured window; by default 2048, or the model's context if that is shorter. Papers
    /// on structured pruning often use 128
    #[arg(long, value_name = "N", value_parser = parse::window_length, requires = "text", hide_short_help = true)]
    eval_seq_len: Option<usize>,
    /// Where the begin-of-sequence token stands in a measured window
    #[arg(long, value_name = "WHERE", value_parser = choice::<Bos>(), default_value = "none", requires = "text", hide_short_help = true)]
    eval_bos: Bos,
    /// Measured windows from the beginning of each text; by default all
    #[arg(long, value_name = "N", value_parser = parse::at_least_one, requires = "text")]
    windows: Option<usize>,
}

/// The perplexity of a model on one text, with everything it depends on.
#[derive(Clone, Serialize)]
pub struct Figure {
    text: String,
    #[serde(flatten)]
    perplexity: Perplexity,
    protocol: &'static str,
    join: Join,
    seq_len: usize,
    bos: Bos,
    what: String,
}

impl Text {
    /// The files that are read.
    pub fn files(&self) -> &[PathBuf] {
        &self.text
    }

    /// The same, to put paths in the place of names.
    pub fn files_mut(&mut self) -> &mut [PathBuf] {
        &mut self.text
    }

    /// What was typed wrong, before anything is computed.
    pub fn check(&self, config: &ModelConfig) -> Result<()> {
        self.length(config)?;
        self.text.iter().try_for_each(|text| ppl::check_name(text))
    }

    fn length(&self, config: &ModelConfig) -> Result<usize> {
        window_length_of("--eval-seq-len", self.eval_seq_len, config)
    }

    /// The figures of a model, one for each text whose rows have the text under `key`.
    fn of(
        &self,
        checkpoint: &Checkpoint,
        tokenizer: &Tokenizer,
        device: &Device,
        key: &str,
        hidden: bool,
    ) -> Result<Vec<Figure>> {
        let length = self.length(checkpoint.config())?;
        let measure =
            Measure { checkpoint, tokenizer, length, bos: self.eval_bos, count: self.windows, dense: None, hidden };
        let figure = |text: &PathBuf| {
            let paths = [text.clone()];
            let found = measure.window(Files { paths: &paths, key, documents: None }, self.join, device)?;
            Ok(Figure {
                text: out::path(text),
                perplexity: found.perplexity,
                protocol: "window",
                join: self.join,
                seq_len: length,
                bos: self.eval_bos,
                what: ppl::what(text, self.join, self.windows, &found),
            })
        };
        self.text.iter().map(figure).collect()
    }
}

/// What is measured before and after a command, and how it is told.
pub struct Measured<'a> {
    pub text: &'a Text,
    pub tokenizer: &'a Tokenizer,
    pub device: &'a Device,
    /// The key of the text in a row.
    pub key: &'a str,
    pub json: bool,
}

impl Measured<'_> {
    /// The figures of the model called `name`, told as they are found.
    pub fn before(&self, name: &str, model: &Checkpoint) -> Result<Vec<Figure>> {
        let figures = self.figures(name, model)?;
        if !self.json {
            figures.iter().for_each(|figure| out::note(figure.alone()));
        }
        Ok(figures)
    }

    /// The same of what was made of it, kept there beside the earlier ones, which are called `metric` there.
    pub fn after(&self, name: &str, folder: &Path, metric: &str, earlier: &[Figure]) -> Result<Vec<Figure>> {
        if earlier.is_empty() {
            return Ok(Vec::new());
        }
        // From the disk: measured is what people get.
        let figures = Checkpoint::open(folder).map_err(anyhow::Error::from);
        let figures = figures.and_then(|made| self.figures(name, &made));
        let whole = || format!("{} is whole, but it could not be measured", folder.display());
        let figures = figures.with_context(whole)?;
        keep(folder, metric, earlier, &figures)?;
        Ok(figures)
    }

    fn figures(&self, name: &str, model: &Checkpoint) -> Result<Vec<Figure>> {
        let figures = self.text.of(model, self.tokenizer, self.device, self.key, self.json)?;
        if self.json {
            figures.iter().for_each(|figure| figure.event(name, self.device));
        }
        Ok(figures)
    }
}

/// Keeps what was measured in a folder, and on its page if it has one; `before` is what the earlier figures are
/// called.
fn keep(folder: &Path, before: &str, earlier: &[Figure], now: &[Figure]) -> Result<()> {
    let entry = |figure: &Figure, metric: &str| EvalEntry {
        what: figure.what.clone(),
        metric: metric.into(),
        value: figure.perplexity.perplexity,
        stderr: None,
        n: figure.perplexity.tokens,
    };
    let pairs = earlier.iter().zip(now);
    // The earlier figure stands beside the new one, under its own name.
    EvalRecord::add_to(folder, pairs.flat_map(|(a, b)| [entry(a, before), entry(b, EvalEntry::PPL)]))?;
    if !folder.join(Report::FILE).is_file() {
        // A dense model that was trained has nothing that a page of what went would show.
        return Ok(());
    }
    report::write_into(folder).context("the pruned model is whole, but its page could not be made again")
}

/// "perplexity on wiki.txt: 6.3327 → 9.1590 (1.446 times)", and the protocol.
pub fn told(dense: &Figure, pruned: &Figure) -> String {
    let (before, after) = (dense.perplexity.perplexity, pruned.perplexity.perplexity);
    let n = slimgpt::format::count(pruned.perplexity.tokens);
    format!("perplexity {before:.4} → {after:.4}, {:.3} times ({n} predictions; {})", after / before, pruned.what)
}

impl Figure {
    /// A line of JSON about the figure of the model called `name`.
    fn event(&self, name: &str, device: &Device) {
        let mut event = json!({ "event": "perplexity", "model": name, "device": device.name() });
        if let (Some(event), Ok(Value::Object(own))) = (event.as_object_mut(), serde_json::to_value(self)) {
            event.extend(own);
        }
        // A reader that goes away does not stop the run.
        let _ = out::json_line(&event);
    }

    /// "perplexity 6.3327 (…)".
    fn alone(&self) -> String {
        format!("perplexity {:.4} as it is ({})", self.perplexity.perplexity, self.what)
    }
}
