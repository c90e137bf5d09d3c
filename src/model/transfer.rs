//! Single tensors to the device and back.

use burn::tensor::{Device, Tensor, TensorData};

use crate::checkpoint::HostTensor;
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
