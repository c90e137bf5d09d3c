//! The whole pipeline in memory. What is measured and continued afterwards is opened from the very
//! bytes that can be downloaded.

use slimgpt::checkpoint::Checkpoint;
use slimgpt::device::Peak;
use slimgpt::pipeline::{Event, Flow, Job, Limits, MemorySink, Meter, Report, plan};
use slimgpt::session::execute;

use super::texts::calibration;
use super::{Failure, Kept, Named, Tell, Worker};
use crate::protocol::{Progress, Prune, Pruned, Stage};

/// A pruned model and how it came to be.
pub(super) struct Made {
    pub report: Report,
    pub checkpoint: Checkpoint,
    files: Vec<Named>,
}

impl Worker {
    /// Prunes, measures, and keeps the result under `number`.
    pub(super) async fn prune(&mut self, number: u32, asked: &Prune, tell: Tell<'_>) -> Result<Pruned, Failure> {
        let dense = self.dense_perplexity(asked.eval, tell).await?;
        let Made { report, checkpoint, files } = self.made(asked, tell).await?;
        let pruned = self.perplexity(&checkpoint, asked.eval, Stage::MeasuringPruned, tell).await?;
        self.keep(Kept { number, checkpoint, files });
        Ok(Pruned {
            number,
            on: self.device(),
            parameters: [report.parameters_before, report.parameters_after],
            bytes: [report.bytes_before, report.bytes_after],
            perplexity: [dense.perplexity, pruned.perplexity],
            predictions: pruned.tokens,
            calibration_tokens: report.calibration_tokens,
            layers: report.layers,
        })
    }

    /// The model that a pruning makes.
    pub(super) async fn made(&self, asked: &Prune, tell: Tell<'_>) -> Result<Made, Failure> {
        let checkpoint = &self.model.checkpoint;
        // Before the text is cut: what cannot be done is refused at once.
        let plan = plan(&asked.request, checkpoint.config(), &Limits::of(&self.device, None))?;
        let windows = calibration(&self.model, asked)?;
        let job = Job {
            checkpoint,
            windows: &windows,
            plan: &plan,
            scores: None,
            device: &self.device,
            clock: &seconds,
            memory: &Peak::unknown,
            typed: None,
        };
        let (mut sink, mut meter) = (MemorySink::default(), Meter::new(&plan));
        let mut observe = |event: Event| {
            meter.note(&event, 0.0);
            let (done, total) = (meter.position(), meter.length());
            tell(Progress::Working { done, total, stage: Stage::Pruning });
            Flow::Continue
        };
        let report = execute(&job, &mut sink, &mut observe).await?;
        let files = sink.files(checkpoint)?;
        let checkpoint = opened(&files)?;
        Ok(Made { report, checkpoint, files })
    }
}

fn opened(files: &[Named]) -> Result<Checkpoint, Failure> {
    let bytes = |name: &str| files.iter().find(|(n, _)| n == name).map(|(_, bytes)| bytes.clone()).unwrap_or_default();
    Ok(Checkpoint::from_bytes(&bytes("config.json"), bytes("model.safetensors"))?)
}

#[cfg(target_arch = "wasm32")]
fn seconds() -> f64 {
    js_sys::Date::now() / 1000.0
}

#[cfg(not(target_arch = "wasm32"))]
fn seconds() -> f64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0.0, |since| since.as_secs_f64())
}
