//! The three protocols of `ppl`: documents to windows to figures.

use anyhow::Result;
use pollster::block_on;
use slimgpt::checkpoint::Checkpoint;
use slimgpt::device::Device;
use slimgpt::eval::{
    ByWord, EvalError, Perplexity, Request, Size, detokenised, divergence, has_titles, pages, perplexity,
    perplexity_of, rolling, strided,
};
use slimgpt::text::{Bos, Files, Join, Sampling, TextError, Tokenizer, TokenizerSettings, Windows};

use crate::cli::{out, progress};

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
    /// The model that it was made of, to hold its expectations against.
    pub dense: Option<&'a Checkpoint>,
    /// Whether no progress is shown.
    pub hidden: bool,
}

/// What was found, and how.
pub struct Found {
    pub perplexity: Perplexity,
    pub by_word: Option<ByWord>,
    /// KL(dense ‖ model) in nats a token.
    pub divergence: Option<f64>,
    /// The protocol in words, without the text's name.
    pub protocol: String,
}

impl Measure<'_> {
    /// Windows that do not overlap.
    pub fn window(&self, files: Files<'_>, join: Join, device: &Device) -> Result<Found> {
        let which =
            Windows { count: self.count, length: self.length, sampling: Sampling::Sequential, bos: self.bos, seed: 0 };
        let bos = self.checkpoint.config().bos_token;
        let mut reading = progress::counting("reading the text", self.hidden);
        let cut = files.windows(Some(join), self.tokenizer, bos, &which, &mut reading)?;
        out::notes(&cut.notes);
        let mut counting = progress::counting("perplexity", self.hidden);
        let place = match self.bos {
            Bos::Each => "in each",
            Bos::First => "in the first",
            Bos::None => "in none",
        };
        let perplexity = block_on(perplexity(self.checkpoint, &cut.windows, device, &mut counting))?;
        let mut counting = progress::counting("divergence", self.hidden);
        let mut from = |dense| block_on(divergence(self.checkpoint, dense, &cut.windows, device, &mut counting));
        Ok(Found {
            perplexity,
            by_word: None,
            divergence: self.dense.map(&mut from).transpose()?,
            protocol: format!("windows of {} tokens, begin-of-sequence token {place}", self.length),
        })
    }

    /// lm-eval's rolling windows, every document by itself.
    pub fn rolling(&self, files: Files<'_>, device: &Device) -> Result<Found> {
        let documents = self.read(files)?;
        let prefix = self.tokenizer.embedded(self.prefix()?.ok_or(EvalError::NoPrefix)?)?;
        let (texts, kind) = match documents.as_slice() {
            [whole] if has_titles(whole) => (pages(whole), "WikiText pages, detokenised"),
            several => (several.to_vec(), if several.len() == 1 { "document" } else { "documents" }),
        };
        let (mut requests, mut empty) = (Vec::<Request>::new(), 0);
        for text in &texts {
            let tokens =
                if kind.starts_with("WikiText") { self.encode(&detokenised(text))? } else { self.encode(text)? };
            // An empty row has nothing to predict, as in lm-eval; its words and bytes count.
            let is_empty = text.is_empty() || tokens.is_empty();
            empty += usize::from(is_empty);
            if !is_empty {
                requests.extend(rolling(&tokens, prefix, self.length)?);
            }
        }
        if empty == texts.len() {
            return Err(EvalError::TooShort { tokens: 0, needed: 1 }.into());
        }
        if empty > 0 {
            let of = format_args!("{empty} of {} {kind} are empty", texts.len());
            out::note(format_args!("note: {of}, and nothing is predicted there"));
        }
        let perplexity = self.of(&requests, device)?;
        // lm-eval divides by the words and bytes of the page as it is, not of the detokenised one.
        let size = texts.iter().map(|text| Size::of(text)).sum();
        // The token is then a token of the text, and predicted like one.
        let predicted = if self.bos == Bos::First { ", which is predicted too" } else { "" };
        Ok(Found {
            perplexity,
            divergence: None,
            by_word: Some(ByWord::new(perplexity.nll, size)),
            protocol: format!(
                "{} {kind}, rolling windows of {} tokens after token {prefix}{predicted}",
                texts.len(),
                self.length
            ),
        })
    }

    /// lm-eval's prefix token: the tokenizer's begin token, else its end token. A tokenizer without
    /// settings has those of config.json.
    fn prefix(&self) -> Result<Option<u32>> {
        let settings = self.checkpoint.folder().map(TokenizerSettings::open).transpose()?.unwrap_or_default();
        // One that the model has no embedding for is refused, and not passed over for another.
        let token = |name| settings.token(name).and_then(|token| self.tokenizer.number(token));
        let config = self.checkpoint.config();
        let of_config = || config.bos_token.or(config.eos_tokens.first().copied());
        Ok(token("bos_token").or_else(|| token("eos_token")).or_else(of_config))
    }

    /// transformers' windows that overlap.
    pub fn strided(&self, files: Files<'_>, join: Join, asked: Option<usize>, device: &Device) -> Result<Found> {
        // transformers' 512, as far as the windows still overlap by half.
        let stride = asked.unwrap_or(USUAL_STRIDE.min(self.length / 2));
        let mut requests = strided(&self.encode(&join.text(&self.read(files)?))?, self.length, stride)?;
        requests.truncate(self.count.unwrap_or(usize::MAX));
        let begin = if self.bos == Bos::First { "at the beginning" } else { "nowhere" };
        Ok(Found {
            perplexity: self.of(&requests, device)?,
            by_word: None,
            divergence: None,
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

    /// The documents of files; what was not taken as it stands is said.
    fn read(&self, files: Files<'_>) -> Result<Vec<String>> {
        let read = files.read_for(self.checkpoint.folder())?;
        out::notes(&read.notes);
        Ok(read.texts)
    }
}
