//! Text in: the tokenizer, calibration files, and the windows of tokens that layers are run on.

mod apart;
mod begin;
mod chat;
mod drawn;
#[cfg(not(target_arch = "wasm32"))]
mod files;
mod guarded;
mod held;
mod join;
mod piece;
#[cfg(not(target_arch = "wasm32"))]
mod rows;
#[cfg(not(target_arch = "wasm32"))]
mod source;
mod special;
mod stops;
mod stream;
mod tokenizer;
mod windows;

pub use apart::apart;
pub use begin::Before;
pub use chat::{ChatError, ChatTemplate, Message, Moment, messages};
#[cfg(not(target_arch = "wasm32"))]
pub use files::{Documents, has_rows, is_readable, text_endings};
pub use held::{windows, windows_watched};
pub use join::Join;
#[cfg(not(target_arch = "wasm32"))]
pub use source::{Files, read_documents};
pub use special::{AddedToken, TokenizerSettings};
pub use stops::StopTexts;
pub use stream::TextStream;
pub use tokenizer::Tokenizer;
pub use windows::{Bos, Cut, Sampling, Windows};

use crate::format;
use crate::remedy::{Remedied, Remedy};

/// Why a tokenizer or a text cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TextError {
    /// A file is missing or unreadable.
    #[error("{file}: {reason}")]
    File {
        /// Path of the file, as it was given.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A row lacks its text.
    #[error("{file}: {row} has no text under \"{key}\"{instead}")]
    NoText {
        /// Path of the file, as it was given.
        file: String,
        /// Which line or row, counted from 1.
        row: String,
        /// Where the text was looked for.
        key: String,
        /// What is there instead, as the end of a sentence; nothing where that says no more.
        instead: String,
    },
    /// There is more text than can be held.
    #[error("there is more text than the {} that may be read into the free memory", format::bytes(*.limit))]
    TooLarge {
        /// Bytes that may be read.
        limit: u64,
    },
    /// tokenizer.json is not one.
    #[error("tokenizer.json: {0}")]
    Tokenizer(String),
    /// The tokenizer makes tokens the model has no embedding for.
    #[error(
        "the tokenizer made token {id}, but the model has {vocab} embeddings; tokenizer.json belongs to another model"
    )]
    BeyondVocabulary {
        /// Number of the token, from 0.
        id: u32,
        /// Rows of the embedding.
        vocab: usize,
    },
    /// The text is too short.
    #[error("the text has {found} tokens, but {windows} windows of {length} need {needed}")]
    TooShort {
        /// Tokens that the text has.
        found: usize,
        /// Windows that were asked for.
        windows: usize,
        /// Tokens of a window.
        length: usize,
        /// Fewest tokens that would do.
        needed: usize,
    },
    /// The windows are the same few tokens again and again.
    #[error(
        "{windows} windows of {length} tokens would use each of the {found} tokens of the text {times} times; they \
         would say no more than a few of them"
    )]
    TooOften {
        /// How often each token would be used.
        times: usize,
        /// Windows that were asked for.
        windows: usize,
        /// Tokens of a window.
        length: usize,
        /// Tokens that the text has.
        found: usize,
    },
    /// A begin-of-sequence token is asked for, but the model has none.
    #[error("a begin-of-sequence token is asked for, but config.json has no bos_token_id")]
    NoBos,
    /// The begin-of-sequence token is not in the model.
    #[error("bos_token_id of config.json is {id}, but the model has {vocab} embeddings")]
    BosBeyondVocabulary {
        /// Number of the token, from 0.
        id: u32,
        /// Rows of the embedding.
        vocab: usize,
    },
    /// Windows without room for a prediction.
    #[error("a window of {0} tokens leaves nothing to predict; 2 are the least")]
    WindowTooShort(usize),
}

impl Remedied for TextError {
    fn remedy(&self) -> Option<Remedy> {
        match self {
            Self::NoText { .. } => Some(Remedy::TextKey),
            Self::TooLarge { .. } => Some(Remedy::LessText),
            Self::TooShort { .. } | Self::TooOften { .. } => Some(Remedy::MoreText),
            Self::NoBos | Self::BosBeyondVocabulary { .. } => Some(Remedy::NoBegin),
            _ => None,
        }
    }
}
