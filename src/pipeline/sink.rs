//! Where finished layers go: a folder on disk, or memory on the web and in tests.

use std::sync::Arc;

use super::aside::Pending;
use super::beside::{Source, beside};
use super::{LayerRecord, PipelineError, Report};
use crate::activations::Spill;
use crate::allocate::LayerPlan;
use crate::checkpoint::{Checkpoint, LayerWeights, encode_model};

/// A pruned layer, its weights rounded to the output's element type.
#[derive(Clone, Debug)]
pub struct FinishedLayer {
    /// The weights that are left.
    pub weights: LayerWeights,
    /// What went and what it cost.
    pub record: LayerRecord,
    /// How long it took, by the caller's clock.
    pub seconds: f64,
}

/// A layer on its way to where it is kept, and in the end why it is not there.
pub type Storing = Pending<Result<(), PipelineError>>;

/// Keeps finished layers, so that an interrupted run goes on, and in the end the whole.
pub trait LayerSink {
    /// How many layers are finished: all below this number, none above.
    fn finished(&self) -> usize;

    /// What became of a finished layer, and how long it took.
    ///
    /// # Errors
    /// When it cannot be read.
    fn record(&self, layer: usize) -> Result<(LayerRecord, f64), PipelineError>;

    /// The weights of a finished layer.
    ///
    /// # Errors
    /// When they cannot be read.
    fn weights(&self, layer: usize) -> Result<LayerWeights, PipelineError>;

    /// Begins to keep the next layer, wholly or not at all. It counts when that has ended, and the one after it is
    /// handed over only then.
    fn store(&mut self, finished: FinishedLayer) -> Storing;

    /// Puts the finished layers, what `checkpoint` has besides layers, and the report together.
    ///
    /// # Errors
    /// When something cannot be read or written.
    fn finish(&mut self, checkpoint: &Checkpoint, report: &Report) -> Result<(), PipelineError>;

    /// Takes note of the layers' sizes, where they followed from the text after the sink was made.
    fn settle(&mut self, _layers: &[LayerPlan]) {}

    /// What was kept of what is chosen before the first layer, if a selection needs that: all of it, or how far it is.
    ///
    /// # Errors
    /// When it cannot be read.
    fn choice(&self) -> Result<Option<Vec<u8>>, PipelineError> {
        Ok(None)
    }

    /// Keeps what is chosen before the first layer, or how far that is, if the sink outlives the process.
    ///
    /// # Errors
    /// When it cannot be written.
    fn keep_choice(&mut self, _choice: &[u8]) -> Result<(), PipelineError> {
        Ok(())
    }

    /// What tells this run from others, if the sink knows.
    fn run_id(&self) -> Option<String> {
        None
    }

    /// Where activations go that no memory can hold, if the sink has such a place.
    fn spill(&self) -> Option<Arc<dyn Spill>> {
        None
    }
}

/// Keeps everything in memory.
#[derive(Clone, Debug, Default)]
pub struct MemorySink {
    /// The layers, from the first.
    pub layers: Vec<FinishedLayer>,
    /// The report, once the run is finished.
    pub report: Option<Report>,
}

impl MemorySink {
    /// The files of the finished model, by name: those that an output folder has, but for what its
    /// source has besides a checkpoint.
    ///
    /// # Errors
    /// When the run is not finished, or a weight cannot be read or does not fit its type.
    pub fn files(&self, checkpoint: &Checkpoint) -> Result<Vec<(String, Vec<u8>)>, PipelineError> {
        let report = self.report.as_ref().ok_or(PipelineError::NotStored { layer: self.layers.len() })?;
        // Those that have left the model have no weights, and later ones move up.
        let stay: Vec<usize> = (0..self.layers.len()).filter(|&i| !self.layers[i].weights.is_empty()).collect();
        let types = checkpoint.types(report.plan.request.dtype).of_layers(&stay);
        let layers = stay.iter().map(|&i| &self.layers[i].weights);
        let weights = encode_model(layers, &checkpoint.outer()?, checkpoint.config().family, &types)?;
        let texts = beside(checkpoint, report, Source::default());
        let texts = texts.into_iter().map(|(name, text)| (name, text.into_bytes()));
        let last = [(Report::FILE.to_owned(), report.to_json()), ("model.safetensors".to_owned(), weights)];
        Ok(texts.chain(last).collect())
    }

    fn layer(&self, layer: usize) -> Result<&FinishedLayer, PipelineError> {
        self.layers.get(layer).ok_or(PipelineError::NotStored { layer })
    }
}

impl LayerSink for MemorySink {
    fn finished(&self) -> usize {
        self.layers.len()
    }

    fn record(&self, layer: usize) -> Result<(LayerRecord, f64), PipelineError> {
        self.layer(layer).map(|l| (l.record.clone(), l.seconds))
    }

    fn weights(&self, layer: usize) -> Result<LayerWeights, PipelineError> {
        self.layer(layer).map(|l| l.weights.clone())
    }

    fn store(&mut self, finished: FinishedLayer) -> Storing {
        self.layers.push(finished);
        Storing::done(Ok(()))
    }

    fn finish(&mut self, _: &Checkpoint, report: &Report) -> Result<(), PipelineError> {
        self.report = Some(report.clone());
        Ok(())
    }
}
