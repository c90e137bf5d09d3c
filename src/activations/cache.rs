//! One tensor `(windows, tokens, width)` a slot, kept where the plan says.

use std::rc::Rc;

use burn::tensor::{Device, Tensor, TensorData};

use super::{CacheError, Placement, Spill};
use crate::device::readback::floats;

/// Where activations go that no memory can hold; `None` where there is no such place.
pub type SharedSpill = Option<Rc<dyn Spill>>;

/// Tensors by the number of their slot: a batch, or a batch of a layer.
pub struct Cache {
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
    /// Room for `slots` tensors of `device`, kept in `place` under `name`.
    pub fn new(name: &'static str, slots: usize, place: Placement, spill: &SharedSpill, device: &Device) -> Self {
        let slots = std::iter::repeat_with(|| None).take(slots).collect();
        Self { name, place, spill: spill.clone(), device: device.clone(), slots }
    }

    /// The same under another name.
    #[must_use]
    pub fn named(self, name: &'static str) -> Self {
        Self { name, ..self }
    }

    /// Keeps a tensor in a slot in place of the one before.
    ///
    /// # Errors
    /// When the tensor cannot be read back or the disk refuses.
    pub async fn put(&mut self, slot: usize, tensor: Tensor<3>) -> Result<(), CacheError> {
        self.slots[slot] = Some(match self.place {
            // A tensor is a handle; keeping it copies nothing.
            Placement::Device => Slot::Device(tensor),
            Placement::Host => {
                // Copied into memory of our own: what a readback returns may still be the device's.
                let shape = tensor.dims();
                Slot::Host(TensorData::new(floats(tensor).await?, shape))
            }
            Placement::Disk => {
                // One name for a slot: each tensor replaces the file of the one before.
                let (name, shape) = (format!("{}-{slot:05}", self.name), tensor.dims());
                self.spill()?.write(&name, bytemuck::cast_slice(&floats(tensor).await?))?;
                Slot::Disk { name, shape }
            }
        });
        Ok(())
    }

    /// Takes what is kept in a slot out of the cache.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn take(&mut self, slot: usize) -> Result<Option<Tensor<3>>, CacheError> {
        // Out of the slot, so that its memory is free for what is computed from it.
        match self.slots[slot].take() {
            None => Ok(None),
            Some(Slot::Device(tensor)) => Ok(Some(tensor)),
            Some(Slot::Host(data)) => Ok(Some(Tensor::from_data(data, &self.device))),
            Some(Slot::Disk { name, shape }) => self.read(&name, shape).map(Some),
        }
    }

    /// What is kept in a slot; it stays kept.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn get(&self, slot: usize) -> Result<Option<Tensor<3>>, CacheError> {
        match &self.slots[slot] {
            None => Ok(None),
            Some(Slot::Device(tensor)) => Ok(Some(tensor.clone())),
            // Copied, because the tensor takes the bytes over.
            Some(Slot::Host(data)) => Ok(Some(Tensor::from_data(data.clone(), &self.device))),
            Some(Slot::Disk { name, shape }) => self.read(name, *shape).map(Some),
        }
    }

    /// How many tensors it has room for.
    pub fn slots(&self) -> usize {
        self.slots.len()
    }

    /// Keeps what another cache of as many slots keeps; it stays there too.
    ///
    /// # Errors
    /// As [`Self::get`] and [`Self::put`].
    pub async fn copy_from(&mut self, other: &Self) -> Result<(), CacheError> {
        for slot in 0..other.slots.len() {
            if let Some(tensor) = other.get(slot)? {
                self.put(slot, tensor).await?;
            }
        }
        Ok(())
    }

    fn read(&self, name: &str, shape: [usize; 3]) -> Result<Tensor<3>, CacheError> {
        // The bytes need not lie at a multiple of four, so they are copied and not cast.
        let values: Vec<f32> = bytemuck::pod_collect_to_vec(&self.spill()?.read(name)?);
        Ok(Tensor::from_data(TensorData::new(values, shape), &self.device))
    }

    fn spill(&self) -> Result<&dyn Spill, CacheError> {
        self.spill.as_deref().ok_or(CacheError::NoDisk)
    }
}
