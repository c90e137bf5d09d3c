//! Dropout whose mask follows from a seed and the place of an element alone: the forward pass and the
//! recomputation before the backward pass see the same mask, on every device.

use burn::tensor::{Device, Tensor, TensorData};

/// Which share of the elements is set to zero, and the seed that says which.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dropout {
    /// Share of the elements, in [0, 1).
    pub share: f64,
    /// Two passes with one seed drop the same elements.
    pub seed: u32,
}

impl Dropout {
    /// `(rows, columns)` of 0 where an element is dropped and 1 / (1 − share) where it stays, so that the
    /// expectation of a product with it is what it would be without. It is not under autodiff.
    pub fn mask(self, [rows, columns]: [usize; 2], device: &Device) -> Tensor<2> {
        let kept = (1.0 / (1.0 - self.share)) as f32;
        // The hash is uniform over 32 bits, so this share of it lies below the threshold.
        let threshold = (self.share * f64::from(u32::MAX)) as u32;
        // By a kernel: a mask is as large as the inputs of a projection, and would cross the bus for each of them.
        #[cfg(feature = "gpu")]
        if *device != Device::flex() {
            return crate::gpu::dropout::mask([rows, columns], self.seed, threshold, kept, device);
        }
        let value = |i: usize| if hash(self.seed, i as u32) < threshold { 0.0 } else { kept };
        Tensor::from_data(
            TensorData::new((0..rows * columns).map(value).collect::<Vec<f32>>(), [rows, columns]),
            device,
        )
    }

    /// The same share by another seed, for another place in the model.
    #[must_use]
    pub fn at(self, place: u32) -> Self {
        // Hashed and not added, or place 1 within place 2 would drop what place 2 within place 1 does.
        Self { seed: hash(self.seed, place), ..self }
    }
}

/// A 32-bit finaliser of low bias (multipliers found by C. Wellons' hash prospector), of the place
/// scattered by the golden ratio so that neighbouring seeds do not shift one another's masks.
fn hash(seed: u32, place: u32) -> u32 {
    let mut h = place.wrapping_mul(0x9e37_79b9) ^ seed;
    h = (h ^ (h >> 16)).wrapping_mul(0x7feb_352d);
    h = (h ^ (h >> 15)).wrapping_mul(0x846c_a68b);
    h ^ (h >> 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mask(share: f64, seed: u32) -> Vec<f32> {
        let mask = Dropout { share, seed }.mask([100, 1000], &Device::flex());
        mask.into_data().try_to_vec::<f32>().unwrap()
    }

    #[test]
    fn so_many_are_dropped_and_the_expectation_stays() {
        for share in [0.0, 0.05, 0.5] {
            let mask = mask(share, 7);
            let dropped = mask.iter().filter(|&&m| m == 0.0).count() as f64 / mask.len() as f64;
            // Four standard deviations of a share of 100,000.
            assert!((dropped - share).abs() <= 4.0 * (share * (1.0 - share) / 1e5).sqrt(), "{dropped} for {share}");
            let mean = mask.iter().map(|&m| f64::from(m)).sum::<f64>() / mask.len() as f64;
            assert!((mean - 1.0).abs() < 0.02, "{mean}");
        }
    }

    #[test]
    fn a_seed_decides_and_neighbours_are_not_alike() {
        assert_eq!(mask(0.3, 7), mask(0.3, 7));
        let alike = mask(0.3, 7).iter().zip(mask(0.3, 8)).filter(|(a, b)| **a == *b).count();
        // Independent masks agree in 0.3² + 0.7² = 58 % of the places.
        assert!((57_000..59_000).contains(&alike), "{alike}");
    }
}
