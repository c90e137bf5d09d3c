//! How the elements of a stored tensor stand in its bytes.

use super::Dtype;
use crate::names::Named;
use crate::quant::{BlockType, dequantise};

/// How elements are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Element {
    /// One by one.
    Plain(Dtype),
    /// In blocks that share a scale, as in a GGUF.
    Blocks(BlockType),
    /// In a type that is not read.
    Other(safetensors::Dtype),
}

impl Element {
    /// That of a safetensors file.
    pub fn of_stored(dtype: safetensors::Dtype) -> Self {
        Dtype::of_stored(dtype).map_or(Self::Other(dtype), Self::Plain)
    }

    /// That of a GGUF.
    pub fn of_blocks(kind: BlockType) -> Self {
        let plain = Dtype::all().iter().copied().find(|&dtype| BlockType::from(dtype) == kind);
        plain.map_or(Self::Blocks(kind), Self::Plain)
    }

    /// The type in which what is made of the tensor is written where none is asked for: its own, and of a
    /// quantised one half precision, whose steps are far finer than those between its codes.
    pub fn written_as(self) -> Dtype {
        match self {
            Self::Plain(dtype) => dtype,
            Self::Blocks(_) => Dtype::F16,
            Self::Other(_) => Dtype::F32,
        }
    }

    /// Bytes of so many elements; `None` where they do not fill blocks, or are not read.
    pub fn bytes_of(self, elements: usize) -> Option<usize> {
        match self {
            Self::Plain(dtype) => elements.checked_mul(dtype.bytes()),
            Self::Blocks(kind) => kind.size_of(elements),
            Self::Other(_) => None,
        }
    }

    /// Bytes to singles; exact.
    pub fn widen(self, bytes: &[u8]) -> Vec<f32> {
        match self {
            Self::Plain(dtype) => dtype.widen(bytes),
            Self::Blocks(kind) => dequantise(kind, bytes),
            Self::Other(_) => Vec::new(),
        }
    }
}

impl std::fmt::Display for Element {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Plain(dtype) => dtype.fmt(f),
            Self::Blocks(kind) => kind.fmt(f),
            Self::Other(dtype) => write!(f, "{dtype:?}"),
        }
    }
}
