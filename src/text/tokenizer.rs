//! A tokenizer.json, without the truncation and padding some of them carry.

use serde_json::Value;

use super::TextError;
use super::begin::Before;
use super::guarded::guarded;
use super::special::{AddedToken, TokenizerSettings};
use crate::format::without_mark;
#[cfg(not(target_arch = "wasm32"))]
use crate::{beside, disk};

mod growth;
mod pieces;

/// The file of a folder in which it stands.
#[cfg(not(target_arch = "wasm32"))]
const FILE: &str = "tokenizer.json";

/// Text to token ids and back.
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    vocab: usize,
    before: Before,
    #[cfg(not(target_arch = "wasm32"))]
    folder: Option<std::path::PathBuf>,
}

impl Tokenizer {
    /// Reads a tokenizer.json for a model with `vocab` embeddings.
    ///
    /// # Errors
    /// When it is not a tokenizer.json.
    pub fn from_bytes(json: &[u8], vocab: usize) -> Result<Self, TextError> {
        let json = without_mark(json);
        growth::check(json).map_err(TextError::Tokenizer)?;
        let inner = caught("it cannot be read", || {
            let mut inner = tokenizers::Tokenizer::from_bytes(json)?;
            // Windows are cut here; a text that was shortened before would lose its end unseen.
            inner.with_truncation(None)?;
            inner.with_padding(None);
            Ok(inner)
        })?;
        let post_processor = inner.get_post_processor().map(serde_json::to_value).and_then(Result::ok);
        let before = Before::of(&post_processor.unwrap_or(Value::Null));
        Ok(Self {
            inner,
            vocab,
            before,
            #[cfg(not(target_arch = "wasm32"))]
            folder: None,
        })
    }

