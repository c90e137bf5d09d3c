//! A pruning whose layers are asked for one by one, and that may begin behind layers that were pruned before, from hidden
//! states that were kept there: sizes that are tried one after the other have their first layers in common.

use super::run::Run;
use super::{Event, FinishedLayer, Flow, Job, PipelineError};
use crate::activations::{Cache, Placement};
use crate::obs::Executor;

/// Hidden states of all calibration windows between two layers.
pub struct Between {
    hidden: Cache,
    /// Those of the dense model, where layers are drawn to them.
    dense: Option<Cache>,
}

/// A pruning between two layers. It stores nothing.
pub struct Walk<'a, E> {
    run: Run<'a, E>,
}

impl<'a, E: Executor> Walk<'a, E> {
    /// Begins before the first layer, or where `behind` was kept by a run of the same windows in the same batches.
    ///
    /// # Errors
    /// When plan, windows and checkpoint do not belong together, or the device or the disk refuses.
    pub async fn begin(
        job: &'a Job<'a>,
        executor: &'a E,
        on_event: &'a mut dyn FnMut(Event) -> Flow,
        behind: Option<&Between>,
    ) -> Result<Self, PipelineError> {
        let mut run = Run::new(job, executor, on_event, 0, &None)?;
        match behind {
            None => run.embed().await?,
            Some(states) => {
                run.hidden.copy_from(&states.hidden).await?;
                if let (Some(cache), Some(dense)) = (&mut run.dense, &states.dense) {
                    cache.copy_from(dense).await?;
                }
            }
        }
        Ok(Self { run })
    }

    /// Prunes the layer whose turn it is.
    ///
    /// # Errors
    /// [`PipelineError::Stopped`] when the observer says so; otherwise when something cannot be read or computed.
    pub async fn prune(&mut self, layer: usize) -> Result<FinishedLayer, PipelineError> {
        self.run.prune_layer(layer).await
    }

    /// The hidden states between the layers that were pruned and the next, kept in `place`.
    ///
    /// # Errors
    /// When they cannot be read back.
    pub async fn between(&self, place: Placement) -> Result<Between, PipelineError> {
        let (slots, device) = (self.run.batches.len(), self.run.job.device.tensor_device());
        let mut hidden = Cache::new("between", slots, place, &None, device);
        hidden.copy_from(&self.run.hidden).await?;
        let mut dense = None;
        if let Some(cache) = &self.run.dense {
            let mut copy = Cache::new("between-dense", slots, place, &None, device);
            copy.copy_from(cache).await?;
            dense = Some(copy);
        }
        Ok(Between { hidden, dense })
    }
}
