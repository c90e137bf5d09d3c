//! Measuring a model the way papers do.
//!
//! ```text
//! likelihood.rs   log p of continuations: what all of the following but longbench are made of
//! perplexity.rs   windows that do not overlap;  rolling.rs, wikitext.rs  lm-eval's;  strided.rs  transformers'
//! tasks/          multiple choice: the seven zero-shot tasks and MMLU
//! longbench/      generated answers, judged by scorers.rs
//! divergence.rs   how far a changed model's expectations are from what they were
//! cost.rs, latency.rs   what a model costs: multiply-adds, bytes, tokens/s
//! times/          what a token takes with smaller layers: a measured table
//! needs.rs, room.rs     the memory that measuring takes, and where there is none
//! shared.rs       several devices at one measurement
//! record.rs       the figures kept in a model's folder
//! ```

pub mod cost;
mod divergence;
mod error;
mod latency;
mod likelihood;
pub mod longbench;
mod needs;
mod perplexity;
mod record;
mod rolling;
mod room;
pub mod scorers;
#[cfg(not(target_arch = "wasm32"))]
mod shared;
mod strided;
pub mod tasks;
mod times;
mod wikitext;

pub use divergence::{Expected, divergence, expected_bytes};
pub use error::{BadRow, EvalError};
pub use latency::{Seconds, Speed, Timed, speed};
#[cfg(not(target_arch = "wasm32"))]
pub use likelihood::log_likelihoods_following;
pub use likelihood::{Request, log_likelihoods};
pub use needs::Needs;
pub use perplexity::{Perplexity, perplexity, perplexity_of};
pub use record::{EvalEntry, EvalRecord};
pub use rolling::{ByWord, Size, rolling};
pub use strided::strided;
pub use times::{LayerTimes, MeasuredTimes, TimePoint, TimesError, TokenTimed, layer_times, token_seconds};
pub use wikitext::{detokenised, has_titles, pages};