    /// Reads the tokenizer.json of a folder, with the tokens that stand beside it, or the tokenizer of a
    /// GGUF file.
    ///
    /// # Errors
    /// When it is missing or not a tokenizer.json, or a file beside it is not JSON.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn open(folder: &std::path::Path, vocab: usize) -> Result<Self, TextError> {
        let json = beside::read_within(folder, FILE, disk::TOKENIZER).map_err(|e| TextError::File {
            file: e.path.display().to_string(),
            reason: match beside::is_file(folder) {
                true => e.cause.to_string(),
                false => format!(
                    "{}; a tokenizer.model can be converted by saving the tokenizer with transformers' fast class",
                    e.cause
                ),
            },
        })?;
        let tokenizer = Self { folder: Some(folder.to_owned()), ..Self::from_bytes(&json, vocab)? };
        // Some models keep tokens that were added later in files of their own.
        Ok(tokenizer.with_added(TokenizerSettings::open(folder)?.added()))
    }

    /// The folder it was read from, in which a chat template may stand too.
    #[cfg(not(target_arch = "wasm32"))]
    pub(super) fn folder(&self) -> Option<&std::path::Path> {
        self.folder.as_deref()
    }

    /// The same with tokens that tokenizer.json lacks; each gets the next number, as in transformers.
    #[must_use]
    pub fn with_added(mut self, tokens: &[AddedToken]) -> Self {
        for token in tokens {
            // One that is there has its number already; added again it could get another meaning.
            if self.inner.token_to_id(&token.content).is_none() {
                self.inner.add_tokens(&[tokenizers::AddedToken::from(&*token.content, token.special)]);
            }
        }
        self
    }

    /// How many tokens it has, special ones included.
    pub fn size(&self) -> usize {
        self.inner.get_vocab_size(true)
    }

    /// What tokenizer.json itself puts before a text.
    pub fn before(&self) -> Before {
        self.before
    }

    /// The token before a text that is continued: the one that tokenizer.json puts there. Where
    /// it leaves that open, `add_bos_token` says whether the text begins with the begin token.
    ///
    /// # Errors
    /// When the model has no embedding for the token.
    pub fn begin(&self, settings: &TokenizerSettings) -> Result<Option<u32>, TextError> {
        match self.before {
            Before::Token(id) => self.embedded(id).map(Some),
            Before::Nothing => Ok(None),
            Before::Unsaid if settings.add_bos() == Some(true) => {
                settings.token("bos_token").and_then(|token| self.number(token)).map(|id| self.embedded(id)).transpose()
            }
            Before::Unsaid => Ok(None),
        }
    }

    /// The tokens of `text`, without special tokens.
    ///
    /// # Errors
    /// When a token has no embedding.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, TextError> {
        // A text that would be two pieces at most is fast as a whole.
        match text.len() > 2 * pieces::USUAL.piece {
            true => pieces::encode(self, text, pieces::USUAL),
            false => self.tokens(text, false),
        }
    }

    /// The tokens of `text` with what tokenizer.json itself puts around a text: for LLaMA a
    /// begin-of-sequence token, for Qwen2 nothing.
    ///
    /// # Errors
    /// When a token has no embedding.
    pub fn encode_with_specials(&self, text: &str) -> Result<Vec<u32>, TextError> {
        self.tokens(text, true)
    }

    fn tokens(&self, text: &str, specials: bool) -> Result<Vec<u32>, TextError> {
        Ok(self.encoded(text, specials)?.get_ids().to_vec())
    }

    /// The tokens of `text`, without special tokens, each with the byte where it begins.
    ///
    /// # Errors
    /// When a token has no embedding.
    pub fn placed(&self, text: &str) -> Result<Vec<(u32, usize)>, TextError> {
        let encoded = self.encoded(text, false)?;
        Ok(encoded.get_ids().iter().copied().zip(encoded.get_offsets().iter().map(|&(begin, _)| begin)).collect())
    }

    fn encoded(&self, text: &str, specials: bool) -> Result<tokenizers::Encoding, TextError> {
        let encoded = caught("it cannot cut a text into tokens", || self.inner.encode(text, specials))?;
        match encoded.get_ids().iter().find(|&&id| id as usize >= self.vocab) {
            Some(&id) => Err(TextError::BeyondVocabulary { id, vocab: self.vocab }),
            None => Ok(encoded),
        }
    }

    /// The number of the token with exactly this text, also where the model has no embedding for it.
    pub fn number(&self, text: &str) -> Option<u32> {
        self.inner.token_to_id(text)
    }

    /// The token with exactly this text, if there is one that the model has an embedding for.
    pub fn token(&self, text: &str) -> Option<u32> {
        // A token without an embedding cannot be fed to the model.
        self.inner.token_to_id(text).filter(|&id| (id as usize) < self.vocab)
    }

    /// A token that a text cannot do without, if the model has an embedding for it.
    ///
    /// # Errors
    /// When it has none; transformers fails there too.
    pub fn embedded(&self, id: u32) -> Result<u32, TextError> {
        self.known(id).map_err(|_| TextError::BeyondVocabulary { id, vocab: self.vocab })
    }

    /// A begin-of-sequence token, if the model has an embedding for it.
    ///
    /// # Errors
    /// When it has none.
    pub fn known(&self, id: u32) -> Result<u32, TextError> {
        match (id as usize) < self.vocab {
            true => Ok(id),
            false => Err(TextError::BosBeyondVocabulary { id, vocab: self.vocab }),
        }
    }

    /// The text of tokens, special tokens left out.
    ///
    /// # Errors
    /// When the decoder of the tokenizer fails.
    pub fn decode(&self, tokens: &[u32]) -> Result<String, TextError> {
        caught("it cannot make tokens into text", || self.inner.decode(tokens, true))
    }
}

/// What the library of tokenizers makes; `cannot` says what it was about, if it panics: a damaged
/// file shows only where its data is used.
fn caught<T>(cannot: &str, work: impl FnOnce() -> tokenizers::Result<T>) -> Result<T, TextError> {
    let done = guarded(work).map_err(|panic| TextError::Tokenizer(format!("{cannot}: {panic}")))?;
    done.map_err(|e| TextError::Tokenizer(e.to_string()))
}
