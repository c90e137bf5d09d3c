//! Choosing and opening the device that tensors live on.
//!
//! Without the feature `gpu` there is the CPU and nothing to choose.

mod choice;
#[cfg(feature = "gpu")]
mod driver;
#[cfg(not(feature = "gpu"))]
#[path = "device/no_driver.rs"]
mod driver;
#[cfg(not(target_arch = "wasm32"))]
mod elsewhere;
#[cfg(feature = "gpu")]
mod heaps;
mod lost;
mod memory;
pub mod panels;
mod precision;
pub mod product;
pub mod readback;
pub mod room;
mod together;
mod trouble;

use burn::tensor::Device as TensorDevice;

use choice::chosen;
pub use choice::{DeviceChoice, gpus, typed};
pub use driver::adapters;
use driver::{Handle, Selector};
#[cfg(not(target_arch = "wasm32"))]
use elsewhere::Elsewhere;
pub use memory::Peak;
pub use precision::{Precision, SPLIT_AT_ONCE, multiplies_halves};
pub use trouble::{caught, caught_async};

use crate::remedy::{Remedied, Remedy};

/// Whether our kernels take tensors that burn has there: on every device but its CPU, and not under autodiff.
pub fn has_kernels(on: &TensorDevice) -> bool {
    cfg!(feature = "gpu") && !on.is_autodiff() && *on != TensorDevice::flex()
}

/// Why no device could be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeviceError {
    /// There is no hardware GPU with a driver.
    #[error("no usable GPU driver was found{}; install a Vulkan driver", software_note(.software))]
    NoGpu {
        /// Software adapters that would have to be asked for by name.
        software: Vec<String>,
    },
    /// No adapter is what was asked for.
    #[error("no adapter {asked}; there are: {}", .known.join(", "))]
    NoSuchAdapter {
        /// What was asked for: "is gpu:1", or "has … in its name".
        asked: String,
        /// All there are, as they can be asked for.
        known: Vec<String>,
    },
    /// A matrix is larger than the adapter can bind.
    #[error(
        "{matrix} takes {} in one piece, but {name} binds at most {} (its storage-binding limit)",
        crate::format::bytes(*.bytes), crate::format::bytes(*.limit)
    )]
    Matrix {
        /// The adapter's name.
        name: String,
        /// Which matrix it is, in words.
        matrix: String,
        /// Bytes that it takes in one piece.
        bytes: u64,
        /// The adapter's limit in bytes.
        limit: u64,
    },
    /// A GPU and the CPU cannot share the windows of a run.
    #[error("{first} and {other} cannot share the work: all devices are GPUs or all are the CPU")]
    Mixed {
        /// The device that was named first.
        first: String,
        /// The first of another kind.
        other: String,
    },
    /// Another process could not open its device.
    #[error("process {rank} of those that share the work: {reason}")]
    Elsewhere {
        /// Its place among them, from 0.
        rank: usize,
        /// What it says.
        reason: String,
    },
    /// Several processes share the work, and another one ended or is out of step.
    #[error(transparent)]
    Ranks(#[from] crate::ranks::RanksError),
    /// The driver refused to start.
    #[error("the adapter {name} could not be opened: {reason}")]
    Open {
        /// The adapter that did not start, by its driver's name.
        name: String,
        /// What the driver said, unchanged.
        reason: String,
    },
}

impl Remedied for DeviceError {
    fn remedy(&self) -> Option<Remedy> {
        match self {
            Self::NoGpu { .. } | Self::Matrix { .. } => Some(Remedy::Cpu),
            Self::NoSuchAdapter { .. } | Self::Mixed { .. } | Self::Elsewhere { .. } | Self::Ranks(_) => None,
            Self::Open { .. } => Some(Remedy::OtherDevice),
        }
    }
}

fn software_note(software: &[String]) -> String {
    match software {
        [] => String::new(),
        names => format!(" (software adapters are used only when asked for by name: {})", names.join(", ")),
    }
}

/// An adapter as the system lists it.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Adapter {
    /// The driver's name for it.
    pub name: String,
    /// "vulkan", "metal", "dx12", "gl" or "webgpu".
    pub backend: String,
    /// "discrete", "integrated", "virtual", "software" or "other".
    pub kind: &'static str,
    /// Name and version of the driver.
    pub driver: String,
    /// Largest buffer one kernel can bind, in bytes.
    pub max_binding_bytes: u64,
    /// Largest buffer, in bytes.
    pub max_buffer_bytes: u64,
    /// Its memory in bytes; `None` where the driver does not tell. Software computes in the host's memory.
    pub memory_bytes: Option<u64>,
    /// Bytes of it that were free when the adapters were listed; `None` where the driver does not tell.
    pub free_bytes: Option<u64>,
    /// Whether it has matrix units that our kernels use, so that large products can be in half precision.
    pub matrix_units: bool,
    #[serde(skip)]
    #[cfg_attr(
        target_arch = "wasm32",
        allow(dead_code, reason = "a browser has one adapter and nothing to choose it by")
    )]
    selector: Selector,
}

