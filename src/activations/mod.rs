//! Activations that wait between passes and layers: on the device, in host memory or on disk. Where
//! they lie changes no bit of them; in which numbers they wait is asked for.

mod cache;
mod elements;
mod error;
mod halves;
mod placement;
mod spill;

pub use cache::{Cache, SharedSpill};
pub use elements::Elements;
pub use error::CacheError;
pub use placement::Placement;
#[cfg(not(target_arch = "wasm32"))]
pub use spill::FolderSpill;
pub use spill::Spill;
