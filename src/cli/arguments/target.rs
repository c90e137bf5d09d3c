//! How much is to go: a flag for each kind of budget, and the times that one of them needs.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use slimgpt::allocate::{Target, TimeBudget};
use slimgpt::checkpoint::Checkpoint;
use slimgpt::device::Device;
use slimgpt::disk;
use slimgpt::eval::LayerTimes;
use slimgpt::pipeline::{PlanError, Request};
use slimgpt::shape::ModelConfig;

use crate::cli::exit::Usage;
use crate::cli::parse;

/// How much is to go, in one of four ways.
#[derive(Args, Clone)]
pub struct TargetArgument {
    /// Share of the decoder layers' parameters to remove, such as 0.2
    #[arg(long, value_name = "RATIO", value_parser = parse::ratio, allow_negative_numbers = true, conflicts_with_all = ["target_params", "target_bytes", "target_time"])]
    target: Option<f64>,
    /// Parameters that are to be left in the whole model, such as 5.4B
    #[arg(long, value_name = "COUNT", value_parser = parse::count, allow_negative_numbers = true, conflicts_with_all = ["target_bytes", "target_time"])]
    target_params: Option<usize>,
    /// Bytes that the files of weights are to have at most, such as 3GB
    ///
    /// In the element type that is written; embeddings, norms and the files' headers count.
    #[arg(long, value_name = "BYTES", value_parser = parse::bytes, allow_negative_numbers = true, conflicts_with = "target_time")]
    target_bytes: Option<u64>,
    /// Time a token may take: 0.8x of the model's own, or 12ms
    ///
    /// Of writing one token after the other, and not of reading a prompt. Sizes for it are searched for (--schedule
    /// search), by times that were measured on the device (--times).
    #[arg(long, value_name = "TIME", value_parser = parse::time, allow_negative_numbers = true)]
    target_time: Option<TimeBudget>,
    /// Table of what a token takes with smaller layers, as `slimgpt bench MODEL --times FILE` measures it
    ///
    /// With it the time of every result is predicted; `prune` measures it afterwards.
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    pub times: Option<PathBuf>,
}

impl TargetArgument {
    /// How much is to go, if that was said, where `method` makes a request of a usual one.
    ///
    /// # Errors
    /// When it is a number of bytes that no pruning of the model comes to.
    pub fn target(&self, checkpoint: &Checkpoint, method: &Request) -> Result<Option<Target>> {
        let Some(bytes) = self.target_bytes else {
            let target = self.target.map(Target::Ratio).or(self.target_params.map(Target::Parameters));
            return Ok(target.or(self.target_time.map(Target::Time)));
        };
        // What is written counts, biases that the method adds included.
        let written = method.written_config(checkpoint.config());
        let target = Target::within(bytes, &checkpoint.types(method.dtype), &written).map_err(PlanError::from)?;
        Ok(Some(target))
    }

    /// The measured times, if a table was given.
    ///
    /// # Errors
    /// When it cannot be read, or is of another model or device.
    pub fn layer_times(&self, config: &ModelConfig, device: &Device) -> Result<Option<LayerTimes>> {
        let Some(file) = &self.times else { return Ok(None) };
        let told = || format!("--times {}", file.display());
        let bytes = disk::read_named(file, disk::SETTINGS);
        let bytes = bytes.map_err(|e| Usage(format!("{} cannot be read ({})", told(), e.cause)))?;
        let times = LayerTimes::parse(&bytes).with_context(told)?;
        times.check(config, device).with_context(told)?;
        Ok(Some(times))
    }
}
