//! Windows of equal length cut from a text.

use rand::SeedableRng;
use rand::seq::index;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::{TextError, Tokenizer};
use crate::parallel;

/// Where a begin-of-sequence token stands.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
    strum::IntoStaticStr,
    strum::EnumMessage,
    strum::VariantArray,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Bos {
    /// At the head of each window.
    Each,
    /// At the head of the first window, or of the text.
    First,
    /// Nowhere.
    #[default]
    None,
}

/// How windows are chosen.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
    strum::IntoStaticStr,
    strum::EnumMessage,
    strum::VariantArray,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Sampling {
    /// At random starts, no start twice: the paper's way. In a text of more than 8 MiB at random places,
    /// around which alone it is cut into tokens.
    #[default]
    Random,
    /// One after the other from the beginning.
    Sequential,
}

/// Which windows to cut.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Windows {
    /// How many; `None` takes all there are (sequential only).
    pub count: Option<usize>,
    /// Tokens of a window, the begin-of-sequence token included.
    pub length: usize,
    /// How they are chosen.
    pub sampling: Sampling,
    /// Where the begin-of-sequence token stands.
    pub bos: Bos,
    /// Seed of the random starts.
    pub seed: u64,
}

/// Windows, and what is to be said about them.
#[derive(Clone, Debug)]
pub struct Cut {
    /// Tokens of each window.
    pub windows: Vec<Vec<u32>>,
    /// What was not taken as it stands, and windows that are much the same, in sentences.
    pub notes: Vec<String>,
}

/// How the documents relate to all that there are.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Part {
    /// Whether the last document is only the beginning of one.
    pub is_cut: bool,
}

/// What stands after each of several documents.
pub(super) const AFTER_DOCUMENT: &str = "\n\n";
/// At the end of a document that was cut its tokens may be others than those of the whole.
const UNSURE_TOKENS: usize = 1024;
/// Bytes of documents that are cut into tokens at once.
const TOGETHER: usize = 1 << 20;
/// Windows that use each token more often than this are told.
const OFTEN: usize = 4;
/// Windows that use each token more often than this are a mistake, as a count too high by zeros.
const TOO_OFTEN: usize = 1000;

/// The begin-of-sequence token, where windows have one.
pub(super) fn begin(tokenizer: &Tokenizer, bos: Option<u32>, which: &Windows) -> Result<Option<u32>, TextError> {
    if which.length < 2 {
        return Err(TextError::WindowTooShort(which.length));
    }
    match which.bos {
        // Not looked up: a model without a begin token can have windows too.
        Bos::None => Ok(None),
        _ => Ok(Some(tokenizer.known(bos.ok_or(TextError::NoBos)?)?)),
    }
}

/// A window of so many tokens of the text.
pub(super) fn with_begin(bos: Option<u32>, own: &[u32], which: &Windows) -> Vec<u32> {
    // It takes the place of a token of the text, so that all windows are of one length.
    let head = if own.len() < which.length { bos } else { None };
    head.into_iter().chain(own.iter().copied()).collect()
}

