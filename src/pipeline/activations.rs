//! Activations between the passes and the layers, one tensor `(windows, tokens, width)` a batch,
//! on the device or in host memory.

use burn::tensor::{Device, Tensor, TensorData};

use super::Place;

/// One tensor for each batch.
pub(super) struct Cache {
    place: Place,
    device: Device,
    slots: Vec<Option<Slot>>,
}

#[allow(clippy::large_enum_variant, reason = "a few slots live at a time; the tensors behind them are what is large")]
enum Slot {
    Device(Tensor<3>),
    Host(TensorData),
}

impl Cache {
    /// Room for `batches` tensors of `device`, kept in `place`.
    pub fn new(batches: usize, place: Place, device: &Device) -> Self {
        Self { place, device: device.clone(), slots: std::iter::repeat_with(|| None).take(batches).collect() }
    }

    /// Keeps the tensor of a batch in place of the one before.
    ///
    /// # Errors
    /// The device's words when the tensor cannot be read back.
    pub async fn put(&mut self, batch: usize, tensor: Tensor<3>) -> Result<(), String> {
        self.slots[batch] = Some(match self.place {
            Place::Device => Slot::Device(tensor),
            Place::Host => Slot::Host(tensor.into_data_async().await.map_err(|e| format!("{e:?}"))?),
        });
        Ok(())
    }

    /// Takes what is kept of a batch out of the cache.
    pub fn take(&mut self, batch: usize) -> Option<Tensor<3>> {
        self.slots[batch].take().map(|slot| match slot {
            Slot::Device(tensor) => tensor,
            Slot::Host(data) => Tensor::from_data(data, &self.device),
        })
    }

    /// What is kept of a batch; it stays kept.
    pub fn get(&self, batch: usize) -> Option<Tensor<3>> {
        self.slots[batch].as_ref().map(|slot| match slot {
            Slot::Device(tensor) => tensor.clone(),
            Slot::Host(data) => Tensor::from_data(data.clone(), &self.device),
        })
    }
}
