//! Formats that keep several projections under one another in one matrix.

use crate::checkpoint::{Dtype, HostTensor, LayerWeights, Types};
use crate::shape::{Part, Projection};

/// Gate and up in one matrix.
pub(super) const GATE_UP: &[Projection] = &[Projection::Gate, Projection::Up];

/// The parts of the tensor that begins with `part`: itself alone, or the matrix that `fused` makes
/// of several; none where it is another's later rows.
pub(super) fn beginning_with(part: Part, fused: &[&[Projection]]) -> Vec<Part> {
    let Part::Weight(projection) = part else { return vec![part] };
    match fused.iter().find(|group| group.contains(&projection)) {
        None => vec![part],
        // The first stands for all, so that no tensor is written twice.
        Some(group) if group[0] == projection => group.iter().map(|&p| Part::Weight(p)).collect(),
        Some(_) => vec![],
    }
}

/// The tensor of these parts.
pub(super) fn stacked(parts: &[Part], layer: &LayerWeights) -> HostTensor {
    HostTensor::stacked(&parts.iter().map(|&part| &layer[part]).collect::<Vec<_>>())
}

/// The type that holds these parts of layer `i` as they are; `None` where there are none.
pub(super) fn widest(i: usize, parts: &[Part], types: &Types) -> Option<Dtype> {
    parts.iter().map(|&part| types.part(i, part)).reduce(Dtype::wider)
}
