//! `slimgpt ppl`.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Result;
use clap::Args;
use serde::Serialize;
use slimgpt::device::Device;
use slimgpt::eval::{ByWord, EvalEntry, EvalRecord, Perplexity};
use slimgpt::format;
use slimgpt::names::Named;
use slimgpt::text::{Bos, Files, Join};

use super::arguments::{self, AdapterArgument, DevicesArgument};
use super::choice::choice;
use super::exit::Usage;
use super::hub::{Given, Online};
use super::{out, parse};

mod datasets;
mod measure;

use measure::Found;
pub use measure::Measure;

const EXAMPLES: &str = "\
Examples:
  slimgpt ppl ./slim --text wiki.test.raw --join wikitext2 --seq-len 128
  slimgpt ppl ./slim --text wiki.test.raw --join wikitext2 --bos first --save
  slimgpt ppl ./slim --text wiki.test.raw --protocol rolling
  slimgpt ppl ./slim --text stories.jsonl --text-key story --windows 64 --bos each --json

Protocols:
  window   The text is encoded whole and cut into windows that do not overlap; the rest that fills
           no window is left out. exp(Σ −log p / predictions) over all predictions but the first
           token of each window. 128 tokens without begin-of-sequence token are SlimGPT's and
           LLM-Pruner's number, 2048 with --bos first GPTQ's, SparseGPT's and Wanda's.
  rolling  lm-eval's wikitext: every document by itself, every token predicted once after the
           begin-of-sequence token and what fits of the text before it; perplexity by word and by
           byte, and bits by byte. A .txt with WikiText's titles ( = Title = ) is cut into its pages
           and detokenised; words and bytes are those before. --bos first predicts the
           begin-of-sequence token too, as lm-eval does for LLaMA since 0.4.9.2.
  strided  transformers' documentation: windows that overlap, of which only new tokens are predicted.

Numbers compare only at the same protocol, window length, join and --bos.";

#[derive(Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Ppl {
    /// Folder of a checkpoint, dense or pruned, a GGUF file, or a name on the hub (org/name)
    model: PathBuf,
    #[command(flatten)]
    adapter: AdapterArgument,
    /// The text: .txt or .raw, .jsonl, .json, .parquet, .csv, packed (.gz, .zst) or not; a folder, - for standard
    /// input, or dataset:org/name/file of the hub
    #[arg(long, value_name = "FILE")]
    text: PathBuf,
    /// Key or column of the text in a row; a.b is the part b of a
    #[arg(long, default_value = "text", value_name = "KEY")]
    text_key: String,
    /// How the text is cut and what is predicted; see below
    #[arg(long, value_name = "NAME", value_parser = choice::<Protocol>(), default_value = "window")]
    protocol: Protocol,
    /// How lines or rows become one text, for --protocol window and strided
    #[arg(long, value_name = "NAME", value_parser = choice::<Join>(), default_value = "plain")]
    join: Join,
    /// Tokens of a window; by default 2048, or the model's context if that is shorter
    ///
    /// With --protocol rolling the default is the model's context. Papers on structured pruning often
    /// use 128.
    #[arg(long, value_name = "N", value_parser = parse::window_length)]
    seq_len: Option<usize>,
    /// Tokens from the beginning of a window to that of the next, for --protocol strided
    ///
    /// By default 512, or half a window if that is shorter.
    #[arg(long, value_name = "N", value_parser = parse::at_least_one)]
    stride: Option<usize>,
    /// Windows from the beginning of the text; by default all
    #[arg(long, value_name = "N", value_parser = parse::at_least_one)]
    windows: Option<usize>,
    /// Where the begin-of-sequence token stands
    #[arg(long, value_name = "WHERE", value_parser = choice::<Bos>(), default_value = "none")]
    bos: Bos,
    /// The model that it was made of, to tell how far its expectations are from what they were
    ///
    /// KL(dense ‖ model) of the next token, in nats a token over the same windows; for --protocol window.
    #[arg(long, value_name = "DENSE")]
    dense: Option<PathBuf>,
    /// Keep the figures in the model's folder (slimgpt-eval.json), for reports
    #[arg(long)]
    save: bool,
    #[command(flatten)]
    device: DevicesArgument,
    #[command(flatten)]
    online: Online,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, PartialEq, Serialize, strum::IntoStaticStr, strum::EnumMessage, strum::VariantArray)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
enum Protocol {
    #[strum(message = "windows that do not overlap, as in papers on pruning")]
    Window,
    #[strum(message = "lm-eval's: every token once, by word and by byte")]
    Rolling,
    #[strum(message = "transformers': windows that overlap")]
    Strided,
}

/// What `--json` prints: the figures, and everything they depend on.
#[derive(Serialize)]
struct Printed<'a> {
    #[serde(flatten)]
    perplexity: Perplexity,
    #[serde(flatten)]
    by_word: Option<ByWord>,
    #[serde(skip_serializing_if = "Option::is_none")]
    divergence: Option<f64>,
    protocol: Protocol,
    join: Join,
    seq_len: usize,
    bos: Bos,
    text: String,
    what: String,
    device: &'a str,
    seconds: f64,
}

