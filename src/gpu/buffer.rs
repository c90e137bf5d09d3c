//! burn's tensors as buffers that a kernel can bind, and back.

use burn::tensor::{Int, Tensor};
use burn_wgpu::{CubeTensor, Wgpu, into_contiguous};

/// A contiguous buffer on the device, ready to be bound.
pub(super) struct Buffer(pub(super) CubeTensor);

impl Buffer {
    /// The elements of a float tensor, row-major. The tensor must live on a wgpu device.
    pub fn read<const D: usize>(tensor: &Tensor<D>) -> Self {
        Self(into_contiguous(on_wgpu(tensor.clone().try_into_primitive::<Wgpu>())))
    }

    /// The elements of an integer tensor (32 bits each), row-major.
    pub fn read_index<const D: usize>(tensor: &Tensor<D, Int>) -> Self {
        Self(into_contiguous(on_wgpu(tensor.clone().try_into_primitive::<Wgpu>())))
    }

    /// A buffer that may be written: the tensor's own when nobody else holds it, else a copy.
    pub fn write<const D: usize>(tensor: Tensor<D>) -> Self {
        let own = into_contiguous(on_wgpu(tensor.try_into_primitive::<Wgpu>()));
        if own.handle.can_mut() {
            return Self(own);
        }
        // Somebody else holds this buffer: adding zero copies it into a new one, on the device.
        let shared = Tensor::<D>::from_primitive::<Wgpu>(own);
        Self(on_wgpu(shared.clone().add_scalar(0.0).try_into_primitive::<Wgpu>()))
    }

    /// The buffer as a tensor again.
    pub fn tensor<const D: usize>(self) -> Tensor<D> {
        Tensor::from_primitive::<Wgpu>(self.0)
    }
}

/// A tensor of another device here is a mistake of ours, not of the user's: the executor checks
/// its device once, when it is made.
fn on_wgpu<T, E: std::fmt::Debug>(primitive: Result<T, E>) -> T {
    primitive.expect("kernels are given tensors of a wgpu device")
}
