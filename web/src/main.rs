//! `slimgpt-web build DIR` makes the folder that a browser loads, `slimgpt-web serve` also serves it;
//! in a checkout `cargo web` is short for it.

#[cfg(not(target_arch = "wasm32"))]
mod program;

#[cfg(not(target_arch = "wasm32"))]
fn main() -> std::process::ExitCode {
    program::main()
}

/// A page begins with the module of `slimgpt-page`.
#[cfg(target_arch = "wasm32")]
fn main() {}
