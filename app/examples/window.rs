//! The window as the module that a page loads: `start` is what it exports. Empty on other targets.

#[cfg(target_arch = "wasm32")]
pub use slimgpt_app::*;
