//! Measuring a model.

pub mod cost;
mod latency;
mod perplexity;

pub use latency::{Seconds, Speed, Timed, speed};
pub use perplexity::{Perplexity, perplexity};
