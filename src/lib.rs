//! Structured pruning of large language models by Optimal Brain Surgeon, on any GPU.
//!
//! Modules stand in layers; each uses only what stands below it (see ARCHITECTURE.md).

pub mod device;
pub mod gpu;
pub mod obs;
pub mod shape;
