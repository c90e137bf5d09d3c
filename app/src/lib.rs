//! The desktop program of slimgpt, and the page: choose a checkpoint, plan, prune, look at what
//! went, compare.
//!
//! Screens are plain structs that draw what they hold; whatever takes time happens elsewhere
//! ([`work`]) and arrives as a message ([`mail`]); [`App`] reads messages and does what screens
//! wish for.

pub mod app;
pub mod control;
pub mod estimate;
pub mod findings;
mod frames;
pub mod mail;
pub mod model;
pub mod places;
pub mod platform;
pub mod progress;
mod remedy;
pub mod saved;
pub mod screens;
pub mod settings;
pub mod steps;
pub mod theme;
pub mod unfinished;
pub mod widgets;
pub mod work;

#[cfg(target_arch = "wasm32")]
mod page;

pub use app::{App, Options};

/// The program's name for the system.
pub const APP_ID: &str = "slimgpt";
