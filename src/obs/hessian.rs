//! H = Σ x xᵀ over calibration tokens: a raw sum and a count, damped once when it is used. On
//! request Σ x beside it, for what needs the inputs' means.

use std::ops::Range;

use burn::tensor::{Tensor, TensorData};

use super::{Executor, ObsError, Shared};
use crate::device::product::product;
use crate::device::readback::floats;
use crate::ranks::Ranks;

/// The sum over all tokens seen so far. Where the batches were cut does not matter.
pub struct Hessian<E: Executor> {
    sum: Option<E::Sum>,
    /// Σ x, where it was asked for.
    column_sums: Option<Vec<f64>>,
    /// Σ g xᵀ `(out, features)` of what the outputs are to be drawn to, where it was told.
    draw: Option<Tensor<2>>,
    features: usize,
    tokens: usize,
}

/// What the diagonal says: how much to damp, and which inputs never fired.
pub(super) struct Damping {
    /// λ as it is added to H's diagonal: not a share of the mean.
    pub lambda: f64,
    /// Inputs with H_jj = 0.
    pub dead: Vec<usize>,
}

/// First and second moments of each input over the tokens.
pub(super) struct InputMoments {
    /// Σ x_j²: the diagonal of H.
    pub squares: Vec<f64>,
    /// mean x_j; zero where the sums were not asked for.
    pub means: Vec<f64>,
    /// T: tokens that were summed.
    pub tokens: f64,
}

impl InputMoments {
    /// The sample variance of input j. Rounding may bring it below zero, where it cannot be.
    pub fn variance(&self, j: usize) -> f64 {
        let about_mean = self.squares[j] - self.tokens * self.means[j].powi(2);
        // Divided by T − 1, and by one where a single token has no variance.
        (about_mean / (self.tokens - 1.0).max(1.0)).max(0.0)
    }

    /// λ = `fraction` · mean(diag H), and the dead inputs.
    pub fn damping(&self, fraction: f64) -> Damping {
        // A share of the mean, as in the published code, so that it fits inputs of any magnitude.
        let mean = self.squares.iter().sum::<f64>() / self.squares.len() as f64;
        // A sum of squares is exactly zero where no token fired the input.
        let dead = self.squares.iter().enumerate().filter(|&(_, &d)| d == 0.0).map(|(j, _)| j).collect();
        Damping { lambda: fraction * mean, dead }
    }
}

impl<E: Executor> Hessian<E> {
    /// A sum of nothing, for a linear layer of `features` inputs.
    pub fn new(executor: &E, features: usize) -> Self {
        Self { sum: Some(executor.zero_sum(features)), column_sums: None, draw: None, features, tokens: 0 }
    }

    /// A sum of nothing that also sums the inputs themselves.
    pub fn with_means(executor: &E, features: usize) -> Self {
        Self { column_sums: Some(vec![0.0; features]), ..Self::new(executor, features) }
    }

    /// Adds the inputs `x` `(tokens, features)`.
    ///
    /// # Errors
    /// When the device fails.
    pub async fn accumulate(&mut self, executor: &E, x: &Tensor<2>) -> Result<(), ObsError> {
        // Taken, so that the executor is its only holder and can add in place.
        let sum = self.sum.take().ok_or(ObsError::NoTokens)?;
        self.sum = Some(executor.accumulate(sum, x).await?);
        if let Some(sums) = &mut self.column_sums {
            // Each batch is summed on the device, and the batches in f64.
            let batch = floats(x.clone().sum_dim(0)).await?;
            sums.iter_mut().zip(batch).for_each(|(sum, new)| *sum += f64::from(new));
        }
        self.tokens += x.dims()[0];
        Ok(())
    }

    /// Tells that for the inputs `x` `(tokens, features)`, which were added, the outputs of the layer are to move by up to
    /// `gap` `(tokens, out)`.
    pub fn draw(&mut self, gap: &Tensor<2>, x: &Tensor<2>) {
        let more = product(gap.clone().transpose(), x.clone());
        self.draw = Some(match self.draw.take() {
            Some(sum) => sum + more,
            None => more,
        });
    }

    /// Adds what the other ranks have summed of their tokens to the sum of the first rank; the others keep theirs.
    /// Outputs of `drawn` rows are drawn somewhere, if any are. What it comes to follows from the ranks' order and not
    /// from who is ready first.
    ///
    /// # Errors
    /// When the device fails, or another rank ended.
    pub async fn gather(&mut self, executor: &E, ranks: &dyn Ranks, drawn: Option<usize>) -> Result<(), ObsError>
    where
        E: Shared,
    {
        if ranks.count() == 1 {
            return Ok(());
        }
        let mut tokens = [self.tokens as f64];
        ranks.sum(&mut tokens)?;
        self.tokens = tokens[0] as usize;
        if let Some(sums) = &mut self.column_sums {
            ranks.sum(sums)?;
        }
        for rows in pieces(self.features, self.features) {
            let mut elements = executor.rows(self.sum.as_ref().ok_or(ObsError::NoTokens)?, rows.clone()).await?;
            ranks.sum_singles(&mut elements)?;
            if ranks.is_first() {
                // Taken, so that the executor is its only holder and can write in place.
                let sum = self.sum.take().ok_or(ObsError::NoTokens)?;
                self.sum = Some(executor.with_rows(sum, rows, elements));
            }
        }
        match drawn {
            Some(out) => self.gather_draw(ranks, out).await,
            None => Ok(()),
        }
    }

