//! The output head by itself, in pieces: logits of a large vocabulary never stand in memory at once.

use burn::tensor::{Device, Tensor};

use super::activation::capped;
use super::transfer::in_panels;
use super::{RmsNorm, upload, weighted};
use crate::checkpoint::OuterWeights;
use crate::device::panels::{Panels, bindable};
use crate::shape::ModelConfig;

/// The last norm and the output matrix, which alone are needed behind the layers.
#[derive(Clone, Debug)]
pub struct Head {
    /// Before the matrix.
    pub norm: RmsNorm,
    /// `(vocab, d)`.
    pub matrix: Panels,
    /// Bytes of the matrix that are multiplied at once.
    chunk: usize,
    /// c of c · tanh(logit / c).
    cap: Option<f64>,
}

impl Head {
    /// The head of a checkpoint: the embedding, where it has no matrix of its own.
    pub fn load(weights: &OuterWeights, config: &ModelConfig, device: &Device) -> Self {
        let matrix = weights.head.as_ref().unwrap_or(&weights.embedding);
        Self {
            norm: RmsNorm::last(upload(&weights.final_norm, device), config),
            matrix: in_panels(matrix, device),
            chunk: bindable(CHUNK_BYTES, device),
            cap: config.design.logit_cap,
        }
    }

    /// The same that goes through the vocabulary in chunks of at most so many bytes.
    #[must_use]
    pub fn in_chunks_of(self, bytes: usize) -> Self {
        Self { chunk: bytes, ..self }
    }

    /// From where to where the vocabulary is gone through.
    pub fn chunks(&self) -> impl Iterator<Item = (usize, usize)> + use<> {
        let [vocab, d] = self.matrix.dims();
        // A row at least, however wide it is.
        let step = (self.chunk / (d * size_of::<f32>())).clamp(1, vocab);
        (0..vocab).step_by(step).map(move |from| (from, vocab.min(from + step)))
    }

    /// The logits `(rows, to − from)` of normed hidden states `(rows, d)` for a chunk of the vocabulary.
    pub fn logits(&self, normed: &Tensor<2>, (from, to): (usize, usize)) -> Tensor<2> {
        let [vocab, _] = self.matrix.dims();
        let logits = match to - from == vocab {
            // Without a slice, which would be a copy.
            true => weighted(normed.clone(), &self.matrix),
            false => weighted(normed.clone(), &self.matrix.rows(from..to).into()),
        };
        capped(logits, self.cap)
    }

    /// log p of normed hidden states for every chunk of the vocabulary, `(rows, to − from)` each. The logits serve for their
    /// sum too, so those of all chunks stand in memory together.
    pub fn log_p(&self, normed: &Tensor<2>, chunks: impl Iterator<Item = (usize, usize)>) -> Vec<Tensor<2>> {
        let logits: Vec<Tensor<2>> = chunks.map(|chunk| self.logits(normed, chunk)).collect();
        let log_sum = of_rows(logits.iter().map(|z| of_row(z.clone())).collect());
        logits.into_iter().map(|z| z - log_sum.clone()).collect()
    }

    /// log Σ exp(n Wᵀ / T) of the normed hidden states n, `(rows, 1)`.
    pub fn log_sum(&self, normed: &Tensor<2>, temperature: f64) -> Tensor<2> {
        of_rows(self.chunks().map(|chunk| of_row(self.logits(normed, chunk).div_scalar(temperature))).collect())
    }
}

/// Bytes of the output matrix that are multiplied at once. A slice is a copy, so a larger one would nearly double
/// the matrix of a large vocabulary.
const CHUNK_BYTES: usize = 256 << 20;

/// log Σ exp of every row, of those of its parts: the logarithm of the whole sum is put together in the same way.
fn of_rows(mut parts: Vec<Tensor<2>>) -> Tensor<2> {
    if parts.len() == 1 { parts.remove(0) } else { of_row(Tensor::cat(parts, 1)) }
}

/// log Σ exp of every row, from its largest entry, so that nothing overflows.
fn of_row(z: Tensor<2>) -> Tensor<2> {
    let largest = z.clone().max_dim(1);
    (z - largest.clone()).exp().sum_dim(1).log() + largest
}
