//! What happens to one layer: three passes over the calibration tokens with two selections
//! between them, or one replay with weights that are already there.

use super::cut::{Kept, add_zero_biases, cut, difference, shifted};
use super::layer::{LiveLayer, NewProjection, download, upload};
use super::report::{LayerRecord, SiteRecord, profile};
use super::run::Run;
use super::steps::{Selected, kept};
use super::{Event, FinishedLayer, Pass, PipelineError};
use crate::checkpoint::{LayerWeights, Projection, round_layer, round_projection};
use crate::obs::{Executor, HeadLayout, Hessian, ObsError, Pruned, prune_channels, prune_heads};
use crate::shape::Site;

impl<E: Executor> Run<'_, E> {
    /// Prunes a layer and leaves the next layer's input in `hidden`.
    pub async fn prune_layer(&mut self, index: usize) -> Result<FinishedLayer, PipelineError> {
        let started = (self.job.clock)();
        self.layer_started(index, false)?;
        let (weights, layer) = self.load(index)?;

        let hessian = self.attention_pass(&layer).await?;
        let mut heads = self.select(index, Site::Heads, &weights.o, hessian).await?;
        let hessian = self.feedforward_pass(&layer, &mut heads).await?;
        let mut channels = self.select(index, Site::Channels, &weights.down, hessian).await?;
        self.output_pass(&layer, &mut channels).await?;

        let (weights, record) = self.cut(index, weights, heads, channels);
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
        let (weights, layer) = self.load(index)?;
        let device = self.job.device.tensor_device();
        let kept = kept(record);
        let contexts = kept.context_columns(self.config.head_dim);
        let o = NewProjection::new(&saved.o, &contexts, weights.o.weight.shape[1], None, device);
        let down = NewProjection::new(&saved.down, &kept.channels, weights.down.weight.shape[1], None, device);
        for batch in 0..self.batches.len() {
            let hidden = self.take_hidden(index, batch)?;
            let context = layer.context(hidden.clone(), self.positions(batch));
            let hidden = self.add(&layer, Site::Heads, &o, hidden, context);
            let inner = layer.inner(hidden.clone());
            let hidden = self.add(&layer, Site::Channels, &down, hidden, inner);
            self.keep_hidden(index, batch, hidden).await?;
            self.batch_done(index, Pass::Replay, batch)?;
        }
        Ok(())
    }

    /// A layer's weights as they will be saved if nothing goes, on the host and on the device.
    fn load(&self, index: usize) -> Result<(LayerWeights, LiveLayer), PipelineError> {
        let mut weights = self.job.checkpoint.layer(index)?;
        if self.job.plan.options.adds_bias() {
            add_zero_biases(&mut weights);
        }
        // The tokens must see what will be saved, and q, k, v, gate and up are saved rounded too.
        round_layer(&mut weights, self.dtype).map_err(|cause| PipelineError::Rounding { layer: index, cause })?;
        let shape = self.job.plan.layers[index].before;
        let device = self.job.device.tensor_device();
        let layer = LiveLayer::new(index, &weights, self.config, shape, device);
        Ok((weights, layer))
    }

    /// Keeps the contexts and sums the Hessian of o_proj.
    async fn attention_pass(&mut self, layer: &LiveLayer) -> Result<Option<Hessian<E>>, PipelineError> {
        let mut hessian = self.new_hessian(layer.index, Site::Heads);
        for batch in 0..self.batches.len() {
            let hidden = self.hidden.get(batch)?.ok_or(PipelineError::NotStored { layer: layer.index })?;
            let context = layer.context(hidden, self.positions(batch));
            self.accumulate(layer.index, Site::Heads, &mut hessian, &context).await?;
            self.context.put(layer.index, batch, context).await?;
            self.batch_done(layer.index, Pass::Attention, batch)?;
        }
        Ok(hessian)
    }

    /// Adds the new o_proj, measures it, and sums the Hessian of down_proj.
    async fn feedforward_pass(
        &mut self,
        layer: &LiveLayer,
        heads: &mut Selected,
    ) -> Result<Option<Hessian<E>>, PipelineError> {
        let mut hessian = self.new_hessian(layer.index, Site::Channels);
        for batch in 0..self.batches.len() {
            let context = self.context.take(batch)?.ok_or(PipelineError::NotStored { layer: layer.index })?;
            heads.measure(layer.index, &context).await?;
            let hidden = self.take_hidden(layer.index, batch)?;
            let hidden = self.add(layer, Site::Heads, &heads.projection, hidden, context);
            let inner = layer.inner(hidden.clone());
            self.keep_hidden(layer.index, batch, hidden).await?;
            self.accumulate(layer.index, Site::Channels, &mut hessian, &inner).await?;
            if self.job.plan.memory.keep_inner {
                self.inner.put(layer.index, batch, inner).await?;
            }
            self.batch_done(layer.index, Pass::Feedforward, batch)?;
        }
        self.measured(layer.index, Site::Heads, &heads.record)?;
        Ok(hessian)
    }

    /// Adds the new down_proj and measures it.
    async fn output_pass(&mut self, layer: &LiveLayer, channels: &mut Selected) -> Result<(), PipelineError> {
        for batch in 0..self.batches.len() {
            let hidden = self.take_hidden(layer.index, batch)?;
            let inner = self.inner.take(batch)?.unwrap_or_else(|| layer.inner(hidden.clone()));
            channels.measure(layer.index, &inner).await?;
            let hidden = self.add(layer, Site::Channels, &channels.projection, hidden, inner);
            self.keep_hidden(layer.index, batch, hidden).await?;
            self.batch_done(layer.index, Pass::Output, batch)?;
        }
        self.measured(layer.index, Site::Channels, &channels.record)
    }

    /// Decides what goes from a site and computes its new weights; tells the observer.
    async fn select(
        &mut self,
        index: usize,
        site: Site,
        old: &Projection,
        hessian: Option<Hessian<E>>,
    ) -> Result<Selected, PipelineError> {
        let Some(hessian) = hessian else { return self.untouched(index, site, old) };
        let device = self.job.device.tensor_device();
        let pruned = self
            .solve(index, site, &upload(&old.weight, device), &hessian)
            .await
            .map_err(|cause| PipelineError::Site { layer: index, site, cause })?;
        let weight = download(pruned.weight).await;
        let weight = weight.map_err(|reason| PipelineError::Readback { layer: index, reason })?;
        let mut new = Projection { weight, bias: shifted(old.bias.as_ref(), pruned.bias_change.as_deref()) };
        round_projection(site.projection(), &mut new, self.dtype)
            .map_err(|cause| PipelineError::Rounding { layer: index, cause })?;
        let difference = difference(&old.weight, &new.weight, &pruned.kept_columns);
        let projection = NewProjection::new(&new, &pruned.kept_columns, old.weight.shape[1], difference, device)
            .with_bias_of(&new, old, device);
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
            measured_loss: 0.0,
            signal: pruned.signal,
            dead_inputs: pruned.dead,
            removed: if site == Site::Heads { pruned.removed } else { Vec::new() },
            scores: if site == Site::Heads { pruned.scores } else { profile(&pruned.scores) },
        };
        Ok(Selected { units: pruned.kept_units, new, projection, record })
    }

    /// A site that loses nothing.
    fn untouched(&mut self, layer: usize, site: Site, old: &Projection) -> Result<Selected, PipelineError> {
        let selected = Selected::untouched(self.units(layer, site), old, self.job.device.tensor_device());
        let kept = selected.units.clone();
        self.tell(Event::Pruned { layer, site, kept, removed: Vec::new(), scores: Vec::new(), predicted_loss: 0.0 })?;
        Ok(selected)
    }

    /// The mathematics of a site.
    async fn solve(
        &self,
        index: usize,
        site: Site,
        weight: &burn::tensor::Tensor<2>,
        hessian: &Hessian<E>,
    ) -> Result<Pruned, ObsError> {
        let (plan, layer) = (self.job.plan, &self.job.plan.layers[index]);
        let options = plan.options.for_layer((2 * index + usize::from(site == Site::Channels)) as u64);
        match site {
            Site::Heads => {
                let (heads, kv_heads) = (layer.before.heads, layer.before.kv_heads);
                let layout = HeadLayout { heads, kv_heads, head_dim: self.config.head_dim };
                let remove = layer.head_units_removed;
                prune_heads(self.executor, weight, hessian, layout, plan.head_unit, remove, &options).await
            }
            Site::Channels => {
                let remove = layer.channels_removed();
                prune_channels(self.executor, weight, hessian, remove, plan.channel_steps, &options).await
            }
        }
    }

    /// The layer that is saved, and what is reported of it.
    fn cut(
        &self,
        index: usize,
        dense: LayerWeights,
        heads: Selected,
        channels: Selected,
    ) -> (LayerWeights, LayerRecord) {
        let plan = &self.job.plan.layers[index];
        let kept = Kept::new(plan.before, self.job.plan.head_unit, &heads.units, &channels.units);
        let weights = cut(&dense, &kept, self.config.head_dim, heads.new, channels.new);
        let record = LayerRecord {
            layer: index,
            ratio: plan.ratio,
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
