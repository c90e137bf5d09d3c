//! exp of the mean −log p of every next token, with one layer's weights on the device at a time.

use burn::tensor::Tensor;

use crate::checkpoint::Checkpoint;
use crate::device::Device;
use crate::error::Error;
use crate::gpu::cholesky::floats;
use crate::model::{Block, Ends, Positions, token_tensor};

/// Windows that run through a layer together.
const BATCH: usize = 8;

/// A perplexity and what it was taken over.
#[derive(Clone, Copy, Debug, serde::Serialize)]
pub struct Perplexity {
    /// exp(nll / tokens).
    pub perplexity: f64,
    /// Σ −log p.
    pub nll: f64,
    /// Predictions.
    pub tokens: usize,
    /// Windows.
    pub windows: usize,
}

/// The perplexity over windows of one length; every token but the first of a window is predicted.
/// `progress` is told how many of how many steps are done.
///
/// # Errors
/// When a weight is not finite or the device fails.
pub async fn perplexity(
    checkpoint: &Checkpoint,
    windows: &[Vec<u32>],
    device: &Device,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Perplexity, Error> {
    let (config, on) = (checkpoint.config(), device.tensor_device());
    let ends = Ends::load(&checkpoint.outer()?, config, on);
    let length = windows.first().map_or(0, Vec::len);
    let positions = Positions::new(&config.rope, config.head_dim, 0, length, on);
    let mut hidden: Vec<Tensor<3>> = windows.chunks(BATCH).map(|w| ends.embed(token_tensor(w, on))).collect();
    let total = config.layers.len() * hidden.len();
    for (i, &shape) in config.layers.iter().enumerate() {
        let block = Block::load(&checkpoint.layer(i)?, shape, config, on);
        for (j, batch) in hidden.iter_mut().enumerate() {
            *batch = block.forward(batch.clone(), &positions);
            progress(i * windows.len().div_ceil(BATCH) + j + 1, total);
        }
    }
    let mut nll = 0.0;
    let mut tokens = 0;
    for (batch, windows) in hidden.into_iter().zip(windows.chunks(BATCH)) {
        let losses = floats(ends.nll(batch, windows)).await?;
        tokens += losses.len();
        nll += losses.into_iter().map(f64::from).sum::<f64>();
    }
    Ok(Perplexity { perplexity: (nll / tokens as f64).exp(), nll, tokens, windows: windows.len() })
}
