//! Checkpoints in and out, one layer at a time: Hugging Face folders with safetensors.

mod config;
mod dtype;
mod error;
#[cfg(not(target_arch = "wasm32"))]
mod folder;
mod names;
mod open;
mod output;
mod shard;
mod weights;
mod written;

pub use config::parse_config;
pub use dtype::Dtype;
pub use error::CheckpointError;
pub use open::{Checkpoint, layer_from_bytes};
#[cfg(not(target_arch = "wasm32"))]
pub use output::assemble;
pub use output::{layer_bytes, outer_bytes, round_layer, round_projection, tensor_bytes};
pub use weights::{HostTensor, LayerWeights, OuterWeights, Projection};
pub use written::{Form, output_config, plain_config};
