//! A tokenizer.json, without the truncation and padding some of them carry.

use super::TextError;
use super::guarded::guarded;
use crate::format::without_mark;

mod growth;

/// Text to token ids and back.
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    vocab: usize,
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
        Ok(Self { inner, vocab })
    }

    /// Reads the tokenizer.json of a folder.
    ///
    /// # Errors
    /// When it is missing or not a tokenizer.json.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn open(folder: &std::path::Path, vocab: usize) -> Result<Self, TextError> {
        let path = folder.join("tokenizer.json");
        let json = std::fs::read(&path).map_err(|e| TextError::File {
            file: path.display().to_string(),
            reason: format!(
                "{e}; a tokenizer.model can be converted by saving the tokenizer with transformers' fast class"
            ),
        })?;
        Self::from_bytes(&json, vocab)
    }

    /// The tokens of `text`, without special tokens.
    ///
    /// # Errors
    /// When a token has no embedding.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, TextError> {
        self.tokens(text, false)
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
        let encoded = caught("it cannot cut a text into tokens", || self.inner.encode(text, specials))?;
        let ids = encoded.get_ids();
        match ids.iter().find(|&&id| id as usize >= self.vocab) {
            Some(&id) => Err(TextError::BeyondVocabulary { id, vocab: self.vocab }),
            None => Ok(ids.to_vec()),
        }
    }

    /// The token with exactly this text, if there is one.
    pub fn token(&self, text: &str) -> Option<u32> {
        // A token without an embedding cannot be fed to the model.
        self.inner.token_to_id(text).filter(|&id| (id as usize) < self.vocab)
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
