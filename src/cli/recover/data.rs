//! What is learnt from.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;
use slimgpt::checkpoint::Checkpoint;
use slimgpt::recover::{Counted, Data, Format, Settings, Source};
use slimgpt::session;
use slimgpt::text::{Files, Tokenizer};

use crate::cli::choice::choice;
use crate::cli::out;

/// What is learnt from, and which of its tokens count.
#[derive(Args, Clone)]
pub struct Examples {
    /// What to learn from: rows (.json, .jsonl, .parquet, .csv) or text (.txt), packed (.gz, .zst) or not; a folder, a
    /// quoted pattern or - for standard input; may be given several times
    #[arg(long, value_name = "FILE", required = true)]
    data: Vec<PathBuf>,
    /// What the rows are; by default as the first row looks
    #[arg(long, value_name = "FORMAT", value_parser = choice::<Format>())]
    format: Option<Format>,
    /// Key of the text in a row of plain text, or of the messages in one of chat; a.b is the part b of a
    #[arg(long, default_value = "text", value_name = "KEY", hide_short_help = true)]
    text_key: String,
    /// Which tokens count
    #[arg(long, value_name = "WHICH", value_parser = choice::<Counted>(), default_value = "response")]
    loss: Counted,
}

impl Examples {
    /// The files that are read.
    pub fn files(&self) -> &[PathBuf] {
        &self.data
    }

    /// The key of the text in a row.
    pub fn key(&self) -> &str {
        &self.text_key
    }

    /// Which tokens count.
    pub fn counted(&self) -> Counted {
        self.loss
    }

    /// Reads and cuts them for a checkpoint.
    pub fn read(&self, checkpoint: &Checkpoint, tokenizer: &Tokenizer, settings: &Settings) -> Result<Data> {
        let files = Files { paths: &self.data, key: &self.text_key, documents: None };
        let folder = checkpoint.folder().unwrap_or_else(|| Path::new("."));
        let source: Source<'_> = session::examples(files, self.format, folder, checkpoint, tokenizer)?;
        let data = Data::read(&source, settings)?;
        out::notes(&data.notes);
        out::detail(format_args!(
            "data: {} sequences to learn from with {} tokens that count, {} held out",
            data.learnt.len(),
            data.counted(),
            data.held_out.len()
        ));
        Ok(data)
    }
}
