//! A text continued token by token, as `generate` does.

use slimgpt::model::{Decoder, Sampler, fits, generate};
use slimgpt::text::{TextError, TextStream};

use super::{Failure, Tell, Worker};
use crate::protocol::{Generate, Progress};

impl Worker {
    /// Tells each piece of the text, and returns the whole.
    pub(super) async fn generate(&self, asked: &Generate, tell: Tell<'_>) -> Result<String, Failure> {
        let checkpoint = self.checkpoint(asked.model)?;
        let (config, tokenizer) = (checkpoint.config(), &self.model.tokenizer);
        let prompt: Vec<u32> = config.bos_token.into_iter().chain(tokenizer.encode(&asked.prompt)?).collect();
        if prompt.len() >= config.max_positions {
            let (tokens, room) = (prompt.len(), config.max_positions);
            let words = format!("the prompt has {tokens} tokens, and the model's context of {room} no room for more");
            return Err(Failure::refused(words));
        }
        fits(config, &self.device).map_err(Failure::refused)?;
        let decoder = Decoder::load(checkpoint, self.device.tensor_device())?;
        let mut page = Page { stream: TextStream::after(tokenizer, &prompt), text: String::new(), failed: None, tell };
        let mut sampler = Sampler::new(asked.temperature, asked.seed);
        let mut take = |token| page.take(token);
        generate(&decoder, config, &prompt, asked.tokens, &mut sampler, &mut take).await?;
        page.finish()
    }
}

/// A text that is being written.
struct Page<'a> {
    stream: TextStream<'a>,
    text: String,
    failed: Option<TextError>,
    tell: Tell<'a>,
}

impl Page<'_> {
    /// Takes a token; false when no more is wanted.
    fn take(&mut self, token: u32) -> bool {
        match self.stream.push(token) {
            Ok(piece) => self.write(piece),
            // The callback can only say stop; `finish` hands the error on.
            Err(error) => self.failed = Some(error),
        }
        self.failed.is_none()
    }

    fn write(&mut self, piece: Option<String>) {
        if let Some(piece) = piece {
            self.text.push_str(&piece);
            (self.tell)(Progress::Written(piece));
        }
    }

    fn finish(mut self) -> Result<String, Failure> {
        if let Some(error) = self.failed {
            return Err(error.into());
        }
        // Half a character that no token follows.
        let rest = self.stream.finish()?;
        if let Some(rest) = rest {
            self.text.push_str(&rest);
            (self.tell)(Progress::Written(rest));
        }
        Ok(self.text)
    }
}
