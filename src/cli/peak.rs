//! The most memory this process and its device were seen to hold.
//!
//! Linux keeps the highest mark of a process itself and lets it be set back, so that two models
//! measured one after the other each have their own. Elsewhere it is the largest of many looks.

use std::cell::Cell;

use slimgpt::device::{Device, Peak};

/// Watches from its beginning on.
pub struct Watch<'a> {
    device: &'a Device,
    has_mark: bool,
    // In a cell, because the pipeline asks through a shared reference (`Job::memory`).
    seen: Cell<Peak>,
}

impl<'a> Watch<'a> {
    /// Begins now; what was released before does not count.
    pub fn start(device: &'a Device) -> Self {
        device.release_unused();
        Self { device, has_mark: lower_mark(), seen: Cell::default() }
    }

    /// Looks, and gives the most seen so far.
    pub fn look(&self) -> Peak {
        let host_bytes = if self.has_mark { highest_mark() } else { resident() };
        let now = Peak { host_bytes, device_bytes: self.device.bytes_held() };
        self.seen.set(self.seen.get().or_more(now));
        self.seen.get()
    }
}

/// Sets the process's highest mark back to what it holds now, where that can be done.
#[cfg(target_os = "linux")]
fn lower_mark() -> bool {
    // 5 sets VmHWM back to the present size (proc(5), /proc/pid/clear_refs).
    std::fs::write("/proc/self/clear_refs", "5").is_ok()
}

#[cfg(target_os = "linux")]
fn highest_mark() -> Option<u64> {
    mark(&std::fs::read_to_string("/proc/self/status").ok()?)
}

#[cfg(not(target_os = "linux"))]
fn lower_mark() -> bool {
    false
}

#[cfg(not(target_os = "linux"))]
fn highest_mark() -> Option<u64> {
    None
}

/// `VmHWM` of a /proc/self/status, in bytes.
#[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "only Linux has the file"))]
fn mark(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    // The kernel writes kB and means KiB.
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}

/// What the process holds now.
fn resident() -> Option<u64> {
    let own = sysinfo::get_current_pid().ok()?;
    let mut system = sysinfo::System::new();
    let only_memory = sysinfo::ProcessRefreshKind::nothing().with_memory();
    system.refresh_processes_specifics(sysinfo::ProcessesToUpdate::Some(&[own]), true, only_memory);
    system.process(own).map(sysinfo::Process::memory)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_is_read_in_bytes() {
        assert_eq!(mark("Name:\tslimgpt\nVmPeak:\t  900 kB\nVmHWM:\t   64 kB\n"), Some(65536));
        assert_eq!(mark("Name:\tslimgpt\n"), None);
    }

    #[test]
    fn what_is_held_counts_until_it_is_forgotten() {
        let device = Device::cpu();
        let before = Watch::start(&device).look().host_bytes.expect("a number of bytes");
        let watch = Watch::start(&device);
        let held = std::hint::black_box(vec![1u8; 64 << 20]);
        watch.look();
        drop(held);
        let peak = watch.look();
        assert!(peak.host_bytes >= Some(before + (48 << 20)), "{peak:?} after {before}");
        assert_eq!(peak.device_bytes, None);
    }
}
