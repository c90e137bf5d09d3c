//! Measuring a model.

mod error;
mod perplexity;
mod record;

pub use error::EvalError;
pub use perplexity::{Perplexity, perplexity};
pub use record::{EVAL_FILE, EvalEntry, EvalRecord};
