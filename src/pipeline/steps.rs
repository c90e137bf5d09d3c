//! The small steps that the passes over a layer are made of.

use burn::tensor::{Device, Tensor};

use super::cut::KeptIndices;
use super::layer::NewProjection;
use super::measure::Losses;
use super::report::SiteRecord;
use super::run::Run;
use super::{Event, LayerRecord, PipelineError, Propagate};
use crate::checkpoint::LayerWeights;
use crate::device::readback::settled;
use crate::model::{Block, flat};
use crate::obs::{HeadUnit, Hessian, Shared};
use crate::shape::{Part, Projection, Site};

/// A site after its selection.
pub(super) struct Selected {
    /// Units that stay, by their index before pruning.
    pub units: Vec<usize>,
    /// Ŵ `(out, kept)` and its bias as they will be saved; no part where they are what they were.
    pub new: LayerWeights,
    /// Ŵ on the device.
    pub projection: NewProjection,
    /// What it costs; the measured loss is there once all batches went by.
    pub record: SiteRecord,
    /// What the batches that went by cost.
    pub losses: Losses,
}

impl Selected {
    /// A site whose projection loses nothing, or that is not there.
    pub fn untouched(units: usize, weights: &LayerWeights, projection: Projection, device: &Device) -> Self {
        let projection = match weights.get(Part::Weight(projection)).map(|weight| weight.shape[1]) {
            Some(inputs) => {
                NewProjection::new(weights, projection, &(0..inputs).collect::<Vec<_>>(), inputs, None, device)
            }
            None => NewProjection::left_out(None, device),
        };
        let new = std::iter::empty().collect();
        let (record, losses) = (SiteRecord::default(), Losses::default());
        Self { units: (0..units).collect(), new, projection, record, losses }
    }

    /// Adds a batch's share to the measured loss.
    pub async fn measure(&mut self, layer: usize, input: &Tensor<3>) -> Result<(), PipelineError> {
        let [_, tokens, _] = input.dims();
        let losses = self.projection.losses(input.clone()).await;
        self.losses.add(tokens, &losses.map_err(|cause| PipelineError::Readback { layer, cause })?);
        // At the batch where it appears, before NaN reaches every later layer.
        let value = self.losses.sum();
        if value.is_finite() { Ok(()) } else { Err(PipelineError::NotFinite { layer, value }) }
    }
}

