//! What is continued, as tokens.

use anyhow::Result;
use slimgpt::checkpoint::Checkpoint;
use slimgpt::text::Tokenizer;

use super::Usage;

/// A text or a conversation that a model goes on with.
#[derive(Clone, Debug)]
pub struct Prompt {
    /// All tokens, a begin-of-sequence token included where the model wants one.
    pub tokens: Vec<u32>,
    /// The text, unless it was put into a conversation; then the answer stands alone.
    text: Option<String>,
}

impl Prompt {
    /// A text, after the begin-of-sequence token of a model that was trained with one.
    pub fn continuing(text: &str, begin: Option<u32>, tokenizer: &Tokenizer) -> Result<Self> {
        let tokens = begin.into_iter().chain(tokenizer.encode(text)?).collect();
        Ok(Self { tokens, text: Some(text.to_owned()) })
    }

    /// A conversation whose template put in every special token already.
    pub fn answering(rendered: &str, tokenizer: &Tokenizer) -> Result<Self> {
        Ok(Self { tokens: tokenizer.encode(rendered)?, text: None })
    }

    /// What is shown before the new text.
    pub fn shown(&self) -> &str {
        self.text.as_deref().unwrap_or_default()
    }

    /// Tokens whose text the new text goes on from.
    pub fn before(&self) -> &[u32] {
        // An answer stands alone, so its decoder begins without neighbours.
        if self.text.is_some() { &self.tokens } else { &[] }
    }

    /// Refuses a prompt that is empty, or leaves no room in the model's context.
    pub fn check(&self, checkpoint: &Checkpoint) -> Result<()> {
        match (self.tokens.len(), checkpoint.config().max_positions) {
            (0, _) => {
                Err(Usage("--prompt is empty, and the model has no begin-of-sequence token to begin with".into())
                    .into())
            }
            // One new token has to fit at least.
            (n, room) if n >= room => {
                let has = format!("--prompt has {n} tokens, and the model's context of {room} has no room for more");
                Err(Usage(has).into())
            }
            _ => Ok(()),
        }
    }
}
