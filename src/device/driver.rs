//! The GPUs of this machine: listing them, and opening one through burn once. It is kept, because
//! burn registers a runtime for a device and refuses to register it twice.

use std::sync::Mutex;

use burn::tensor::Device as TensorDevice;
#[cfg(not(target_arch = "wasm32"))]
use burn::tensor::DeviceKind;
#[cfg(not(target_arch = "wasm32"))]
use burn_wgpu::WgpuBackend;
use burn_wgpu::WgpuSetup;

#[cfg(not(target_arch = "wasm32"))]
use super::trouble;
use super::{Adapter, Device, DeviceError, Heap, heaps};

/// What burn opens an adapter by.
#[cfg(not(target_arch = "wasm32"))]
pub(super) type Selector = (DeviceKind, WgpuBackend);
/// A page has one adapter.
#[cfg(target_arch = "wasm32")]
pub(super) type Selector = ();

/// An adapter as its driver knows it.
pub(super) type Handle = wgpu::Adapter;

/// The adapter's memory now, where its driver tells.
pub(super) fn heap(handle: &Handle) -> Option<Heap> {
    heaps::heap(handle)
}

/// The devices opened so far, and by what; one that was adopted is known by its name alone.
static OPENED: Mutex<Vec<(Option<Selector>, Device)>> = Mutex::new(Vec::new());

/// The most bytes that a kernel binds on an open device; `None` on the CPU.
pub(super) fn binding_limit(on: &TensorDevice) -> Option<u64> {
    let open = OPENED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    open.iter().find(|(_, device)| device.tensor == *on).and_then(|(_, device)| device.max_binding_bytes)
}

/// What is bound lies in one buffer.
fn most_bound(limits: &wgpu::Limits) -> u64 {
    limits.max_storage_buffer_binding_size.min(limits.max_buffer_size)
}

/// What a device has to be opened with for products in half precision.
const FOR_HALVES: wgpu::Features =
    wgpu::Features::EXPERIMENTAL_COOPERATIVE_MATRIX.union(wgpu::Features::SHADER_F16).union(wgpu::Features::SUBGROUP);

/// Whether an adapter has matrices of the one size that our kernels are written in, which NVIDIA's and AMD's have.
fn has_matrix_units(adapter: &wgpu::Adapter, features: wgpu::Features) -> bool {
    let ours = |kind: &wgpu::CooperativeMatrixProperties| {
        let half_to_single =
            kind.ab_type == wgpu::CooperativeScalarType::F16 && kind.cr_type == wgpu::CooperativeScalarType::F32;
        half_to_single && [kind.m_size, kind.n_size, kind.k_size] == [16; 3]
    };
    features.contains(FOR_HALVES) && adapter.cooperative_matrix_properties().iter().any(ours)
}

/// The open device of an adapter. Two equal cards have one name, so that only the selector tells them apart.
fn opened(open: &[(Option<Selector>, Device)], adapter: &Adapter) -> Option<Device> {
    let is_it = |(selector, device): &&(Option<Selector>, Device)| {
        device.name == adapter.name && (selector.is_none() || selector.as_ref() == Some(&adapter.selector))
    };
    open.iter().find(is_it).map(|(_, device)| device.clone())
}

