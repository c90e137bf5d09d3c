//! Whether a device can bind every matrix of a model.

use crate::device::{Device, DeviceError};
use crate::shape::ModelConfig;

/// Refuses a model with a matrix larger than the device binds, before any work. The largest is
/// usually the embedding: 2.2 GB for a vocabulary of 150,000 in single precision.
///
/// # Errors
/// For the first matrix that is too large.
pub fn fits(config: &ModelConfig, device: &Device) -> Result<(), DeviceError> {
    // On the device all weights are in single precision.
    let bytes = |elements: usize| (elements * size_of::<f32>()) as u64;
    device.holds("the embedding of the vocabulary", bytes(config.vocab_size * config.hidden_size))?;
    for (i, &layer) in config.layers.iter().enumerate() {
        for part in config.parts() {
            device.holds(&format!("{part} of layer {i}"), bytes(part.elements(config, layer)))?;
        }
    }
    Ok(())
}
