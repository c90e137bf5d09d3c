//! Drivers that talk where nobody can act on it.

/// Keeps Mesa's device-select layer from printing errors on a server without a display: it asks
/// Wayland which device to put first, and the library behind that complains on standard error when
/// there is no session. Which device is taken is decided by us.
///
/// To be called before any thread is started.
pub fn quiet_drivers() {
    let is_set = |name: &str| std::env::var_os(name).is_some();
    if cfg!(target_os = "linux") && !is_set("XDG_RUNTIME_DIR") && !is_set("NODEVICE_SELECT") {
        // SAFETY: the program has one thread yet, so nobody reads the environment meanwhile.
        #[allow(unsafe_code, reason = "the Vulkan loader takes this from the environment and from nowhere else")]
        unsafe {
            std::env::set_var("NODEVICE_SELECT", "1");
        }
    }
}
