//! Texts to examples: cut to the window, with what counts marked.

use std::ops::Range;

use super::{Example, Source};
use crate::recover::{Counted, Settings};
use crate::text::Tokenizer;

/// A text and which bytes of it are responses.
pub(super) struct Marked {
    pub text: String,
    pub responses: Vec<Range<usize>>,
    /// Whether the text has its special tokens in it already, as one of a chat template.
    pub is_whole: bool,
}

/// Makes examples, and counts what could not be taken whole.
pub(super) struct Encoder<'a> {
    tokenizer: &'a Tokenizer,
    begin: Option<u32>,
    end: Option<u32>,
    window: usize,
    counted: Counted,
    pub examples: Vec<Example>,
    cut: usize,
    without_response: usize,
}

impl<'a> Encoder<'a> {
    pub fn new(source: &Source<'a>, settings: &Settings) -> Self {
        let Source { tokenizer, begin, end, .. } = *source;
        let (window, counted) = (settings.window, settings.counted);
        Self { tokenizer, begin, end, window, counted, examples: Vec::new(), cut: 0, without_response: 0 }
    }

    /// Takes a prompt with its response.
    pub fn add(&mut self, marked: &Marked) -> Result<(), String> {
        if marked.responses.iter().all(Range::is_empty) {
            return Err("the response is empty".into());
        }
        let placed = self.tokenizer.placed(&marked.text).map_err(|e| e.to_string())?;
        // By where a token begins: one that reaches over the border is still the prompt's.
        let is_response = |at: usize| marked.responses.iter().any(|range| range.contains(&at));
        // A template has written its own.
        let begin = if marked.is_whole { None } else { self.begin };
        let mut tokens: Vec<(u32, bool)> = begin.map(|token| (token, false)).into_iter().collect();
        tokens.extend(placed.into_iter().map(|(token, at)| (token, is_response(at) || self.counted == Counted::All)));
        // A response that was cut off does not end here, and must not be learnt to.
        match tokens.len() > self.window {
            true => self.cut += 1,
            false if marked.is_whole || tokens.len() == self.window => {}
            false => tokens.extend(self.end.map(|token| (token, true))),
        }
        tokens.truncate(self.window);
        // A token counts or not as it is predicted, so the first has no entry.
        self.keep(Example {
            counts: tokens.iter().skip(1).map(|&(_, counts)| counts).collect(),
            tokens: tokens.into_iter().map(|(token, _)| token).collect(),
            documents: Vec::new(),
        });
        Ok(())
    }

    /// The tokens of a document and its end token.
    pub fn document(&self, text: &str) -> Result<Vec<u32>, crate::text::TextError> {
        Ok(self.tokenizer.encode(text)?.into_iter().chain(self.end).collect())
    }

    /// The token that a text begins with.
    pub fn begin(&self) -> Option<u32> {
        self.begin
    }

    /// One more token than goes through the model: the last is only predicted.
    pub fn window(&self) -> usize {
        self.window
    }

    /// Takes an example in which something counts.
    pub fn keep(&mut self, example: Example) {
        match example.counted() {
            0 => self.without_response += 1,
            _ => self.examples.push(example),
        }
    }

    /// What could not be taken as it stands.
    pub fn notes(&self) -> Vec<String> {
        let window = self.window;
        let cut =
            (self.cut > 0).then(|| format!("{} rows are longer than {window} tokens and were cut there", self.cut));
        let lost = (self.without_response > 0).then(|| {
            format!("{} rows have nothing to learn within {window} tokens and were left out", self.without_response)
        });
        cut.into_iter().chain(lost).collect()
    }
}
