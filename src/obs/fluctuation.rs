//! FLAP's scores of a site's units, such that units of all layers and of both sites can be held against each other
//! (arXiv 2312.11983).
//!
//! With v_j = Var(X_:j) ‖W_:j‖² of every column j, the *fluctuation* is v_j for channels and, as the published code has
//! it, v_j² for the columns of o_proj. Both differ by orders of magnitude from layer to layer, so each site's are
//! standardised over its own columns:
//!
//! ```text
//! z_j = (s_j − mean s) / deviation of s        score of a head = mean of z_j over its columns
//! ```
//!
//! A factor that all columns share, such as the count that a variance is divided by, leaves no trace in z.

use burn::tensor::Tensor;

use super::rank::ColumnNorms;
use super::{HeadLayout, HeadUnit, ObsError};
use crate::device::readback::floats;
use crate::ranks::{Ranks, RanksError, numbers};

/// Mean and spread of each input of a linear layer, added up batch by batch.
pub struct Fluctuation {
    tokens: f64,
    means: Vec<f64>,
    /// Σ (x − mean)² over the tokens.
    spreads: Vec<f64>,
}

impl Fluctuation {
    /// Of no token yet, for a layer of `features` inputs.
    pub fn new(features: usize) -> Self {
        Self { tokens: 0.0, means: vec![0.0; features], spreads: vec![0.0; features] }
    }

    /// Adds the inputs `x` `(tokens, features)`.
    ///
    /// # Errors
    /// When the device fails.
    pub async fn accumulate(&mut self, x: &Tensor<2>) -> Result<(), ObsError> {
        let tokens = x.dims()[0] as f64;
        let mean = x.clone().mean_dim(0);
        // About the batch's own mean: a sum of squares less a squared sum would lose the digits of inputs that hardly vary.
        let centred = x.clone() - mean.clone();
        let spread = (centred.clone() * centred).sum_dim(0);
        let (means, spreads) = (floats(mean).await?, floats(spread).await?);
        self.add(tokens, means.into_iter().zip(spreads).map(|(mean, spread)| (mean.into(), spread.into())));
        Ok(())
    }

    /// Adds another sample of so many tokens, with its mean and its spread of each input.
    fn add(&mut self, tokens: f64, inputs: impl Iterator<Item = (f64, f64)>) {
        // Chan, Golub and LeVeque's rule for two samples put together.
        let all = self.tokens + tokens;
        for (j, (mean, spread)) in inputs.enumerate() {
            let apart = mean - self.means[j];
            self.means[j] += apart * tokens / all;
            self.spreads[j] += spread + apart * apart * self.tokens * tokens / all;
        }
        self.tokens = all;
    }

    /// Adds what the other ranks have seen of their tokens to what the first has seen; the others keep theirs.
    ///
    /// # Errors
    /// When another rank ended.
    pub fn gather(&mut self, ranks: &dyn Ranks) -> Result<(), RanksError> {
        if ranks.count() == 1 {
            return Ok(());
        }
        let own: Vec<f64> = [&[self.tokens][..], &self.means, &self.spreads].concat();
        let features = self.means.len();
        for message in ranks.gather(bytemuck::cast_slice::<f64, u8>(&own).to_vec())?.iter().skip(1) {
            let theirs: Vec<f64> = numbers(message, own.len())?;
            // A rank without tokens has no mean.
            if theirs[0] > 0.0 {
                let (means, spreads) = theirs[1..].split_at(features);
                self.add(theirs[0], means.iter().copied().zip(spreads.iter().copied()));
            }
        }
        Ok(())
    }

    /// The scores of the query heads, and of the key/value heads with their query heads, for o_proj's `weight`.
    ///
    /// # Errors
    /// When no token was seen, inputs and weight do not fit together, or an input or a weight is no finite number.
    pub async fn of_heads(&self, weight: &Tensor<2>, layout: HeadLayout) -> Result<[Vec<f64>; 2], ObsError> {
        let squared: Vec<f64> = self.columns(weight).await?.into_iter().map(|v| v * v).collect();
        let z = standardised(&squared);
        let of = |unit| -> Vec<f64> {
            let mean = |columns: std::ops::Range<usize>| z[columns.clone()].iter().sum::<f64>() / columns.len() as f64;
            layout.units(unit).into_iter().map(mean).collect()
        };
        Ok([HeadUnit::Query, HeadUnit::KeyValue].map(of))
    }

    /// The scores of the channels, for down_proj's `weight`.
    ///
    /// # Errors
    /// As [`Self::of_heads`].
    pub async fn of_channels(&self, weight: &Tensor<2>) -> Result<Vec<f64>, ObsError> {
        Ok(standardised(&self.columns(weight).await?))
    }

    /// v_j of every column, each a finite number.
    async fn columns(&self, weight: &Tensor<2>) -> Result<Vec<f64>, ObsError> {
        if self.tokens == 0.0 {
            return Err(ObsError::NoTokens);
        }
        let (features, [_, columns]) = (self.means.len(), weight.dims());
        if features != columns {
            return Err(ObsError::Shape { hessian: features, weight: columns });
        }
        let norms = ColumnNorms::of(weight).await?;
        let v: Vec<f64> = self.spreads.iter().zip(norms.squared).map(|(s, norm)| s / self.tokens * norm).collect();
        match v.iter().position(|v| !v.is_finite()) {
            Some(column) => {
                Err(ObsError::NotFinite { what: "the fluctuation of input", index: column, value: v[column] })
            }
            None => Ok(v),
        }
    }
}

/// (s − mean) / sample deviation.
fn standardised(s: &[f64]) -> Vec<f64> {
    // None stands out, and the deviation would be zero or what rounding made of it.
    if s.iter().all(|&value| value == s[0]) {
        return vec![0.0; s.len()];
    }
    let n = s.len() as f64;
    let mean = s.iter().sum::<f64>() / n;
    let deviation = (s.iter().map(|s| (s - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt();
    s.iter().map(|s| (s - mean) / deviation).collect()
}
