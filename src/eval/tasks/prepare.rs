//! Items to token ids. Context and choice are encoded together and parted after the tokens of the
//! context alone; spaces at the end of the context count to the choice.

use super::{Choice, Item, Placed, Rows};
use crate::eval::BadRow;
use crate::eval::likelihood::Request;
use crate::text::{TextError, Tokenizer};

/// What stands before the first token of a text.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    serde::Serialize,
    strum::IntoStaticStr,
    strum::EnumMessage,
    strum::VariantArray,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Begin {
    /// Nothing: as in LLM-Pruner's tables, and in lm-eval before 0.4.9.2.
    #[default]
    None,
    /// What the tokenizer puts there by itself, for LLaMA a begin-of-sequence token: as in lm-eval since.
    Tokenizer,
}

impl Begin {
    /// The tokens of a text.
    ///
    /// # Errors
    /// When a token has no embedding.
    pub fn encode(self, tokenizer: &Tokenizer, text: &str) -> Result<Vec<u32>, TextError> {
        match self {
            Self::None => tokenizer.encode(text),
            Self::Tokenizer => tokenizer.encode_with_specials(text),
        }
    }
}

/// An item with the tokens of its choices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The item, with its choices as text.
    pub item: Item,
    /// One for each choice.
    pub requests: Vec<Request>,
}

/// What the rows of a task became.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// What will be asked.
    pub questions: Vec<Placed<Question>>,
    /// Rows that cannot be asked.
    pub bad: Vec<BadRow>,
    /// Questions of which a choice loses the beginning of its context: most tokens that one loses.
    pub cut_off: Vec<Placed<usize>>,
}

/// The tokens of the rows of a task for a model with a context of `max_positions`; `progress` is
/// told how many of how many rows are done.
///
/// # Errors
/// When the tokenizer is not the model's.
pub fn prepare(
    rows: Rows<Item>,
    tokenizer: &Tokenizer,
    max_positions: usize,
    begin: Begin,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Prepared, TextError> {
    let total = rows.good.len();
    let mut prepared = Prepared { questions: Vec::new(), bad: rows.bad, cut_off: Vec::new() };
    for (i, placed) in rows.good.into_iter().enumerate() {
        let requests = placed.value.choices.iter().map(|choice| request(tokenizer, choice, begin));
        let requests = requests.collect::<Result<Vec<_>, _>>()?;
        // Told and not refused: lm-eval cuts from the left too.
        let cut_off = requests.iter().map(|r| r.cut_off(max_positions)).max().unwrap_or(0);
        match unfit(&requests, max_positions) {
            Some(reason) => prepared.bad.push(placed.bad(reason)),
            None => {
                if cut_off > 0 {
                    prepared.cut_off.push(placed.with(cut_off));
                }
                prepared.questions.push(placed.with(Question { item: placed.value.clone(), requests }));
            }
        }
        progress(i + 1, total);
    }
    Ok(prepared)
}

fn request(tokenizer: &Tokenizer, choice: &Choice, begin: Begin) -> Result<Request, TextError> {
    let context = begin.encode(tokenizer, choice.context.trim_end())?;
    // Together, because a tokenizer may join across the border; parted by count, as lm-eval does.
    let whole = begin.encode(tokenizer, &format!("{}{}", choice.context, choice.continuation))?;
    // Where the choice adds no token of its own, `unfit` says so.
    let continuation = whole.get(context.len()..).unwrap_or_default().to_vec();
    Ok(Request { context, continuation })
}

/// Why a question cannot be asked of a model with so much room.
fn unfit(requests: &[Request], max_positions: usize) -> Option<String> {
    requests.iter().enumerate().find_map(|(i, Request { context, continuation })| match continuation.len() {
        _ if context.is_empty() => Some(format!("the context of choice {i} has no token")),
        0 => Some(format!("choice {i} has no token of its own")),
        n if n > max_positions => {
            Some(format!("choice {i} has {n} tokens, more than the model's context of {max_positions}"))
        }
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn requests(lengths: &[(usize, usize)]) -> Vec<Request> {
        lengths.iter().map(|&(c, k)| Request { context: vec![1; c], continuation: vec![2; k] }).collect()
    }

    #[test]
    fn a_choice_that_does_not_fit_is_named() {
        assert_eq!(unfit(&requests(&[(9, 8), (1, 1)]), 8), None);
        assert_eq!(
            unfit(&requests(&[(1, 1), (1, 9)]), 8).unwrap(),
            "choice 1 has 9 tokens, more than the model's context of 8"
        );
        assert_eq!(unfit(&requests(&[(1, 0)]), 8).unwrap(), "choice 0 has no token of its own");
        assert_eq!(unfit(&requests(&[(0, 1)]), 8).unwrap(), "the context of choice 0 has no token");
    }
}
