//! Text out: the choice of tokens, their text while they come, chat templates, and what it costs.

mod chat;
mod cost;
mod families;
mod sampling;
mod stream;
#[path = "../support/mod.rs"]
mod support;
mod writing;
