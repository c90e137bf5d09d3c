//! Activations that wait between passes and layers: on the device, in host memory or on disk. Where
//! they lie changes no bit of them.

mod cache;
mod error;
mod placement;
mod spill;

pub use cache::{Cache, SharedSpill};
pub use error::CacheError;
pub use placement::Placement;
#[cfg(not(target_arch = "wasm32"))]
pub use spill::FolderSpill;
pub use spill::Spill;
