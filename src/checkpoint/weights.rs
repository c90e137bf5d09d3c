//! The weights of one layer on the host, in singles.

/// A tensor on the host, row-major.
#[derive(Clone, Debug, PartialEq)]
pub struct HostTensor {
    /// Sizes, outermost first.
    pub shape: Vec<usize>,
    /// The elements.
    pub values: Vec<f32>,
}

/// A linear layer y = x Wᵀ + b.
#[derive(Clone, Debug, PartialEq)]
pub struct Projection {
    /// W `(out, in)`.
    pub weight: HostTensor,
    /// b `(out)`.
    pub bias: Option<HostTensor>,
}

/// One decoder layer.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerWeights {
    /// Scale of the norm before attention `(hidden)`.
    pub input_norm: HostTensor,
    /// Queries `(heads · head_dim, hidden)`.
    pub q: Projection,
    /// Keys `(kv_heads · head_dim, hidden)`.
    pub k: Projection,
    /// Values `(kv_heads · head_dim, hidden)`.
    pub v: Projection,
    /// Attention output `(hidden, heads · head_dim)`.
    pub o: Projection,
    /// Scale of the norm on every query head `(head_dim)`, where the family has one.
    pub q_norm: Option<HostTensor>,
    /// Scale of the norm on every key head `(head_dim)`.
    pub k_norm: Option<HostTensor>,
    /// Scale of the norm before the feed-forward part `(hidden)`.
    pub post_norm: HostTensor,
    /// Gate `(channels, hidden)`.
    pub gate: Projection,
    /// Up `(channels, hidden)`.
    pub up: Projection,
    /// Down `(hidden, channels)`.
    pub down: Projection,
}

/// What stands outside the decoder layers.
#[derive(Clone, Debug, PartialEq)]
pub struct OuterWeights {
    /// `(vocab, hidden)`.
    pub embedding: HostTensor,
    /// `(hidden)`.
    pub final_norm: HostTensor,
    /// `(vocab, hidden)`; `None` when tied to the embedding.
    pub head: Option<HostTensor>,
}

impl HostTensor {
    /// The rows `rows` of a matrix, or the elements `rows` of a vector.
    pub fn rows(&self, rows: &[usize]) -> Self {
        let width: usize = self.shape[1..].iter().product();
        let values = rows.iter().flat_map(|&r| self.values[r * width..(r + 1) * width].iter().copied()).collect();
        let mut shape = self.shape.clone();
        shape[0] = rows.len();
        Self { shape, values }
    }
}

impl HostTensor {
    /// Divides every row by its length, as `torch.nn.functional.normalize` does.
    pub(super) fn norm_rows(&mut self) {
        let width: usize = self.shape[1..].iter().product();
        for row in self.values.chunks_exact_mut(width) {
            let length = row.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>().sqrt().max(1e-12);
            row.iter_mut().for_each(|v| *v = (f64::from(*v) / length) as f32);
        }
    }
}

impl Projection {
    /// The projection with only some of its outputs.
    pub fn outputs(&self, rows: &[usize]) -> Self {
        Self { weight: self.weight.rows(rows), bias: self.bias.as_ref().map(|b| b.rows(rows)) }
    }
}