impl Device {
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
        let (instance, adapter) = (instance.clone(), adapter.clone());
        let setup = WgpuSetup { instance, adapter, device: device.clone(), queue: queue.clone(), backend };
        Self::registered(name, setup)
    }

    /// A device whose tensors are bound in pieces of at most so many bytes, of the adapter that was asked for: what is
    /// cut for a device that binds little can so be tried on any.
    ///
    /// # Errors
    /// When there is no such adapter, or its driver does not start.
    #[cfg(not(target_arch = "wasm32"))]
    pub async fn open_binding(choice: &super::DeviceChoice, most_bytes: u64) -> Result<Self, DeviceError> {
        let usual = Self::open(choice).await?;
        let Some(adapter) = usual.handle else { return Ok(usual) };
        // By this name opening the adapter never gives it.
        let name = format!("{} binding {}", usual.name, crate::format::bytes(most_bytes));
        let descriptor = wgpu::DeviceDescriptor {
            label: None,
            // What burn asks for, so that it computes in the same way, but for what is only tried out.
            required_features: adapter
                .features()
                .difference(wgpu::Features::MAPPABLE_PRIMARY_BUFFERS | wgpu::Features::all_experimental_mask()),
            required_limits: wgpu::Limits { max_storage_buffer_binding_size: most_bytes, ..adapter.limits() },
            memory_hints: wgpu::MemoryHints::MemoryUsage,
            ..wgpu::DeviceDescriptor::default()
        };
        let (device, queue) = adapter
            .request_device(&descriptor)
            .await
            .map_err(|e| DeviceError::Open { name: name.clone(), reason: e.to_string() })?;
        let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
        let backend = adapter.get_info().backend;
        Self::registered(name, WgpuSetup { instance, adapter, device, queue, backend })
    }

    /// The device of this name, registered with burn unless it is open already.
    fn registered(name: String, setup: WgpuSetup) -> Result<Self, DeviceError> {
        // A panic of another thread leaves the list whole: only open devices are pushed.
        let mut open = OPENED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some((_, device)) = open.iter().find(|(_, d)| d.name == name) {
            return Ok(device.clone());
        }
        let (device, handle) = (setup.device.clone(), Some(setup.adapter.clone()));
        let max_binding_bytes = Some(most_bound(&device.limits()));
        let matrix_units = has_matrix_units(&setup.adapter, device.features());
        let tensor = TensorDevice::wgpu_options().setup(setup).init();
        let tensor = tensor.map_err(|e| DeviceError::Open { name: name.clone(), reason: e.to_string() })?;
        // After burn, which listens itself.
        #[cfg(not(target_arch = "wasm32"))]
        trouble::listen(&device);
        let device = Self { matrix_units, ..Self::alone(tensor, name, max_binding_bytes, handle) };
        open.push((None, device.clone()));
        Ok(device)
    }

    /// Opening is serialised: two threads that want one adapter get one device.
    #[cfg(not(target_arch = "wasm32"))]
    pub(super) async fn open_adapter(adapter: &Adapter) -> Result<Self, DeviceError> {
        let mut open = OPENED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(device) = opened(&open, adapter) {
            return Ok(device);
        }
        let (kind, api) = adapter.selector.clone();
        let started = TensorDevice::wgpu_options().device_kind(kind).graphics_api(api).init_with_setup();
        let device = Self::started(adapter, started.map_err(|e| e.to_string()))?;
        open.push((Some(adapter.selector.clone()), device.clone()));
        Ok(device)
    }

    /// A page has one thread, so looking, opening and keeping need no lock across the await.
    #[cfg(target_arch = "wasm32")]
    #[allow(clippy::unit_arg, reason = "a page has one adapter, so that its selector says nothing")]
    pub(super) async fn open_adapter(adapter: &Adapter) -> Result<Self, DeviceError> {
        let kept = || OPENED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(device) = opened(&kept(), adapter) {
            return Ok(device);
        }
        let started = TensorDevice::wgpu_options().init_with_setup_async().await;
        let device = Self::started(adapter, started.map_err(|e| e.to_string()))?;
        kept().push((Some(adapter.selector), device.clone()));
        Ok(device)
    }

    fn started(adapter: &Adapter, started: Result<(TensorDevice, WgpuSetup), String>) -> Result<Self, DeviceError> {
        let (tensor, setup) = started.map_err(|reason| DeviceError::Open { name: adapter.name.clone(), reason })?;
        #[cfg(not(target_arch = "wasm32"))]
        trouble::listen(&setup.device);
        let max_binding_bytes = Some(most_bound(&setup.device.limits()));
        let matrix_units = has_matrix_units(&setup.adapter, setup.device.features());
        let alone = Self::alone(tensor, adapter.name.clone(), max_binding_bytes, Some(setup.adapter));
        Ok(Self { matrix_units, ..alone })
    }
}

/// The adapters of this machine that can compute, in the driver's order.
#[cfg(not(target_arch = "wasm32"))]
pub async fn adapters() -> Vec<Adapter> {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor {
        // Not OpenGL: its adapters are not used, and looking for a display its libraries print errors of
        // their own on a server that has none.
        backends: wgpu::Backends::PRIMARY,
        ..wgpu::InstanceDescriptor::new_without_display_handle()
    });
    let found = instance.enumerate_adapters(wgpu::Backends::PRIMARY).await;
    let mut listed: Vec<Adapter> = Vec::new();
    for adapter in found {
        let info = adapter.get_info();
        let Some(api) = graphics_api(info.backend) else { continue };
        let kind = kind_name(info.device_type);
        // burn opens the n-th adapter of a kind and an API, each counted from zero.
        let nth = listed.iter().filter(|a| a.kind == kind && a.selector.1 == api).count();
        let (limits, heap) = (adapter.limits(), heap(&adapter));
        listed.push(Adapter {
            name: info.name,
            backend: info.backend.to_string(),
            kind,
            driver: format!("{} {}", info.driver, info.driver_info).trim().to_owned(),
            max_binding_bytes: limits.max_storage_buffer_binding_size,
            max_buffer_bytes: limits.max_buffer_size,
            memory_bytes: heap.map(|heap| heap.bytes),
            free_bytes: heap.and_then(|heap| heap.free_bytes),
            matrix_units: has_matrix_units(&adapter, adapter.features()),
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
        // A page is not told.
        memory_bytes: None,
        free_bytes: None,
        // No browser has them yet.
        matrix_units: false,
        selector: (),
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
