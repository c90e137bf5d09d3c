//! A model that continues a prompt, with what it took.

use std::fmt;
use std::time::Instant;

use anyhow::{Context, Result};
use pollster::block_on;
use serde::Serialize;
use slimgpt::checkpoint::Checkpoint;
use slimgpt::device::Device;
use slimgpt::model::{Decoder, Sampler, Stop, fits, generate};
use slimgpt::text::{StopTexts, TextError, TextStream, Tokenizer};

use super::Prompt;

/// When to end at the latest.
#[derive(Clone, Debug)]
pub struct Limit {
    /// New tokens at most.
    pub tokens: usize,
    /// Texts before which to end.
    pub stops: Vec<String>,
}

/// What ended a text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// The model chose its end-of-sequence token.
    EndOfText,
    /// As many tokens as asked for.
    MaxTokens,
    /// The context is full.
    Context,
    /// This text would have come.
    Stop(String),
    /// Ctrl-C, or nobody reads.
    Interrupted,
}

/// A continuation and what it took.
#[derive(Clone, Debug, Serialize)]
pub struct Continuation {
    /// What the model is called: its folder, as it was typed.
    pub model: String,
    /// The new text, without the prompt and without the stop that ended it.
    pub text: String,
    /// New tokens, those of a stop included.
    pub tokens: usize,
    /// Tokens of the prompt.
    pub prompt_tokens: usize,
    /// From the prompt to the last token, without loading.
    pub seconds: f64,
    /// Until the first new token, reading the prompt included.
    pub first_token_seconds: Option<f64>,
    /// New tokens per second.
    pub tokens_per_second: f64,
    /// What the text was ended by.
    pub stopped_by: Ended,
}

/// An opened model with its prompt.
pub struct Writer {
    name: String,
    checkpoint: Checkpoint,
    tokenizer: Tokenizer,
    prompt: Prompt,
    decoder: Option<Decoder>,
    ends: Vec<u32>,
}

impl Writer {
    /// A model that is not loaded yet.
    pub fn new(name: String, checkpoint: Checkpoint, tokenizer: Tokenizer, prompt: Prompt) -> Self {
        let ends = checkpoint.config().eos_tokens.clone();
        Self { name, checkpoint, tokenizer, prompt, decoder: None, ends }
    }

    /// The same, with further end-of-sequence tokens.
    pub fn ending_at(mut self, ends: &[u32]) -> Self {
        self.ends.extend(ends);
        self
    }

    pub fn prompt(&self) -> &Prompt {
        &self.prompt
    }

    /// Brings the weights to the device.
    pub fn load(&mut self, device: &Device, progress: &mut dyn FnMut(usize, usize)) -> Result<()> {
        fits(self.checkpoint.config(), device)?;
        self.decoder = Some(Decoder::load_telling(&self.checkpoint, device.tensor_device(), progress)?);
        Ok(())
    }

    /// Takes them off again.
    pub fn unload(&mut self) {
        self.decoder = None;
    }

    /// Continues the prompt and hands over the text as it grows, until `on_text` says false. It is
    /// called for every token, with an empty text where none is ready.
    pub fn write(
        &self,
        limit: &Limit,
        sampler: &mut Sampler,
        on_text: &mut dyn FnMut(&str) -> bool,
    ) -> Result<Continuation> {
        let decoder = self.decoder.as_ref().context("the model is not loaded")?;
        let mut config = self.checkpoint.config().clone();
        // `generate` ends at the config's tokens; a conversation has further ones.
        config.eos_tokens.clone_from(&self.ends);
        let mut page = Page::new(TextStream::after(&self.tokenizer, self.prompt.before()), limit);
        let stop = block_on(generate(decoder, &config, &self.prompt.tokens, limit.tokens, sampler, &mut |token| {
            page.take(token, on_text)
        }))?;
        page.finish(stop, on_text, self)
    }
}

/// A text that is being written.
struct Page<'a> {
    stream: TextStream<'a>,
    stops: StopTexts,
    text: String,
    tokens: usize,
    started: Instant,
    first: Option<f64>,
    ended: Option<Ended>,
    failed: Option<TextError>,
}

impl<'a> Page<'a> {
    fn new(stream: TextStream<'a>, limit: &Limit) -> Self {
        let (text, started) = (String::new(), Instant::now());
        let stops = StopTexts::new(limit.stops.iter().cloned());
        Self { stream, stops, text, tokens: 0, started, first: None, ended: None, failed: None }
    }

    /// Takes a token; false when no more is wanted.
    fn take(&mut self, token: u32, on_text: &mut dyn FnMut(&str) -> bool) -> bool {
        self.tokens += 1;
        // Before the token is decoded, which is not the model's time.
        self.first.get_or_insert(self.started.elapsed().as_secs_f64());
        let piece = match self.stream.push(token) {
            Ok(piece) => piece.unwrap_or_default(),
            Err(error) => {
                // The callback can only say stop; `finish` hands the error on.
                self.failed = Some(error);
                return false;
            }
        };
        let (shown, stop) = self.stops.push(&piece);
        self.ended = stop.map(|stop| Ended::Stop(stop.to_owned()));
        self.text.push_str(&shown);
        // A wish to stop goes before a stop text: whoever asked is told that it was heard.
        if !on_text(&shown) {
            self.ended = Some(Ended::Interrupted);
        }
        self.ended.is_none()
    }

    /// What was held back is shown unless a stop came.
    fn finish(mut self, stop: Stop, on_text: &mut dyn FnMut(&str) -> bool, writer: &Writer) -> Result<Continuation> {
        if let Some(error) = self.failed {
            return Err(error.into());
        }
        // After a stop, whatever is still held back stands behind it.
        if !matches!(self.ended, Some(Ended::Stop(_))) {
            // Half a character that comes out now may still complete a stop.
            let (mut rest, stopped) = self.stops.push(&self.stream.finish()?.unwrap_or_default());
            match stopped {
                Some(stop) => self.ended = Some(Ended::Stop(stop.to_owned())),
                None => rest.push_str(&self.stops.finish()),
            }
            self.text.push_str(&rest);
            on_text(&rest);
        }
        let seconds = self.started.elapsed().as_secs_f64();
        Ok(Continuation {
            model: writer.name.clone(),
            text: self.text,
            tokens: self.tokens,
            prompt_tokens: writer.prompt.tokens.len(),
            seconds,
            first_token_seconds: self.first,
            // A clock that has not moved yet must not divide by zero.
            tokens_per_second: self.tokens as f64 / seconds.max(1e-9),
            stopped_by: self.ended.unwrap_or_else(|| ended(stop)),
        })
    }
}

fn ended(stop: Stop) -> Ended {
    match stop {
        Stop::EndOfText => Ended::EndOfText,
        Stop::MaxTokens => Ended::MaxTokens,
        Stop::Context => Ended::Context,
        Stop::Caller => Ended::Interrupted,
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EndOfText => f.write_str("the model's end of text"),
            Self::MaxTokens => f.write_str("--max-tokens"),
            Self::Context => f.write_str("the end of the model's context"),
            Self::Stop(text) => write!(f, "--stop {text:?}"),
            Self::Interrupted => f.write_str("Ctrl-C"),
        }
    }
}

impl fmt::Display for Continuation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tokens, prompt_tokens, seconds, tokens_per_second, stopped_by, .. } = self;
        write!(f, "{tokens} tokens after {prompt_tokens} in {seconds:.2} s: {tokens_per_second:.1} tokens/s")?;
        if let Some(first) = self.first_token_seconds {
            write!(f, " (the first after {first:.2} s)")?;
        }
        write!(f, "; ended by {stopped_by}")
    }
}
