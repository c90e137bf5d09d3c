//! The matrices with a row for each token, the largest that a model has, in blocks that the device can bind.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};

use crate::checkpoint::HostTensor;
use crate::device::panels::Panels;

/// A matrix `(vocab, d)`. A training learns all its blocks.
#[derive(Module, Debug)]
pub struct Table {
    blocks: Vec<Param<Tensor<2>>>,
}

impl Table {
    /// A matrix of the host, on the device.
    pub fn load(matrix: &HostTensor, device: &Device) -> Self {
        Panels::upload(&matrix.values, [matrix.shape[0], matrix.shape[1]], device).into()
    }

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
