//! How much memory an adapter has and how much of it is free. wgpu does not tell, so the driver below it
//! is asked, which only `unsafe` code can do.
#![allow(unsafe_code, reason = "only the driver knows its memory, and wgpu hands it out by such calls alone")]

use super::Heap;

/// The interfaces that there are on this system; an adapter belongs to one of them.
const INTERFACES: &[fn(&wgpu::Adapter) -> Option<Heap>] = &[
    #[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd", windows))]
    vulkan,
    #[cfg(windows)]
    dx12,
    #[cfg(target_vendor = "apple")]
    metal,
];

/// The memory of an adapter, where its driver tells.
pub(super) fn heap(adapter: &wgpu::Adapter) -> Option<Heap> {
    INTERFACES.iter().find_map(|ask| ask(adapter))
}

/// The largest heap of the adapter's own memory.
#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd", windows))]
fn vulkan(adapter: &wgpu::Adapter) -> Option<Heap> {
    use ash::vk;
    // SAFETY: by the handle only questions are asked; nothing is destroyed.
    let below = unsafe { adapter.as_hal::<wgpu::hal::api::Vulkan>() }?;
    let (instance, card) = (below.shared_instance(), below.physical_device_capabilities());
    // Of 2016, and since then a part of Vulkan itself.
    if instance.instance_api_version().min(card.properties().api_version) < vk::API_VERSION_1_1 {
        return None;
    }
    let tells_free = card.supports_extension(ash::ext::memory_budget::NAME);
    let mut budget = vk::PhysicalDeviceMemoryBudgetPropertiesEXT::default();
    let mut answer = vk::PhysicalDeviceMemoryProperties2::default();
    if tells_free {
        answer = answer.push_next(&mut budget);
    }
    // SAFETY: instance and card are those of `below`, which lives; both speak Vulkan 1.1, where this call
    // is; the answer is written to structures that are ours, and has what is extended only where it can.
    unsafe { instance.raw_instance().get_physical_device_memory_properties2(below.raw_physical_device(), &mut answer) };
    let heaps = answer.memory_properties;
    let is_own = |heap: &vk::MemoryHeap| heap.flags.contains(vk::MemoryHeapFlags::DEVICE_LOCAL);
    // Not their sum: a small window into a card's memory is listed beside the memory itself.
    let own =
        heaps.memory_heaps.iter().take(heaps.memory_heap_count as usize).enumerate().filter(|&(_, heap)| is_own(heap));
    let (i, largest) = own.max_by_key(|(_, heap)| heap.size)?;
    // A budget is what this process may hold in all, with what it holds already.
    let free = || budget.heap_budget[i].saturating_sub(budget.heap_usage[i]);
    Some(Heap { bytes: largest.size, free_bytes: tells_free.then(free) })
}

/// The memory that the system grants this process on the adapter.
#[cfg(windows)]
fn dx12(adapter: &wgpu::Adapter) -> Option<Heap> {
    // SAFETY: by the handle only questions are asked; nothing is destroyed.
    let below = unsafe { adapter.as_hal::<wgpu::hal::api::Dx12>() }?;
    // The adapter's own memory is group 0, which is the default.
    let own = below.raw_adapter().query_video_memory_info(Default::default()).ok()?;
    Some(Heap { bytes: own.Budget, free_bytes: Some(own.Budget.saturating_sub(own.CurrentUsage)) })
}

/// The memory, shared with the host, that the system would have a process use.
#[cfg(target_vendor = "apple")]
fn metal(adapter: &wgpu::Adapter) -> Option<Heap> {
    use objc2_metal::MTLDevice as _;
    // SAFETY: by the handle only questions are asked; nothing is destroyed.
    let below = unsafe { adapter.as_hal::<wgpu::hal::api::Metal>() }?;
    let card = below.raw_device();
    let (bytes, held) = (card.recommendedMaxWorkingSetSize(), card.currentAllocatedSize() as u64);
    Some(Heap { bytes, free_bytes: Some(bytes.saturating_sub(held)) })
}
