//! What stands in the place of the GPUs' driver where the library is built without one.

use burn::tensor::Device as TensorDevice;

use super::{Adapter, Device, DeviceError, Heap};

/// There is no adapter to open.
#[derive(Clone, Debug)]
pub(super) enum Selector {}

/// There is no adapter to ask.
#[derive(Clone, Debug)]
pub(super) enum Handle {}

pub(super) fn heap(handle: &Handle) -> Option<Heap> {
    match *handle {}
}

/// None: the CPU has no such limit.
pub(super) fn binding_limit(_: &TensorDevice) -> Option<u64> {
    None
}

/// None: this library was built without a driver.
pub async fn adapters() -> Vec<Adapter> {
    Vec::new()
}

impl Device {
    pub(super) async fn open_adapter(adapter: &Adapter) -> Result<Self, DeviceError> {
        match adapter.selector {}
    }
}
