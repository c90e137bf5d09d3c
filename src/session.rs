//! A session: open → plan → calibrate → prune → page, once for the command line, a comparison, the
//! window and the tests.
//!
//! The steps are functions, because each caller has something of its own between them: a table, a
//! question, a loop over a grid. What they share stands here, and what an executor is stands in one
//! `match`.

use crate::device::caught_async;
use crate::pipeline::{Event, Flow, Job, LayerSink, PipelineError, Report, prune};

/// Work with the executor of a device. A macro, because the executors are of two types, and a closure takes one.
macro_rules! with_executor {
    ($device:expr, $executor:ident => $work:expr) => {
        match $device.is_gpu() {
            #[cfg(feature = "gpu")]
            true => {
                let $executor = crate::obs::WgpuExecutor::new($device.tensor_device());
                $work
            }
            _ => {
                let $executor = crate::obs::CpuExecutor::<f32>::new();
                $work
            }
        }
    };
}

#[cfg(feature = "gradients")]
mod chosen;
#[cfg(not(target_arch = "wasm32"))]
mod climbing;
#[cfg(not(target_arch = "wasm32"))]
mod folder;
#[cfg(not(target_arch = "wasm32"))]
mod found;
#[cfg(not(target_arch = "wasm32"))]
mod processes;
#[cfg(not(target_arch = "wasm32"))]
mod ranks;
#[cfg(feature = "gradients")]
mod recovery;
mod remedy;
#[cfg(not(target_arch = "wasm32"))]
mod search_job;
#[cfg(not(target_arch = "wasm32"))]
mod search_state;
#[cfg(not(target_arch = "wasm32"))]
mod searching;
#[cfg(not(target_arch = "wasm32"))]
mod serve;

#[cfg(feature = "gradients")]
use chosen::chosen;
#[cfg(all(feature = "gradients", not(target_arch = "wasm32")))]
use chosen::chosen_elsewhere;
#[cfg(not(target_arch = "wasm32"))]
pub use climbing::{ClimbJob, climb_for};
#[cfg(not(target_arch = "wasm32"))]
pub use folder::{Pruned, SessionError, documents, move_to_folder, open, prune_to_folder, prune_to_folder_by, windows};
#[cfg(not(target_arch = "wasm32"))]
pub use found::{FindError, Found, fetched, found};
#[cfg(feature = "gradients")]
pub use recovery::{RecoverySessionError, examples, recover_to_folder};
pub use remedy::remedy_of;
#[cfg(not(target_arch = "wasm32"))]
pub use search_job::{SearchJob, finished_search, probe_count, probe_size, search_for};
#[cfg(not(target_arch = "wasm32"))]
pub use searching::{searched, searched_model};
#[cfg(not(target_arch = "wasm32"))]
pub use serve::work_for_first;

/// Carries a job out on the executor that goes with its device, or, where several devices share the work, on all of
/// them.
///
/// # Errors
/// Those of [`prune`].
pub async fn execute(
    job: &Job<'_>,
    sink: &mut impl LayerSink,
    on_event: &mut dyn FnMut(Event) -> Flow,
) -> Result<Report, PipelineError> {
    // Boxed: what trains is a large future, which every pruning would carry on its stack.
    let chosen = caught_async(Box::pin(chosen(job, sink, on_event))).await??;
    let job = &match &chosen {
        Some((checkpoint, scores)) => Job { checkpoint, scores: Some(scores), ..*job },
        None => *job,
    };
    #[cfg(not(target_arch = "wasm32"))]
    if job.device.is_shared() {
        return ranks::execute_on_all(job, sink, on_event);
    }
    let work = async { with_executor!(job.device, executor => prune(job, &executor, sink, on_event).await) };
    caught_async(work).await?
}

/// Without gradients nothing is chosen by them; a selection that needs them is refused where it looks for scores.
#[cfg(not(feature = "gradients"))]
async fn chosen(
    _: &Job<'_>,
    _: &mut impl LayerSink,
    _: &mut dyn FnMut(Event) -> Flow,
) -> Result<Option<(crate::checkpoint::Checkpoint, Vec<crate::pipeline::UnitScores>)>, PipelineError> {
    Ok(None)
}

/// Nor was anything chosen in another process.
#[cfg(all(not(feature = "gradients"), not(target_arch = "wasm32")))]
fn chosen_elsewhere(
    _: Vec<u8>,
    _: &crate::checkpoint::Checkpoint,
) -> Result<(crate::checkpoint::Checkpoint, Vec<crate::pipeline::UnitScores>), PipelineError> {
    Err(crate::ranks::RanksError::OutOfStep("of a program without gradients").into())
}
