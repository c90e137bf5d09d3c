//! What takes time: each file is one kind of work. It runs away from the window and sends
//! messages.

pub mod calibrate;
pub mod change;
pub mod compare;
pub mod export;
#[cfg(not(target_arch = "wasm32"))]
pub mod hub;
pub mod layer;
pub mod open;
pub mod prune;
#[cfg(not(target_arch = "wasm32"))]
pub mod recover;
pub mod report;
pub mod search;
mod turns;
