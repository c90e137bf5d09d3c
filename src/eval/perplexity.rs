//! exp of the mean −log p of every next token, with one layer's weights on the device at a time.

use burn::tensor::{Device as TensorDevice, Tensor};

use crate::checkpoint::Checkpoint;
use crate::device::Device;
use crate::error::Error;
use crate::gpu::cholesky::floats;
use crate::model::{Block, Ends, Positions, token_tensor};
use crate::text::TextError;

/// Windows that run through a layer together.
const BATCH: usize = 8;
/// Hidden states that are kept between two layers, in bytes.
const GROUP_BYTES: usize = 1 << 30;

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
/// Windows go through the model in groups whose hidden states stay within [`GROUP_BYTES`], so that
/// a long text needs no more memory than a short one; each group reads every layer once.
///
/// # Errors
/// When a window has no token to predict, a weight is not finite, or the device fails.
pub async fn perplexity(
    checkpoint: &Checkpoint,
    windows: &[Vec<u32>],
    device: &Device,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Perplexity, Error> {
    let (config, on) = (checkpoint.config(), device.tensor_device());
    let ends = Ends::load(&checkpoint.outer()?, config, on);
    let length = windows.iter().map(Vec::len).min().unwrap_or(0);
    if length < 2 {
        return Err(TextError::WindowTooShort(length).into());
    }
    let groups: Vec<&[Vec<u32>]> = windows.chunks(windows_of_a_group(length, config.hidden_size)).collect();
    let steps: usize = groups.iter().map(|g| config.layers.len() * g.len().div_ceil(BATCH)).sum();
    let mut done = 0;
    let mut step = || {
        done += 1;
        progress(done, steps);
    };
    let (mut nll, mut tokens) = (0.0, 0);
    for group in groups {
        for losses in group_losses(checkpoint, &ends, group, on, &mut step).await? {
            tokens += losses.len();
            nll += losses.into_iter().map(f64::from).sum::<f64>();
        }
    }
    Ok(Perplexity { perplexity: (nll / tokens as f64).exp(), nll, tokens, windows: windows.len() })
}

/// Whole batches, at least one.
fn windows_of_a_group(length: usize, hidden_size: usize) -> usize {
    let batch_bytes = BATCH * length.max(1) * hidden_size * size_of::<f32>();
    (GROUP_BYTES / batch_bytes).max(1) * BATCH
}

/// −log p of every next token of a group, batch by batch.
async fn group_losses(
    checkpoint: &Checkpoint,
    ends: &Ends,
    group: &[Vec<u32>],
    on: &TensorDevice,
    step: &mut impl FnMut(),
) -> Result<Vec<Vec<f32>>, Error> {
    let config = checkpoint.config();
    let length = group.first().map_or(0, Vec::len);
    let positions = Positions::new(&config.rope, config.head_dim, 0, length, on);
    let mut hidden: Vec<Tensor<3>> = group.chunks(BATCH).map(|w| ends.embed(token_tensor(w, on))).collect();
    for (i, &shape) in config.layers.iter().enumerate() {
        let block = Block::load(&checkpoint.layer(i)?, shape, config, on);
        for batch in &mut hidden {
            *batch = block.forward(batch.clone(), &positions);
            step();
        }
    }
    let mut losses = Vec::new();
    for (batch, windows) in hidden.into_iter().zip(group.chunks(BATCH)) {
        losses.push(floats(ends.nll(batch, windows)).await?);
    }
    Ok(losses)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_stays_within_its_bytes_and_holds_whole_batches() {
        for (length, hidden) in [(256, 64), (2048, 4096), (128, 4096), (131_072, 16_384)] {
            let windows = windows_of_a_group(length, hidden);
            let bytes = windows * length * hidden * 4;
            assert_eq!(windows % BATCH, 0);
            assert!(bytes <= GROUP_BYTES || windows == BATCH, "{length} {hidden}: {bytes}");
        }
    }
}
