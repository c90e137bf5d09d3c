//! The matrices of a model, in blocks that the device can bind.

use burn::module::{Module, Param};
use burn::tensor::Tensor;

use crate::device::panels::Panels;

/// A matrix `(out, in)`, or `(vocab, d)`, in a block or several. A training learns all its blocks.
#[derive(Module, Debug)]
pub struct Table {
    blocks: Vec<Param<Tensor<2>>>,
}

impl Table {
    /// The matrix as it is now.
    pub fn val(&self) -> Panels {
        Panels::stacked(self.blocks.iter().map(Param::val).collect())
    }
}

impl From<Panels> for Table {
    fn from(matrix: Panels) -> Self {
        Self { blocks: matrix.into_blocks().into_iter().map(Param::from_tensor).collect() }
    }
}
