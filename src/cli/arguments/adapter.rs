//! Low-rank factors that are added to a model while it is read.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use slimgpt::checkpoint::Checkpoint;

/// Low-rank factors that are added to the model: the same flag in every command that reads weights.
#[derive(Args, Clone)]
pub struct AdapterArgument {
    /// Folder of a LoRA adapter (adapter_config.json) to add to the model while it is read
    #[arg(long, value_name = "DIR", hide_short_help = true)]
    adapter: Option<PathBuf>,
}

impl AdapterArgument {
    /// The checkpoint with the adapter, if one was given.
    pub fn on(&self, checkpoint: Checkpoint) -> Result<Checkpoint> {
        match &self.adapter {
            Some(adapter) => Ok(checkpoint.with_adapter(adapter)?),
            None => Ok(checkpoint),
        }
    }

    /// Its folder, if one was given: one that was given in the place of a model is put here.
    pub fn folder_mut(&mut self) -> &mut Option<PathBuf> {
        &mut self.adapter
    }

    /// The folders that are read.
    pub fn files(&self) -> impl Iterator<Item = &PathBuf> {
        self.adapter.iter()
    }
}
