//! Tokens to text while they come: a decoder of a tokenizer looks at neighbours (a word's leading
//! space, the bytes of one character), so a token has no text of its own.
//!
//! Decoded is only a window: the tokens whose text was handed over last, and those since. Both
//! have the same beginning, so what is new is what the longer text has more. The work for a token
//! does not grow with the text.

use super::{TextError, Tokenizer};

/// Hands over the text of tokens piece by piece; together the pieces are the text of all.
pub struct TextStream<'a> {
    tokenizer: &'a Tokenizer,
    /// The window: the tokens shown last, and those since.
    tokens: Vec<u32>,
    /// Tokens of the window whose text was handed over.
    shown: usize,
}

impl<'a> TextStream<'a> {
    /// A stream that goes on after a text with these tokens.
    pub fn after(tokenizer: &'a Tokenizer, tokens: &[u32]) -> Self {
        Self { tokenizer, tokens: tokens.to_vec(), shown: tokens.len() }
    }

    /// Takes a token. `None` where it adds nothing yet: half a character waits for the other half.
    ///
    /// # Errors
    /// When the decoder of the tokenizer fails.
    pub fn push(&mut self, token: u32) -> Result<Option<String>, TextError> {
        self.tokens.push(token);
        let text = self.tokenizer.decode(&self.tokens)?;
        if text.ends_with('\u{fffd}') {
            return Ok(None);
        }
        self.advance(text)
    }

    /// What is left when no token follows, half characters included.
    ///
    /// # Errors
    /// When the decoder of the tokenizer fails.
    pub fn finish(mut self) -> Result<Option<String>, TextError> {
        let text = self.tokenizer.decode(&self.tokens)?;
        self.advance(text)
    }

    /// The part of the window's text that is new; the window then begins at the tokens it came from.
    fn advance(&mut self, text: String) -> Result<Option<String>, TextError> {
        let old = self.tokenizer.decode(&self.tokens[..self.shown])?;
        let new = match text.strip_prefix(&old) {
            Some(new) => new.to_owned(),
            // Bytes that are no UTF-8 can spoil the character before them, which was right.
            None => self.tokenizer.decode(&self.tokens[self.shown..])?,
        };
        // The window keeps a token with text: it is the one that loses a leading space.
        if new.is_empty() {
            return Ok(None);
        }
        self.tokens.drain(..self.shown);
        self.shown = self.tokens.len();
        Ok(Some(new))
    }
}
