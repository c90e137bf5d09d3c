//! What there is.

use std::path::Path;

use crate::device::{Device, multiplies_halves, room};

/// What the device and the machine can hold. Unknown numbers are `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Whether the device has memory of its own, apart from the host's.
    pub is_gpu: bool,
    /// Whether its products are in half precision, which takes the halves' memory.
    pub multiplies_halves: bool,
    /// The largest buffer a kernel can bind, in bytes.
    pub max_binding_bytes: Option<u64>,
    /// Memory of the device that may be used, where it can be asked for.
    pub device_bytes: Option<u64>,
    /// Memory of the host that may be used.
    pub host_bytes: Option<u64>,
    /// Room on the disk that the output goes to; `None` where activations cannot go to a disk.
    pub disk_bytes: Option<u64>,
    /// Devices that share the windows. None counts as one.
    pub ranks: usize,
    /// Most of them that share one machine's memory. None counts as all.
    pub ranks_here: usize,
}

impl Limits {
    /// What `device` and this machine can hold now. Activations may go to the disk of `out`, if a
    /// folder is made at all.
    pub fn of(device: &Device, out: Option<&Path>) -> Self {
        Self {
            is_gpu: device.is_gpu(),
            multiplies_halves: multiplies_halves(device.tensor_device()),
            max_binding_bytes: device.max_binding_bytes(),
            device_bytes: device.usable_bytes(),
            host_bytes: room::host_bytes(),
            disk_bytes: out.and_then(room::disk_bytes),
            ranks: device.ranks(),
            ranks_here: device.ranks_of_a_machine(),
        }
    }

    /// The same with `bytes`, if given, as all that may be used where the work is done: the memory of
    /// a GPU, or the host's where the CPU computes.
    pub fn within(self, bytes: Option<u64>) -> Self {
        match self.is_gpu {
            true => Self { device_bytes: bytes.or(self.device_bytes), ..self },
            false => Self { host_bytes: bytes.or(self.host_bytes), ..self },
        }
    }
}
