//! Cutting a layer down to what stays: rows of q, k, v and gate, up go with the columns of
//! o_proj and down_proj that they fed.

use std::collections::HashMap;

use crate::checkpoint::{HostTensor, LayerWeights};
use crate::obs::HeadUnit;
use crate::shape::{Axis, LayerShape, ModelConfig, Norms, Part, Projection, entries_of};

/// What stays of a layer, by the indices it had. All ascending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptIndices {
    /// Query heads.
    pub heads: Vec<usize>,
    /// Key/value heads.
    pub kv_heads: Vec<usize>,
    /// Feed-forward channels.
    pub channels: Vec<usize>,
}

impl KeptIndices {
    /// From the units that the head selection left: K/V heads, or query heads.
    pub fn new(shape: LayerShape, unit: HeadUnit, units: &[usize], channels: &[usize]) -> Self {
        let per_group = shape.heads_per_group();
        let channels = channels.to_vec();
        match unit {
            HeadUnit::KeyValue => {
                let heads = units.iter().flat_map(|g| g * per_group..(g + 1) * per_group).collect();
                Self { heads, kv_heads: units.to_vec(), channels }
            }
            HeadUnit::Query => {
                // Without a query head that reads it a K/V head is for nobody.
                let is_read = |g: &usize| units.iter().any(|head| head / per_group == *g);
                Self { heads: units.to_vec(), kv_heads: (0..shape.kv_heads).filter(is_read).collect(), channels }
            }
        }
    }

    /// Columns of o_proj that stay; they are the rows of q_proj that stay.
    pub fn context_columns(&self, head_dim: usize) -> Vec<usize> {
        entries_of(&self.heads, head_dim)
    }

    /// The sizes of the layer that is left.
    pub fn shape(&self) -> LayerShape {
        LayerShape { heads: self.heads.len(), kv_heads: self.kv_heads.len(), channels: self.channels.len() }
    }

    /// What stays along an axis; `None` where pruning removes nothing.
    pub fn along(&self, axis: Axis, head_dim: usize) -> Option<Vec<usize>> {
        match axis {
            Axis::Heads => Some(self.context_columns(head_dim)),
            Axis::KvHeads => Some(entries_of(&self.kv_heads, head_dim)),
            Axis::Channels => Some(self.channels.clone()),
            Axis::Hidden | Axis::HeadDim => None,
        }
    }
}

/// W and b of one projection.
pub(super) fn refitted(of: Projection, weight: HostTensor, bias: Option<HostTensor>) -> LayerWeights {
    let bias = bias.map(|bias| (Part::Bias(of), bias));
    std::iter::once((Part::Weight(of), weight)).chain(bias).collect()
}

/// The layer with the `new` parts, whose columns went, in place of its own, and the rows of all
/// others cut to match. Of a half of which nothing stays no part is left.
pub(super) fn cut(
    dense: &LayerWeights,
    kept: &KeptIndices,
    (head_dim, norms): (usize, Norms),
    new: impl Iterator<Item = (Part, HostTensor)>,
) -> LayerWeights {
    let mut new: HashMap<Part, HostTensor> = new.collect();
    // Only rows are cut here: the two matrices that lose columns come refitted and narrow.
    let cut = |(part, tensor): (Part, &HostTensor)| {
        let tensor = match (new.remove(&part), kept.along(part.axes()[0], head_dim)) {
            (Some(new), _) => new,
            (None, Some(rows)) => tensor.select(0, &rows),
            (None, None) => tensor.clone(),
        };
        (part, tensor)
    };
    let after = kept.shape();
    dense.iter().filter(|(part, _)| after.has(part.site(norms))).map(cut).collect()
}

/// `weight` `(out, columns)` minus `narrow` `(out, kept)` at the kept columns: W − Ŵ with Ŵ zero
/// where columns went. `None` when there is no difference.
pub(super) fn difference(weight: &HostTensor, narrow: &HostTensor, kept: &[usize]) -> Option<HostTensor> {
    let (columns, narrow_columns) = (weight.shape[1], narrow.shape[1]);
    let mut values = weight.values.clone();
    for (wide, narrow) in values.chunks_exact_mut(columns).zip(narrow.values.chunks_exact(narrow_columns)) {
        for (&column, &value) in kept.iter().zip(narrow) {
            wide[column] -= value;
        }
    }
    // Exactly zero: it saves a product for every batch, and nothing that is measured is lost.
    let differs = values.iter().any(|&v| v != 0.0);
    differs.then(|| HostTensor { shape: weight.shape.clone(), values })
}