    /// [`Self::gather`] of Σ g xᵀ, which a rank without tokens has none of.
    async fn gather_draw(&mut self, ranks: &dyn Ranks, out: usize) -> Result<(), ObsError> {
        for rows in pieces(out, self.features) {
            let shape = [rows.len(), self.features];
            let place = [rows, 0..self.features];
            let mut elements = match &self.draw {
                Some(draw) => floats(draw.clone().slice(place.clone())).await?,
                None => vec![0.0; shape[0] * shape[1]],
            };
            ranks.sum_singles(&mut elements)?;
            if ranks.is_first() {
                let draw = self.draw.take().ok_or(ObsError::NoTokens)?;
                let elements = Tensor::from_data(TensorData::new(elements, shape), &draw.device());
                self.draw = Some(draw.slice_assign(place, elements));
            }
        }
        Ok(())
    }

    /// Σ g xᵀ, if it was told.
    pub(super) fn drawn(&self) -> Option<&Tensor<2>> {
        self.draw.as_ref()
    }

    /// Tokens summed so far, over all batches.
    pub fn tokens(&self) -> usize {
        self.tokens
    }

    /// Inputs of the layer.
    pub fn features(&self) -> usize {
        self.features
    }

    /// The sum, once there is something in it.
    pub(super) fn sum(&self) -> Result<&E::Sum, ObsError> {
        match &self.sum {
            // Over no token H is zero, λ with it, and every input would be taken for dead.
            Some(sum) if self.tokens > 0 => Ok(sum),
            _ => Err(ObsError::NoTokens),
        }
    }

    /// The moments of the inputs, each a finite number.
    pub(super) async fn moments(&self, executor: &E) -> Result<InputMoments, ObsError> {
        // Before λ is taken: one element that is not finite would spoil every score through the mean.
        let squares = executor.diagonal(self.sum()?).await?;
        if let Some((index, &value)) = squares.iter().enumerate().find(|(_, d)| !d.is_finite()) {
            return Err(ObsError::NotFinite { what: "the Hessian's diagonal element", index, value });
        }
        let tokens = self.tokens as f64;
        let means = match &self.column_sums {
            Some(sums) => sums.iter().map(|sum| sum / tokens).collect(),
            None => vec![0.0; self.features],
        };
        Ok(InputMoments { squares, means, tokens })
    }
}

/// Elements that go from rank to rank at once: beside a message of every rank no more than this is held.
const PIECE: usize = 2 << 20;

/// `0..rows` in runs of rows that have about [`PIECE`] elements, where each has `columns`.
fn pieces(rows: usize, columns: usize) -> impl Iterator<Item = Range<usize>> {
    let step = (PIECE / columns.max(1)).max(1);
    (0..rows).step_by(step).map(move |from| from..rows.min(from + step))
}

#[cfg(test)]
mod tests {
    use pollster::block_on;

    use super::*;
    use crate::device::Device;
    use crate::obs::CpuExecutor;
    use crate::ranks::on_threads;

    /// Whole numbers, whose sums are exact in any order.
    fn inputs(tokens: usize, features: usize, seed: usize) -> Tensor<2> {
        let values: Vec<f32> = (0..tokens * features).map(|i| ((i * 31 + seed) % 13) as f32 - 6.0).collect();
        Tensor::from_data(TensorData::new(values, [tokens, features]), Device::cpu().tensor_device())
    }

    /// A sum over batches of these seeds, with everything that can be summed.
    fn summed(seeds: &[usize], features: usize) -> Hessian<CpuExecutor> {
        let executor = CpuExecutor::new();
        let mut hessian = Hessian::with_means(&executor, features);
        for &seed in seeds {
            let x = inputs(5, features, seed);
            block_on(hessian.accumulate(&executor, &x)).unwrap();
            hessian.draw(&inputs(5, 3, seed + 1), &x);
        }
        hessian
    }

    /// Everything of a sum as numbers: tokens, Σ x, the lower triangle and Σ g xᵀ.
    fn told(hessian: &Hessian<CpuExecutor>) -> (usize, Vec<f64>, Vec<f32>, Vec<f32>) {
        let sum = hessian.sum().unwrap();
        let rows = block_on(CpuExecutor::<f32>::new().rows(sum, 0..hessian.features())).unwrap();
        let draw = block_on(floats(hessian.drawn().unwrap().clone())).unwrap();
        (hessian.tokens(), hessian.column_sums.clone().unwrap(), rows, draw)
    }

    #[test]
    fn what_the_ranks_have_summed_is_the_sum_of_all() {
        // The last takes more than one piece, and the last rank of each has nothing at all.
        for features in [1, 7, 1500] {
            let shares: [&[usize]; 3] = [&[1, 2], &[3], &[]];
            let work = |ranks: &dyn Ranks| {
                let mut own = summed(shares[ranks.rank()], features);
                block_on(own.gather(&CpuExecutor::new(), ranks, Some(3)))?;
                Ok::<_, ObsError>(ranks.is_first().then(|| told(&own)))
            };
            let (first, others) =
                on_threads(vec![(), ()], |rank| work(rank), |rank, ()| work(rank), |_| false).unwrap();
            assert_eq!(first.unwrap().unwrap(), told(&summed(&[1, 2, 3], features)), "{features} features");
            assert!(others.into_iter().all(|other| other == Ok(None)));
        }
    }

    #[test]
    fn pieces_are_all_rows() {
        assert_eq!(pieces(3, 1 << 30).collect::<Vec<_>>(), [0..1, 1..2, 2..3]);
        assert_eq!(pieces(5, PIECE / 2).collect::<Vec<_>>(), [0..2, 2..4, 4..5]);
        assert_eq!(pieces(0, 4).count(), 0);
    }
}
