//! What stands outside the layers: embedding, last norm, output head.

use burn::module::Module;
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Int, Tensor, TensorData};

use super::activation::capped;
use super::transfer::in_panels;
use super::{RmsNorm, Table, upload, weighted};
use crate::checkpoint::OuterWeights;
use crate::device::panels::{Panels, bindable};
use crate::shape::ModelConfig;

/// Largest tensor of logits, in bytes: half of the smallest binding limit there is (128 MiB).
pub(super) const LOGIT_BYTES: usize = 64 << 20;

/// Embedding, last norm and output head: the modules of [`OuterWeights`].
#[derive(Module, Debug)]
pub struct Outer {
    /// `(vocab, d)`: one row for each token.
    pub embedding: Table,
    /// Norm of the residual stream after the last layer.
    pub norm: RmsNorm,
    /// `(vocab, d)`; without it the embedding serves.
    pub head: Option<Table>,
    /// Factor of every embedding.
    embedding_scale: f64,
    /// c of c · tanh(logit / c).
    #[module(skip)]
    logit_cap: Option<f64>,
}

impl Outer {
    /// What a checkpoint has outside its layers.
    pub fn load(weights: &OuterWeights, config: &ModelConfig, device: &Device) -> Self {
        let head = weights.head.as_ref().map(|head| in_panels(head, device));
        Self::new(in_panels(&weights.embedding, device), upload(&weights.final_norm, device), head, config)
    }

    /// Embedding `(vocab, d)`, scale of the last norm `(d)`, and the head `(vocab, d)` where it is another matrix.
    pub(super) fn new(embedding: Panels, norm: Tensor<1>, head: Option<Panels>, config: &ModelConfig) -> Self {
        Self {
            embedding: embedding.into(),
            norm: RmsNorm::last(norm, config),
            head: head.map(Table::from),
            embedding_scale: config.design.embedding_scale,
            logit_cap: config.design.logit_cap,
        }
    }

    /// Tokens `(b, t)` to `(b, t, d)`.
    pub fn embed(&self, tokens: Tensor<2, Int>) -> Tensor<3> {
        let [b, t] = tokens.dims();
        let embedding = self.embedding.val();
        let [_, d] = embedding.dims();
        let rows = embedding.select(tokens.reshape([b * t])).reshape([b, t, d]);
        if self.embedding_scale == 1.0 { rows } else { rows.mul_scalar(self.embedding_scale) }
    }

    /// `(b, t, d)` after the last layer to logits `(b·t, vocab)`.
    pub fn logits(&self, hidden: Tensor<3>) -> Tensor<2> {
        let [b, t, d] = hidden.dims();
        capped(weighted(self.norm.forward(hidden).reshape([b * t, d]), &self.matrix()), self.logit_cap)
    }

    /// The output matrix `(vocab, d)`: the head, or the embedding where the model has no head of its own.
    pub fn matrix(&self) -> Panels {
        self.head.as_ref().unwrap_or(&self.embedding).val()
    }

    /// log p of `next[i]` after the hidden state `i` of `(n, d)`, taken after the last layer.
    pub fn log_p(&self, hidden: Tensor<2>, next: &[u32]) -> Tensor<1> {
        let [n, d] = hidden.dims();
        let step = logit_rows(&self.embedding.val());
        let parts = (0..n).step_by(step).map(|from| {
            let to = n.min(from + step);
            let part = hidden.clone().slice([from..to, 0..d]).reshape([1, to - from, d]);
            let wanted = token_tensor(&[next[from..to].to_vec()], &hidden.device()).reshape([to - from, 1]);
            // Picked out piece by piece: of a row of logits only one number is kept.
            log_softmax(self.logits(part), 1).gather(1, wanted).reshape([to - from])
        });
        Tensor::cat(parts.collect(), 0)
    }
}

/// How many hidden states get their logits at once: those of a whole window of 2048 tokens would be 250 MiB
/// for a vocabulary of 32000.
pub fn logit_rows(matrix: &Panels) -> usize {
    let [vocab, _] = matrix.dims();
    (bindable(LOGIT_BYTES, &matrix.device()) / (vocab * size_of::<f32>())).max(1)
}

/// Token ids on the device, `(windows, tokens)`; the windows are of one length.
pub fn token_tensor(windows: &[Vec<u32>], device: &Device) -> Tensor<2, Int> {
    let t = windows.first().map_or(0, Vec::len);
    // The integers of wgpu have 32 bits; no vocabulary needs more.
    let flat: Vec<i32> = windows.iter().flatten().map(|&id| id as i32).collect();
    Tensor::from_data(TensorData::new(flat, [windows.len(), t]), device)
}
