//! Choosing and opening the device that tensors live on.
//!
//! A GPU is opened through burn once per adapter and kept: burn registers a runtime for a device
//! and refuses to register it twice.

mod memory;
pub mod room;

use std::sync::Mutex;

#[cfg(not(target_arch = "wasm32"))]
use burn::backend::wgpu::WgpuBackend;
use burn::backend::wgpu::WgpuSetup;
use burn::tensor::Device as TensorDevice;
#[cfg(not(target_arch = "wasm32"))]
use burn::tensor::DeviceKind;

pub use memory::Peak;

/// What the user asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum DeviceChoice {
    /// A hardware GPU if there is one, else the CPU.
    #[default]
    Auto,
    /// A hardware GPU, or an error.
    Gpu,
    /// The CPU executor.
    Cpu,
    /// The adapter whose name contains this text, software adapters included.
    Named(String),
}

impl std::str::FromStr for DeviceChoice {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text {
            "auto" => Self::Auto,
            "gpu" => Self::Gpu,
            "cpu" => Self::Cpu,
            name => Self::Named(name.to_owned()),
        })
    }
}

/// Why no device could be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeviceError {
    /// There is no hardware GPU with a driver.
    #[error("no usable GPU driver was found{}; install a Vulkan driver, or use --device cpu", software_note(.software))]
    NoGpu {
        /// Software adapters that would have to be asked for by name.
        software: Vec<String>,
    },
    /// No adapter has this name.
    #[error("no adapter's name contains \"{name}\"; there are: {}", .known.join(", "))]
    NoSuchAdapter {
        /// What was asked for.
        name: String,
        /// The names there are.
        known: Vec<String>,
    },
    /// The driver refused to start.
    #[error(
        "the adapter {name} could not be opened: {reason}; use --device cpu, or another adapter of `slimgpt devices`"
    )]
    Open {
        /// The adapter.
        name: String,
        /// The driver's words.
        reason: String,
    },
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
    #[cfg(not(target_arch = "wasm32"))]
    #[serde(skip)]
    selector: (DeviceKind, WgpuBackend),
}

impl Adapter {
    /// Whether it computes on the CPU.
    pub fn is_software(&self) -> bool {
        self.kind == "software"
    }
}

/// An open device.
#[derive(Clone, Debug)]
pub struct Device {
    tensor: TensorDevice,
    name: String,
    max_binding_bytes: Option<u64>,
}

impl Device {
    /// The CPU executor's device.
    pub fn cpu() -> Self {
        Self { tensor: TensorDevice::flex(), name: "cpu".into(), max_binding_bytes: None }
    }

    /// Opens what was asked for.
    ///
    /// # Errors
    /// When there is no such adapter or its driver does not start.
    pub async fn open(choice: &DeviceChoice) -> Result<Self, DeviceError> {
        match choice {
            DeviceChoice::Cpu => Ok(Self::cpu()),
            DeviceChoice::Auto => match hardware(adapters().await) {
                Ok(adapter) => Self::open_adapter(&adapter).await,
                Err(_) => Ok(Self::cpu()),
            },
            DeviceChoice::Gpu => Self::open_adapter(&hardware(adapters().await)?).await,
            DeviceChoice::Named(name) => Self::open_adapter(&named(adapters().await, name)?).await,
        }
    }

    /// Computes on a device that draws a window already. Opening the adapter of this name gives it
    /// from now on.
    ///
    /// # Errors
    /// When the device cannot compute, or cannot be registered.
    pub fn adopt(
        instance: &wgpu::Instance,
        adapter: &wgpu::Adapter,
        device: &wgpu::Device,
        queue: &wgpu::Queue,
    ) -> Result<Self, DeviceError> {
        let wgpu::AdapterInfo { name, backend, .. } = adapter.get_info();
        let mut open = OPENED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(device) = open.iter().find(|d| d.name == name) {
            return Ok(device.clone());
        }
        let max_binding_bytes = Some(device.limits().max_storage_buffer_binding_size);
        let (instance, adapter) = (instance.clone(), adapter.clone());
        let setup = WgpuSetup { instance, adapter, device: device.clone(), queue: queue.clone(), backend };
        let tensor = TensorDevice::wgpu_options().setup(setup).init();
        let tensor = tensor.map_err(|e| DeviceError::Open { name: name.clone(), reason: e.to_string() })?;
        let device = Self { tensor, name, max_binding_bytes };
        open.push(device.clone());
        Ok(device)
    }

    /// burn's handle.
    pub fn tensor_device(&self) -> &TensorDevice {
        &self.tensor
    }

    /// Whether tensors live on a wgpu adapter, so that our kernels run.
    pub fn is_gpu(&self) -> bool {
        self.max_binding_bytes.is_some()
    }

    /// "cpu", or the adapter's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Largest buffer one kernel can bind, in bytes; `None` on the CPU, which has no such limit.
    pub fn max_binding_bytes(&self) -> Option<u64> {
        self.max_binding_bytes
    }

    /// Opening is serialised: two threads that want one adapter get one device.
    #[cfg(not(target_arch = "wasm32"))]
    async fn open_adapter(adapter: &Adapter) -> Result<Self, DeviceError> {
        let mut open = OPENED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(device) = open.iter().find(|d| d.name == adapter.name) {
            return Ok(device.clone());
        }
        let (kind, api) = adapter.selector.clone();
        let started = TensorDevice::wgpu_options().device_kind(kind).graphics_api(api).init_with_setup();
        let device = Self::started(adapter, started.map_err(|e| e.to_string()))?;
        open.push(device.clone());
        Ok(device)
    }

