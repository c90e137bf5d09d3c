//! What comes in and cannot be used: each is refused with a message that names the file or the
//! tensor, the value and the remedy.

mod config;
mod downloads;
mod files;
mod gguf;
mod given;
mod located;
#[path = "../support/mod.rs"]
mod support;
mod tables;
mod text;
mod windows;
