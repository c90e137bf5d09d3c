//! Whether a device can bind every matrix of a model.

use crate::device::panels::least_bytes;
use crate::device::{Device, DeviceError};
use crate::shape::{LayerShape, ModelConfig};

/// Refuses a model with a matrix larger than the device binds, before any work.
///
/// # Errors
/// For the first matrix that is too large.
pub fn fits(config: &ModelConfig, device: &Device) -> Result<(), DeviceError> {
    pieces(config).try_for_each(|(what, bytes)| device.holds(&what, bytes))
}

/// What of a model a device has to bind in one piece, with its bytes. Embedding and head, the largest, go in blocks of
/// rows; a layer's weights do not.
pub fn pieces(config: &ModelConfig) -> impl Iterator<Item = (String, u64)> {
    // On the device all weights are in single precision.
    let bytes = |elements: usize| (elements * size_of::<f32>()) as u64;
    let block = ("the smallest block of the embedding".to_owned(), least_bytes(config.hidden_size));
    let of_layer = move |(i, &layer): (usize, &LayerShape)| {
        config.parts().map(move |part| (format!("{part} of layer {i}"), bytes(part.elements(config, layer))))
    };
    std::iter::once(block).chain(config.layers.iter().enumerate().flat_map(of_layer))
}
