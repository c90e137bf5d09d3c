//! A session: open → plan → calibrate → prune → page, once for the command line, a comparison, the
//! window and the tests.
//!
//! The steps are functions, because each caller has something of its own between them: a table, a
//! question, a loop over a grid. What they share stands here, and what an executor is stands in one
//! `match`.

use crate::device::caught_async;
use crate::obs::CpuExecutor;
use crate::pipeline::{Event, Flow, Job, LayerSink, PipelineError, Report, UnitScores, prune};

#[cfg(not(target_arch = "wasm32"))]
mod folder;
#[cfg(feature = "gradients")]
mod recovery;
mod remedy;

#[cfg(not(target_arch = "wasm32"))]
pub use folder::{Pruned, SessionError, documents, open, prune_to_folder, prune_to_folder_by, windows};
#[cfg(feature = "gradients")]
pub use recovery::{RecoverySessionError, examples, recover_to_folder};
pub use remedy::remedy_of;

/// Carries a job out on the executor that goes with its device.
///
/// # Errors
/// Those of [`prune`].
pub async fn execute(
    job: &Job<'_>,
    sink: &mut impl LayerSink,
    on_event: &mut dyn FnMut(Event) -> Flow,
) -> Result<Report, PipelineError> {
    let scores = scores(job).await?;
    let job = &Job { scores: scores.as_deref().or(job.scores), ..*job };
    let work = async {
        match job.device.is_gpu() {
            #[cfg(feature = "gpu")]
            true => prune(job, &crate::obs::WgpuExecutor::new(job.device.tensor_device()), sink, on_event).await,
            _ => prune(job, &CpuExecutor::<f32>::new(), sink, on_event).await,
        }
    };
    caught_async(work).await?
}

/// Windows that gradients are taken over, and tokens of each: as LLM-Pruner's published code takes them.
#[cfg(feature = "gradients")]
const GRADIENT_WINDOWS: (usize, usize) = (10, 64);

/// What gradients say of the job's model, where its selection needs them and nobody has brought them.
#[cfg(feature = "gradients")]
async fn scores(job: &Job<'_>) -> Result<Option<Vec<UnitScores>>, PipelineError> {
    use crate::gradient::{Importance, Taylor, importance};
    let Some(vector) = job.plan.request.options.taylor().filter(|_| job.scores.is_none()) else { return Ok(None) };
    let (count, length) = GRADIENT_WINDOWS;
    let cut = |window: &Vec<u32>| window[..window.len().min(length)].to_vec();
    let windows: Vec<Vec<u32>> = job.windows.iter().take(count).map(cut).collect();
    let taylor = if vector { Taylor::Vector } else { Taylor::Element };
    let found = importance(job.checkpoint, &windows, taylor, job.device, &mut |_, _| {}).await;
    let of = |layer: Importance| UnitScores { groups: layer.of_groups(), heads: layer.heads, channels: layer.channels };
    let found = found.map_err(|error| PipelineError::Gradients(error.to_string()))?;
    Ok(Some(found.into_iter().map(of).collect()))
}

/// Without gradients there are no scores of them.
#[cfg(not(feature = "gradients"))]
async fn scores(_: &Job<'_>) -> Result<Option<Vec<UnitScores>>, PipelineError> {
    Ok(None)
}
