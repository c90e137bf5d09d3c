//! What comes out, in the forms that other programs open.
//!
//! - [`huggingface`]: the Python files and the model card that make a folder open in transformers;
//! - [`gguf`]: one file for llama.cpp and everything built on it;
//! - [`modelfile`]: what Ollama takes a GGUF in by;
//! - [`mlx`]: a folder for mlx-lm;
//! - [`padded`]: layers filled up with zeros to one size, for whatever knows only plain models;
//! - [`compat`]: which program opens a folder how, and why not otherwise.
//!
//! What a target cannot hold is refused with the reason before anything is written, and nothing
//! appears under its final name before it is whole. Where there are no files there is only what
//! [`huggingface`] puts beside the weights.

#[cfg(not(target_arch = "wasm32"))]
pub mod compat;
#[cfg(not(target_arch = "wasm32"))]
mod error;
#[cfg(not(target_arch = "wasm32"))]
mod files;
#[cfg(not(target_arch = "wasm32"))]
#[cfg(not(target_arch = "wasm32"))]
pub mod gguf;
pub mod huggingface;
#[cfg(not(target_arch = "wasm32"))]
pub mod mlx;
#[cfg(not(target_arch = "wasm32"))]
pub mod modelfile;
#[cfg(not(target_arch = "wasm32"))]
pub mod padded;

#[cfg(not(target_arch = "wasm32"))]
pub use error::ExportError;
