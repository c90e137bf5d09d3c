//! KL(p ‖ q) between what two models expect next: how far a change moves a model from what it was, on any text and
//! without an opinion on what the text should say.

use burn::tensor::{Device as TensorDevice, Tensor};

use super::EvalError;
use crate::checkpoint::Checkpoint;
use crate::device::Device;
use crate::device::readback::{floats, settled};
use crate::model::{Block, Head, Outer, Positions, fits, flat, logit_rows, token_tensor};
use crate::shape::ModelConfig;

/// Bytes of log p that are kept, so that they need not be computed again for every model that is held against them.
const KEPT_BYTES: usize = 512 << 20;

/// What a model expects after each of so many tokens.
pub struct Expected<'a> {
    head: &'a Head,
    pieces: Vec<Piece>,
}

/// Some of the tokens, so many that their logits may stand in memory.
struct Piece {
    /// Normed hidden states `(rows, d)`.
    normed: Tensor<2>,
    /// log Σ exp of their logits `(rows, 1)`.
    log_sum: Tensor<2>,
    /// log p `(rows, vocab)`, where there is room for all of them.
    log_p: Option<Tensor<2>>,
}

/// Bytes that the [`Expected`] of a model of these sizes takes for so many tokens: hidden states, and log p where it is kept.
pub fn expected_bytes(config: &ModelConfig, tokens: usize) -> u64 {
    let log_p = tokens * config.vocab_size * size_of::<f32>();
    let kept = if log_p <= KEPT_BYTES { log_p } else { 0 };
    (tokens * config.hidden_size * size_of::<f32>() + kept) as u64
}

impl<'a> Expected<'a> {
    /// The expectation of the model with this head after the hidden states `(n, d)` behind its last layer.
    pub fn new(head: &'a Head, hidden: Tensor<2>) -> Self {
        let ([n, d], [vocab, _]) = (hidden.dims(), head.matrix.dims());
        // Only where one chunk is the whole vocabulary: `divergence` goes by chunks, and what is kept has none.
        let is_kept = head.chunks().count() == 1 && n * vocab * size_of::<f32>() <= KEPT_BYTES;
        let step = logit_rows(&head.matrix);
        let piece = |from: usize| {
            let normed = head.norm.forward(hidden.clone().slice([from..n.min(from + step), 0..d]));
            let log_sum = head.log_sum(&normed, 1.0);
            let log_p = is_kept.then(|| head.logits(&normed, (0, vocab)) - log_sum.clone());
            Piece { normed, log_sum, log_p }
        };
        Self { head, pieces: (0..n).step_by(step).map(piece).collect() }
    }

    /// Σ KL(this ‖ other) over the tokens, in nats, for another model's hidden states `(n, d)` behind its last layer, and its
    /// head.
    ///
    /// # Errors
    /// When the device lost the work.
    pub async fn divergence(&self, other_head: &Head, hidden: Tensor<2>) -> Result<f64, EvalError> {
        let [n, d] = hidden.dims();
        let step = logit_rows(&self.head.matrix);
        let mut sum = 0.0;
        for (piece, from) in self.pieces.iter().zip((0..n).step_by(step)) {
            let other = other_head.norm.forward(hidden.clone().slice([from..n.min(from + step), 0..d]));
            // Logits of a large vocabulary take as long as a few layers, so the other's are computed once.
            let log_q = other_head.log_p(&other, self.head.chunks());
            let chunks = self.head.chunks().zip(log_q).map(|(chunk, log_q)| {
                let log_p = match &piece.log_p {
                    Some(log_p) => log_p.clone(),
                    None => self.head.logits(&piece.normed, chunk) - piece.log_sum.clone(),
                };
                // Both logarithms before the difference: p (log p − log q) keeps its digits where p and q are near.
                (log_p.clone().exp() * (log_p - log_q)).sum_dim(1)
            });
            // A token's terms are added on the device, the tokens in f64.
            let each = chunks.reduce(|sum, more| sum + more);
            if let Some(each) = each {
                sum += floats(each).await?.into_iter().map(f64::from).sum::<f64>();
            }
        }
        Ok(sum)
    }
}