/// Cuts windows from the tokens of documents, which may be a part of all.
pub(super) fn cut(
    tokenizer: &Tokenizer,
    documents: &[String],
    part: Part,
    bos: Option<u32>,
    which: &Windows,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Cut, TextError> {
    let bos = begin(tokenizer, bos, which)?;
    let tokens = encode(tokenizer, documents, part, enough(which), progress)?;
    let starts = starts(tokens.len(), which)?;
    let cut = |i: usize, start: usize| with_begin(bos, &tokens[start..start + own_tokens(which, i)], which);
    let windows: Vec<Vec<u32>> = starts.into_iter().enumerate().map(|(i, start)| cut(i, start)).collect();
    // Windows that do not overlap use a token once.
    let times = windows.len().saturating_mul(which.length) / tokens.len().max(1);
    let notes = (times > OFTEN).then(|| {
        format!("the windows use each token {times} times, because the text has only {} tokens", tokens.len())
    });
    Ok(Cut { windows, notes: notes.into_iter().collect() })
}

/// The tokens of the documents, up to the document with which there are `enough`.
fn encode(
    tokenizer: &Tokenizer,
    documents: &[String],
    part: Part,
    enough: usize,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Vec<u32>, TextError> {
    // Of a part, only what the rest cannot change.
    let sure = |mut tokens: Vec<u32>| {
        tokens.truncate(if part.is_cut { tokens.len().saturating_sub(UNSURE_TOKENS) } else { tokens.len() });
        tokens
    };
    if let [whole] = documents {
        return Ok(sure(tokenizer.encode(whole)?));
    }
    let (mut tokens, mut done) = (Vec::new(), 0);
    while done < documents.len() {
        if tokens.len() >= enough {
            // Stopping early is an end too.
            progress(documents.len(), documents.len());
            return Ok(tokens);
        }
        let together = &documents[done..done + together(&documents[done..])];
        for one in parallel::map(together, |document| tokenizer.encode(&format!("{document}{AFTER_DOCUMENT}"))) {
            tokens.extend(one?);
        }
        done += together.len();
        progress(done, documents.len());
    }
    progress(documents.len(), documents.len());
    Ok(sure(tokens))
}

/// How many of the documents are cut into tokens at once: one at least.
fn together(documents: &[String]) -> usize {
    let lengths = documents.iter().scan(0, |sum, document| {
        *sum += document.len();
        Some(*sum)
    });
    lengths.take_while(|&sum| sum <= TOGETHER).count().max(1)
}

/// After so many tokens the rest of the text cannot matter.
pub(super) fn enough(which: &Windows) -> usize {
    match (which.sampling, which.count) {
        (Sampling::Sequential, Some(count)) => count.saturating_mul(which.length),
        _ => usize::MAX,
    }
}

/// Text tokens of window `i`: one less where a begin-of-sequence token stands.
pub(super) fn own_tokens(which: &Windows, i: usize) -> usize {
    match which.bos {
        Bos::Each => which.length - 1,
        Bos::First if i == 0 => which.length - 1,
        _ => which.length,
    }
}

fn starts(tokens: usize, which: &Windows) -> Result<Vec<usize>, TextError> {
    match which.sampling {
        Sampling::Sequential => sequential(tokens, which),
        Sampling::Random => random(tokens, which),
    }
}

fn sequential(tokens: usize, which: &Windows) -> Result<Vec<usize>, TextError> {
    let mut starts = Vec::new();
    let mut at = 0;
    while which.count.is_none_or(|count| starts.len() < count) {
        let own = own_tokens(which, starts.len());
        // What is left is shorter than a window, and all windows are of one length.
        if at + own > tokens {
            break;
        }
        starts.push(at);
        at += own;
    }
    let asked = which.count.unwrap_or(1);
    match starts.len() < asked {
        true => Err(too_short(tokens, asked, which)),
        false => Ok(starts),
    }
}

fn random(tokens: usize, which: &Windows) -> Result<Vec<usize>, TextError> {
    let count = which.count.unwrap_or(1);
    // By the second window: with a token at the first alone, the others need the most text.
    let possible = (tokens + 1).saturating_sub(own_tokens(which, 1));
    if possible < count {
        return Err(too_short(tokens, count, which));
    }
    let times = count.saturating_mul(which.length) / tokens.max(1);
    if times > TOO_OFTEN {
        return Err(TextError::TooOften { times, windows: count, length: which.length, found: tokens });
    }
    // Not `StdRng`, whose stream may change from one release of rand to the next.
    let mut rng = ChaCha8Rng::seed_from_u64(which.seed);
    Ok(index::sample(&mut rng, possible, count).into_vec())
}

fn too_short(found: usize, windows: usize, which: &Windows) -> TextError {
    let needed = match which.sampling {
        Sampling::Sequential => {
            let rest = own_tokens(which, 1).saturating_mul(windows - 1);
            own_tokens(which, 0).saturating_add(rest)
        }
        // Different starts may be one token apart.
        Sampling::Random => own_tokens(which, 1).saturating_add(windows - 1),
    };
    TextError::TooShort { found, windows, length: which.length, needed }
}
