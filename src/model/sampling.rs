//! From logits to the next token: arithmetic on the host, in the order in which transformers does
//! it, so that its settings mean the same here.
//!
//! ```text
//! penalty      l ← l / ρ where l > 0, else l · ρ,   for every token the text has already
//! temperature  l ← l / T
//! top-k        only l ≥ the k-th largest; equals of the k-th stay
//! top-p        of the tokens by falling p = softmax(l), those before which less than p₀ was gathered
//! draw         from softmax of what is left
//! ```

use std::collections::BTreeSet;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// How the next token is chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SamplerOptions {
    /// 0 takes the likeliest token, of equals the lowest; otherwise logits are divided by this.
    pub temperature: f64,
    /// Only so many of the likeliest tokens are drawn from.
    pub top_k: Option<usize>,
    /// Only the likeliest tokens are drawn from that together reach this probability, in (0, 1].
    pub top_p: f64,
    /// Above 1, tokens that the text has already become less likely; below 1, likelier.
    pub repetition_penalty: f64,
}

impl Default for SamplerOptions {
    fn default() -> Self {
        Self { temperature: 0.0, top_k: None, top_p: 1.0, repetition_penalty: 1.0 }
    }
}

/// Chooses tokens, one after the other, from a seed.
pub struct Sampler {
    options: SamplerOptions,
    rng: ChaCha8Rng,
}

impl Sampler {
    /// Draws at a temperature from all tokens; temperature 0 takes the likeliest.
    pub fn new(temperature: f64, seed: u64) -> Self {
        Self::with(SamplerOptions { temperature, ..SamplerOptions::default() }, seed)
    }

    /// Chooses by these options.
    pub fn with(options: SamplerOptions, seed: u64) -> Self {
        Self { options, rng: ChaCha8Rng::seed_from_u64(seed) }
    }

    /// The next token after a text that has the tokens `seen`, for the logits `(vocab)`.
    pub fn choose(&mut self, mut logits: Vec<f32>, seen: &BTreeSet<u32>) -> u32 {
        penalise(&mut logits, seen, self.options.repetition_penalty);
        if self.options.temperature <= 0.0 {
            // Nothing is drawn, so the generator stays where it is.
            return likeliest(&logits) as u32;
        }
        let p = probabilities(&logits, &self.options);
        draw(&p, self.rng.random()) as u32
    }
}

/// Divides the logits of `seen` tokens by the penalty where they are positive, else multiplies:
/// either way a penalty above 1 makes them smaller.
pub fn penalise(logits: &mut [f32], seen: &BTreeSet<u32>, penalty: f64) {
    for &token in seen {
        if let Some(logit) = logits.get_mut(token as usize) {
            // CTRL (arXiv 1909.05858) only divides, which would make a negative logit likelier.
            let l = f64::from(*logit);
            *logit = if l > 0.0 { l / penalty } else { l * penalty } as f32;
        }
    }
}

/// What is drawn from, `(vocab)`: softmax at the options' temperature (above 0) over the tokens
/// that top-k and top-p leave, 0 elsewhere.
pub fn probabilities(logits: &[f32], options: &SamplerOptions) -> Vec<f64> {
    // Top-k first: top-p counts shares of what it left.
    let mut p = softmax(logits, options.temperature);
    if let Some(k) = options.top_k.filter(|&k| k < p.len()) {
        keep_top_k(&mut p, k.max(1));
    }
    if options.top_p < 1.0 {
        keep_top_p(&mut p, options.top_p);
    }
    p
}

/// The index of the largest logit, of equals the lowest.
pub fn likeliest(logits: &[f32]) -> usize {
    (0..logits.len()).min_by(|&a, &b| logits[b].total_cmp(&logits[a]).then(a.cmp(&b))).unwrap_or(0)
}

fn softmax(logits: &[f32], temperature: f64) -> Vec<f64> {
    // The largest is taken off: the quotient is the same, and no exponential overflows.
    let top = logits.get(likeliest(logits)).copied().map_or(0.0, f64::from);
    let mut p: Vec<f64> = logits.iter().map(|&l| ((f64::from(l) - top) / temperature).exp()).collect();
    normalise(&mut p);
    p
}

fn normalise(p: &mut [f64]) {
    let sum: f64 = p.iter().sum();
    p.iter_mut().for_each(|p| *p /= sum);
}