/// The layer with every part that the layers of `config` have: biases that it lacks are zero.
pub(super) fn with_zero_biases(layer: LayerWeights, config: &ModelConfig, shape: LayerShape) -> LayerWeights {
    let mut present: HashMap<Part, HostTensor> = layer.into_iter().collect();
    let zeros = |part: Part| HostTensor::zeros(part.shape(config, shape));
    config.parts_of(shape).map(|part| (part, present.remove(&part).unwrap_or_else(|| zeros(part)))).collect()
}

/// A bias with what is added to it.
pub(super) fn shifted(bias: Option<&HostTensor>, change: Option<&[f32]>) -> Option<HostTensor> {
    let mut bias = bias.cloned();
    if let (Some(bias), Some(change)) = (&mut bias, change) {
        bias.values.iter_mut().zip(change).for_each(|(value, add)| *value += add);
    }
    bias
}

#[cfg(test)]
mod tests {
    use super::*;

    const GROUPED: LayerShape = LayerShape { heads: 4, kv_heads: 2, channels: 3 };

    fn tensor(shape: [usize; 2]) -> HostTensor {
        HostTensor { shape: shape.to_vec(), values: (0..shape[0] * shape[1]).map(|v| v as f32).collect() }
    }

    #[test]
    fn a_kv_head_takes_its_query_heads_along() {
        let kept = KeptIndices::new(GROUPED, HeadUnit::KeyValue, &[1], &[0, 2]);
        assert_eq!(kept, KeptIndices { heads: vec![2, 3], kv_heads: vec![1], channels: vec![0, 2] });
        assert_eq!(kept.context_columns(2), [4, 5, 6, 7]);
        assert_eq!(kept.shape(), LayerShape { heads: 2, kv_heads: 1, channels: 2 });
    }

    #[test]
    fn query_heads_leave_keys_and_values_alone() {
        let kept = KeptIndices::new(GROUPED, HeadUnit::Query, &[0, 3], &[1]);
        assert_eq!(kept, KeptIndices { heads: vec![0, 3], kv_heads: vec![0, 1], channels: vec![1] });
    }

    #[test]
    fn keys_and_values_that_no_head_reads_go() {
        let kept = KeptIndices::new(GROUPED, HeadUnit::Query, &[3], &[1]);
        assert_eq!(kept, KeptIndices { heads: vec![3], kv_heads: vec![1], channels: vec![1] });
    }

    #[test]
    fn of_a_half_that_goes_nothing_is_left() {
        let parts = [Part::Norm(crate::shape::Norm::Input), Part::Weight(Projection::O), Part::Weight(Projection::Up)];
        let dense: LayerWeights = parts.map(|part| (part, tensor([3, 8]))).into_iter().collect();
        let kept = KeptIndices::new(GROUPED, HeadUnit::KeyValue, &[], &[1]);
        assert_eq!(kept.shape(), LayerShape { channels: 1, ..LayerShape::EMPTY });
        let left = cut(&dense, &kept, (2, Norms::Before), std::iter::empty());
        assert_eq!(left.iter().map(|(part, _)| part).collect::<Vec<_>>(), [Part::Weight(Projection::Up)]);
        assert_eq!(left.weight(Projection::Up), &tensor([3, 8]).select(0, &[1]));
    }

    #[test]
    fn the_difference_counts_what_went_as_zero() {
        let narrow = HostTensor { shape: vec![2, 2], values: vec![0.0, 1.0, 3.0, 6.0] };
        let d = difference(&tensor([2, 3]), &narrow, &[0, 2]).unwrap();
        assert_eq!(d.values, [0.0, 1.0, 1.0, 0.0, 4.0, -1.0]);
        assert!(difference(&tensor([2, 3]), &tensor([2, 3]), &[0, 1, 2]).is_none());
    }
}
