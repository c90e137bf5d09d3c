//! Checkpoints in and out, one layer at a time: Hugging Face folders with safetensors, and GGUF files,
//! which are dequantised as they are read.

#[cfg(not(target_arch = "wasm32"))]
mod adapter;
mod as_stored;
mod classes;
mod config;
mod dtype;
mod element;
mod error;
#[cfg(not(target_arch = "wasm32"))]
mod folder;
#[cfg(not(target_arch = "wasm32"))]
mod generation;
mod gguf;
mod halves;
mod head;
#[cfg(not(target_arch = "wasm32"))]
mod locate;
mod model_file;
mod names;
mod open;
mod output;
mod output_config;
#[cfg(not(target_arch = "wasm32"))]
mod packed;
mod scan;
mod shard;
#[cfg(not(target_arch = "wasm32"))]
mod source;
mod types;
mod weights;

#[cfg(not(target_arch = "wasm32"))]
pub use adapter::Adapter;
pub use classes::Classes;
pub use config::parse_config;
pub use dtype::Dtype;
use element::Element;
pub use error::{ReadError, WriteError};
#[cfg(not(target_arch = "wasm32"))]
pub use folder::read_config;
#[cfg(not(target_arch = "wasm32"))]
pub use generation::generation_ends;
pub use halves::Halves;
#[cfg(not(target_arch = "wasm32"))]
pub use locate::{Located, locate};
pub use model_file::ModelFile;
pub use open::{Checkpoint, decode_layer, decode_tensors};
#[cfg(not(target_arch = "wasm32"))]
pub use output::{SHARD_BYTES, assemble};
pub use output::{encode_layer, encode_model, encode_outer, encode_tensors};
pub use output_config::{ModelClass, output_config, plain_config};
#[cfg(not(target_arch = "wasm32"))]
pub use packed::{OnBytes, unpacked, unpacked_here};
#[cfg(not(target_arch = "wasm32"))]
pub use source::Source;
pub use types::{TypeShare, Types};
pub use weights::{HostTensor, LayerWeights, OuterWeights, round_layer};
