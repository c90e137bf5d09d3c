//! Training after pruning in a comparison: the same data and settings for every row.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;
use slimgpt::checkpoint::Checkpoint;
use slimgpt::recover::{Data, Length, Settings, Train};
use slimgpt::session;
use slimgpt::text::{Files, Tokenizer};

use crate::cli::choice::choice;
use crate::cli::{out, parse};

/// How every row is trained afterwards, if it is.
#[derive(Args)]
pub struct Recovering {
    /// Train every row afterwards on this, as `slimgpt recover` does, and measure it again; may be given
    /// several times
    #[arg(long = "recover", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// What is learnt
    #[arg(long, value_name = "WHAT", value_parser = choice::<Train>(), default_value = "lora", requires = "files", hide_short_help = true)]
    recover_train: Train,
    /// Steps; by default once through the data
    #[arg(long, value_name = "N", value_parser = parse::at_least_one, requires = "files", hide_short_help = true)]
    recover_steps: Option<usize>,
    /// Sequences of a step
    #[arg(long, value_name = "N", value_parser = parse::at_least_one, default_value = "64", requires = "files", hide_short_help = true)]
    recover_batch: usize,
    /// Most tokens of a sequence
    #[arg(long, value_name = "N", value_parser = parse::window_length, default_value = "256", requires = "files", hide_short_help = true)]
    recover_seq_len: usize,
    /// Highest learning rate
    #[arg(long, value_name = "RATE", value_parser = parse::positive, default_value = "1e-4", requires = "files", hide_short_help = true)]
    recover_lr: f64,
    /// Let the dense model teach beside the text, as much as it does
    #[arg(long, requires = "files", hide_short_help = true)]
    recover_taught: bool,
}

/// What all rows are trained on.
pub struct Lessons {
    pub data: Data,
    pub sources: Vec<String>,
    pub settings: Settings,
    pub is_taught: bool,
}

impl Recovering {
    /// The files that are read.
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// The same, to put paths in the place of names.
    pub fn files_mut(&mut self) -> &mut [PathBuf] {
        &mut self.files
    }

    /// Reads the data, if rows are trained.
    pub fn lessons(&self, checkpoint: &Checkpoint, tokenizer: &Tokenizer, key: &str) -> Result<Option<Lessons>> {
        if self.files.is_empty() {
            return Ok(None);
        }
        let settings = Settings {
            train: self.recover_train,
            // Only factors drop something.
            dropout: if self.recover_train == Train::Lora { Settings::default().dropout } else { 0.0 },
            length: self.recover_steps.map_or(Length::Epochs(1.0), Length::Steps),
            batch: self.recover_batch,
            window: self.recover_seq_len.min(checkpoint.config().max_positions),
            rate: self.recover_lr,
            teacher: if self.recover_taught { Settings::TEACHER_SHARE } else { 0.0 },
            ..Settings::default()
        };
        let files = Files { paths: &self.files, key, documents: None };
        let folder = checkpoint.folder().unwrap_or_else(|| Path::new("."));
        let data = Data::read(&session::examples(files, None, folder, checkpoint, tokenizer)?, &settings)?;
        out::notes(&data.notes);
        let sources = self.files.iter().map(|file| out::path(file)).collect();
        Ok(Some(Lessons { data, sources, settings, is_taught: self.recover_taught }))
    }
}
