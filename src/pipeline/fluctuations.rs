//! The pass of the model as it is that comes before the first layer is pruned, where sizes or selection follow from how
//! much the inputs of all units vary.

use super::run::Run;
use super::{Event, Flow, Job, LayerSink, PipelineError, Plan, UnitScores};
use crate::allocate::Schedule;
use crate::device::Peak;
use crate::model::{flat, upload};
use crate::obs::{Brought, Fluctuation, HeadLayout, Shared};
use crate::ranks::Ranks;
use crate::shape::Site;

/// What such a pass leaves.
pub(super) struct Surveyed {
    /// The plan with the sizes that follow.
    pub plan: Plan,
    /// Scores of all layers.
    pub scores: Vec<UnitScores>,
    /// The most memory seen meanwhile.
    pub peak: Peak,
}

/// Scores of all units and the sizes that follow from them; `None` where nothing does. Scores are those that the caller
/// brought, that the sink has kept, or are computed and kept.
pub(super) async fn surveyed<E: Shared, S: LayerSink>(
    job: &Job<'_>,
    ranks: &dyn Ranks,
    executor: &E,
    sink: &mut S,
    on_event: &mut dyn FnMut(Event) -> Flow,
) -> Result<Option<Surveyed>, PipelineError> {
    let asked = &job.plan.request;
    let by_fluctuation = asked.options.brought() == Some(Brought::Fluctuation);
    if !by_fluctuation && asked.allocation.schedule != Schedule::Scores {
        return Ok(None);
    }
    let mut peak = Peak::unknown();
    let scores = match (job.scores, sink.choice()?) {
        (Some(scores), _) => scores.to_vec(),
        (None, Some(kept)) => UnitScores::decoded(kept, job.plan.layers.len())?.0,
        (None, None) => {
            let mut run = Run::new(job, ranks, executor, on_event, sink.finished(), &sink.spill())?;
            let scores = run.fluctuations().await?;
            peak = run.peak;
            sink.keep_choice(&UnitScores::encoded(&scores, &[])?)?;
            scores
        }
    };
    let plan = job.plan.settled(&scores, job.checkpoint.config())?;
    sink.settle(&plan.layers);
    Ok(Some(Surveyed { plan, scores, peak }))
}

impl<E: Shared> Run<'_, E> {
    /// Sends all windows through the model as it is, and scores the units of every layer: the first rank for all.
    async fn fluctuations(&mut self) -> Result<Vec<UnitScores>, PipelineError> {
        self.embed().await?;
        let layers = self.config.layers.len();
        let mut scores = Vec::with_capacity(layers);
        for layer in 0..layers {
            scores.push(self.fluctuations_of(layer).await?);
        }
        match self.ranks.count() {
            1 => Ok(scores),
            // Those of the others are of their own tokens.
            _ => Ok(UnitScores::decoded(self.ranks.broadcast(UnitScores::encoded(&scores, &[])?)?, layers)?.0),
        }
    }

    async fn fluctuations_of(&mut self, layer: usize) -> Result<UnitScores, PipelineError> {
        let (weights, block) = self.load(layer)?;
        let (shape, head_dim) = (self.config.layers[layer], self.config.head_dim);
        let at = move |site| move |cause| PipelineError::Site { layer, site, cause };
        let (mut contexts, mut inners) = (Fluctuation::new(shape.heads * head_dim), Fluctuation::new(shape.channels));
        let (batches, layers) = (self.own.len(), self.config.layers.len());
        for batch in self.own.clone() {
            let hidden = self.take_hidden(layer, batch)?;
            let context = block.context(hidden.clone(), self.positions(batch));
            if let Some(context) = &context {
                contexts.accumulate(&flat(context.clone())).await.map_err(at(Site::Heads))?;
            }
            let hidden = block.add_attention(hidden, context);
            let inner = block.inner(hidden.clone());
            if let Some(inner) = &inner {
                inners.accumulate(&flat(inner.clone())).await.map_err(at(Site::Channels))?;
            }
            let hidden = block.add_mlp(hidden, inner);
            self.keep_hidden(layer, batch, hidden).await?;
            let done = layer * batches + batch + 1 - self.own.start;
            self.tell(Event::Choosing { done, total: layers * batches })?;
        }
        contexts.gather(self.ranks)?;
        inners.gather(self.ranks)?;
        if !self.ranks.is_first() {
            return Ok(UnitScores::default());
        }
        let device = self.job.device.tensor_device();
        let weight = |site: Site| upload::<2>(weights.weight(site.projection()), device);
        let layout = HeadLayout { heads: shape.heads, kv_heads: shape.kv_heads, head_dim };
        // A half that the layer lacks has no units.
        let mut found = UnitScores::default();
        if shape.has(Site::Heads) {
            let of_heads = contexts.of_heads(&weight(Site::Heads), layout).await;
            [found.heads, found.groups] = of_heads.map_err(at(Site::Heads))?;
        }
        if shape.has(Site::Channels) {
            found.channels = inners.of_channels(&weight(Site::Channels)).await.map_err(at(Site::Channels))?;
        }
        // What a run that goes on reads of them must choose alike.
        Ok(found.rounded())
    }
}
