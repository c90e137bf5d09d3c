//! What stands in the place of the GPUs' driver where the library is built without one.

use super::{Adapter, Device, DeviceError};

/// There is no adapter to open.
#[derive(Clone, Debug)]
pub(super) enum Selector {}

/// None: this library was built without a driver.
pub async fn adapters() -> Vec<Adapter> {
    Vec::new()
}

impl Device {
    pub(super) async fn open_adapter(adapter: &Adapter) -> Result<Self, DeviceError> {
        match adapter.selector {}
    }
}
