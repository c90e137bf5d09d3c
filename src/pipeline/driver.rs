//! The layer loop.
//!
//! ```text
//! for each layer, with the hidden states h of all calibration windows:
//!     attention     X = context(h), kept;  H += XᵀX
//!     heads         which go, new Ŵ of o_proj, rounded as it will be saved
//!     feed-forward  h += X_K Ŵᵀ;  X = inner(h);  H += XᵀX;  measured ‖X(W − Ŵ)ᵀ‖² of the heads
//!     channels      which go, new Ŵ of down_proj, rounded
//!     output        h += X_K Ŵᵀ;  measured ‖X(W − Ŵ)ᵀ‖² of the channels
//!     store         the cut layer, wholly or not at all, while the next one is worked on
//! ```
//!
//! A run that goes on replays its stored layers: the same operations on the same weights in the
//! same batches, without Hessians and selection, so that h has the same bits.
//!
//! Several ranks take the same steps, each with its share of the batches and a device of its own. Hessians and losses
//! are summed at the first, which selects, solves, tells and stores; the others hear Ŵ from it.
//!
//! Where sizes or selection follow from scores of all layers, one pass of the model as it is comes first.

use std::sync::Arc;

use super::fluctuations::{Surveyed, surveyed};
use super::ranked::{Following, Leading};
use super::report::{Report, Timing};
use super::run::Run;
use super::{Event, Flow, Job, LayerSink, PipelineError};
use crate::activations::Spill;
use crate::device::Peak;
use crate::obs::Shared;
use crate::ranks::{Alone, Ranks};

/// Carries out the plan: prunes every layer that `sink` does not have yet, then puts it together.
///
/// # Errors
/// [`PipelineError::Stopped`] when `on_event` says so; otherwise when something cannot be read,
/// computed or written. Layers that are stored stay stored.
pub async fn prune<E: Shared, S: LayerSink>(
    job: &Job<'_>,
    executor: &E,
    sink: &mut S,
    on_event: &mut dyn FnMut(Event) -> Flow,
) -> Result<Report, PipelineError> {
    prune_leading(job, &Alone, executor, sink, on_event).await
}

/// [`prune`] as the first of several ranks, of which every other follows.
///
/// # Errors
/// Those of [`prune`], and [`RanksError::Ended`](crate::ranks::RanksError::Ended) when another rank failed.
pub async fn prune_leading<E: Shared, S: LayerSink>(
    job: &Job<'_>,
    ranks: &dyn Ranks,
    executor: &E,
    sink: &mut S,
    on_event: &mut dyn FnMut(Event) -> Flow,
) -> Result<Report, PipelineError> {
    in_step(job, ranks, executor, &mut Leading::new(ranks, sink)?, on_event).await
}

/// The part of a rank that is not the first: of the same model, windows and plan, with a device of its own. Activations
/// that fit no memory go to `spill`. Nothing comes of it but what the first is told.
///
/// # Errors
/// As [`prune_leading`].
pub async fn prune_following<E: Shared>(
    job: &Job<'_>,
    ranks: &dyn Ranks,
    executor: &E,
    spill: Option<Arc<dyn Spill>>,
) -> Result<(), PipelineError> {
    in_step(job, ranks, executor, &mut Following::new(ranks, spill)?, &mut |_| Flow::Continue).await.map(drop)
}

/// The steps of every rank.
async fn in_step<E: Shared, S: LayerSink>(
    job: &Job<'_>,
    ranks: &dyn Ranks,
    executor: &E,
    sink: &mut S,
    on_event: &mut dyn FnMut(Event) -> Flow,
) -> Result<Report, PipelineError> {
    let started = (job.clock)();
    let surveyed = surveyed(job, ranks, executor, sink, on_event).await?;
    let job = &match &surveyed {
        Some(Surveyed { plan, scores, .. }) => Job { plan, scores: Some(scores), ..*job },
        None => *job,
    };
    let mut run = Run::new(job, ranks, executor, on_event, sink.finished(), &sink.spill())?;
    run.peak = surveyed.as_ref().map_or(run.peak, |surveyed| surveyed.peak);
    run.announce()?;
    let (mut records, mut layer_seconds) = (Vec::new(), Vec::new());
    // With all layers stored there is nothing to compute, only to put together.
    if sink.finished() < job.plan.layers.len() {
        run.embed().await?;
        for layer in 0..sink.finished() {
            run.replay(layer, &sink.record(layer)?.0, &sink.weights(layer)?).await?;
        }
        for layer in sink.finished()..job.plan.layers.len() {
            let finished = run.prune_layer(layer).await?;
            let record = Box::new(finished.record.clone());
            run.store(record, sink.store(finished))?;
        }
        run.wait_for_stored()?;
    }
    // Read back from the sink, which has the layers of earlier sessions too.
    for layer in 0..job.plan.layers.len() {
        let (record, seconds) = sink.record(layer)?;
        records.push(record);
        layer_seconds.push(seconds);
    }
    // The last event at which the run can still be stopped.
    run.tell(Event::Writing)?;
    let Peak { host_bytes: peak_host_bytes, device_bytes: peak_device_bytes } = run.peak;
    // The report is part of the output, so the time to write it cannot stand in it.
    let session_seconds = (job.clock)() - started;
    let typed = job.typed.cloned();
    let timing = Timing { session_seconds, layer_seconds, peak_host_bytes, peak_device_bytes, typed };
    let report = run.report(sink.run_id(), records, timing);
    sink.finish(job.checkpoint, &report)?;
    // After the output has its name: what is announced is there.
    run.finished(&report);
    Ok(report)
}

#[cfg(test)]
mod tests;
