//! Whether a device can bind the matrices of a model, in blocks or whole.

use super::bytes::widths;
use crate::device::panels::least_bytes;
use crate::device::{Device, DeviceError};
use crate::shape::{LayerShape, ModelConfig};

/// Refuses a model of which the device cannot even bind blocks, before any work.
///
/// # Errors
/// For the first matrix with too long rows.
pub fn fits(config: &ModelConfig, device: &Device) -> Result<(), DeviceError> {
    let (d, q, c) = widths(config);
    let most = usize::try_from(d.max(q).max(c)).unwrap_or(usize::MAX);
    device.holds("a block of rows of the widest matrix", least_bytes(most))
}

/// Every matrix and vector of the layers with its bytes in one piece: for who needs them so, which is whoever solves
/// for weights or learns all of them.
pub fn pieces(config: &ModelConfig) -> impl Iterator<Item = (String, u64)> {
    // On the device all weights are in single precision.
    let bytes = |elements: usize| (elements * size_of::<f32>()) as u64;
    let of_layer = move |(i, &layer): (usize, &LayerShape)| {
        config.parts_of(layer).map(move |part| (format!("{part} of layer {i}"), bytes(part.elements(config, layer))))
    };
    config.layers.iter().enumerate().flat_map(of_layer)
}
