//! What a pruned model is worth when it is trained afterwards: every row on the same data by the same settings.

use std::path::Path;

use super::context::{Event, GridContext, OnEvent, Recovery};
use super::row::Recovered;
use super::{CompareError, store};
use crate::checkpoint::Checkpoint;
use crate::eval::perplexity;
use crate::recover::{Job, RecoverError, plan};
use crate::session::{RecoverySessionError, recover_to_folder};

/// Trains the model in `folder` and measures it; what is trained lies in the folder `out` only meanwhile, unless
/// weights are kept.
pub(super) async fn recovered(
    setting: &GridContext<'_>,
    recovery: &Recovery<'_>,
    name: &str,
    folder: &Path,
    out: &Path,
    on_event: OnEvent<'_>,
) -> Result<Recovered, CompareError> {
    let failed = |cause: RecoverySessionError| CompareError::Recovering { cell: name.into(), cause: Box::new(cause) };
    let unread = |cause: RecoverError| failed(RecoverySessionError::Recovery(cause));
    let checkpoint = Checkpoint::open(folder).map_err(|cause| unread(cause.into()))?;
    let teacher = recovery.is_taught.then_some(setting.checkpoint);
    let taught_by = teacher.map(Checkpoint::config);
    let plan = plan(recovery.settings, checkpoint.config(), taught_by, &setting.limits).map_err(unread)?;
    let job = Job {
        checkpoint: &checkpoint,
        teacher,
        data: recovery.data,
        sources: recovery.sources,
        settings: recovery.settings,
        plan: &plan,
        device: setting.device,
        clock: setting.clock,
        memory: setting.memory,
        typed: setting.typed,
    };
    let mut observe = |event| on_event(Event::Recovering(&event));
    // What stands there may be replaced: the store has asked whose it is.
    let record = recover_to_folder(&job, out, None, true, &mut observe).await.map_err(failed)?;
    // Read back from the disk, so that the figure is that of what was written.
    let trained = Checkpoint::open(out).map_err(|cause| unread(cause.into()))?;
    let mut progress = |done, total| {
        on_event(Event::Measuring { done, total });
    };
    let found = perplexity(&trained, &setting.evaluation.windows, setting.device, &mut progress).await;
    let found = found.map_err(|cause| CompareError::Measuring { cell: name.into(), cause: Box::new(cause) })?;
    if !setting.keep_weights {
        store::remove_weights(out)?;
    }
    let held_out = record.held_out_change().map(|[_, after]| after);
    let (kept, seconds) = (record.kept, record.timing.session_seconds);
    Ok(Recovered { perplexity: found.perplexity, held_out, kept, seconds })
}
