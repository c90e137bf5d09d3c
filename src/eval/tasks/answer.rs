//! The answers of a model: the likelihood of every choice, and whether the likeliest is right.

use super::{Item, Placed, Question};
use crate::checkpoint::Checkpoint;
use crate::device::Device;
use crate::eval::EvalError;
use crate::eval::likelihood::{Request, log_likelihoods};

/// How a model answered one question.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Answer {
    /// Σ log p of each choice.
    pub log_likelihoods: Vec<f64>,
    /// Whether the likeliest choice is right.
    pub acc: bool,
    /// The same with likelihoods divided by the characters of the choice.
    pub acc_norm: bool,
    /// The same with likelihoods divided by the bytes of the choice.
    pub acc_bytes: bool,
}

impl Answer {
    /// The answer to an item whose choices have these likelihoods; of equals the first is taken.
    pub fn new(item: &Item, log_likelihoods: Vec<f64>) -> Self {
        let right = |length: fn(&super::Choice) -> usize| {
            let scores = item.choices.iter().zip(&log_likelihoods).map(|(c, l)| l / length(c) as f64);
            first_largest(scores) == Some(item.gold)
        };
        let (acc, acc_norm, acc_bytes) = (right(|_| 1), right(|c| c.characters), right(|c| c.bytes));
        Self { log_likelihoods, acc, acc_norm, acc_bytes }
    }
}

fn first_largest(scores: impl Iterator<Item = f64>) -> Option<usize> {
    let better = |best: Option<(usize, f64)>, (i, score): (usize, f64)| match best {
        // As NumPy's argmax, by which lm-eval chooses.
        Some((_, top)) if score <= top => best,
        _ => Some((i, score)),
    };
    scores.enumerate().fold(None, better).map(|(i, _)| i)
}

/// Asks a model, all questions together. See [`log_likelihoods`] for `batch_tokens` and `progress`.
///
/// # Errors
/// As [`log_likelihoods`].
pub async fn answers(
    checkpoint: &Checkpoint,
    questions: &[Placed<Question>],
    device: &Device,
    batch_tokens: Option<usize>,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Vec<Answer>, EvalError> {
    // All at once, so that sequences of near length meet whatever their question.
    let requests: Vec<Request> = questions.iter().flat_map(|q| q.value.requests.iter().cloned()).collect();
    let mut likelihoods = log_likelihoods(checkpoint, &requests, device, batch_tokens, progress).await?.into_iter();
    let answer = |Question { item, requests }: &Question| {
        let own = likelihoods.by_ref().take(requests.len()).collect();
        Answer::new(item, own)
    };
    Ok(questions.iter().map(|q| &q.value).map(answer).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_likeliest_by_sum_by_character_and_by_byte() {
        // By sum the first; by character −4/4 against −6/8; by byte −4/4 against −6/12.
        let item = |gold| Item::after("c", ["abcd", "éééécdef"], gold);
        let likelihoods = vec![-4.0, -6.0];
        let Answer { acc, acc_norm, acc_bytes, .. } = Answer::new(&item(0), likelihoods.clone());
        assert_eq!((acc, acc_norm, acc_bytes), (true, false, false));
        let Answer { acc, acc_norm, acc_bytes, .. } = Answer::new(&item(1), likelihoods);
        assert_eq!((acc, acc_norm, acc_bytes), (false, true, true));
        // −4/4 against −9/8 by character, −9/12 by byte.
        let Answer { acc_norm, acc_bytes, .. } = Answer::new(&item(1), vec![-4.0, -9.0]);
        assert_eq!((acc_norm, acc_bytes), (false, true));
    }

    #[test]
    fn of_equal_choices_the_first_is_taken() {
        assert!(Answer::new(&Item::after("c", ["a", "b"], 0), vec![-1.0, -1.0]).acc);
        assert!(!Answer::new(&Item::after("c", ["a", "b"], 1), vec![-1.0, -1.0]).acc);
    }
}
