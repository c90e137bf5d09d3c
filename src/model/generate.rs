//! Continuing a text, one token at a time.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{Decoder, KvCache, token_tensor};
use crate::gpu::GpuError;
use crate::gpu::cholesky::floats;
use crate::shape::ModelConfig;

/// How the next token is chosen.
pub struct Sampler {
    temperature: f64,
    rng: ChaCha8Rng,
}

impl Sampler {
    /// Temperature 0 takes the likeliest token, of equals the lowest; otherwise tokens are drawn
    /// from softmax(logits / temperature).
    pub fn new(temperature: f64, seed: u64) -> Self {
        Self { temperature, rng: ChaCha8Rng::seed_from_u64(seed) }
    }

    fn choose(&mut self, logits: &[f32]) -> u32 {
        let best = likeliest(logits);
        if self.temperature <= 0.0 {
            return best as u32;
        }
        let top = f64::from(logits[best]);
        let weights: Vec<f64> = logits.iter().map(|&l| ((f64::from(l) - top) / self.temperature).exp()).collect();
        let mut left = self.rng.random::<f64>() * weights.iter().sum::<f64>();
        let drawn = weights.iter().position(|w| {
            left -= w;
            left < 0.0
        });
        drawn.unwrap_or(best) as u32
    }
}

fn likeliest(logits: &[f32]) -> usize {
    (0..logits.len()).min_by(|&a, &b| logits[b].total_cmp(&logits[a]).then(a.cmp(&b))).unwrap_or(0)
}

/// Continues `prompt` by at most `max_tokens`, until an end-of-sequence token or the end of the
/// model's context; each token is handed to `on_token`, which may stop by returning false.
///
/// # Errors
/// When the device fails.
pub async fn generate(
    decoder: &Decoder,
    config: &ModelConfig,
    prompt: &[u32],
    max_tokens: usize,
    sampler: &mut Sampler,
    on_token: &mut dyn FnMut(u32) -> bool,
) -> Result<(), GpuError> {
    let device = decoder.ends.embedding.val().device();
    let mut cache = KvCache::default();
    let mut next = prompt.to_vec();
    let room = config.max_positions.saturating_sub(prompt.len());
    for _ in 0..max_tokens.min(room) {
        let logits = decoder.forward_cached(token_tensor(&[next], &device), config, &mut cache);
        let token = sampler.choose(&floats(logits).await?);
        if config.eos_tokens.contains(&token) || !on_token(token) {
            break;
        }
        next = vec![token];
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_equal_logits_the_lowest_token_is_taken() {
        assert_eq!(Sampler::new(0.0, 0).choose(&[1.0, 3.0, 3.0]), 1);
    }

    #[test]
    fn a_seed_repeats_its_draws() {
        let draw = || {
            let mut sampler = Sampler::new(1.0, 7);
            (0..20).map(|_| sampler.choose(&[0.1, 0.2, 0.3])).collect::<Vec<_>>()
        };
        assert_eq!(draw(), draw());
        assert!(draw().iter().any(|&t| t != 2));
    }
}
