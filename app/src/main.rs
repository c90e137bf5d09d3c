//! The desktop program. `slimgpt-app [FOLDER]` opens a checkpoint at once.

#[cfg(not(target_arch = "wasm32"))]
mod window;

#[cfg(not(target_arch = "wasm32"))]
fn main() -> std::process::ExitCode {
    window::main()
}

/// A page begins with `start`.
#[cfg(target_arch = "wasm32")]
fn main() {}