/// Tokens of a group of windows: each reads every layer of both models once, and its hidden states stay in memory.
const GROUP_TOKENS: usize = 1 << 15;
/// Tokens that go through a layer together: activations that outgrow a CPU's caches take longer.
const PIECE_TOKENS: usize = 1 << 11;

/// KL(dense ‖ model) over every token of the windows but the last of each, in nats a token. `progress` is told how many of
/// how many steps are done.
///
/// # Errors
/// When the models read other tokens, a window has fewer than two, or the device fails.
pub async fn divergence(
    model: &Checkpoint,
    dense: &Checkpoint,
    windows: &[Vec<u32>],
    device: &Device,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<f64, EvalError> {
    let [own, theirs] = [model, dense].map(|checkpoint| checkpoint.config().vocab_size);
    if own != theirs {
        return Err(EvalError::OtherVocabulary { own, theirs });
    }
    let inputs: Vec<&[u32]> =
        // As in a perplexity, the last token of a window is only predicted.
        windows.iter().map(|w| &w[..w.len().saturating_sub(1)]).filter(|w| !w.is_empty()).collect();
    let tokens: usize = inputs.iter().map(|window| window.len()).sum();
    if tokens == 0 {
        return Err(EvalError::TooShort { tokens, needed: 2 });
    }
    fits(model.config(), device)?;
    fits(dense.config(), device)?;
    let on = device.tensor_device();
    let [head, dense_head] = [head(model, on)?, head(dense, on)?];
    let groups = groups(&inputs);
    let steps = groups.len() * (model.config().layers.len() + dense.config().layers.len());
    let (mut done, mut sum) = (0, 0.0);
    let mut step = || {
        done += 1;
        progress(done, steps);
    };
    for group in groups {
        // Group by group: the hidden states of both models are in memory together.
        let expected = states(dense, &group, on, &mut step).await?;
        let got = states(model, &group, on, &mut step).await?;
        for (dense_hidden, hidden) in expected.into_iter().zip(got) {
            sum += Expected::new(&dense_head, flat(dense_hidden)).divergence(&head, flat(hidden)).await?;
        }
    }
    Ok(sum / tokens as f64)
}

fn head(checkpoint: &Checkpoint, on: &TensorDevice) -> Result<Head, EvalError> {
    Ok(Head::load(&checkpoint.outer()?, checkpoint.config(), on))
}

/// Consecutive windows in pieces of one length, and pieces in groups.
fn groups<'a>(inputs: &[&'a [u32]]) -> Vec<Vec<Vec<&'a [u32]>>> {
    let mut groups: Vec<Vec<Vec<&[u32]>>> = vec![Vec::new()];
    let mut held = 0;
    // A piece is one tensor, whose windows are of one length.
    for piece in inputs.chunk_by(|a, b| a.len() == b.len()) {
        for piece in piece.chunks((PIECE_TOKENS / piece[0].len()).max(1)) {
            let tokens = piece.len() * piece[0].len();
            if held > 0 && held + tokens > GROUP_TOKENS {
                groups.push(Vec::new());
                held = 0;
            }
            held += tokens;
            if let Some(group) = groups.last_mut() {
                group.push(piece.to_vec());
            }
        }
    }
    groups
}

/// The hidden states of a group behind the last layer, piece by piece; a layer is brought once.
async fn states(
    checkpoint: &Checkpoint,
    group: &[Vec<&[u32]>],
    on: &TensorDevice,
    step: &mut impl FnMut(),
) -> Result<Vec<Tensor<3>>, EvalError> {
    let (config, outer) = (checkpoint.config(), checkpoint.outer()?);
    let outer = Outer::load(&outer, config, on);
    let embedded = |piece: &Vec<&[u32]>| {
        let tokens: Vec<Vec<u32>> = piece.iter().map(|window| window.to_vec()).collect();
        outer.embed(token_tensor(&tokens, on))
    };
    let mut hidden: Vec<Tensor<3>> = group.iter().map(embedded).collect();
    for i in 0..config.layers.len() {
        let block = Block::read(i, checkpoint, on)?;
        for piece in &mut hidden {
            let [_, length, _] = piece.dims();
            let positions = Positions::new(config, 0, length, on);
            *piece = block.forward(piece.clone(), &positions);
            // Told when it is done: a GPU takes hours of work in seconds.
            settled(piece).await?;
        }
        step();
    }
    Ok(hidden)
}
