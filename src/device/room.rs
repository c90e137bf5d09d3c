//! How much room the machine has left. A page is told neither figure.

use std::path::Path;

/// Bytes of the host's memory that may still be used.
pub fn host_bytes() -> Option<u64> {
    #[cfg(not(target_arch = "wasm32"))]
    {
        let mut system = sysinfo::System::new();
        system.refresh_memory();
        // Zero is what sysinfo says of systems that it cannot ask.
        Some(system.available_memory()).filter(|&b| b > 0)
    }
    #[cfg(target_arch = "wasm32")]
    None
}

/// Free bytes of the disk that a folder, perhaps still to be made, is on.
pub fn disk_bytes(folder: &Path) -> Option<u64> {
    #[cfg(not(target_arch = "wasm32"))]
    {
        let path = std::path::absolute(folder).ok()?;
        // A folder still to be made will be on the disk of the nearest one around it that stands.
        // By the name it was given: that of Windows for resolved paths begins with none of its disks' names.
        free_bytes(path.ancestors().find(|p| p.exists())?)
    }
    #[cfg(target_arch = "wasm32")]
    {
        let _ = folder;
        None
    }
}

/// What the file system itself says of the folder: lists of disks leave out those in memory and those
/// of the network.
#[cfg(unix)]
fn free_bytes(standing: &Path) -> Option<u64> {
    let found = rustix::fs::statvfs(standing).ok()?;
    // File systems that know no sizes say zero of everything.
    (found.f_blocks > 0).then(|| found.f_bavail.saturating_mul(found.f_frsize))
}

#[cfg(not(any(unix, target_arch = "wasm32")))]
fn free_bytes(standing: &Path) -> Option<u64> {
    let disks = sysinfo::Disks::new_with_refreshed_list();
    let holding = disks.iter().filter(|d| standing.starts_with(d.mount_point()));
    // Mount points lie within each other; the longest is the one that holds the folder.
    holding.max_by_key(|d| d.mount_point().as_os_str().len()).map(sysinfo::Disk::available_space)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn room_is_that_of_the_file_system_itself() {
        let folder = tempfile::tempdir().unwrap();
        let still_to_be_made = disk_bytes(&folder.path().join("a/b"));
        assert!(still_to_be_made.is_some_and(|bytes| bytes > 0));
        // In memory, and in no list of disks.
        #[cfg(target_os = "linux")]
        assert_eq!(disk_bytes(Path::new("/proc/self")), None);
    }
}
