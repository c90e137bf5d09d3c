//! One answer: the prompt without its middle, continued greedily.

use super::{Dataset, Example};
use crate::eval::EvalError;
use crate::model::{Decoder, Sampler, generate};
use crate::shape::ModelConfig;
use crate::text::Tokenizer;

/// What a model said, and what it is worth.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Reply {
    /// The answer as it is judged, without white space around it.
    pub text: String,
    /// Between 0 and 1.
    pub score: f64,
    /// Tokens that the prompt lost from its middle.
    pub cut_out: usize,
}

/// The answer of a model to a row.
///
/// # Errors
/// When the tokenizer is not the model's, or the device fails.
pub async fn reply(
    decoder: &Decoder,
    config: &ModelConfig,
    tokenizer: &Tokenizer,
    dataset: &Dataset,
    example: &Example,
) -> Result<Reply, EvalError> {
    let whole = tokenizer.encode_with_specials(&example.prompt)?;
    // A context as short as the answer is shared half and half.
    let room = config.max_positions.saturating_sub(dataset.max_new_tokens).max(config.max_positions / 2).max(1);
    let prompt = without_middle(&whole, room);
    // Temperature 0 takes the likeliest token, so the seed does not matter.
    let (mut sampler, mut said) = (Sampler::new(0.0, 0), Vec::new());
    generate(decoder, config, &prompt, dataset.max_new_tokens, &mut sampler, &mut |token| {
        said.push(token);
        true
    })
    .await?;
    let generated = tokenizer.decode(&said)?;
    let text = dataset.answer(&generated).trim().to_owned();
    Ok(Reply { score: dataset.score(&text, example), text, cut_out: whole.len() - prompt.len() })
}

/// The first and the last half of `room` tokens, where there are more. The original decodes the two
/// halves and encodes them again as one text; here the tokens stay as they are.
pub fn without_middle(tokens: &[u32], room: usize) -> Vec<u32> {
    if tokens.len() <= room {
        return tokens.to_vec();
    }
    let half = room / 2;
    [&tokens[..room - half], &tokens[tokens.len() - half..]].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_goes() {
        assert_eq!(without_middle(&[1, 2, 3], 3), [1, 2, 3]);
        assert_eq!(without_middle(&[1, 2, 3, 4, 5, 6, 7], 4), [1, 2, 6, 7]);
        assert_eq!(without_middle(&[1, 2, 3, 4, 5], 3), [1, 2, 5]);
        assert_eq!(without_middle(&[1, 2], 1), [1]);
    }
}
