//! A layer's weights as they are computed with; the next layer's are read and widened while this one computes. Where
//! there is no other thread, they are read when they are needed.

use std::sync::Arc;

use burn::tensor::Device;

use super::aside::{Aside, Pending};
use super::cut::with_zero_biases;
use super::{Job, PipelineError};
use crate::checkpoint::{Checkpoint, Halves, LayerWeights, Types, round_layer};
use crate::device::has_kernels;
use crate::shape::{Layer, LayerShape, ModelConfig};

/// Reads layers as they will be saved if nothing goes.
struct Reader {
    checkpoint: Checkpoint,
    types: Types,
    /// Whether what is read must be rounded to those types.
    rounds: bool,
    /// The sizes with the biases that are added, if some are.
    biased: Option<ModelConfig>,
    shapes: Vec<LayerShape>,
}

/// The layers of a model, one after the other.
pub(super) struct Layers {
    reader: Arc<Reader>,
    thread: Aside,
    /// The layer that is being read, or was.
    ahead: Option<(usize, Pending<Result<LayerWeights, PipelineError>>)>,
}

impl Reader {
    fn read(&self, layer: usize) -> Result<LayerWeights, PipelineError> {
        let mut weights = self.checkpoint.layer(layer)?;
        if let Some(config) = &self.biased {
            weights = with_zero_biases(weights, config, self.shapes[layer]);
        }
        // The tokens must see what will be saved, and q, k, v, gate and up are saved rounded too.
        if self.rounds {
            round_layer(layer, &mut weights, &self.types).map_err(|cause| PipelineError::Rounding { layer, cause })?;
        }
        Ok(weights)
    }
}

impl Layers {
    /// The layers that a job prunes.
    pub fn new(job: &Job<'_>) -> Self {
        let (plan, types) = (job.plan, job.types());
        let adds_bias = plan.request.options.adds_bias();
        let reader = Reader {
            checkpoint: job.checkpoint.clone(),
            rounds: !job.checkpoint.holds_exactly(&types),
            types,
            biased: adds_bias.then(|| plan.biased_config(job.checkpoint.config())),
            shapes: plan.layers.iter().map(|layer| layer.before).collect(),
        };
        Self { reader: Arc::new(reader), thread: Aside::named("next layer"), ahead: None }
    }

    /// A layer's weights; reading the next begins.
    ///
    /// # Errors
    /// When they cannot be read, or do not fit their type.
    pub fn take(&mut self, layer: usize) -> Result<LayerWeights, PipelineError> {
        let weights = match self.ahead.take() {
            Some((of, reading)) if of == layer => reading.wait()?,
            _ => self.reader.read(layer)?,
        };
        self.begin(layer + 1);
        Ok(weights)
    }

    /// Those of a layer's matrices that the device is better given as they are stored: of the same numbers as in
    /// [`Self::take`], which has looked at them.
    pub fn halves(&self, layer: usize, device: &Device) -> Layer<Halves<'_>> {
        match self.reader.rounds || !has_kernels(device) {
            true => Layer::default(),
            false => self.reader.checkpoint.halves(layer),
        }
    }

    fn begin(&mut self, layer: usize) {
        // Done at once it would be done too early: two layers would be held for nothing.
        if layer < self.reader.shapes.len() && self.thread.is_there() {
            let reader = Arc::clone(&self.reader);
            self.ahead = Some((layer, self.thread.begin(move || reader.read(layer))));
        }
    }
}
