//! What happens to one layer: three passes over the calibration tokens with two selections
//! between them, or one replay with weights that are already there.

use super::cut::{KeptIndices, cut, difference, refitted, shifted};
use super::layer::{NewProjection, download};
use super::measure::Losses;
use super::ranked::Found;
use super::report::{LayerRecord, SiteRecord, profile};
use super::run::Run;
use super::steps::{Selected, kept};
use super::{Event, FinishedLayer, Pass, PipelineError};
use crate::checkpoint::{LayerWeights, round_layer};
use crate::device::readback::settled;
use crate::model::{Block, upload};
use crate::obs::{
    HeadLayout, HeadScores, Hessian, ObsError, Options, Pruned, Shared, prune_channels, prune_channels_by, prune_heads,
    prune_heads_by, whole_output,
};
use crate::shape::{Part, Projection, Site};

impl<E: Shared> Run<'_, E> {
    /// Prunes a layer and leaves the next layer's input in `hidden`.
    pub async fn prune_layer(&mut self, index: usize) -> Result<FinishedLayer, PipelineError> {
        let started = (self.job.clock)();
        self.layer_started(index, false)?;
        let (weights, block) = self.load(index)?;

        // Heads first: down_proj is fitted to what stands behind the new o_proj.
        let hessian = self.attention_pass(index, &block).await?;
        let mut heads = self.select(index, Site::Heads, &weights, hessian).await?;
        // The Hessian of the heads is gone by now: the plan has room for one.
        let hessian = self.feedforward_pass(index, &block, &mut heads).await?;
        let mut channels = self.select(index, Site::Channels, &weights, hessian).await?;
        self.output_pass(index, &block, &mut channels).await?;

        // Before another layer is finished: the plan has room for one that is on its way.
        self.wait_for_stored()?;
        let (weights, record) = self.cut(index, &weights, heads, channels);
        Ok(FinishedLayer { weights, record, seconds: (self.job.clock)() - started })
    }

    /// Leaves in `hidden` what [`Self::prune_layer`] left, from the saved weights.
    pub async fn replay(
        &mut self,
        index: usize,
        record: &LayerRecord,
        saved: &LayerWeights,
    ) -> Result<(), PipelineError> {
        self.layer_started(index, true)?;
        let (weights, block) = self.load(index)?;
        let kept = kept(record);
        let device = self.job.device.tensor_device();
        // Nothing is measured in a replay; the record has the losses.
        let of_saved = |projection: Projection, columns: &[usize]| {
            let old = weights.get(Part::Weight(projection)).filter(|_| !columns.is_empty());
            match old.map(|old| old.shape[1]) {
                Some(inputs) => NewProjection::new(saved, projection, columns, inputs, None, device),
                None => NewProjection::left_out(None, device),
            }
        };
        let o = of_saved(Projection::O, &kept.context_columns(self.config.head_dim));
        let down = of_saved(Projection::Down, &kept.channels);
        let narrow = self.narrowed(&block, &down);
        for batch in self.own.clone() {
            let hidden = self.take_hidden(index, batch)?;
            let hidden = match block.context(hidden.clone(), self.positions(batch)) {
                Some(context) => {
                    let context = self.as_kept(index, context).await?;
                    self.as_kept(index, self.add(&block, Site::Heads, &o, hidden, context)).await?
                }
                None => hidden,
            };
            // As the batch was computed at first.
            let hidden = match narrow.as_ref().filter(|_| !self.is_measured[batch]) {
                Some(narrow) => Self::add_narrow(narrow, &down, hidden),
                None => match block.inner(hidden.clone()) {
                    Some(inner) => self.add(&block, Site::Channels, &down, hidden, inner),
                    None => hidden,
                },
            };
            // Nothing else is read in a replay, and progress is told after it.
            settled(&hidden).await.map_err(|cause| PipelineError::Readback { layer: index, cause })?;
            self.keep_hidden(index, batch, hidden).await?;
            // The dense model's states go along: the first layer that is pruned anew is drawn to them.
            if self.dense.is_some() {
                self.advance_dense(index, Site::Heads, batch, &block).await?;
                self.advance_dense(index, Site::Channels, batch, &block).await?;
            }
            self.batch_done(index, Pass::Replay, batch)?;
        }
        Ok(())
    }

    /// A layer's weights as they will be saved if nothing goes, on the host and on the device.
    pub(super) fn load(&mut self, index: usize) -> Result<(LayerWeights, Block), PipelineError> {
        let weights = self.layers.take(index)?;
        let (shape, device) = (self.job.plan.layers[index].before, self.job.device.tensor_device());
        let halves = self.layers.halves(index, device);
        let block = Block::load_with(index, &halves, &weights, shape, self.config, device);
        Ok((weights, block))
    }

    /// Keeps the contexts and sums the Hessian of o_proj.
    async fn attention_pass(&mut self, index: usize, block: &Block) -> Result<Option<Hessian<E>>, PipelineError> {
        let mut hessian = self.new_hessian(index, Site::Heads);
        for batch in self.own.clone() {
            // Left in place: the new o_proj is added to the same hidden states.
            let hidden = self.hidden.get(batch)?.ok_or(PipelineError::NotStored { layer: index })?;
            if let Some(context) = block.context(hidden.clone(), self.positions(batch)) {
                let context = self.as_kept(index, context).await?;
                self.accumulate(index, Site::Heads, &mut hessian, &context).await?;
                if self.dense.is_some() {
                    // Behind the projection as it was: what is missing there was lost in layers before, not at this site.
                    let behind = block.add_attention(hidden, Some(context.clone()));
                    self.draw(index, Site::Heads, batch, block, &mut hessian, (&behind, &context)).await?;
                }
                // Kept, so that the next pass needs no attention.
                self.context.put(batch, context).await.map_err(PipelineError::at(index))?;
            }
            self.batch_done(index, Pass::Attention, batch)?;
        }
        self.gather(index, Site::Heads, &mut hessian).await?;
        Ok(hessian)
    }

    /// Adds the new o_proj, measures it, and sums the Hessian of down_proj.
    async fn feedforward_pass(
        &mut self,
        index: usize,
        block: &Block,
        heads: &mut Selected,
    ) -> Result<Option<Hessian<E>>, PipelineError> {
        let mut hessian = self.new_hessian(index, Site::Channels);
        for batch in self.own.clone() {
            let context = self.context.take(batch)?;
            if context.is_none() && block.attention.is_some() {
                return Err(PipelineError::NotStored { layer: index });
            }
            let hidden = self.take_hidden(index, batch)?;
            let hidden = self.measured_behind((index, Site::Heads, batch), block, heads, hidden, context).await?;
            let hidden = self.as_kept(index, hidden).await?;
            let inner = block.inner(hidden.clone());
            if let Some(inner) = &inner {
                self.accumulate(index, Site::Channels, &mut hessian, inner).await?;
                if self.dense.is_some() {
                    let behind = block.add_mlp(hidden.clone(), Some(inner.clone()));
                    self.draw(index, Site::Channels, batch, block, &mut hessian, (&behind, inner)).await?;
                }
            } else {
                // Nothing else may be read, and progress is told after it.
                settled(&hidden).await.map_err(|cause| PipelineError::Readback { layer: index, cause })?;
            }
            self.keep_hidden(index, batch, hidden).await?;
            // Of other batches only what is kept is wanted, which is not known yet.
            let is_kept = self.job.plan.memory.keep_inner && self.is_measured[batch];
            if let Some(inner) = inner.filter(|_| is_kept) {
                self.inner.put(batch, inner).await.map_err(PipelineError::at(index))?;
            }
            self.batch_done(index, Pass::Feedforward, batch)?;
        }
        self.measured(index, Site::Heads, heads)?;
        self.gather(index, Site::Channels, &mut hessian).await?;
        Ok(hessian)
    }

    /// Adds the new down_proj and measures it.
    async fn output_pass(&mut self, index: usize, block: &Block, channels: &mut Selected) -> Result<(), PipelineError> {
        let narrow = self.narrowed(block, &channels.projection);
        for batch in self.own.clone() {
            let hidden = self.take_hidden(index, batch)?;
            let hidden = match narrow.as_ref().filter(|_| !self.is_measured[batch]) {
                Some(narrow) => Self::add_narrow(narrow, &channels.projection, hidden),
                None => {
                    // Where there was no room they are computed again from the same bits.
                    let inner = self.inner.take(batch)?.or_else(|| block.inner(hidden.clone()));
                    self.measured_behind((index, Site::Channels, batch), block, channels, hidden, inner).await?
                }
            };
            if !self.is_measured[batch] {
                // Nothing of it was read, and progress is told after it.
                settled(&hidden).await.map_err(|cause| PipelineError::Readback { layer: index, cause })?;
            }
            self.keep_hidden(index, batch, hidden).await?;
            self.batch_done(index, Pass::Output, batch)?;
        }
        self.measured(index, Site::Channels, channels)
    }

    /// Decides what goes from a site and computes its new weights, once for all ranks.
    async fn select(
        &mut self,
        index: usize,
        site: Site,
        weights: &LayerWeights,
        hessian: Option<Hessian<E>>,
    ) -> Result<Selected, PipelineError> {
        // A site that keeps everything has no Hessian, and nothing to solve.
        let Some(hessian) = hessian else { return self.untouched(index, site, weights) };
        if !self.job.plan.layers[index].after.has(site) {
            return self.left_out(index, site, weights, hessian).await;
        }
        let (found, record) = match self.ranks.is_first() {
            true => self.solve(index, site, weights, hessian).await.map(|(found, record)| (Some(found), record))?,
            // Given back before the others wait: a rank that shares its device with the first makes room.
            false => {
                drop(hessian);
                self.job.device.release_unused();
                (None, SiteRecord::default())
            }
        };
        let Found { units, columns, new } = Found::everywhere(found, self.ranks)?;
        let (device, projection) = (self.job.device.tensor_device(), site.projection());
        let old = weights.weight(projection);
        let difference = difference(old, new.weight(projection), &columns);
        let projection = NewProjection::new(&new, projection, &columns, old.shape[1], difference, device).with_biases(
            new.bias(projection),
            weights.bias(projection),
            device,
        );
        Ok(Selected { units, new, projection, record, losses: Losses::default() })
    }

    /// Decides what goes from a site and computes its new weights; tells the observer.
    async fn solve(
        &mut self,
        index: usize,
        site: Site,
        weights: &LayerWeights,
        hessian: Hessian<E>,
    ) -> Result<(Found, SiteRecord), PipelineError> {
        // What the batches left for reuse has other sizes than what is solved in.
        self.job.device.release_unused();
        let (device, projection) = (self.job.device.tensor_device(), site.projection());
        let pruned = self
            .prune_site(index, site, &upload(weights.weight(projection), device), &hessian)
            .await
            .map_err(|cause| PipelineError::Site { layer: index, site, cause })?;
        let weight = download(pruned.weight).await;
        drop(hessian);
        self.job.device.release_unused();
        let weight = weight.map_err(|cause| PipelineError::Readback { layer: index, cause })?;
        let bias = shifted(weights.bias(projection), pruned.bias_change.as_deref());
        let mut new = refitted(projection, weight, bias);
        // Before it is measured or handed on: the tokens see what is saved.
        round_layer(index, &mut new, &self.types).map_err(|cause| PipelineError::Rounding { layer: index, cause })?;
        self.tell(Event::Pruned {
            layer: index,
            site,
            kept: pruned.kept_units.clone(),
            removed: pruned.removed.clone(),
            scores: pruned.scores.clone(),
            predicted_loss: pruned.predicted_loss,
        })?;
        let record = SiteRecord {
            predicted_loss: pruned.predicted_loss,
            // Known after the next pass, when the tokens see the new weights.
            measured_loss: 0.0,
            measured_error: 0.0,
            signal: pruned.signal,
            dead_inputs: pruned.dead,
            // Channels are too many for a record; the event has told them all.
            removed: if site == Site::Heads { pruned.removed } else { Vec::new() },
            scores: if site == Site::Heads { pruned.scores } else { profile(&pruned.scores) },
        };
        Ok((Found { units: pruned.kept_units, columns: pruned.kept_columns, new }, record))
    }

    /// A site that loses nothing.
    fn untouched(&mut self, layer: usize, site: Site, weights: &LayerWeights) -> Result<Selected, PipelineError> {
        let device = self.job.device.tensor_device();
        let selected = Selected::untouched(self.units(layer, site), weights, site.projection(), device);
        let kept = selected.units.clone();
        self.tell(Event::Pruned { layer, site, kept, removed: Vec::new(), scores: Vec::new(), predicted_loss: 0.0 })?;
        Ok(selected)
    }

    /// A site that goes as a whole: its loss is all that it computed, which the first rank knows by the sum of all.
    async fn left_out(
        &mut self,
        layer: usize,
        site: Site,
        weights: &LayerWeights,
        hessian: Hessian<E>,
    ) -> Result<Selected, PipelineError> {
        let (device, old) = (self.job.device.tensor_device(), weights.weight(site.projection()));
        let mut record = SiteRecord::default();
        if self.ranks.is_first() {
            let whole = whole_output(self.executor, &upload(old, device), &hessian).await;
            let (signal, dead_inputs) = whole.map_err(|cause| PipelineError::Site { layer, site, cause })?;
            let (kept, removed, scores) = (Vec::new(), Vec::new(), Vec::new());
            self.tell(Event::Pruned { layer, site, kept, removed, scores, predicted_loss: signal })?;
            record = SiteRecord { predicted_loss: signal, signal, dead_inputs, ..record };
        }
        drop(hessian);
        let projection = NewProjection::left_out(Some(old), device);
        let (new, losses) = (std::iter::empty().collect(), Losses::default());
        Ok(Selected { units: Vec::new(), new, projection, record, losses })
    }

    /// The mathematics of a site.
    async fn prune_site(
        &self,
        index: usize,
        site: Site,
        weight: &burn::tensor::Tensor<2>,
        hessian: &Hessian<E>,
    ) -> Result<Pruned, ObsError> {
        let (plan, layer) = (self.job.plan, &self.job.plan.layers[index]);
        // A number for each site, so that random draws differ between heads and channels too.
        let options = plan.request.options.for_layer((2 * index + usize::from(site == Site::Channels)) as u64);
        if options.brought().is_some() {
            return self.prune_by_scores(index, site, weight, hessian, &options).await;
        }
        match site {
            Site::Heads => {
                let (heads, kv_heads) = (layer.before.heads, layer.before.kv_heads);
                let layout = HeadLayout { heads, kv_heads, head_dim: self.config.head_dim };
                prune_heads(self.executor, weight, hessian, layout, layer.head_cut(), &options).await
            }
            Site::Channels => {
                let remove = layer.channels_removed();
                prune_channels(self.executor, weight, hessian, remove, plan.request.channel_steps, &options).await
            }
        }
    }

    /// A site by the scores that the job has.
    async fn prune_by_scores(
        &self,
        index: usize,
        site: Site,
        weight: &burn::tensor::Tensor<2>,
        hessian: &Hessian<E>,
        options: &Options,
    ) -> Result<Pruned, ObsError> {
        let layer = &self.job.plan.layers[index];
        let scores = self.job.scores.and_then(|all| all.get(index)).ok_or(ObsError::NoScores)?;
        match site {
            Site::Heads => {
                let (heads, kv_heads) = (layer.before.heads, layer.before.kv_heads);
                let layout = HeadLayout { heads, kv_heads, head_dim: self.config.head_dim };
                let scores = HeadScores { groups: scores.groups.clone(), heads: scores.heads.clone() };
                let what = (layout, layer.head_cut());
                prune_heads_by(self.executor, weight, hessian, what, &scores, options).await
            }
            Site::Channels => {
                let remove = layer.channels_removed();
                prune_channels_by(self.executor, weight, hessian, remove, &scores.channels, options).await
            }
        }
    }

    /// The layer that is saved, and what is reported of it.
    fn cut(
        &self,
        index: usize,
        dense: &LayerWeights,
        heads: Selected,
        channels: Selected,
    ) -> (LayerWeights, LayerRecord) {
        let plan = &self.job.plan.layers[index];
        let kept = KeptIndices::new(plan.before, plan.unit, &heads.units, &channels.units);
        let new = heads.new.into_iter().chain(channels.new);
        let weights = cut(dense, &kept, (self.config.head_dim, self.config.design.norms), new);
        let record = LayerRecord {
            layer: index,
            ratio: plan.ratio,
            unit: plan.unit,
            before: plan.before,
            after: plan.after,
            kept_heads: kept.heads,
            kept_kv_heads: kept.kv_heads,
            kept_channels: kept.channels,
            heads: heads.record,
            channels: channels.record,
        };
        (weights, record)
    }
}
