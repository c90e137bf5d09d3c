//! `prune --times`: what a token takes with the result, as the table predicts it and as it is.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result};
use pollster::block_on;
use serde_json::json;
use slimgpt::checkpoint::Checkpoint;
use slimgpt::device::Device;
use slimgpt::eval::{EvalEntry, EvalRecord, LayerTimes, TokenTimed, token_seconds};
use slimgpt::model::{Decoder, fits};
use slimgpt::report;
use slimgpt::shape::ModelConfig;

use crate::cli::exit::Interrupted;
use crate::cli::interrupt::Interrupt;
use crate::cli::out;

/// Tokens that are timed: as many as of each shape of the table.
const TOKENS: usize = 64;

/// How fast a result is, and where that is measured.
pub struct Timing<'a> {
    pub times: &'a LayerTimes,
    pub device: &'a Device,
    pub interrupt: &'a Interrupt,
    pub json: bool,
}

impl Timing<'_> {
    /// Measures the model of a folder that was pruned from one of the sizes `dense`, keeps the figures there, and says
    /// them.
    pub fn run(&self, dense: &ModelConfig, folder: &Path) -> Result<()> {
        // The folder is finished: what fails from here on must not read as if it were lost.
        let whole = || format!("{} is whole, but its time could not be measured", folder.display());
        let checkpoint = Checkpoint::open(folder).with_context(whole)?;
        let [before, predicted] = [dense, checkpoint.config()].map(|config| 1e3 * self.times.seconds(&config.layers));
        let measured = 1e3 * self.measured(&checkpoint).with_context(whole)?.ok_or(Interrupted)?;
        let context = self.times.context_tokens();
        let entry = |metric: &str, value: f64| EvalEntry {
            what: format!("writing a token behind {context} others, in single precision, on {}", self.device.name()),
            metric: metric.into(),
            value,
            stderr: None,
            n: TOKENS,
        };
        let entries = [
            entry("ms a token, dense", before),
            entry("ms a token, predicted", predicted),
            entry("ms a token", measured),
        ];
        EvalRecord::add_to(folder, entries).with_context(whole)?;
        report::write_into(folder).with_context(whole)?;
        if self.json {
            let event = json!({
                "event": "time", "context_tokens": context, "dense_ms": before, "predicted_ms": predicted,
                "measured_ms": measured, "device": self.device.name(),
            });
            return Ok(out::json_line(&event)?);
        }
        out::note(format_args!(
            "time for a token behind {context} others: {before:.3} ms → {measured:.3} ms ({:.2}×), predicted {predicted:.3} ms ({:.2}×)",
            measured / before,
            predicted / before
        ));
        Ok(())
    }

    fn measured(&self, checkpoint: &Checkpoint) -> Result<Option<f64>> {
        let config = checkpoint.config();
        fits(config, self.device)?;
        let decoder = Decoder::load(checkpoint, self.device.tensor_device())?;
        let timed = TokenTimed { context: self.times.context_tokens(), tokens: TOKENS }.within(config.max_positions);
        let started = Instant::now();
        let clock = || started.elapsed().as_secs_f64();
        let mut on_step = || !self.interrupt.is_pressed();
        Ok(block_on(token_seconds(&decoder, config, timed, &clock, &mut on_step))?)
    }
}
