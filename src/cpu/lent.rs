//! Tensors in the host's memory, read where they lie: a copy of activations costs as much as a quarter of their product,
//! and one of the keys and values would be made for every token that is written.

use burn::backend::Flex;
use burn::backend::flex::FlexTensor;
use burn::tensor::Tensor;

/// A tensor on the CPU that lies row by row in single precision.
pub struct Lent(FlexTensor);

impl Lent {
    /// `None` where a tensor is elsewhere, a view that lies otherwise, or of another precision.
    pub fn of<const D: usize>(tensor: Tensor<D>) -> Option<Self> {
        Self::checked(tensor.try_into_primitive::<Flex>().ok()?)
    }

    /// Of a tensor that is known to be on the CPU; a view is laid out anew.
    pub(super) fn laid_out(tensor: Tensor<4>) -> Self {
        let lent = tensor.try_into_primitive::<Flex>().ok().and_then(|held| Self::checked(held.to_contiguous()));
        lent.expect("the CPU's attention has tensors of the CPU, in single precision")
    }

    fn checked(held: FlexTensor) -> Option<Self> {
        held.as_slice::<f32>().is_some().then_some(Self(held))
    }

    /// Its elements, row by row.
    pub fn values(&self) -> &[f32] {
        self.0.as_slice().expect("looked at when it was lent")
    }
}
