//! A small linear layer made of a seed, whose inputs are as alike as one likes: what the lessons
//! and the window prune before the eyes of who learns.

use super::trace::Matrix;

/// What the layer is made of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ToyLayer {
    /// Columns of W: inputs of the layer.
    pub inputs: usize,
    /// Rows of W: outputs of the layer.
    pub outputs: usize,
    /// Tokens that it sees. With fewer than inputs H has no inverse unless it is damped.
    pub tokens: usize,
    /// What two neighbouring inputs have in common, 0 to 1.
    pub correlation: f64,
    /// Seed of inputs and weights.
    pub seed: u64,
}

impl Default for ToyLayer {
    /// 8 × 8, small enough that every number can be read.
    fn default() -> Self {
        // Three tokens for each input, so that H has its full rank without damping.
        Self { inputs: 8, outputs: 8, tokens: 24, correlation: 0.6, seed: 1 }
    }
}

impl ToyLayer {
    /// The inputs X `(tokens, inputs)`: every token is a chain in which each input is partly the one before.
    pub fn x(&self) -> Matrix {
        let mut noise = Noise(self.seed);
        // The squares of both add up to 1, so that every input varies as much as the first.
        let (shared, own) = (self.correlation, (1.0 - self.correlation * self.correlation).max(0.0).sqrt());
        let mut values = Vec::with_capacity(self.tokens * self.inputs);
        for _ in 0..self.tokens {
            let mut before = noise.next();
            for _ in 0..self.inputs {
                before = shared * before + own * noise.next();
                values.push(before);
            }
        }
        Matrix { rows: self.tokens, columns: self.inputs, values }
    }

    /// The weights W `(outputs, inputs)`.
    pub fn weight(&self) -> Matrix {
        // Numbers of their own: weights that repeat the inputs would be no accident.
        let mut noise = Noise(self.seed ^ 0x9e37);
        let values = (0..self.outputs * self.inputs).map(|_| noise.next()).collect();
        Matrix { rows: self.outputs, columns: self.inputs, values }
    }
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

    #[test]
    fn the_same_seed_gives_the_same_numbers() {
        let toy = ToyLayer::default();
        assert_eq!(toy.x(), ToyLayer::default().x());
        assert_ne!(toy.x(), ToyLayer { seed: 2, ..toy }.x());
        assert_ne!(toy.weight(), ToyLayer { seed: 2, ..toy }.weight());
    }

    #[test]
    fn inputs_are_as_alike_as_was_asked() {
        for asked in [0.0, 0.6, 0.95] {
            // Enough tokens that chance moves the estimate by about a hundredth.
            let x = ToyLayer { tokens: 5000, correlation: asked, ..ToyLayer::default() }.x();
            let product = |i: usize, j: usize| (0..x.rows).map(|t| x.at(t, i) * x.at(t, j)).sum::<f64>();
            let found = product(3, 4) / (product(3, 3) * product(4, 4)).sqrt();
            assert!((found - asked).abs() < 0.04, "{found} for {asked}");
        }
    }
}
