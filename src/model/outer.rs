//! What stands outside the layers: embedding, last norm, output head.

use burn::module::Module;
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Int, Tensor, TensorData};

use super::{RmsNorm, Table, upload};
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
}

impl Outer {
    /// What a checkpoint has outside its layers.
    pub fn load(weights: &OuterWeights, config: &ModelConfig, device: &Device) -> Self {
        Self {
            embedding: Table::load(&weights.embedding, device),
            norm: RmsNorm::new(upload(&weights.final_norm, device), config.rms_norm_eps),
            head: weights.head.as_ref().map(|head| Table::load(head, device)),
        }
    }

    /// Tokens `(b, t)` to `(b, t, d)`.
    pub fn embed(&self, tokens: Tensor<2, Int>) -> Tensor<3> {
        let [b, t] = tokens.dims();
        let embedding = self.embedding.val();
        let [_, d] = embedding.dims();
        embedding.select(tokens.reshape([b * t])).reshape([b, t, d])
    }

    /// `(b, t, d)` after the last layer to logits `(b·t, vocab)`.
    pub fn logits(&self, hidden: Tensor<3>) -> Tensor<2> {
        let [b, t, d] = hidden.dims();
        self.matrix().times_transposed(self.norm.forward(hidden).reshape([b * t, d]))
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
