//! The state that the layers of a run share, and what it tells the observer.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::ahead::Layers;
use super::batches::{batches, digest, embed};
use super::measure::measured;
use super::report::{LayerRecord, Report, Timing};
use super::{Event, Flow, Job, Pass, PipelineError, Storing};
use crate::activations::{Cache, Placement, SharedSpill};
use crate::checkpoint::Types;
use crate::device::Peak;
use crate::model::Positions;
use crate::ranks::Ranks;
use crate::shape::ModelConfig;

/// A run between two events.
pub(super) struct Run<'a, E> {
    pub job: &'a Job<'a>,
    pub executor: &'a E,
    pub config: &'a ModelConfig,
    /// What each tensor of the output is stored in.
    pub types: Types,
    /// The layers as they are, read one after the other.
    pub layers: Layers,
    /// The rank among those that share the windows.
    pub ranks: &'a dyn Ranks,
    /// Which windows go together.
    pub batches: Vec<Range<usize>>,
    /// The batches that are this rank's. Only they are computed and kept here, in slots of their numbers among all.
    pub own: Range<usize>,
    /// Whether the losses of each batch are measured. Decides how its outputs are computed, so a replay needs it too.
    pub is_measured: Vec<bool>,
    /// Hidden states `(windows, tokens, hidden)`.
    pub hidden: Cache,
    /// Hidden states of the dense model, where layers are drawn to them.
    pub dense: Option<Cache>,
    /// Inputs of o_proj `(windows, tokens, heads · head_dim)`, between the first two passes.
    pub context: Cache,
    /// Inputs of down_proj `(windows, tokens, channels)`, where there is room to keep them.
    pub inner: Cache,
    /// What a token's position means, by the length of a window.
    positions: BTreeMap<usize, Positions>,
    on_event: &'a mut dyn FnMut(Event) -> Flow,
    stored: usize,
    /// The layer that is finished and on its way to where it is kept.
    storing: Option<(Box<LayerRecord>, Storing)>,
    /// The most memory seen at an event.
    pub peak: Peak,
}

impl<'a, E> Run<'a, E> {
    /// A run with `stored` layers already there, and a place for activations that fit no memory.
    pub fn new(
        job: &'a Job<'a>,
        ranks: &'a dyn Ranks,
        executor: &'a E,
        on_event: &'a mut dyn FnMut(Event) -> Flow,
        stored: usize,
        spill: &SharedSpill,
    ) -> Result<Self, PipelineError> {
        check(job)?;
        let batches = batches(job.windows, job.plan.batch_windows);
        let place = match job.plan.memory.activations {
            // Without a GPU the tensors are in host memory already; copying them would gain nothing.
            Placement::Host if !job.device.is_gpu() => Placement::Device,
            place => place,
        };
        let config = job.checkpoint.config();
        let tables = |t| Positions::new(config, 0, t, job.device.tensor_device());
        // One table for each length serves all layers.
        let lengths: BTreeSet<usize> = job.windows.iter().map(Vec::len).collect();
        let cache = |name| Cache::new(name, batches.len(), place, spill, job.device.tensor_device());
        let waiting = |name| cache(name).keeping(job.plan.request.activations);
        // The inner ones are made of hidden states as these are kept: to be the same as if made anew they stay as they are.
        let (hidden, context, inner) = (waiting("hidden"), waiting("context"), cache("inner"));
        let sizes: Vec<(usize, usize)> =
            batches.iter().map(|batch| (batch.len(), batch.len() * job.windows[batch.start].len())).collect();
        let dense = job.plan.request.options.needs_draw().then(|| waiting("dense"));
        let own = ranks.share(batches.len());
        Ok(Self {
            job,
            executor,
            config,
            types: job.types(),
            layers: Layers::new(job),
            ranks,
            batches,
            own,
            is_measured: measured(&sizes, job.plan.request.measure),
            hidden,
            dense,
            context,
            inner,
            positions: lengths.into_iter().map(|t| (t, tables(t))).collect(),
            on_event,
            stored,
            storing: None,
            peak: Peak::unknown(),
        })
    }

    /// Fills the hidden states with the tokens' embeddings.
    pub async fn embed(&mut self) -> Result<(), PipelineError> {
        let outer = self.job.checkpoint.outer()?;
        for batch in self.own.clone() {
            // Batch by batch: all rows together would be one more copy of the hidden states.
            let rows = embed(self.job.windows, &self.batches[batch], &outer.embedding, &self.config.design)?;
            let rows = burn::tensor::Tensor::from_data(rows, self.job.device.tensor_device());
            if let Some(dense) = &mut self.dense {
                dense.put(batch, rows.clone()).await.map_err(PipelineError::at(0))?;
            }
            self.hidden.put(batch, rows).await.map_err(PipelineError::at(0))?;
        }
        Ok(())
    }

    /// Tells what will be done, and what is done already.
    pub fn announce(&mut self) -> Result<(), PipelineError> {
        self.tell(Event::Planned { plan: Box::new(self.job.plan.clone()) })?;
        match self.stored {
            0 => Ok(()),
            finished => self.tell(Event::Resumed { finished, layers: self.job.plan.layers.len() }),
        }
    }

    /// Tells that a layer begins.
    pub fn layer_started(&mut self, layer: usize, replayed: bool) -> Result<(), PipelineError> {
        let plan = &self.job.plan.layers[layer];
        let (layers, ratio, before, after) = (self.job.plan.layers.len(), plan.ratio, plan.before, plan.after);
        self.tell(Event::LayerStarted { layer, layers, replayed, ratio, before, after })
    }

