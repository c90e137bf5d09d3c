//! What a pruned model is worth when it is trained afterwards: every row on the same data by the same settings.

use std::path::Path;

use super::context::{Event, GridContext, OnEvent};
use super::row::Recovered;
use super::{CompareError, store};
use crate::checkpoint::Checkpoint;
use crate::eval::perplexity;
use crate::recover::{Data, Job, RecoverError, Settings, plan};
use crate::session::{RecoverySessionError, recover_to_folder};

/// How every row is trained.
pub struct Recovery<'a> {
    /// What it learns from, cut by the dense model's tokenizer, which is that of every row.
    pub data: &'a Data,
    /// What the data is called.
    pub sources: &'a [String],
    /// How it learns.
    pub settings: &'a Settings,
    /// Whether the dense model teaches.
    pub is_taught: bool,
}

impl Recovery<'_> {
    /// What decides a result besides the pruned model.
    pub(super) fn identity(&self) -> String {
        // Numbers and strings always have a JSON form.
        let settings = serde_json::to_string(self.settings).unwrap_or_default();
        format!(", recovered on {} by {settings}{}", self.data.sha256(), if self.is_taught { ", taught" } else { "" })
    }
}

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
    let record = recover_to_folder(&job, out, None, true, &mut observe).await.map_err(failed)?;
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
