//! exp of the mean −log p of every predicted token, over windows that do not overlap.

use super::EvalError;
use super::likelihood::{Request, log_likelihoods};
use crate::checkpoint::Checkpoint;
use crate::device::Device;
use crate::text::TextError;

/// A perplexity and what it was taken over.
#[derive(Clone, Copy, Debug, serde::Serialize)]
pub struct Perplexity {
    /// exp(nll / tokens), at least 1.
    pub perplexity: f64,
    /// Σ −log p of all predictions, in nats.
    pub nll: f64,
    /// How many tokens were predicted.
    pub tokens: usize,
    /// How many windows they stand in.
    pub windows: usize,
}

/// The perplexity over windows; every token but the first of a window is predicted. `progress` is
/// told how many of how many steps are done.
///
/// # Errors
/// When a window has no token to predict, a weight is not finite, or the device fails.
pub async fn perplexity(
    checkpoint: &Checkpoint,
    windows: &[Vec<u32>],
    device: &Device,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Perplexity, EvalError> {
    let shortest = windows.iter().map(Vec::len).min().unwrap_or(0);
    // A window's first token has nothing before it: it is context only.
    if shortest < 2 {
        return Err(TextError::WindowTooShort(shortest).into());
    }
    let request = |w: &Vec<u32>| Request { context: w[..1].to_vec(), continuation: w[1..].to_vec() };
    let requests: Vec<Request> = windows.iter().map(request).collect();
    perplexity_of(checkpoint, &requests, device, progress).await
}

/// The perplexity over the continuations of any windows: every token of them is predicted once.
///
/// # Errors
/// As [`log_likelihoods`].
pub async fn perplexity_of(
    checkpoint: &Checkpoint,
    windows: &[Request],
    device: &Device,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Perplexity, EvalError> {
    let sums = log_likelihoods(checkpoint, windows, device, None, progress).await?;
    let nll = -sums.iter().sum::<f64>();
    let tokens = windows.iter().map(|w| w.continuation.len()).sum();
    // Over tokens, not over windows: windows that predict more weigh more.
    Ok(Perplexity { perplexity: (nll / tokens as f64).exp(), nll, tokens, windows: windows.len() })
}
