//! How much memory a device holds, where it can be asked.

use serde::{Deserialize, Serialize};

use super::{Adapter, Device, driver};

/// Of the memory that is free this share is used unless more is allowed, in percent: the rest is for the driver,
/// for what others draw and compute meanwhile, and for the gaps between tensors.
const SHARE: u64 = 80;

/// The most memory that was seen in use; `None` where nothing could be measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peak {
    /// Bytes of the process in the host's memory, mapped files that were read included.
    pub host_bytes: Option<u64>,
    /// Bytes that the allocator held on the device. The CPU's are the host's.
    pub device_bytes: Option<u64>,
}

impl Peak {
    /// The larger of each.
    pub fn or_more(self, other: Self) -> Self {
        Self {
            // `None` is less than any number.
            host_bytes: self.host_bytes.max(other.host_bytes),
            device_bytes: self.device_bytes.max(other.device_bytes),
        }
    }

    /// Measures nothing: for a run whose report may leave it out.
    pub fn unknown() -> Self {
        Self::default()
    }
}

/// Of what is free, what may be used.
fn usable(free: u64) -> u64 {
    free / 100 * SHARE
}

impl Adapter {
    /// Bytes of its memory that are used unless told otherwise; `None` where the driver tells nothing of it.
    pub fn usable_bytes(&self) -> Option<u64> {
        self.free_bytes.or(self.memory_bytes).map(usable)
    }
}

impl Device {
    /// Bytes of the device's memory that are used unless told otherwise; `None` on the CPU, and where the driver
    /// tells nothing of it.
    ///
    /// Of several that share the work it is what each may use, and those of one card share its memory.
    pub fn usable_bytes(&self) -> Option<u64> {
        #[cfg(not(target_arch = "wasm32"))]
        if let Some(elsewhere) = &self.elsewhere {
            return elsewhere.usable_beside(self.by_itself().usable_bytes());
        }
        if self.is_shared() {
            let usable = |(device, times): (Self, u64)| device.usable_bytes().map(|bytes| bytes / times);
            return self.with_occurrences().filter_map(usable).min();
        }
        let handle = self.handle.as_ref()?;
        // What an earlier run left for reuse is in use as the driver sees it.
        self.release_unused();
        let heap = driver::heap(handle)?;
        // Of a driver that does not tell what is free, most of it will be.
        Some(usable(heap.free_bytes.unwrap_or(heap.bytes)))
    }

    /// Bytes that are reserved on the device now, what is kept for reuse included; `None` on the
    /// CPU. Waits until what was launched so far is taken in.
    pub fn bytes_held(&self) -> Option<u64> {
        self.tensor.memory_pool_usage().filter(|_| self.is_gpu()).map(|usage| usage.bytes_reserved)
    }

    /// Gives back what is kept for reuse and not in use, on all that share the work.
    pub fn release_unused(&self) {
        self.each().iter().for_each(|device| device.tensor.memory_cleanup());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_goes_before_what_is_not() {
        let known = Peak { host_bytes: Some(3), device_bytes: None };
        let other = Peak { host_bytes: Some(2), device_bytes: Some(7) };
        let both = Peak { host_bytes: Some(3), device_bytes: Some(7) };
        assert_eq!((known.or_more(other), other.or_more(known)), (both, both));
        assert_eq!(Peak::unknown().or_more(known), known);
    }

    #[test]
    fn the_cpu_has_no_memory_of_its_own() {
        assert_eq!(Device::cpu().bytes_held(), None);
        assert_eq!(Device::cpu().usable_bytes(), None);
    }

    #[test]
    fn a_fifth_of_what_is_free_is_left_alone() {
        assert_eq!([0, 1000, 80 << 30].map(usable), [0, 800, (64 << 30) - 16]);
        assert!(usable(u64::MAX) < u64::MAX);
    }
}