impl Ppl {
    /// What may be a name on the hub.
    pub fn given(&mut self) -> Given<'_> {
        let models = [&mut self.model].into_iter().chain(&mut self.dense).collect();
        let (online, texts, json) = (self.online, vec![&mut self.text], self.json);
        Given { texts, adapter: Some(self.adapter.folder_mut()), ..Given::of(online, models, json) }
    }

    pub fn run(&self) -> Result<()> {
        // What was typed wrong is told before anything is read.
        self.check()?;
        let (checkpoint, tokenizer) = arguments::open(&self.model)?;
        let checkpoint = self.adapter.on(checkpoint)?;
        let config = checkpoint.config();
        // lm-eval's rolling windows are as long as the model's context.
        let asked = self.seq_len.or((self.protocol == Protocol::Rolling).then_some(config.max_positions));
        let dense = self.dense.as_deref().map(arguments::open_weights).transpose()?;
        let measure = Measure {
            dense: dense.as_ref(),
            checkpoint: &checkpoint,
            tokenizer: &tokenizer,
            length: arguments::window_length(asked, config)?,
            bos: self.bos,
            count: self.windows,
            hidden: self.json,
        };
        let paths = [self.text.clone()];
        let files = Files { paths: &paths, key: &self.text_key, documents: None };
        out::detail(format_args!("text: {}", self.text.display()));
        let device = self.device.open()?;
        let started = Instant::now();
        let found = match self.protocol {
            Protocol::Window => measure.window(files, self.join, &device)?,
            Protocol::Rolling => measure.rolling(files, &device)?,
            Protocol::Strided => measure.strided(files, self.join, self.stride, &device)?,
        };
        let seconds = started.elapsed().as_secs_f64();
        match self.json {
            true => out::json(&self.printed(&found, &measure, &device, seconds))?,
            false => self.print(&found, &device, seconds)?,
        }
        // Kept last: figures that cannot be kept have been shown.
        if self.save {
            EvalRecord::add_to(&self.model, self.entries(&found))?;
        }
        Ok(())
    }

    /// What cannot be meant together, and names of data sets where a file is wanted.
    fn check(&self) -> Result<()> {
        let wrong = |text: &str| Err(Usage(text.into()).into());
        check_name(&self.text)?;
        arguments::check_save(&self.model, self.save)?;
        if self.protocol != Protocol::Window && self.bos == Bos::Each {
            return wrong("--bos each is for --protocol window; use --bos first or none");
        }
        if self.protocol != Protocol::Window && self.dense.is_some() {
            return wrong("--dense is for --protocol window");
        }
        if self.protocol == Protocol::Rolling && self.windows.is_some() {
            return wrong("--protocol rolling measures whole documents; leave --windows out");
        }
        if self.protocol == Protocol::Rolling && self.join != Join::Plain {
            return wrong("--protocol rolling takes documents one by one; leave --join out");
        }
        Ok(())
    }

    fn printed<'a>(&'a self, found: &Found, measure: &Measure<'_>, device: &'a Device, seconds: f64) -> Printed<'a> {
        Printed {
            perplexity: found.perplexity,
            by_word: found.by_word,
            divergence: found.divergence,
            protocol: self.protocol,
            join: self.join,
            seq_len: measure.length,
            bos: measure.bos,
            text: out::path(&self.text),
            what: self.what(found),
            device: device.name(),
            seconds,
        }
    }

    fn print(&self, found: &Found, device: &Device, seconds: f64) -> Result<()> {
        if let Some(by_word) = &found.by_word {
            out::line(format_args!(
                "word perplexity {:.4}  byte perplexity {:.4}  bits per byte {:.4}  ({} words, {} bytes)",
                by_word.word_perplexity,
                by_word.byte_perplexity,
                by_word.bits_per_byte,
                format::count(by_word.words),
                format::count(by_word.bytes),
            ))?;
        }
        let line = format_args!(
            "perplexity {:.4}  ({} predictions in {} windows; {}; {seconds:.1} s on {})",
            found.perplexity.perplexity,
            format::count(found.perplexity.tokens),
            format::count(found.perplexity.windows),
            self.what(found),
            device.name(),
        );
        out::line(line)?;
        match found.divergence {
            Some(nats) => Ok(out::line(format_args!("divergence from the dense model {nats:.4} nats a token"))?),
            None => Ok(()),
        }
    }

    fn what(&self, found: &Found) -> String {
        what(&self.text, self.join, self.windows, found)
    }

    fn entries(&self, found: &Found) -> Vec<EvalEntry> {
        let entry = |metric: &str, value, n| EvalEntry {
            what: self.what(found),
            metric: metric.into(),
            value,
            stderr: None,
            n,
        };
        let mut entries = vec![entry(EvalEntry::PPL, found.perplexity.perplexity, found.perplexity.tokens)];
        if let Some(nats) = found.divergence {
            entries.push(entry("divergence", nats, found.perplexity.tokens));
        }
        if let Some(by_word) = &found.by_word {
            entries.push(entry("word_ppl", by_word.word_perplexity, by_word.words));
            entries.push(entry("byte_ppl", by_word.byte_perplexity, by_word.bytes));
            entries.push(entry("bits_per_byte", by_word.bits_per_byte, by_word.bytes));
        }
        entries
    }
}

/// Refuses the name of a data set where a file is wanted.
pub fn check_name(text: &Path) -> Result<()> {
    // A file that is really called so is taken.
    match datasets::advice(&text.to_string_lossy()).filter(|_| !text.exists()) {
        Some(advice) => Err(Usage(format!("--text {}: {advice}", text.display())).into()),
        None => Ok(()),
    }
}

/// Data and protocol in words: two figures compare when this is the same.
pub fn what(text: &Path, join: Join, windows: Option<usize>, found: &Found) -> String {
    let file = text.file_name().unwrap_or_default().to_string_lossy();
    let joined = match join {
        Join::Plain => String::new(),
        join => format!(" joined as {}", join.name()),
    };
    let first = windows.map_or_else(String::new, |n| format!(", the first {n}"));
    format!("{file}{joined}, {}{first}", found.protocol)
}