impl<E: Shared> Run<'_, E> {
    /// A sum for a site that loses something; a site that keeps all needs none.
    pub fn new_hessian(&self, layer: usize, site: Site) -> Option<Hessian<E>> {
        let plan = &self.job.plan.layers[layer];
        let (removed, features) = match site {
            Site::Heads => (plan.head_units_removed(), plan.before.heads * self.config.head_dim),
            Site::Channels => (plan.channels_removed(), plan.before.channels),
        };
        // Sums of the inputs cost a read-back for every batch; few methods use them.
        let new = if self.job.plan.request.options.needs_means() { Hessian::with_means } else { Hessian::new };
        (removed > 0).then(|| new(self.executor, features))
    }

    /// Adds a batch to the sum, if there is one, and waits for it.
    pub async fn accumulate(
        &self,
        layer: usize,
        site: Site,
        hessian: &mut Option<Hessian<E>>,
        input: &Tensor<3>,
    ) -> Result<(), PipelineError> {
        if let Some(hessian) = hessian {
            let added = hessian.accumulate(self.executor, &flat(input.clone())).await;
            added.map_err(|cause| PipelineError::Site { layer, site, cause })?;
        }
        // Without a Hessian too, since progress is told after it.
        settled(input).await.map_err(|cause| PipelineError::Readback { layer, cause })
    }

    /// Sends the dense model's batch through a site as it was, and tells the sum how far behind that the pruned model's
    /// residual stream is: `behind`, with the site's `input`.
    pub async fn draw(
        &mut self,
        layer: usize,
        site: Site,
        batch: usize,
        block: &Block,
        hessian: &mut Option<Hessian<E>>,
        (behind, input): (&Tensor<3>, &Tensor<3>),
    ) -> Result<(), PipelineError> {
        if self.dense.is_none() {
            return Ok(());
        }
        let dense = self.advance_dense(layer, site, batch, block).await?;
        if let Some(hessian) = hessian {
            hessian.draw(&flat(dense - behind.clone()), &flat(input.clone()));
        }
        Ok(())
    }

    /// The dense model's residual stream behind a site, which is kept for the next.
    pub async fn advance_dense(
        &mut self,
        layer: usize,
        site: Site,
        batch: usize,
        block: &Block,
    ) -> Result<Tensor<3>, PipelineError> {
        let positions = self.positions(batch).clone();
        let Some(cache) = &mut self.dense else { return Err(PipelineError::NotStored { layer }) };
        let hidden = cache.take(batch)?.ok_or(PipelineError::NotStored { layer })?;
        let dense = match site {
            Site::Heads => {
                let context = block.context(hidden.clone(), &positions);
                block.add_attention(hidden, context)
            }
            Site::Channels => {
                let inner = block.inner(hidden.clone());
                block.add_mlp(hidden, inner)
            }
        };
        cache.put(batch, dense.clone()).await.map_err(PipelineError::at(layer))?;
        Ok(dense)
    }

    /// The residual stream behind a site: of the pruned layer, or of the layer as it was.
    pub fn add(
        &self,
        block: &Block,
        site: Site,
        new: &NewProjection,
        hidden: Tensor<3>,
        input: Tensor<3>,
    ) -> Tensor<3> {
        match self.job.plan.request.propagate {
            Propagate::Pruned => match new.output(input) {
                Some(output) => hidden + block.added(site, output),
                None => hidden,
            },
            // For the ablation the new projection is measured but not handed on.
            Propagate::Dense => match site {
                Site::Heads => block.add_attention(hidden, Some(input)),
                Site::Channels => block.add_mlp(hidden, Some(input)),
            },
        }
    }

    /// Measures a site with a batch of its inputs, if it is one that is measured, and returns the residual stream behind
    /// it. Where the layer lacks the half there are no inputs, and the stream goes by.
    pub async fn measured_behind(
        &mut self,
        (layer, site, batch): (usize, Site, usize),
        block: &Block,
        selected: &mut Selected,
        hidden: Tensor<3>,
        input: Option<Tensor<3>>,
    ) -> Result<Tensor<3>, PipelineError> {
        let Some(input) = input else { return Ok(hidden) };
        if self.is_measured[batch] {
            selected.measure(layer, &input).await?;
        }
        Ok(self.add(block, site, &selected.projection, hidden, input))
    }

    /// Hidden states or contexts as they come back where they are kept. What is computed with before they are kept must be
    /// the same as afterwards: a replay keeps less.
    pub async fn as_kept(&self, layer: usize, states: Tensor<3>) -> Result<Tensor<3>, PipelineError> {
        self.hidden.as_kept(states).await.map_err(PipelineError::at(layer))
    }

    /// Takes a batch's hidden states out of the cache.
    pub fn take_hidden(&mut self, layer: usize, batch: usize) -> Result<Tensor<3>, PipelineError> {
        self.hidden.take(batch)?.ok_or(PipelineError::NotStored { layer })
    }

    /// Puts a batch's hidden states back.
    pub async fn keep_hidden(&mut self, layer: usize, batch: usize, hidden: Tensor<3>) -> Result<(), PipelineError> {
        self.hidden.put(batch, hidden).await.map_err(PipelineError::at(layer))
    }

    /// The layer that computes the inner activations of the channels that stay, and no others: for batches whose loss is
    /// not measured. `None` where all are wanted. Of a part that goes as a whole none is computed.
    pub fn narrowed(&self, block: &Block, down: &NewProjection) -> Option<Block> {
        if self.job.plan.request.propagate != Propagate::Pruned {
            return None;
        }
        match down.is_left_out() {
            true => Some(block.without_feed_forward()),
            false => down.kept().map(|channels| block.with_channels(channels)),
        }
    }

    /// The residual stream behind the new down_proj, by the layer that [`Self::narrowed`] made.
    pub fn add_narrow(narrow: &Block, down: &NewProjection, hidden: Tensor<3>) -> Tensor<3> {
        match narrow.inner(hidden.clone()).and_then(|inner| down.output_of_kept(inner)) {
            Some(output) => hidden + narrow.added(Site::Channels, output),
            None => hidden,
        }
    }

    /// Brings the ranks' sums together, once all batches are added.
    pub async fn gather(
        &self,
        layer: usize,
        site: Site,
        hessian: &mut Option<Hessian<E>>,
    ) -> Result<(), PipelineError> {
        let Some(hessian) = hessian else { return Ok(()) };
        // Both sites end in the residual stream.
        let drawn = self.dense.as_ref().map(|_| self.config.hidden_size);
        let gathered = hessian.gather(self.executor, self.ranks, drawn).await;
        gathered.map_err(|cause| PipelineError::Site { layer, site, cause })
    }

    /// Tells a site's two losses, once all ranks have measured all batches that are to be.
    pub fn measured(&mut self, layer: usize, site: Site, selected: &mut Selected) -> Result<(), PipelineError> {
        let Selected { record, losses, .. } = selected;
        losses.gather(self.ranks)?;
        (record.measured_loss, record.measured_error) = losses.of_all(self.job.windows.len(), self.tokens());
        let (predicted_loss, measured_loss) = (record.predicted_loss, record.measured_loss);
        self.tell(Event::Measured { layer, site, predicted_loss, measured_loss })
    }

    /// How many units a site of the layer has as it is.
    pub fn units(&self, layer: usize, site: Site) -> usize {
        let plan = &self.job.plan.layers[layer];
        let shape = plan.before;
        match (site, plan.unit) {
            (Site::Heads, HeadUnit::KeyValue) => shape.kv_heads,
            (Site::Heads, HeadUnit::Query) => shape.heads,
            (Site::Channels, _) => shape.channels,
        }
    }
}

/// What a record says is left.
pub(super) fn kept(record: &LayerRecord) -> KeptIndices {
    KeptIndices {
        heads: record.kept_heads.clone(),
        kv_heads: record.kept_kv_heads.clone(),
        channels: record.kept_channels.clone(),
    }
}
