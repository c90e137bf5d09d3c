//! lm-eval's rolling windows: every token of a text is predicted once, each window from what stands
//! before it; and the figures by word and byte that do not depend on the tokenizer.

use serde::Serialize;

use super::EvalError;
use super::likelihood::Request;

/// Windows whose inputs have at most `length` tokens and that together predict every token of
/// `tokens`, the first after `prefix`. All predict `length` tokens after one token of context; the
/// last predicts the rest after as much context as fits.
///
/// # Errors
/// When the text has no token.
pub fn rolling(tokens: &[u32], prefix: u32, length: usize) -> Result<Vec<Request>, EvalError> {
    if tokens.is_empty() {
        return Err(EvalError::TooShort { tokens: 0, needed: 1 });
    }
    // Position i of `all` predicts token i of the text.
    let all: Vec<u32> = std::iter::once(prefix).chain(tokens.iter().copied()).collect();
    let starts = (0..tokens.len()).step_by(length);
    let window = |start: usize| {
        let end = tokens.len().min(start + length);
        // A whole window begins at `start`; the last goes back until it has `length` inputs.
        let first = if start == 0 { 0 } else { end - length };
        Request { context: all[first..=start].to_vec(), continuation: tokens[start..end].to_vec() }
    };
    Ok(starts.map(window).collect())
}

/// What a text has whatever the tokenizer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// Pieces between white space, empty ones at the ends included, as `re.split(r"\s+", …)` counts.
    pub words: usize,
    /// Bytes of the text in UTF-8.
    pub bytes: usize,
}

impl Size {
    /// The size of a text as it was before any detokeniser.
    pub fn of(text: &str) -> Self {
        // n separators part n + 1 pieces.
        let mut words = 1;
        let mut after_space = false;
        for c in text.chars() {
            // A run of white space is one separator.
            words += usize::from(c.is_whitespace() && !after_space);
            after_space = c.is_whitespace();
        }
        Self { words, bytes: text.len() }
    }
}

impl std::iter::Sum for Size {
    fn sum<I: Iterator<Item = Self>>(sizes: I) -> Self {
        sizes.fold(Self::default(), |a, b| Self { words: a.words + b.words, bytes: a.bytes + b.bytes })
    }
}

/// The three figures of lm-eval's wikitext task.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ByWord {
    /// exp(nll / words), at least 1.
    pub word_perplexity: f64,
    /// exp(nll / bytes), at least 1.
    pub byte_perplexity: f64,
    /// nll / bytes / ln 2.
    pub bits_per_byte: f64,
    /// Words of the text before any detokeniser.
    pub words: usize,
    /// Bytes of the same text in UTF-8.
    pub bytes: usize,
}

impl ByWord {
    /// From Σ −log p of texts of this size.
    pub fn new(nll: f64, size: Size) -> Self {
        let Size { words, bytes } = size;
        let per_byte = nll / bytes as f64;
        Self {
            word_perplexity: (nll / words as f64).exp(),
            byte_perplexity: per_byte.exp(),
            bits_per_byte: per_byte / std::f64::consts::LN_2,
            words,
            bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(tokens: u32, length: usize, want: &[(&[u32], &[u32])]) {
        let tokens: Vec<u32> = (1..=tokens).collect();
        let windows = rolling(&tokens, 0, length).unwrap();
        let found: Vec<(&[u32], &[u32])> = windows.iter().map(|w| (&w.context[..], &w.continuation[..])).collect();
        assert_eq!(found, want);
        assert!(windows.iter().all(|w| w.cut_off(length) == 0));
    }

    #[test]
    fn every_token_is_predicted_once_and_the_last_window_sees_all_it_can() {
        check(7, 3, &[(&[0], &[1, 2, 3]), (&[3], &[4, 5, 6]), (&[4, 5, 6], &[7])]);
        check(6, 3, &[(&[0], &[1, 2, 3]), (&[3], &[4, 5, 6])]);
        check(2, 3, &[(&[0], &[1, 2])]);
        check(1, 1, &[(&[0], &[1])]);
        assert!(rolling(&[], 0, 3).is_err());
    }

    #[test]
    fn words_are_counted_as_pythons_split_counts_them() {
        assert_eq!(Size::of(" = Title = \n").words, 5);
        assert_eq!(Size::of("one two"), Size { words: 2, bytes: 7 });
        assert_eq!(Size::of("").words, 1);
        assert_eq!(Size::of("é\n\n é").bytes, 7);
    }

    #[test]
    fn the_figures_by_word_and_byte() {
        let found = ByWord::new(8.0 * std::f64::consts::LN_2, Size { words: 2, bytes: 8 });
        assert!((found.word_perplexity - 16.0).abs() < 1e-12 && (found.byte_perplexity - 2.0).abs() < 1e-12);
        assert!((found.bits_per_byte - 1.0).abs() < 1e-12);
    }
}
