//! Cutting a layer down to what stays: rows of q, k, v and gate, up go with the columns of
//! o_proj and down_proj that they fed.

use crate::checkpoint::{HostTensor, LayerWeights, Projection};
use crate::obs::HeadUnit;
use crate::shape::LayerShape;

/// What stays of a layer, by the indices it had. All ascending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Kept {
    pub heads: Vec<usize>,
    pub kv_heads: Vec<usize>,
    pub channels: Vec<usize>,
}

impl Kept {
    /// From the units that the head selection left: K/V heads, or query heads.
    pub fn new(shape: LayerShape, unit: HeadUnit, units: &[usize], channels: &[usize]) -> Self {
        let per_group = shape.heads_per_group();
        let channels = channels.to_vec();
        match unit {
            HeadUnit::KeyValue => {
                let heads = units.iter().flat_map(|g| g * per_group..(g + 1) * per_group).collect();
                Self { heads, kv_heads: units.to_vec(), channels }
            }
            HeadUnit::Query => Self { heads: units.to_vec(), kv_heads: (0..shape.kv_heads).collect(), channels },
        }
    }

    /// Columns of o_proj that stay; they are the rows of q_proj that stay.
    pub fn context_columns(&self, head_dim: usize) -> Vec<usize> {
        spread(&self.heads, head_dim)
    }
}

/// The layer with `o` `(hidden, kept contexts)` and `down` `(hidden, kept channels)` in place of
/// its own, and everything else cut to match.
pub(super) fn cut(dense: &LayerWeights, kept: &Kept, head_dim: usize, o: Projection, down: Projection) -> LayerWeights {
    let queries = kept.context_columns(head_dim);
    let key_values = spread(&kept.kv_heads, head_dim);
    LayerWeights {
        input_norm: dense.input_norm.clone(),
        q: dense.q.outputs(&queries),
        k: dense.k.outputs(&key_values),
        v: dense.v.outputs(&key_values),
        o,
        // They work within a head, whichever heads there are.
        q_norm: dense.q_norm.clone(),
        k_norm: dense.k_norm.clone(),
        post_norm: dense.post_norm.clone(),
        gate: dense.gate.outputs(&kept.channels),
        up: dense.up.outputs(&kept.channels),
        down,
    }
}

/// The columns of units that are `width` columns each.
fn spread(units: &[usize], width: usize) -> Vec<usize> {
    units.iter().flat_map(|u| u * width..(u + 1) * width).collect()
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
    let differs = values.iter().any(|&v| v != 0.0);
    differs.then(|| HostTensor { shape: weight.shape.clone(), values })
}

/// A bias of zeros for every projection that has none.
pub(super) fn add_zero_biases(layer: &mut LayerWeights) {
    let LayerWeights { q, k, v, o, gate, up, down, .. } = layer;
    for projection in [q, k, v, o, gate, up, down] {
        let outputs = projection.weight.shape[0];
        let zeros = || HostTensor { shape: vec![outputs], values: vec![0.0; outputs] };
        projection.bias.get_or_insert_with(zeros);
    }
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
        let kept = Kept::new(GROUPED, HeadUnit::KeyValue, &[1], &[0, 2]);
        assert_eq!(kept, Kept { heads: vec![2, 3], kv_heads: vec![1], channels: vec![0, 2] });
        assert_eq!(kept.context_columns(2), [4, 5, 6, 7]);
    }

    #[test]
    fn query_heads_leave_keys_and_values_alone() {
        let kept = Kept::new(GROUPED, HeadUnit::Query, &[0, 3], &[1]);
        assert_eq!(kept, Kept { heads: vec![0, 3], kv_heads: vec![0, 1], channels: vec![1] });
    }

    #[test]
    fn the_difference_counts_what_went_as_zero() {
        let narrow = HostTensor { shape: vec![2, 2], values: vec![0.0, 1.0, 3.0, 6.0] };
        let d = difference(&tensor([2, 3]), &narrow, &[0, 2]).unwrap();
        assert_eq!(d.values, [0.0, 1.0, 1.0, 0.0, 4.0, -1.0]);
        assert!(difference(&tensor([2, 3]), &tensor([2, 3]), &[0, 1, 2]).is_none());
    }
}
