//! What the lessons on a model compute, for the page's worker.
//!
//! ```text
//! protocol.rs   what page and worker say to each other
//! jobs/         what is computed, with nothing of a browser in it
//! entry/        the module's door: messages in and out, files of the model
//! ```

// What is exported stays in whatever module links it: the page would load the whole library.
#[cfg(all(target_arch = "wasm32", feature = "gpu"))]
mod entry;
pub mod jobs;
pub mod protocol;
