//! A layer of 8 inputs and 8 outputs, made of a seed, whose inputs are as alike as one likes.

use slimgpt::device::readback::ReadbackError;
use slimgpt::obs::trace::{Matrix, Trace, TraceTarget, trace};
use slimgpt::obs::{ChannelSteps, ObsError, Options};

use crate::platform::ready;
use crate::remedy::told;

/// Inputs of the layer, and as many outputs.
const SIZE: usize = 8;
/// Tokens that the layer sees.
// Three for each input, so that H has its full rank without damping.
const TOKENS: usize = 24;

/// What the toy layer is made of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Toy {
    /// What two neighbouring inputs have in common, 0 to 1.
    pub correlation: f64,
    /// λ in units of the mean diagonal.
    pub damping: f64,
    /// Columns that go, at least one and at most seven.
    pub remove: usize,
    /// Seed of inputs and weights.
    pub seed: u64,
}

impl Default for Toy {
    fn default() -> Self {
        Self { correlation: 0.6, damping: 0.01, remove: 4, seed: 1 }
    }
}

impl Toy {
    /// Prunes the layer, step by step.
    ///
    /// # Errors
    /// In the words of the library.
    pub fn trace(&self) -> Result<Trace, String> {
        let what = TraceTarget::Channels { remove: self.remove, steps: ChannelSteps::OneByOne };
        let options = Options { damping: self.damping, ..Options::default() };
        let traced = ready(trace(&self.inputs(), &self.weights(), what, &options));
        traced.unwrap_or_else(unreachable_wait).map_err(told)
    }

    /// Every token is a chain in which each input is partly the one before.
    fn inputs(&self) -> Matrix {
        let mut noise = Noise(self.seed);
        // The squares of both add up to 1, so that every input varies as much as the first.
        let (shared, own) = (self.correlation, (1.0 - self.correlation * self.correlation).sqrt());
        let mut values = Vec::with_capacity(TOKENS * SIZE);
        for _ in 0..TOKENS {
            let mut before = noise.next();
            for _ in 0..SIZE {
                before = shared * before + own * noise.next();
                values.push(before);
            }
        }
        Matrix { rows: TOKENS, columns: SIZE, values }
    }

    fn weights(&self) -> Matrix {
        // Numbers of their own: weights that repeat the inputs would be no accident.
        let mut noise = Noise(self.seed ^ 0x9e37);
        let values = (0..SIZE * SIZE).map(|_| noise.next()).collect();
        Matrix { rows: SIZE, columns: SIZE, values }
    }
}

/// The CPU executor never waits for anything.
fn unreachable_wait<T>() -> Result<T, ObsError> {
    Err(ReadbackError::lost("the CPU executor waited").into())
}

/// Numbers about zero with a deviation of one, the same on every machine (splitmix64; Steele, Lea
/// and Flood, "Fast splittable pseudorandom number generators", 2014).
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> f64 {
        // Three uniform numbers make a bell that is round enough to look at.
        // Each varies by 1/3 about 0, the three together by 1.
        (0..3).map(|_| self.uniform()).sum()
    }

    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) as f64 / u64::MAX as f64 * 2.0 - 1.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The error of removing half of the columns, as a share of what they would cost alone.
    fn share_that_is_lost(correlation: f64) -> f64 {
        let toy = Toy { correlation, damping: 0.001, ..Toy::default() };
        let trace = toy.trace().unwrap();
        let norm = |j: usize| (0..SIZE).map(|i| trace.start.weight.at(i, j).powi(2)).sum::<f64>();
        let alone = |j: &usize| norm(*j) * trace.hessian.at(*j, *j);
        let gone = trace.steps.iter().flat_map(|s| s.columns.iter());
        trace.steps.iter().map(|s| s.cost).sum::<f64>() / gone.map(alone).sum::<f64>()
    }

    #[test]
    fn inputs_that_are_alike_stand_in_for_each_other() {
        let (alike, apart) = (share_that_is_lost(0.95), share_that_is_lost(0.0));
        assert!(2.0 * alike < apart, "{alike} {apart}");
    }

    #[test]
    fn the_same_seed_gives_the_same_numbers() {
        assert_eq!(Toy::default().inputs(), Toy::default().inputs());
        assert_ne!(Toy::default().inputs(), Toy { seed: 2, ..Toy::default() }.inputs());
    }
}