    /// Tells that a batch went through a pass. Of several ranks the first tells of its own, and the others are as far.
    pub fn batch_done(&mut self, layer: usize, pass: Pass, batch: usize) -> Result<(), PipelineError> {
        let (done, total) = (batch + 1 - self.own.start, self.own.len());
        let tokens = self.tokens_before(batch + 1) - self.tokens_before(self.own.start);
        self.tell(Event::Batch { layer, pass, done, total, tokens })
    }

    /// Takes a finished layer that is on its way to where it is kept, and tells as soon as it is there.
    pub fn store(&mut self, record: Box<LayerRecord>, storing: Storing) -> Result<(), PipelineError> {
        self.storing = Some((record, storing));
        self.tell_if_stored()
    }

    /// Waits for the layer that is on its way, if one is, and tells that it is stored.
    pub fn wait_for_stored(&mut self) -> Result<(), PipelineError> {
        match self.settle_stored()? {
            // Told only now: who stops at that event loses nothing.
            Some(record) => self.tell(Event::LayerDone { record }),
            None => Ok(()),
        }
    }

    fn tell_if_stored(&mut self) -> Result<(), PipelineError> {
        let is_stored = self.storing.as_mut().is_some_and(|(_, storing)| storing.is_done());
        if is_stored { self.wait_for_stored() } else { Ok(()) }
    }

    /// Waits for the layer that is on its way, and counts it.
    fn settle_stored(&mut self) -> Result<Option<Box<LayerRecord>>, PipelineError> {
        let Some((record, storing)) = self.storing.take() else { return Ok(None) };
        storing.wait()?;
        self.stored += 1;
        Ok(Some(record))
    }

    /// Tells that the output is whole; there is nothing left to stop.
    pub fn finished(&mut self, report: &Report) {
        let (parameters_before, parameters_after) = (report.parameters_before, report.parameters_after);
        (self.on_event)(Event::Finished { parameters_before, parameters_after, tokens: report.calibration_tokens });
    }

    /// Tells the observer, and stops when it says so.
    pub fn tell(&mut self, event: Event) -> Result<(), PipelineError> {
        // Whoever works on for nothing is stopped here, at the end of a batch, and not only by the next message.
        self.ranks.check()?;
        // What came before is told before.
        self.tell_if_stored()?;
        // At every event, because nobody tells when the most is in use.
        self.peak = self.peak.or_more((self.job.memory)());
        match (self.on_event)(event) {
            Flow::Continue => Ok(()),
            Flow::Stop => {
                // Who stops keeps what is on its way.
                self.settle_stored()?;
                Err(PipelineError::Stopped { finished: self.stored, layers: self.job.plan.layers.len() })
            }
        }
    }

    /// Everything about the run.
    pub fn report(&self, run_id: Option<String>, layers: Vec<LayerRecord>, timing: Timing) -> Report {
        let job = self.job;
        // From the records and not the plan: what was done is counted. Layers that have left the model count nothing, but
        // hold the places by which types are known.
        let left = layers.iter().map(|l| l.after).collect();
        let pruned = ModelConfig { layers: left, ..job.plan.biased_config(self.config) };
        let parameters_after = pruned.parameters();
        Report {
            version: env!("CARGO_PKG_VERSION").into(),
            run_id,
            source: job.checkpoint.folder().map(|p| p.display().to_string()),
            #[cfg(not(target_arch = "wasm32"))]
            adapter: job.checkpoint.adapter().map(|p| p.display().to_string()),
            #[cfg(target_arch = "wasm32")]
            adapter: None,
            quantisation: job.checkpoint.quantisation(),
            device: job.device.name().into(),
            dtype: self.types.bulk(),
            parameters_before: self.config.parameters(),
            parameters_after,
            bytes_before: job.checkpoint.bytes(),
            bytes_after: self.types.bytes(&pruned),
            calibration_tokens: self.tokens(),
            calibration_sha256: digest(job.windows),
            plan: job.plan.clone(),
            layers,
            timing,
        }
    }

    /// What a token's position means in a batch.
    pub fn positions(&self, batch: usize) -> &Positions {
        &self.positions[&self.job.windows[self.batches[batch].start].len()]
    }

    /// Tokens of all windows.
    pub fn tokens(&self) -> usize {
        self.tokens_before(self.batches.len())
    }

    /// Tokens of the first `batches` batches.
    fn tokens_before(&self, batches: usize) -> usize {
        self.batches[..batches].iter().map(|r| r.len() * self.job.windows[r.start].len()).sum()
    }
}

/// Whether plan, windows and checkpoint belong together.
fn check(job: &Job<'_>) -> Result<(), PipelineError> {
    let (plan, config) = (job.plan, job.checkpoint.config());
    let (planned, layers) = (plan.layers.len(), config.layers.len());
    if planned != layers || plan.layers.iter().zip(&config.layers).any(|(p, l)| p.before != *l) {
        return Err(PipelineError::OtherModel { planned, layers });
    }
    let longest = job.windows.iter().map(Vec::len).max().unwrap_or(0);
    if job.windows.iter().any(Vec::is_empty) || longest == 0 {
        return Err(PipelineError::NoWindows);
    }
    // Fewer or shorter windows fit into the bytes that were planned.
    if job.windows.len() > plan.request.windows || longest > plan.request.window_tokens {
        return Err(PipelineError::Windows {
            planned: plan.request.windows,
            planned_tokens: plan.request.window_tokens,
            given: job.windows.len(),
            given_tokens: longest,
        });
    }
    Ok(())
}
