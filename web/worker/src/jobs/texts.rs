//! What layers are calibrated on: the right text, and wrong ones that show why it matters.

use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use slimgpt::text::{Bos, Sampling, Windows, windows};

use super::{Failure, Model};
use crate::protocol::{Prune, Text};

/// Digits of a text of digits: enough for a hundred windows of the model's context.
const DIGITS: usize = 60_000;

/// The windows of a pruning, cut as the command line cuts them.
pub(super) fn calibration(model: &Model, asked: &Prune) -> Result<Vec<Vec<u32>>, Failure> {
    let request = &asked.request;
    let (count, length) = (Some(request.windows), request.window_tokens);
    let which = Windows { count, length, sampling: Sampling::Random, bos: Bos::None, seed: request.seed };
    let text = text(&model.calibration, asked.text);
    Ok(windows(&model.tokenizer, &[text], model.checkpoint.config().bos_token, &which)?)
}

fn text(shipped: &str, which: Text) -> String {
    match which {
        Text::Shipped => shipped.to_owned(),
        Text::Digits(seed) => {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            // With spaces, so that each is a token of its own.
            (0..DIGITS).flat_map(|_| [char::from(rng.random_range(b'0'..=b'9')), ' ']).collect()
        }
        Text::Shuffled(seed) => {
            let mut words: Vec<&str> = shipped.split_whitespace().collect();
            words.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
            words.join(" ")
        }
    }
}

#[test]
fn wrong_texts_differ_by_seed_and_keep_their_kind() {
    let shipped = "one two three four five six seven";
    let shuffled = text(shipped, Text::Shuffled(1));
    let mut words: Vec<&str> = shuffled.split(' ').collect();
    assert!(shuffled != shipped && shuffled != text(shipped, Text::Shuffled(2)));
    words.sort_unstable();
    assert_eq!(words, ["five", "four", "one", "seven", "six", "three", "two"]);
    let digits = text(shipped, Text::Digits(1));
    assert!(digits.chars().all(|c| c == ' ' || c.is_ascii_digit()) && digits != text(shipped, Text::Digits(2)));
    assert_eq!(text(shipped, Text::Shipped), shipped);
}
