//! A matrix as it stands in its file, where elements have two bytes: a GPU is given that, half of what singles are, and
//! widens it itself.

use super::HostTensor;
use crate::quant::{Half, dequantise};

/// A matrix of numbers of two bytes, as it is stored.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Halves<'a> {
    /// What two bytes mean.
    pub half: Half,
    /// Rows and columns.
    pub shape: [usize; 2],
    /// The elements, row by row and little-endian.
    pub bytes: &'a [u8],
}

impl Halves<'_> {
    /// The same numbers as singles.
    pub fn widened(&self) -> HostTensor {
        HostTensor { shape: self.shape.to_vec(), values: dequantise(self.half.into(), self.bytes) }
    }
}
