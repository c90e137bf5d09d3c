//! Activations between the passes and the layers, one tensor `(windows, tokens, width)` a batch,
//! on the device, in host memory or on disk. Where they lie changes no bit of them.

use std::rc::Rc;

use burn::tensor::{Device, Tensor, TensorData};

use super::{PipelineError, Placement, Spill};
use crate::device::readback::data;

/// Where activations go that no memory can hold; `None` where there is no such place.
pub(super) type SharedSpill = Option<Rc<dyn Spill>>;

/// One tensor for each batch.
pub(super) struct Cache {
    name: &'static str,
    place: Placement,
    spill: SharedSpill,
    device: Device,
    slots: Vec<Option<Slot>>,
}

#[allow(clippy::large_enum_variant, reason = "a few slots live at a time; the tensors behind them are what is large")]
enum Slot {
    Device(Tensor<3>),
    Host(TensorData),
    Disk { name: String, shape: [usize; 3] },
}

impl Cache {
    /// Room for `batches` tensors of `device`, kept in `place` under `name`.
    pub fn new(name: &'static str, batches: usize, place: Placement, spill: &SharedSpill, device: &Device) -> Self {
        let slots = std::iter::repeat_with(|| None).take(batches).collect();
        Self { name, place, spill: spill.clone(), device: device.clone(), slots }
    }

    /// Keeps the tensor of a batch, while `layer` is worked on, in place of the one before.
    ///
    /// # Errors
    /// When the tensor cannot be read back or the disk refuses.
    pub async fn put(&mut self, layer: usize, batch: usize, tensor: Tensor<3>) -> Result<(), PipelineError> {
        self.slots[batch] = Some(match self.place {
            // A tensor is a handle; keeping it copies nothing.
            Placement::Device => Slot::Device(tensor),
            Placement::Host => Slot::Host(read_back(layer, tensor).await?),
            Placement::Disk => {
                // One name for a batch: each layer's tensor replaces the file of the one before.
                let (name, shape) = (format!("{}-{batch:05}", self.name), tensor.dims());
                self.spill()?.write(&name, read_back(layer, tensor).await?.as_bytes())?;
                Slot::Disk { name, shape }
            }
        });
        Ok(())
    }

    /// Takes what is kept of a batch out of the cache.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn take(&mut self, batch: usize) -> Result<Option<Tensor<3>>, PipelineError> {
        // Out of the slot, so that its memory is free for what is computed from it.
        match self.slots[batch].take() {
            None => Ok(None),
            Some(Slot::Device(tensor)) => Ok(Some(tensor)),
            Some(Slot::Host(data)) => Ok(Some(Tensor::from_data(data, &self.device))),
            Some(Slot::Disk { name, shape }) => self.read(&name, shape).map(Some),
        }
    }

    /// What is kept of a batch; it stays kept.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn get(&self, batch: usize) -> Result<Option<Tensor<3>>, PipelineError> {
        match &self.slots[batch] {
            None => Ok(None),
            Some(Slot::Device(tensor)) => Ok(Some(tensor.clone())),
            // Copied, because the tensor takes the bytes over.
            Some(Slot::Host(data)) => Ok(Some(Tensor::from_data(data.clone(), &self.device))),
            Some(Slot::Disk { name, shape }) => self.read(name, *shape).map(Some),
        }
    }

    fn read(&self, name: &str, shape: [usize; 3]) -> Result<Tensor<3>, PipelineError> {
        // The bytes need not lie at a multiple of four, so they are copied and not cast.
        let values: Vec<f32> = bytemuck::pod_collect_to_vec(&self.spill()?.read(name)?);
        Ok(Tensor::from_data(TensorData::new(values, shape), &self.device))
    }

    fn spill(&self) -> Result<&dyn Spill, PipelineError> {
        self.spill.as_deref().ok_or(PipelineError::NoDisk)
    }
}

async fn read_back(layer: usize, tensor: Tensor<3>) -> Result<TensorData, PipelineError> {
    data(tensor).await.map_err(|cause| PipelineError::Readback { layer, cause })
}