    /// A page has one thread, so looking, opening and keeping need no lock across the await.
    #[cfg(target_arch = "wasm32")]
    async fn open_adapter(adapter: &Adapter) -> Result<Self, DeviceError> {
        let kept = || OPENED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(device) = kept().iter().find(|d| d.name == adapter.name) {
            return Ok(device.clone());
        }
        let started = TensorDevice::wgpu_options().init_with_setup_async().await;
        let device = Self::started(adapter, started.map_err(|e| e.to_string()))?;
        kept().push(device.clone());
        Ok(device)
    }

    fn started(adapter: &Adapter, started: Result<(TensorDevice, WgpuSetup), String>) -> Result<Self, DeviceError> {
        let (tensor, setup) = started.map_err(|reason| DeviceError::Open { name: adapter.name.clone(), reason })?;
        let max_binding_bytes = Some(setup.device.limits().max_storage_buffer_binding_size);
        Ok(Self { tensor, name: adapter.name.clone(), max_binding_bytes })
    }
}

/// The devices opened so far.
static OPENED: Mutex<Vec<Device>> = Mutex::new(Vec::new());

fn hardware(adapters: Vec<Adapter>) -> Result<Adapter, DeviceError> {
    let rank = |a: &Adapter| ["discrete", "integrated", "virtual", "other"].iter().position(|&k| k == a.kind);
    let best = adapters.iter().filter(|a| rank(a).is_some()).min_by_key(|a| rank(a)).cloned();
    best.ok_or_else(|| DeviceError::NoGpu { software: adapters.into_iter().map(|a| a.name).collect() })
}

fn named(adapters: Vec<Adapter>, name: &str) -> Result<Adapter, DeviceError> {
    let wanted = name.to_lowercase();
    let found = adapters.iter().find(|a| a.name.to_lowercase().contains(&wanted)).cloned();
    found.ok_or_else(|| DeviceError::NoSuchAdapter {
        name: name.to_owned(),
        known: adapters.into_iter().map(|a| a.name).chain(["cpu".into()]).collect(),
    })
}

/// The adapters of this machine that can compute, in the driver's order.
#[cfg(not(target_arch = "wasm32"))]
pub async fn adapters() -> Vec<Adapter> {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    let found = instance.enumerate_adapters(wgpu::Backends::PRIMARY).await;
    let mut listed: Vec<Adapter> = Vec::new();
    for adapter in found {
        let info = adapter.get_info();
        let Some(api) = graphics_api(info.backend) else { continue };
        let kind = kind_name(info.device_type);
        let nth = listed.iter().filter(|a| a.kind == kind && a.selector.1 == api).count();
        let limits = adapter.limits();
        listed.push(Adapter {
            name: info.name,
            backend: info.backend.to_string(),
            kind,
            driver: format!("{} {}", info.driver, info.driver_info).trim().to_owned(),
            max_binding_bytes: limits.max_storage_buffer_binding_size,
            max_buffer_bytes: limits.max_buffer_size,
            selector: (selector(info.device_type, nth), api),
        });
    }
    listed
}

/// The adapter a browser gives, if it has WebGPU. It does not say what it is.
#[cfg(target_arch = "wasm32")]
pub async fn adapters() -> Vec<Adapter> {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    let Ok(adapter) = instance.request_adapter(&wgpu::RequestAdapterOptions::default()).await else {
        return Vec::new();
    };
    let limits = adapter.limits();
    vec![Adapter {
        name: "WebGPU".into(),
        backend: "webgpu".into(),
        kind: "other",
        driver: "browser".into(),
        max_binding_bytes: limits.max_storage_buffer_binding_size,
        max_buffer_bytes: limits.max_buffer_size,
    }]
}

#[cfg(not(target_arch = "wasm32"))]
fn kind_name(kind: wgpu::DeviceType) -> &'static str {
    match kind {
        wgpu::DeviceType::DiscreteGpu => "discrete",
        wgpu::DeviceType::IntegratedGpu => "integrated",
        wgpu::DeviceType::VirtualGpu => "virtual",
        wgpu::DeviceType::Cpu => "software",
        wgpu::DeviceType::Other => "other",
    }
}

#[cfg(not(target_arch = "wasm32"))]
fn selector(kind: wgpu::DeviceType, nth: usize) -> DeviceKind {
    match kind {
        wgpu::DeviceType::DiscreteGpu => DeviceKind::DiscreteGpu(nth),
        wgpu::DeviceType::IntegratedGpu => DeviceKind::IntegratedGpu(nth),
        wgpu::DeviceType::VirtualGpu => DeviceKind::VirtualGpu(nth),
        wgpu::DeviceType::Cpu => DeviceKind::Cpu,
        wgpu::DeviceType::Other => DeviceKind::DefaultDevice,
    }
}

#[cfg(not(target_arch = "wasm32"))]
fn graphics_api(backend: wgpu::Backend) -> Option<WgpuBackend> {
    match backend {
        wgpu::Backend::Vulkan => Some(WgpuBackend::Vulkan),
        wgpu::Backend::Metal => Some(WgpuBackend::Metal),
        wgpu::Backend::Dx12 => Some(WgpuBackend::Dx12),
        _ => None,
    }
}
