//! Weights on the host, in singles.

use super::{Dtype, Types, WriteError};
use crate::shape::{Layer, Part};

/// A tensor on the host, row-major.
#[derive(Clone, Debug, PartialEq)]
pub struct HostTensor {
    /// Sizes of the axes, outermost first; `values` has their product.
    pub shape: Vec<usize>,
    /// The elements, the last axis running fastest.
    pub values: Vec<f32>,
}

/// The weights of one decoder layer.
pub type LayerWeights = Layer<HostTensor>;

/// What stands outside the decoder layers.
#[derive(Clone, Debug, PartialEq)]
pub struct OuterWeights {
    /// `(vocab, hidden)`: one row for each token.
    pub embedding: HostTensor,
    /// Scale of the norm after the last layer `(hidden)`.
    pub final_norm: HostTensor,
    /// `(vocab, hidden)`; `None` when tied to the embedding.
    pub head: Option<HostTensor>,
}

impl HostTensor {
    /// W += s B A of a matrix W `(out, in)` with B `(out, rank)` and A `(rank, in)`; each entry is summed in f64.
    pub fn add_product(&mut self, b: &[f32], a: &[f32], rank: usize, scale: f64) {
        let columns = self.shape[1];
        for (row, b) in self.values.chunks_exact_mut(columns).zip(b.chunks_exact(rank)) {
            for (j, value) in row.iter_mut().enumerate() {
                // In f64 and rounded once, as if the weight had been trained itself.
                let sum: f64 = b.iter().enumerate().map(|(r, &b)| f64::from(b) * f64::from(a[r * columns + j])).sum();
                *value = (f64::from(*value) + scale * sum) as f32;
            }
        }
    }

    /// A tensor of zeros.
    pub fn zeros(shape: Vec<usize>) -> Self {
        Self { values: vec![0.0; shape.iter().product()], shape }
    }

    /// Matrices of one width, one under the other.
    fn stacked(parts: &[&Self]) -> Self {
        let mut shape = parts[0].shape.clone();
        shape[0] = parts.iter().map(|part| part.shape[0]).sum();
        Self { shape, values: parts.iter().flat_map(|part| part.values.iter().copied()).collect() }
    }

    /// These parts of a layer, which are of one width, one under the other.
    pub fn of_parts(parts: &[Part], layer: &LayerWeights) -> Self {
        Self::stacked(&parts.iter().map(|&part| &layer[part]).collect::<Vec<_>>())
    }

    /// The entries `kept` along an axis: entry i of the result is entry `kept[i]` of this.
    pub fn select(&self, axis: usize, kept: &[usize]) -> Self {
        let (len, inner) = (self.shape[axis], self.inner(axis));
        let mut values = Vec::with_capacity(self.values.len() / len * kept.len());
        for block in self.values.chunks_exact(len * inner) {
            kept.iter().for_each(|&entry| values.extend_from_slice(&block[entry * inner..(entry + 1) * inner]));
        }
        Self { shape: self.with_len(axis, kept.len()), values }
    }

    /// The inverse of [`Self::select`]: entry i along the axis becomes entry `places[i]` of `len`;
    /// the others are zero.
    pub fn scatter(&self, axis: usize, places: &[usize], len: usize) -> Self {
        let inner = self.inner(axis);
        let mut new = Self::zeros(self.with_len(axis, len));
        let blocks = self.values.chunks_exact(self.shape[axis] * inner);
        for (to, from) in new.values.chunks_exact_mut(len * inner).zip(blocks) {
            for (&place, entry) in places.iter().zip(from.chunks_exact(inner)) {
                to[place * inner..(place + 1) * inner].copy_from_slice(entry);
            }
        }
        new
    }

    /// Elements of one entry along an axis.
    fn inner(&self, axis: usize) -> usize {
        self.shape[axis + 1..].iter().product()
    }

    fn with_len(&self, axis: usize, len: usize) -> Vec<usize> {
        let mut shape = self.shape.clone();
        shape[axis] = len;
        shape
    }

    /// Rounds to what `dtype` can hold, so that it computes as it will be saved.
    ///
    /// # Errors
    /// When a value does not fit; `name` tells whose.
    pub fn round(&mut self, name: &str, dtype: Dtype) -> Result<(), WriteError> {
        self.values = dtype.widen(&dtype.narrow(name, &self.values)?);
        Ok(())
    }

    /// Divides every row by its length, as `torch.nn.functional.normalize` does.
    pub(super) fn norm_rows(&mut self) {
        let width = self.inner(0);
        for row in self.values.chunks_exact_mut(width) {
            // torch's ε, by which a row of zeros stays one.
            let length = row.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>().sqrt().max(1e-12);
            row.iter_mut().for_each(|v| *v = (f64::from(*v) / length) as f32);
        }
    }
}

/// Rounds parts of layer `i` to what their types can hold, so that they can run as they will be saved.
///
/// # Errors
/// When a value does not fit.
pub fn round_layer(i: usize, layer: &mut LayerWeights, types: &Types) -> Result<(), WriteError> {
    layer.iter_mut().try_for_each(|(part, tensor)| tensor.round(&part.to_string(), types.part(i, part)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_scattered_is_selected_back_along_either_axis() {
        let tensor = HostTensor { shape: vec![2, 3], values: vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0] };
        let wide = tensor.scatter(1, &[0, 2, 3], 4);
        assert_eq!(wide.values, [1.0, 0.0, 2.0, 3.0, 4.0, 0.0, 5.0, 6.0]);
        assert_eq!(wide.select(1, &[0, 2, 3]), tensor);
        let tall = tensor.scatter(0, &[2, 0], 3);
        assert_eq!((tall.shape[0], &tall.values[..3], &tall.values[3..6]), (3, &[4.0, 5.0, 6.0][..], &[0.0; 3][..]));
        assert_eq!(tall.select(0, &[2, 0]), tensor);
    }
}
