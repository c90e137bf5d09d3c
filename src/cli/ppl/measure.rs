//! The three protocols of `ppl`: documents to windows to figures.

use anyhow::Result;
use pollster::block_on;
use slimgpt::checkpoint::Checkpoint;
use slimgpt::device::Device;
use slimgpt::eval::{
    ByWord, EvalError, Perplexity, Request, Size, detokenised, has_titles, pages, perplexity, perplexity_of, rolling,
    strided,
};
use slimgpt::text::{Bos, Join, Sampling, TextError, Tokenizer, Windows, windows};

use crate::cli::progress;

/// The stride of transformers' documentation.
const USUAL_STRIDE: usize = 512;

/// What every protocol needs.
pub struct Measure<'a> {
    pub checkpoint: &'a Checkpoint,
    pub tokenizer: &'a Tokenizer,
    /// Tokens of a window.
    pub length: usize,
    pub bos: Bos,
    /// Windows from the beginning of the text; `None` takes all.
    pub count: Option<usize>,
    /// Whether no progress is shown.
    pub hidden: bool,
}

/// What was found, and how.
pub struct Found {
    pub perplexity: Perplexity,
    pub by_word: Option<ByWord>,
    /// The protocol in words, without the text's name.
    pub protocol: String,
}

impl Measure<'_> {
    /// Windows that do not overlap.
    pub fn window(&self, documents: &[String], join: Join, device: &Device) -> Result<Found> {
        let which =
            Windows { count: self.count, length: self.length, sampling: Sampling::Sequential, bos: self.bos, seed: 0 };
        let bos = self.checkpoint.config().bos_token;
        let cut = windows(self.tokenizer, &[join.text(documents)], bos, &which)?;
        let mut counting = progress::counting("perplexity", self.hidden);
        let place = match self.bos {
            Bos::Each => "in each",
            Bos::First => "in the first",
            Bos::None => "in none",
        };
        Ok(Found {
            perplexity: block_on(perplexity(self.checkpoint, &cut, device, &mut counting))?,
            by_word: None,
            protocol: format!("windows of {} tokens, begin-of-sequence token {place}", self.length),
        })
    }

    /// lm-eval's rolling windows, every document by itself.
    pub fn rolling(&self, documents: &[String], device: &Device) -> Result<Found> {
        let config = self.checkpoint.config();
        // lm-eval's prefix token: begin-of-sequence where there is one, else end-of-sequence.
        let prefix = config.bos_token.or(config.eos_tokens.first().copied()).ok_or(EvalError::NoPrefix)?;
        let prefix = self.tokenizer.known(prefix)?;
        let (texts, kind) = match documents {
            [whole] if has_titles(whole) => (pages(whole), "WikiText pages, detokenised"),
            several => (several.to_vec(), if several.len() == 1 { "document" } else { "documents" }),
        };
        let mut requests: Vec<Request> = Vec::new();
        for text in &texts {
            let tokens =
                if kind.starts_with("WikiText") { self.encode(&detokenised(text))? } else { self.encode(text)? };
            requests.extend(rolling(&tokens, prefix, self.length)?);
        }
        let perplexity = self.of(&requests, device)?;
        // lm-eval divides by the words and bytes of the page as it is, not of the detokenised one.
        let size = texts.iter().map(|text| Size::of(text)).sum();
        // The token is then a token of the text, and predicted like one.
        let predicted = if self.bos == Bos::First { ", which is predicted too" } else { "" };
        Ok(Found {
            perplexity,
            by_word: Some(ByWord::new(perplexity.nll, size)),
            protocol: format!(
                "{} {kind}, rolling windows of {} tokens after token {prefix}{predicted}",
                texts.len(),
                self.length
            ),
        })
    }

    /// transformers' windows that overlap.
    pub fn strided(&self, documents: &[String], join: Join, asked: Option<usize>, device: &Device) -> Result<Found> {
        // transformers' 512, as far as the windows still overlap by half.
        let stride = asked.unwrap_or(USUAL_STRIDE.min(self.length / 2));
        let mut requests = strided(&self.encode(&join.text(documents))?, self.length, stride)?;
        requests.truncate(self.count.unwrap_or(usize::MAX));
        let begin = if self.bos == Bos::First { "at the beginning" } else { "nowhere" };
        Ok(Found {
            perplexity: self.of(&requests, device)?,
            by_word: None,
            protocol: format!(
                "windows of {} tokens, stride {stride}, overlap not predicted, begin-of-sequence token {begin}",
                self.length
            ),
        })
    }

    fn of(&self, requests: &[Request], device: &Device) -> Result<Perplexity> {
        let mut counting = progress::counting("perplexity", self.hidden);
        Ok(block_on(perplexity_of(self.checkpoint, requests, device, &mut counting))?)
    }

    /// The tokens of a text, after a begin-of-sequence token if one is asked for.
    fn encode(&self, text: &str) -> Result<Vec<u32>> {
        let begin = match self.bos {
            Bos::None => None,
            // First or each: `check` has refused the latter, because there are no windows yet.
            _ => Some(self.tokenizer.known(self.checkpoint.config().bos_token.ok_or(TextError::NoBos)?)?),
        };
        Ok(begin.into_iter().chain(self.tokenizer.encode(text)?).collect())
    }
}
