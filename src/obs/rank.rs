//! Scores of columns as they are: no inverse, no interaction between what goes.

use burn::tensor::Tensor;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::hessian::InputMoments;
use super::{ObsError, Ranking};
use crate::device::readback::floats;

/// The score of each unit of columns; the lowest are to go.
pub(super) async fn scores(
    ranking: Ranking,
    weight: &Tensor<2>,
    inputs: &InputMoments,
    units: &[Vec<usize>],
) -> Result<Vec<f64>, ObsError> {
    if let Ranking::Brought(_) = ranking {
        return Err(ObsError::NoScores);
    }
    if let Ranking::Random { seed } = ranking {
        // Its numbers are the same on every system and in every release, unlike those of rand's `StdRng`.
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        return Ok(units.iter().map(|_| rng.random::<f64>()).collect());
    }
    let columns = column_scores(ranking, &ColumnNorms::of(weight).await?, inputs);
    Ok(units.iter().map(|unit| unit.iter().map(|&j| columns[j]).sum()).collect())
}

fn column_scores(ranking: Ranking, norms: &ColumnNorms, inputs: &InputMoments) -> Vec<f64> {
    let score = |j: usize| match ranking {
        // Drawn for whole units above.
        Ranking::Random { .. } | Ranking::Brought(_) => 0.0,
        Ranking::Magnitude => norms.squared[j],
        Ranking::WandaSp => norms.mean_magnitude[j] * inputs.squares[j].sqrt(),
        Ranking::Fluctuation => (inputs.variance(j) * norms.squared[j]).powi(2),
    };
    (0..norms.squared.len()).map(score).collect()
}

/// Two norms of each column of W.
pub(super) struct ColumnNorms {
    /// ‖W_:j‖² of every column j.
    pub squared: Vec<f64>,
    /// mean_i |W_ij| of every column j.
    mean_magnitude: Vec<f64>,
}

impl ColumnNorms {
    pub async fn of(weight: &Tensor<2>) -> Result<Self, ObsError> {
        let [rows, columns] = weight.dims();
        // In f64, because thousands of terms are added one after the other.
        let (mut squared, mut magnitude) = (vec![0.0; columns], vec![0.0; columns]);
        for (i, value) in floats(weight.clone()).await?.into_iter().enumerate() {
            squared[i % columns] += f64::from(value).powi(2);
            magnitude[i % columns] += f64::from(value).abs();
        }
        magnitude.iter_mut().for_each(|sum| *sum /= rows as f64);
        Ok(Self { squared, mean_magnitude: magnitude })
    }
}
