//! Why values cannot be stored in blocks.

use super::BlockType;

/// Why values cannot be stored in blocks of a kind.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum QuantError {
    /// A scale times a code is a number, so what is none has no code.
    #[error("value {index} is {value}, which no block can hold")]
    NotFinite {
        /// Where it stands, counted from 0.
        index: usize,
        /// The value.
        value: f32,
    },
    /// The values do not fill whole blocks.
    #[error("{values} values do not fill blocks of {}, as {kind} has them", kind.elements())]
    Uneven {
        /// The kind that was asked for.
        kind: BlockType,
        /// How many values there are.
        values: usize,
    },
    /// The scale or the minimum of a block would be infinite.
    #[error("value {value} is too large for {kind}")]
    TooLarge {
        /// The kind that was asked for.
        kind: BlockType,
        /// The value, or the largest of its block.
        value: f32,
    },
}
