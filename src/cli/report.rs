//! `slimgpt report`: one page about pruned folders.

mod samples;

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use serde_json::json;
use slimgpt::place::{Kind, Place};
use slimgpt::report::{Folder, page};

use super::arguments::DeviceArgument;
use super::{out, parse};

const EXAMPLES: &str = "\
Examples:
  slimgpt report ./slim
  slimgpt report ./slim-20 ./slim-30 ./slim-50 --out ratios.html
  slimgpt report ./slim --dense ./Llama-2-7b-hf --prompt \"Once upon a time\" --prompt \"The capital of\"
  slimgpt report ./slim --text wikitext-2-raw-test.txt --seq-len 128 --samples-of 4

The page is one file without scripts; it opens offline, prints, and follows the reader's light or
dark. Figures that `slimgpt ppl` and the other measuring commands left in a folder are on it.";

#[derive(Args)]
#[command(after_long_help = EXAMPLES)]
pub struct ReportCommand {
    /// Folders that `slimgpt prune` made
    #[arg(required = true, value_name = "FOLDER")]
    folders: Vec<PathBuf>,
    /// The page to write; another file of this name is not touched
    #[arg(long, default_value = "report.html", value_name = "FILE")]
    out: PathBuf,
    /// A prompt that every model continues; may be given several times
    #[arg(long, value_name = "TEXT")]
    prompt: Vec<String>,
    /// A text to measure perplexity on, and to take prompts from: .txt, .jsonl, .json, .parquet or .csv
    #[arg(long, value_name = "FILE")]
    text: Option<PathBuf>,
    /// Key or column of the text in a row; a.b is the part b of a
    #[arg(long, default_value = "text", value_name = "KEY")]
    text_key: String,
    /// How many prompts to take from the text
    #[arg(long, default_value = "0", value_name = "N", requires = "text")]
    samples_of: usize,
    /// Tokens to add to a prompt at most
    #[arg(long, default_value = "64", value_name = "N", value_parser = parse::at_least_one)]
    max_tokens: usize,
    /// The dense model, to be measured and to continue the prompts beside the pruned ones
    #[arg(long, value_name = "MODEL")]
    dense: Option<PathBuf>,
    /// Tokens of a measured window
    #[arg(long, default_value = "128", value_name = "N", value_parser = parse::window_length)]
    seq_len: usize,
    /// Measured windows from the beginning of the text; by default all
    #[arg(long, value_name = "N", value_parser = parse::at_least_one)]
    windows: Option<usize>,
    #[command(flatten)]
    device: DeviceArgument,
    /// Print one JSON object about the page
    #[arg(long)]
    json: bool,
}

impl ReportCommand {
    pub fn run(&self) -> Result<()> {
        // Before anything is measured.
        let place = Place::new(&self.out, Kind::Page, true);
        place.ask(&self.reads())?;
        let mut folders = self.folders.iter().map(|f| Folder::open(f)).collect::<Result<Vec<_>, _>>()?;
        tell_apart(&mut folders, &self.folders);
        let samples = self.measured(&mut folders)?;
        let page = page(&folders, &samples)?;
        place.write(page.as_bytes())?;
        if self.json {
            let names: Vec<&str> = folders.iter().map(|f| f.name.as_str()).collect();
            let figures: Vec<_> =
                folders.iter().map(|f| json!({ "folder": f.name, "evaluation": f.evaluation })).collect();
            return out::json(&json!({
                "out": out::path(&self.out), "bytes": page.len(), "folders": names, "samples": samples.len(),
                "figures": figures,
            }));
        }
        Ok(out::line(format_args!("{}", self.out.display()))?)
    }

    /// What is read for the page.
    fn reads(&self) -> Vec<PathBuf> {
        self.folders.iter().chain(&self.text).chain(&self.dense).cloned().collect()
    }
}

/// Folders of one name are called by their paths.
fn tell_apart(folders: &mut [Folder], paths: &[PathBuf]) {
    let names: Vec<String> = folders.iter().map(|f| f.name.clone()).collect();
    for (folder, path) in folders.iter_mut().zip(paths) {
        if names.iter().filter(|n| **n == folder.name).count() > 1 {
            // Two folders of one name in different places would be one in tables and figures.
            folder.name = path.display().to_string();
        }
    }
}
