//! The steps of a session that touch files.

use std::path::Path;

use super::execute;
use crate::checkpoint::Checkpoint;
use crate::disk;
use crate::error::Error;
use crate::pipeline::{Event, Flow, Job, LayerSink, Opened, OutputFolder, PipelineError, Plan, Report};
use crate::remedy::{Remedied, Remedy};
use crate::report::{self, ReportError};
use crate::shipped;
use crate::text::{Cut, Documents, Files, TextError, Tokenizer, Windows, windows_watched};

/// What came of pruning into a folder.
#[derive(Debug)]
pub struct Pruned {
    /// Everything about the run.
    pub report: Report,
    /// Whether this very run had finished earlier, so that nothing was left to do.
    pub was_finished: bool,
}

/// Why a folder was not made.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// Pruning ended early; finished layers are kept.
    #[error("{0}")]
    Pruning(#[from] PipelineError),
    /// The folder is whole, but the page about it could not be made.
    #[error("the pruned model is whole, but its page could not be made: {0}")]
    Page(#[from] ReportError),
}

/// Opens a folder, or a GGUF file, and its tokenizer.
///
/// # Errors
/// When one of the two cannot be used.
pub fn open(model: &Path) -> Result<(Checkpoint, Tokenizer), Error> {
    let checkpoint = Checkpoint::open(model)?;
    let tokenizer = Tokenizer::open(model, checkpoint.config().vocab_size)?;
    Ok((checkpoint, tokenizer))
}

/// The documents of `files`; without files `shipped`, for the shipped model, and for any other
/// `None`.
///
/// # Errors
/// When a file cannot be read.
pub fn documents(files: Files<'_>, checkpoint: &Checkpoint, shipped: &str) -> Result<Option<Documents>, TextError> {
    if !files.paths.is_empty() {
        return files.read_for(checkpoint.folder()).map(Some);
    }
    Ok(checkpoint.folder().is_some_and(shipped::is_in).then(|| Documents::one(shipped)))
}

/// Windows of the same documents, of which no more is read than they need.
///
/// # Errors
/// When a file cannot be read, or the windows cannot be cut.
pub fn windows(
    files: Files<'_>,
    checkpoint: &Checkpoint,
    shipped: &str,
    tokenizer: &Tokenizer,
    which: &Windows,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Option<Cut>, TextError> {
    let bos = checkpoint.config().bos_token;
    if !files.paths.is_empty() {
        return files.windows(None, tokenizer, bos, which, progress).map(Some);
    }
    let Some(Documents { texts, notes, .. }) = documents(files, checkpoint, shipped)? else { return Ok(None) };
    let windows = windows_watched(tokenizer, &texts, bos, which, progress)?;
    Ok(Some(Cut { windows, notes }))
}

/// Prunes into a folder and leaves the page about it there. A folder that this very run finished
/// earlier is reported, with the event that would have ended the run. A run for which the device has no
/// room goes on with less on it, and says so ([`Event::OutOfMemory`]).
///
/// # Errors
/// When pruning ends early, or the page cannot be made.
pub async fn prune_to_folder(
    job: &Job<'_>,
    out: &Path,
    overwrite: bool,
    on_event: &mut dyn FnMut(Event) -> Flow,
) -> Result<Pruned, SessionError> {
    let work = async |job: &Job<'_>, folder: &mut OutputFolder, on_event: &mut dyn FnMut(Event) -> Flow| {
        execute(job, folder, on_event).await
    };
    prune_to_folder_by(&work, job, out, overwrite, on_event).await
}

/// [`prune_to_folder`] of a run that was finished at `made` already: its folder is moved, where that is possible.
///
/// # Errors
/// As [`prune_to_folder`].
pub async fn move_to_folder(
    made: &Path,
    job: &Job<'_>,
    out: &Path,
    overwrite: bool,
    on_event: &mut dyn FnMut(Event) -> Flow,
) -> Result<Pruned, SessionError> {
    let work = async |job: &Job<'_>, folder: &mut OutputFolder, on_event: &mut dyn FnMut(Event) -> Flow| {
        let Some(report) = folder.adopt(job, made)? else { return execute(job, folder, on_event).await };
        on_event(finished(&report));
        Ok(report)
    };
    // It may have been made in smaller batches, where the device had no room for these.
    let plan = OutputFolder::begun(made, job);
    let job = plan.as_ref().map_or(*job, |plan| Job { plan, ..*job });
    prune_to_folder_by(&work, &job, out, overwrite, on_event).await
}

/// The event that ends the run of a report.
fn finished(report: &Report) -> Event {
    let Report { parameters_before, parameters_after, calibration_tokens: tokens, .. } = *report;
    Event::Finished { parameters_before, parameters_after, tokens }
}

/// [`prune_to_folder`] with the `work` in between done by somebody else.
///
/// # Errors
/// As [`prune_to_folder`].
pub async fn prune_to_folder_by(
    work: &impl AsyncFn(&Job<'_>, &mut OutputFolder, &mut dyn FnMut(Event) -> Flow) -> Result<Report, PipelineError>,
    job: &Job<'_>,
    out: &Path,
    overwrite: bool,
    on_event: &mut dyn FnMut(Event) -> Flow,
) -> Result<Pruned, SessionError> {
    // Before a working folder is claimed, so that a run in another type can follow. What stands there
    // already is reported or refused without reading all weights.
    if overwrite || !out.exists() || disk::is_empty(out) {
        job.checkpoint.scan::<PipelineError>(job.plan.request.dtype)?;
    }
    let mut plan = OutputFolder::begun(out, job).unwrap_or_else(|| job.plan.clone());
    loop {
        let job = Job { plan: &plan, ..*job };
        let mut folder = match OutputFolder::open(out, &job, overwrite).map_err(PipelineError::from)? {
            Opened::Work(folder) => folder,
            Opened::Finished(report) => {
                // Whoever waits for the end of the run is told it here too.
                on_event(finished(&report));
                report::write_into(out)?;
                return Ok(Pruned { report: *report, was_finished: true });
            }
        };
        let error = match work(&job, &mut folder, on_event).await {
            Ok(report) => {
                report::write_into(out)?;
                return Ok(Pruned { report, was_finished: false });
            }
            Err(error) => error,
        };
        let smaller = plan.with_less_on_device().filter(|_| error.is_out_of_memory());
        plan = go_on(&job, &folder, smaller.ok_or(error)?, on_event)?;
    }
}

/// The same run with less on the device: from its finished layers where they have the same bits, else
/// from its first.
fn go_on(
    job: &Job<'_>,
    folder: &OutputFolder,
    plan: Plan,
    on_event: &mut dyn FnMut(Event) -> Flow,
) -> Result<Plan, PipelineError> {
    let from_the_first_layer = plan.batch_windows != job.plan.batch_windows;
    let (batch_windows, activations) = (plan.batch_windows, plan.memory.activations);
    if on_event(Event::OutOfMemory { batch_windows, activations, from_the_first_layer }) == Flow::Stop {
        return Err(PipelineError::Stopped { finished: folder.finished(), layers: plan.layers.len() });
    }
    // What could not be allocated may have left room that nobody uses.
    job.device.release_unused();
    if from_the_first_layer {
        folder.begin_anew(&Job { plan: &plan, ..*job })?;
    }
    Ok(plan)
}

impl Remedied for SessionError {
    fn remedy(&self) -> Option<Remedy> {
        match self {
            Self::Pruning(error) => error.remedy(),
            Self::Page(_) => None,
        }
    }
}
