//! Structured pruning of large language models by Optimal Brain Surgeon, on any GPU.
//!
//! Modules stand in layers; each uses only what stands below it (see ARCHITECTURE.md).

pub mod activations;
pub mod allocate;
#[cfg(not(target_arch = "wasm32"))]
pub mod beside;
pub mod checkpoint;
pub mod compare;
pub mod cpu;
pub mod device;
#[cfg(not(target_arch = "wasm32"))]
pub mod disk;
pub mod error;
pub mod eval;
pub mod export;
pub mod format;
pub mod gguf;
#[cfg(feature = "gpu")]
pub mod gpu;
#[cfg(feature = "gradients")]
pub mod gradient;
#[cfg(not(target_arch = "wasm32"))]
pub mod hub;
pub mod model;
pub mod names;
pub mod obs;
mod parallel;
pub mod pipeline;
#[cfg(not(target_arch = "wasm32"))]
pub mod place;
pub mod quant;
pub mod ranks;
#[cfg(feature = "gradients")]
pub mod recover;
pub mod remedy;
pub mod report;
pub mod search;
pub mod session;
pub mod shape;
pub mod shipped;
pub mod text;
