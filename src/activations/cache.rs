//! One tensor `(windows, tokens, width)` a slot, kept where the plan says.

use std::sync::Arc;

use burn::tensor::{Device, Tensor, TensorData};

use super::halves::Halves;
use super::{CacheError, Elements, Placement, Spill};
use crate::device::readback::floats;

/// Where activations go that no memory can hold; `None` where there is no such place.
pub type SharedSpill = Option<Arc<dyn Spill>>;

/// Tensors by the number of their slot: a batch, or a batch of a layer.
pub struct Cache {
    name: &'static str,
    place: Placement,
    elements: Elements,
    spill: SharedSpill,
    device: Device,
    slots: Vec<Option<Slot>>,
}

#[allow(clippy::large_enum_variant, reason = "a few slots live at a time; the tensors behind them are what is large")]
enum Slot {
    Device(Tensor<3>),
    Host(TensorData),
    /// On the device or on the host.
    Halves(Halves),
    Disk {
        name: String,
        shape: [usize; 3],
    },
}

impl Cache {
    /// Room for `slots` tensors of `device`, kept as they are in `place` under `name`.
    pub fn new(name: &'static str, slots: usize, place: Placement, spill: &SharedSpill, device: &Device) -> Self {
        let slots = std::iter::repeat_with(|| None).take(slots).collect();
        Self { name, place, elements: Elements::F32, spill: spill.clone(), device: device.clone(), slots }
    }

    /// The same in these numbers.
    #[must_use]
    pub fn keeping(self, elements: Elements) -> Self {
        Self { elements, ..self }
    }

    /// What comes back of a tensor that is kept: itself, or its nearest in the numbers that are kept.
    ///
    /// # Errors
    /// When a number is too large for these, or the device lost the work.
    pub async fn as_kept(&self, tensor: Tensor<3>) -> Result<Tensor<3>, CacheError> {
        match self.elements {
            Elements::F32 => Ok(tensor),
            Elements::F16 => Ok(Halves::of(tensor).await?.widened(&self.device)),
        }
    }

    /// The same under another name.
    #[must_use]
    pub fn named(self, name: &'static str) -> Self {
        Self { name, ..self }
    }

    /// Keeps a tensor in a slot in place of the one before.
    ///
    /// # Errors
    /// When the tensor cannot be read back or the disk refuses, or a number is too large for those that are kept.
    pub async fn put(&mut self, slot: usize, tensor: Tensor<3>) -> Result<(), CacheError> {
        let kept = match self.elements {
            Elements::F32 => self.kept(slot, tensor).await?,
            Elements::F16 => self.kept_halves(slot, tensor).await?,
        };
        self.slots[slot] = Some(kept);
        Ok(())
    }

    async fn kept(&self, slot: usize, tensor: Tensor<3>) -> Result<Slot, CacheError> {
        let shape = tensor.dims();
        match self.place {
            // A tensor is a handle; keeping it copies nothing.
            Placement::Device => Ok(Slot::Device(tensor)),
            // Copied into memory of our own: what a readback returns may still be the device's.
            Placement::Host => Ok(Slot::Host(TensorData::new(floats(tensor).await?, shape))),
            Placement::Disk => self.spilt(slot, bytemuck::cast_slice(&floats(tensor).await?), shape),
        }
    }

    async fn kept_halves(&self, slot: usize, tensor: Tensor<3>) -> Result<Slot, CacheError> {
        let (shape, halves) = (tensor.dims(), Halves::of(tensor).await?);
        match self.place {
            Placement::Device => Ok(Slot::Halves(halves)),
            Placement::Host => Ok(Slot::Halves(Halves::on_host(halves.into_bytes().await?, shape))),
            Placement::Disk => self.spilt(slot, &halves.into_bytes().await?, shape),
        }
    }

    fn spilt(&self, slot: usize, bytes: &[u8], shape: [usize; 3]) -> Result<Slot, CacheError> {
        // One name for a slot: each tensor replaces the file of the one before.
        let name = format!("{}-{slot:05}", self.name);
        self.spill()?.write(&name, bytes)?;
        Ok(Slot::Disk { name, shape })
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
            Some(Slot::Halves(halves)) => Ok(Some(halves.widened(&self.device))),
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
            Some(Slot::Halves(halves)) => Ok(Some(halves.widened(&self.device))),
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
        let bytes = self.spill()?.read(name)?;
        if self.elements == Elements::F16 {
            return Ok(Halves::on_host(bytes, shape).widened(&self.device));
        }
        // The bytes need not lie at a multiple of four, so they are copied and not cast.
        let values: Vec<f32> = bytemuck::pod_collect_to_vec(&bytes);
        Ok(Tensor::from_data(TensorData::new(values, shape), &self.device))
    }

    fn spill(&self) -> Result<&dyn Spill, CacheError> {
        self.spill.as_deref().ok_or(CacheError::NoDisk)
    }
}
