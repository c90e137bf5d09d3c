//! Measuring a model.

mod perplexity;

pub use perplexity::{Perplexity, perplexity};