/// The memory of an adapter, as its driver tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "gpu"), allow(dead_code, reason = "there is no adapter to ask"))]
struct Heap {
    /// All of it.
    bytes: u64,
    /// What a program may still take of it.
    free_bytes: Option<u64>,
}

impl Adapter {
    /// Whether it computes on the CPU.
    pub fn is_software(&self) -> bool {
        self.kind == "software"
    }
}

/// An open device; clones share it.
#[derive(Clone, Debug)]
pub struct Device {
    tensor: TensorDevice,
    name: String,
    max_binding_bytes: Option<u64>,
    /// Whether it multiplies squares of 16 × 16 halves in one instruction.
    matrix_units: bool,
    /// Whom to ask for the memory that is free.
    handle: Option<Handle>,
    /// The devices that share the windows of a run, this one first; empty where it is alone.
    members: Vec<Device>,
    /// The devices of other processes that share them.
    #[cfg(not(target_arch = "wasm32"))]
    elsewhere: Option<Elsewhere>,
}

/// A device, and why it is not the GPU that was hoped for.
#[derive(Debug)]
pub struct Opened {
    /// What was opened: a GPU, or the CPU in its place.
    pub device: Device,
    /// What kept `Auto` from taking a GPU.
    pub instead_of_gpu: Option<DeviceError>,
}

impl Device {
    /// The CPU executor's device.
    pub fn cpu() -> Self {
        Self::alone(TensorDevice::flex(), "cpu".into(), None, None)
    }

    /// A device that shares its work with nobody.
    fn alone(tensor: TensorDevice, name: String, max_binding_bytes: Option<u64>, handle: Option<Handle>) -> Self {
        Self {
            tensor,
            name,
            max_binding_bytes,
            matrix_units: false,
            handle,
            members: Vec::new(),
            #[cfg(not(target_arch = "wasm32"))]
            elsewhere: None,
        }
    }

    /// Opens what was asked for. `Auto` takes a hardware GPU that works, and otherwise the CPU.
    ///
    /// # Errors
    /// When there is no such adapter or its driver does not start.
    pub async fn open(choice: &DeviceChoice) -> Result<Self, DeviceError> {
        Ok(Self::open_or_fall_back(choice).await?.device)
    }

    /// [`Self::open`], which also says why `Auto` took no GPU.
    ///
    /// # Errors
    /// When there is no such adapter or its driver does not start.
    pub async fn open_or_fall_back(choice: &DeviceChoice) -> Result<Opened, DeviceError> {
        let asked = match choice {
            DeviceChoice::Auto => &DeviceChoice::Gpu,
            other => other,
        };
        match (Self::open_exactly(asked).await, choice) {
            // Only `Auto` falls back: whoever asks for a GPU by word must hear that there is none.
            (Err(error), DeviceChoice::Auto) => Ok(Opened { device: Self::cpu(), instead_of_gpu: Some(error) }),
            (opened, _) => Ok(Opened { device: opened?, instead_of_gpu: None }),
        }
    }

    async fn open_exactly(choice: &DeviceChoice) -> Result<Self, DeviceError> {
        match choice {
            DeviceChoice::Cpu => Ok(Self::cpu()),
            asked => Self::open_adapter(&chosen(&adapters().await, asked)?).await,
        }
    }

    /// burn's handle, by which tensors are made on it.
    pub fn tensor_device(&self) -> &TensorDevice {
        &self.tensor
    }

    /// Whether tensors live on a wgpu adapter, so that our kernels run.
    pub fn is_gpu(&self) -> bool {
        self.max_binding_bytes.is_some()
    }

    /// "cpu", or the adapter's name; of several that share the work all names.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Refuses a matrix that no kernel could bind. A driver would say so in pages, and too late.
    ///
    /// # Errors
    /// When it has more bytes than the adapter binds.
    pub fn holds(&self, matrix: &str, bytes: u64) -> Result<(), DeviceError> {
        match self.max_binding_bytes {
            Some(limit) if bytes > limit => {
                Err(DeviceError::Matrix { name: self.name.clone(), matrix: matrix.into(), bytes, limit })
            }
            _ => Ok(()),
        }
    }

    /// Largest buffer one kernel can bind, in bytes; `None` on the CPU, which has no such limit.
    pub fn max_binding_bytes(&self) -> Option<u64> {
        self.max_binding_bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_matrix_that_cannot_be_bound_is_named_with_its_bytes() {
        let small = Device { max_binding_bytes: Some(128 << 20), name: "small".into(), ..Device::cpu() };
        assert!(small.holds("the embedding", 128 << 20).is_ok());
        let refused = small.holds("the embedding", (128 << 20) + 4).unwrap_err();
        assert_eq!(refused.remedy(), Some(Remedy::Cpu));
        let words = refused.to_string();
        assert!(words.contains("the embedding takes 128.00 MiB") && words.contains("small binds"), "{words}");
        // The CPU takes what memory holds.
        assert!(Device::cpu().holds("the embedding", u64::MAX).is_ok());
    }
}
