//! What can be wrong with what a model is measured on: where, which value, and what to do.

use serde::Serialize;

use super::Needs;
use crate::format;
use crate::remedy::{Remedied, Remedy};

/// Bad rows that are named in a message; of more, only the number is said.
const NAMED: usize = 20;

/// Why a measurement cannot be made or kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EvalError {
    /// A checkpoint could not be read.
    #[error(transparent)]
    Checkpoint(#[from] crate::checkpoint::ReadError),
    /// A tokenizer or a text could not be used.
    #[error(transparent)]
    Text(#[from] crate::text::TextError),
    /// The device cannot hold the model.
    #[error(transparent)]
    Device(#[from] crate::device::DeviceError),
    /// The device lost its work.
    #[error(transparent)]
    Readback(#[from] crate::device::readback::ReadbackError),
    /// Several devices share the work, and another one ended.
    #[error(transparent)]
    Ranks(#[from] crate::ranks::RanksError),
    /// One of several devices that share the work failed, which ended all.
    #[error("device {rank} of those that share the work ({device}): {cause}")]
    Rank {
        /// Its place among them, from 0.
        rank: usize,
        /// Its name.
        device: String,
        /// What went wrong there.
        cause: Box<EvalError>,
    },
    /// There is no memory for what is to be measured.
    #[error("{}", no_room(needs, *free))]
    Room {
        /// What it takes.
        needs: Needs,
        /// Bytes that are free; `None` where only the device knew.
        free: Option<u64>,
    },
    /// The disk refused something; the cause names the path.
    #[cfg(not(target_arch = "wasm32"))]
    #[error(transparent)]
    Disk(#[from] crate::disk::DiskError),
    /// A file or folder does not hold what it should.
    #[error("{file}: {reason}")]
    File {
        /// The file or folder, as it was named.
        file: String,
        /// What is wrong with it, and the remedy.
        reason: String,
    },
    /// Rows that cannot be used.
    #[error("{} cannot be used:\n{}", rows(.0.len()), listed(.0))]
    BadRows(Vec<BadRow>),
    /// Two models that are held against each other read other tokens.
    #[error(
        "the model has {own} embeddings and the dense one {theirs}: what they expect can be compared only over the same tokens"
    )]
    OtherVocabulary {
        /// Rows of the model's embedding.
        own: usize,
        /// Rows of the dense model's.
        theirs: usize,
    },
    /// A text has nothing to predict.
    #[error("the text has {tokens} tokens, and {needed} are needed; give more text")]
    TooShort {
        /// Tokens that the text has.
        tokens: usize,
        /// Fewest tokens that would do.
        needed: usize,
    },
    /// Windows that leave tokens out between them.
    #[error(
        "a stride of {stride} tokens leaves tokens out between windows of {length}, so it is no more than the window"
    )]
    Stride {
        /// Tokens from the beginning of a window to that of the next.
        stride: usize,
        /// Tokens of a window.
        length: usize,
    },
    /// The rolling protocol needs a token to begin with.
    #[error(
        "the rolling protocol begins every text with the begin-of-sequence token, or else the end-of-sequence token, but config.json has neither"
    )]
    NoPrefix,
    /// A request that a caller put together wrongly.
    #[error(
        "request {request} has {context} tokens of context and {continuation} of continuation; both need one at least, and a continuation at most the model's context of {max_positions}"
    )]
    Request {
        /// Index of the request, from 0.
        request: usize,
        /// Tokens of its context.
        context: usize,
        /// Tokens of its continuation.
        continuation: usize,
        /// Most tokens that the model's context holds.
        max_positions: usize,
    },
    /// The model's answer is not a number.
    #[error("the log-likelihood of text {request} is {value}; the model overflows single precision")]
    NotANumber {
        /// Which request, from 0.
        request: usize,
        /// The sum that came out: infinite, or not a number.
        value: f64,
    },
}

/// A row that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BadRow {
    /// Name of the file, for messages.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub reason: String,
}

impl std::fmt::Display for BadRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.reason)
    }
}

fn no_room(needs: &Needs, free: Option<u64>) -> String {
    let total = format::bytes(needs.total());
    match free {
        Some(free) => format!("measuring takes {total} of memory, but {} are free: {needs}", format::bytes(free)),
        None => format!("the device ran out of memory; measuring takes {total} there: {needs}"),
    }
}

fn rows(n: usize) -> String {
    if n == 1 { "1 row".into() } else { format!("{n} rows") }
}

fn listed(rows: &[BadRow]) -> String {
    let named: Vec<String> = rows.iter().take(NAMED).map(|row| format!("  {row}")).collect();
    let more = rows.len().saturating_sub(NAMED);
    let end = if more > 0 { format!("\n  … and {more} more") } else { String::new() };
    named.join("\n") + &end
}

impl Remedied for EvalError {
    fn remedy(&self) -> Option<Remedy> {
        match self {
            Self::Text(error) => error.remedy(),
            Self::Device(error) => error.remedy(),
            Self::Readback(error) => error.remedy(),
            Self::Rank { cause, .. } => cause.remedy(),
            Self::Room { free: None, .. } => Some(Remedy::Cpu),
            Self::BadRows(_) => Some(Remedy::SkipRows),
            Self::Stride { length, .. } => Some(Remedy::Stride(*length)),
            Self::NoPrefix => Some(Remedy::WindowProtocol),
            _ => None,
        }
    }
}
