//! Matrices whose rows do not divide into the blocks that they should have, told before anything is written.

use super::tensors::Entry;
use crate::quant::BlockType;
use crate::shape::Axis;

/// Matrices of one name that get other blocks than they should have, because of the length of their rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fallback {
    /// Their name, without the number of the layer and the ending.
    pub name: String,
    /// The blocks that they should have.
    pub wanted: BlockType,
    /// The blocks that they get.
    pub stored: BlockType,
    /// The lengths of their rows, of each layer that has such.
    pub widths: Vec<usize>,
    /// What their rows run along.
    pub along: Axis,
}

/// Those among the tensors of a file, in their order.
pub(super) fn all(entries: &[Entry]) -> Vec<Fallback> {
    let mut all: Vec<Fallback> = Vec::new();
    for entry in entries.iter().filter(|entry| entry.blocks.wanted != entry.blocks.stored) {
        let (name, width) = (short(&entry.name), entry.shape.last().copied().unwrap_or_default());
        let (wanted, stored) = (entry.blocks.wanted, entry.blocks.stored);
        let is_same = |other: &&mut Fallback| other.name == name && (other.wanted, other.stored) == (wanted, stored);
        match all.iter_mut().find(is_same) {
            Some(same) => same.widths.push(width),
            None => all.push(Fallback { name: name.into(), wanted, stored, widths: vec![width], along: entry.along }),
        }
    }
    all
}

/// `blk.3.ffn_down.weight` → `ffn_down`.
fn short(name: &str) -> &str {
    let name = name.strip_suffix(".weight").unwrap_or(name);
    name.rsplit('.').next().unwrap_or(name)
}
