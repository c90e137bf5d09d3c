//! The page that teaches the algorithm: nine lessons whose figures are computed in front of the
//! reader by the library that prunes real models.
//!
//! ```text
//! lessons/   one file a lesson: its state, what it computes with slimgpt::obs, its figure and task
//! kit/       what figures are made of: matrices, bars, sliders, steps, outcomes
//! page.rs    the document around them
//! state/     what the reader changed: in signals, with undo, and in the address
//! text.rs    every word, from texts/ (made by build.rs)
//! remote.rs  the worker that computes on a model
//! site/      the program that makes the folder and serves it
//! ```

pub mod kit;
pub mod lessons;
pub mod page;
pub mod remote;
#[cfg(not(target_arch = "wasm32"))]
pub mod site;
pub mod state;
pub mod text;
