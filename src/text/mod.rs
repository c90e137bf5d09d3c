//! Text in: the tokenizer, calibration files, and the windows of tokens that layers are run on.

mod chat;
#[cfg(not(target_arch = "wasm32"))]
mod files;
mod join;
mod stops;
mod stream;
mod tokenizer;
mod windows;

pub use chat::{ChatError, ChatTemplate, Message};
#[cfg(not(target_arch = "wasm32"))]
pub use files::read_documents;
pub use join::Join;
pub use stops::StopTexts;
pub use stream::TextStream;
pub use tokenizer::Tokenizer;
pub use windows::{Bos, Sampling, Windows, windows, windows_watched};

/// Why a tokenizer or a text cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TextError {
    /// A file is missing or unreadable.
    #[error("{file}: {reason}")]
    File {
        /// The file.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
    /// tokenizer.json is not one.
    #[error("tokenizer.json: {0}")]
    Tokenizer(String),
    /// The tokenizer makes tokens the model has no embedding for.
    #[error(
        "the tokenizer made token {id}, but the model has {vocab} embeddings; tokenizer.json belongs to another model"
    )]
    BeyondVocabulary {
        /// The token.
        id: u32,
        /// Rows of the embedding.
        vocab: usize,
    },
    /// The text is too short.
    #[error(
        "the text has {found} tokens, but {windows} windows of {length} need {needed}; give more text, or ask for less with --samples or --seq-len"
    )]
    TooShort {
        /// Tokens there are.
        found: usize,
        /// Windows asked for.
        windows: usize,
        /// Tokens of a window.
        length: usize,
        /// Tokens needed.
        needed: usize,
    },
    /// A begin-of-sequence token is asked for, but the model has none.
    #[error("--bos asks for a begin-of-sequence token, but config.json has no bos_token_id; use --bos none")]
    NoBos,
    /// The begin-of-sequence token is not in the model.
    #[error("bos_token_id of config.json is {id}, but the model has {vocab} embeddings; correct it, or use --bos none")]
    BosBeyondVocabulary {
        /// The token.
        id: u32,
        /// Rows of the embedding.
        vocab: usize,
    },
    /// Windows without room for a prediction.
    #[error("--seq-len {0} leaves nothing to predict; use at least 2")]
    WindowTooShort(usize),
}
