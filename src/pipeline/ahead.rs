//! A layer's weights as they are computed with; the next layer's are read and widened while this one computes. A page,
//! which has one thread, reads them when they are needed.

use std::sync::Arc;
#[cfg(not(target_arch = "wasm32"))]
use std::sync::mpsc::{Receiver, channel};

use super::cut::with_zero_biases;
use super::{Job, PipelineError};
use crate::checkpoint::{Checkpoint, LayerWeights, Types, round_layer};
use crate::shape::{LayerShape, ModelConfig};

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
    /// The thread that reads ahead, in a pool of its own: of the pool that widens blocks of numbers for all, every thread
    /// may be waiting for the layer. `None` where there is no thread to have.
    #[cfg(not(target_arch = "wasm32"))]
    thread: Option<rayon::ThreadPool>,
    #[cfg(not(target_arch = "wasm32"))]
    ahead: Option<(usize, Receiver<Result<LayerWeights, PipelineError>>)>,
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
        Self {
            reader: Arc::new(reader),
            #[cfg(not(target_arch = "wasm32"))]
            thread: reading_thread(),
            #[cfg(not(target_arch = "wasm32"))]
            ahead: None,
        }
    }

    /// A layer's weights; reading the next begins.
    ///
    /// # Errors
    /// When they cannot be read, or do not fit their type.
    pub fn take(&mut self, layer: usize) -> Result<LayerWeights, PipelineError> {
        let weights = match self.read_ahead(layer) {
            Some(read) => read?,
            None => self.reader.read(layer)?,
        };
        self.begin(layer + 1);
        Ok(weights)
    }
}

#[cfg(not(target_arch = "wasm32"))]
impl Layers {
    /// What was read of this layer meanwhile.
    fn read_ahead(&mut self, layer: usize) -> Option<Result<LayerWeights, PipelineError>> {
        let (of, reading) = self.ahead.take()?;
        // What panicked has read nothing; what it panicked at is met again where it is told.
        reading.recv().ok().filter(|_| of == layer)
    }

    fn begin(&mut self, layer: usize) {
        let Some(thread) = self.thread.as_ref().filter(|_| layer < self.reader.shapes.len()) else { return };
        let (reader, (tell, hear)) = (Arc::clone(&self.reader), channel());
        thread.spawn(move || {
            let read = reader.read(layer);
            // Before it is told, so that the end of a run leaves none of the model's files open.
            drop(reader);
            let _ = tell.send(read);
        });
        self.ahead = Some((layer, hear));
    }
}

/// A pool of one thread.
#[cfg(not(target_arch = "wasm32"))]
fn reading_thread() -> Option<rayon::ThreadPool> {
    let one = rayon::ThreadPoolBuilder::new().num_threads(1).thread_name(|_| "next layer".into());
    // Without a handler a panic would end the program.
    one.panic_handler(|_| ()).build().ok()
}

#[cfg(target_arch = "wasm32")]
impl Layers {
    fn read_ahead(&mut self, _layer: usize) -> Option<Result<LayerWeights, PipelineError>> {
        None
    }

    fn begin(&mut self, _layer: usize) {}
}

#[cfg(not(target_arch = "wasm32"))]
impl Drop for Layers {
    /// Waits, so that nobody reads the model's files behind the end of a run.
    fn drop(&mut self) {
        if let Some((_, reading)) = self.ahead.take() {
            let _ = reading.recv();
        }
    }
}
