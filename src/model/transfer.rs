//! Single tensors to the device and back.

use burn::tensor::{Device, Tensor, TensorData};

use crate::checkpoint::{Halves, HostTensor};
#[cfg(feature = "gpu")]
use crate::device::has_kernels;
use crate::device::panels::Panels;
use crate::device::readback::{ReadbackError, floats};

/// A tensor on the device, of the rank that it has on the host.
pub fn upload<const D: usize>(tensor: &HostTensor, device: &Device) -> Tensor<D> {
    Tensor::from_data(TensorData::new(tensor.values.clone(), tensor.shape.clone()), device)
}

/// A matrix on the device, in blocks that it can bind.
pub(super) fn in_panels(matrix: &HostTensor, device: &Device) -> Panels {
    Panels::upload(&matrix.values, [matrix.shape[0], matrix.shape[1]], device)
}

/// A matrix of halves in singles on the device, in blocks that it can bind; the same numbers wherever it is widened.
pub(super) fn halves_in_panels(matrix: &Halves<'_>, device: &Device) -> Panels {
    #[cfg(feature = "gpu")]
    if has_kernels(device) {
        let [_, width] = matrix.shape;
        let row = width * 2;
        return Panels::made(matrix.shape, device, |rows| {
            let bytes = &matrix.bytes[rows.start * row..rows.end * row];
            let words = crate::gpu::halves::words(bytes, device);
            crate::gpu::halves::widen(matrix.half, &words, [rows.len(), width])
        });
    }
    in_panels(&matrix.widened(), device)
}

/// A tensor back on the host.
///
/// # Errors
/// When the device lost it.
pub(super) async fn download<const D: usize>(tensor: Tensor<D>) -> Result<HostTensor, ReadbackError> {
    let shape = tensor.dims().to_vec();
    Ok(HostTensor { shape, values: floats(tensor).await? })
}

/// All tokens one after the other: `(windows, tokens, width)` as `(windows · tokens, width)`.
pub fn flat(x: Tensor<3>) -> Tensor<2> {
    let [windows, tokens, width] = x.dims();
    x.reshape([windows * tokens, width])
}