fn keep_top_k(p: &mut [f64], k: usize) {
    let mut falling = p.to_vec();
    // Only the k-th is needed, so nothing is sorted. (Fan et al., arXiv 1805.04833.)
    let (_, &mut least, _) = falling.select_nth_unstable_by(k - 1, |a, b| b.total_cmp(a));
    p.iter_mut().filter(|p| **p < least).for_each(|p| *p = 0.0);
    normalise(p);
}

/// The likeliest token always stays.
fn keep_top_p(p: &mut [f64], top_p: f64) {
    let mut order: Vec<usize> = (0..p.len()).collect();
    // Nucleus sampling (arXiv 1904.09751). Ties go by token, so that the cut is the same everywhere.
    order.sort_unstable_by(|&a, &b| p[b].total_cmp(&p[a]).then(a.cmp(&b)));
    let mut gathered = 0.0;
    for (rank, &token) in order.iter().enumerate() {
        let own = p[token];
        // Judged by what was gathered before it: the token that reaches the share stays.
        if rank > 0 && gathered >= top_p {
            p[token] = 0.0;
        }
        gathered += own;
    }
    normalise(p);
}

/// The token at which the running sum of the probabilities passes `u` in [0, 1).
fn draw(p: &[f64], u: f64) -> usize {
    // The probabilities sum to one only up to rounding.
    let mut left = u * p.iter().sum::<f64>();
    let drawn = p.iter().position(|p| {
        left -= p;
        left < 0.0
    });
    // Rounding can leave a little over; a token that was cut off must not get it.
    drawn.or_else(|| p.iter().rposition(|&p| p > 0.0)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawing(top_k: Option<usize>, top_p: f64) -> SamplerOptions {
        SamplerOptions { temperature: 1.0, top_k, top_p, ..SamplerOptions::default() }
    }

    fn kept(p: &[f64]) -> Vec<usize> {
        (0..p.len()).filter(|&i| p[i] > 0.0).collect()
    }

    /// Logits whose softmax is these numbers.
    fn logs(p: &[f32]) -> Vec<f32> {
        p.iter().map(|p| p.ln()).collect()
    }

    #[test]
    fn of_equal_logits_the_lowest_token_is_taken() {
        assert_eq!(Sampler::new(0.0, 0).choose(vec![1.0, 3.0, 3.0], &BTreeSet::new()), 1);
    }

    #[test]
    fn top_k_keeps_the_largest_and_the_equals_of_the_last() {
        let logits = logs(&[0.1, 0.3, 0.2, 0.2, 0.2]);
        for (k, want) in [(1, vec![1]), (2, vec![1, 2, 3, 4]), (4, vec![1, 2, 3, 4]), (5, vec![0, 1, 2, 3, 4])] {
            assert_eq!(kept(&probabilities(&logits, &drawing(Some(k), 1.0))), want, "k = {k}");
        }
        assert_eq!(kept(&probabilities(&logits, &drawing(Some(99), 1.0))).len(), 5);
    }

    #[test]
    fn top_p_keeps_the_fewest_that_reach_it() {
        let logits = logs(&[0.125, 0.5, 0.25, 0.125]);
        for (top_p, want) in
            [(1e-9, vec![1]), (0.4, vec![1]), (0.6, vec![1, 2]), (0.8, vec![0, 1, 2]), (0.9, vec![0, 1, 2, 3])]
        {
            let p = probabilities(&logits, &drawing(None, top_p));
            assert_eq!(kept(&p), want, "p = {top_p}");
            assert!((p.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        }
    }

    #[test]
    fn top_p_counts_what_top_k_left() {
        // Of 0.4, 0.3, 0.3 the first two become 4/7 and 3/7.
        let p = probabilities(&logs(&[0.4, 0.3, 0.3]), &drawing(Some(1), 0.5));
        assert_eq!(kept(&p), [0]);
        let p = probabilities(&logs(&[0.4, 0.31, 0.29]), &drawing(Some(2), 0.5));
        assert_eq!(kept(&p), [0]);
    }

    #[test]
    fn a_penalty_makes_seen_tokens_smaller_whatever_their_sign() {
        let mut logits = vec![2.0, -2.0, 0.0, 2.0];
        penalise(&mut logits, &BTreeSet::from([0, 1, 2, 77]), 4.0);
        assert_eq!(logits, [0.5, -8.0, 0.0, 2.0]);
    }

    #[test]
    fn a_draw_never_takes_what_was_cut_off() {
        let p = [0.0, 0.5, 0.5, 0.0];
        assert_eq!([0.0, 0.49, 0.51, 1.0].map(|u| draw(&p, u)), [1, 1, 2, 2]);
    }
}
