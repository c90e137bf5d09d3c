//! log p of a continuation after its context: what every figure that is not generated is made of.
//! One layer's weights are on the device at a time.
//!
//! Sequences of near length go through the layers together, the shorter ones filled up on the
//! right: attention looks only back, so what stands there changes nothing before it. Requests with
//! the same input (choices of one token after one context) share it. Several devices share the batches.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use burn::tensor::{Device as TensorDevice, Int, Tensor, TensorData};
use serde::{Deserialize, Serialize};

#[cfg(not(target_arch = "wasm32"))]
use super::shared::{Measurement, on_all};
use super::{EvalError, Needs, room};
use crate::checkpoint::Checkpoint;
use crate::device::Device;
use crate::device::panels::bindable;
use crate::device::readback::{floats, settled};
use crate::model::{Block, Outer, Positions, fits, token_tensor};
use crate::ranks::{Alone, Ranks, RanksError};
use crate::shape::ModelConfig;

/// Hidden states that are kept between two layers, in bytes.
const GROUP_BYTES: usize = 1 << 30;
/// The widest activation of a batch, in bytes: the smallest binding limit of any adapter.
const ACTIVATION_BYTES: usize = 128 << 20;
/// Most tokens of a batch on a GPU unless asked otherwise: more make nothing faster.
const GPU_TOKENS: usize = 1 << 14;
/// The same on the CPU, where activations that outgrow the caches take three times as long.
const CPU_TOKENS: usize = 1 << 11;

/// A text and how it goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// At least one token. What does not fit the model's context is cut off from the left.
    pub context: Vec<u32>,
    /// At least one token, and no more than the model's context.
    pub continuation: Vec<u32>,
}

impl Request {
    /// Tokens of the context that are cut off in a model with room for so many.
    pub fn cut_off(&self, max_positions: usize) -> usize {
        // The last token is only predicted.
        let whole = self.context.len() + self.continuation.len() - 1;
        // The continuation is never cut; `check` refuses what does not fit.
        whole.saturating_sub(max_positions).min(self.context.len())
    }

    fn input(&self, max_positions: usize) -> Vec<u32> {
        let kept = self.context.iter().skip(self.cut_off(max_positions));
        let predicted_only = self.continuation.len() - 1;
        kept.chain(&self.continuation[..predicted_only]).copied().collect()
    }
}

/// One sequence that goes through the layers.
#[derive(Debug, PartialEq)]
struct Row {
    input: Vec<u32>,
    asks: Vec<Ask>,
}

/// A continuation that is read off a row's last positions.
#[derive(Debug, PartialEq)]
struct Ask {
    request: usize,
    tokens: Vec<u32>,
}

/// Σ log p of each request's continuation. `batch_tokens` bounds what goes through a layer
/// together, by default by what the widest layer's activations take; `progress` is told how many
/// of how many steps are done.
///
/// Sequences go through the model in groups whose hidden states stay within [`GROUP_BYTES`], so
/// that many need no more memory than few; each group reads every layer once.
///
/// # Errors
/// When a request is empty or too long, a weight is not finite, an answer is not a number, or the
/// device fails.
pub async fn log_likelihoods(
    checkpoint: &Checkpoint,
    requests: &[Request],
    device: &Device,
    batch_tokens: Option<usize>,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Vec<f64>, EvalError> {
    let config = checkpoint.config();
    check(requests, config.max_positions)?;
    fits(config, device)?;
    // Rows, batches and groups follow from the requests alone, so that what it takes is known before any work.
    let rows = rows(requests, config.max_positions);
    let batch_tokens = batch_tokens.unwrap_or_else(|| usual_batch_tokens(config, device));
    let batches = batches(&rows, batch_tokens);
    let count = requests.len();
    let sums = match device.is_shared() {
        #[cfg(not(target_arch = "wasm32"))]
        true => {
            let measurement = || Measurement::of(checkpoint, (requests.to_vec(), batch_tokens));
            on_all(device, measurement, progress, async |ranks, device, progress| {
                share(ranks, checkpoint, count, &batches, device, progress).await
            })?
        }
        _ => share(&Alone, checkpoint, count, &batches, device, progress).await?,
    };
    // −∞ too: in range no log-softmax gives it.
    match sums.iter().position(|sum| !sum.is_finite()) {
        Some(request) => Err(EvalError::NotANumber { request, value: sums[request] }),
        None => Ok(sums),
    }
}

/// The part of a process that is not the first in [`log_likelihoods`] on several: its share of what the first is asked.
///
/// # Errors
/// When the model cannot be opened here, or as [`log_likelihoods`].
#[cfg(not(target_arch = "wasm32"))]
pub async fn log_likelihoods_following(ranks: &dyn Ranks, device: &Device) -> Result<(), EvalError> {
    let (checkpoint, (requests, batch_tokens)) = Measurement::<(Vec<Request>, usize)>::heard(ranks)?;
    let rows = rows(&requests, checkpoint.config().max_positions);
    share(ranks, &checkpoint, requests.len(), &batches(&rows, batch_tokens), device, &mut |_, _| {}).await.map(drop)
}

/// Σ log p of each of `count` requests at the first rank, after each has computed those of its share of the batches.
async fn share(
    ranks: &dyn Ranks,
    checkpoint: &Checkpoint,
    count: usize,
    batches: &[&[Row]],
    device: &Device,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Vec<f64>, EvalError> {
    let config = checkpoint.config();
    let groups = groups(&batches[ranks.share(batches.len())], config.hidden_size);
    let needs = needs(config, &groups);
    room::check(&needs, device)?;
    let work = sums(ranks, checkpoint, count, &groups, device.tensor_device(), progress);
    let mut sums = room::within(&needs, work).await?;
    // A request has one row, so that of its sums all but one are zero.
    ranks.sum(&mut sums)?;
    Ok(sums)
}

/// Σ log p of each of `count` requests, group by group; zero for those of no group.
async fn sums(
    ranks: &dyn Ranks,
    checkpoint: &Checkpoint,
    count: usize,
    groups: &[&[&[Row]]],
    on: &TensorDevice,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Vec<f64>, EvalError> {
    let config = checkpoint.config();
    // Loaded once: embedding and head serve every group.
    let outer = Outer::load(&checkpoint.outer()?, config, on);
    let (mut done, steps) = (0, groups.iter().map(|group| group.len()).sum::<usize>() * config.layers.len());
    let mut step = || {
        done += 1;
        progress(done, steps);
        // Nobody works on for nothing.
        ranks.check()
    };
    let mut sums = vec![0.0; count];
    for group in groups {
        for batch in run_group(checkpoint, &outer, group, on, &mut step).await? {
            for (request, log_p) in batch {
                sums[request] = log_p;
            }
        }
    }
    Ok(sums)
}

/// What the largest batch and the largest group take.
fn needs(config: &ModelConfig, groups: &[&[&[Row]]]) -> Needs {
    let tokens = |batch: &[Row]| batch.len() * batch[0].input.len();
    let batch = groups.iter().flat_map(|group| group.iter()).map(|batch| tokens(batch)).max().unwrap_or(0);
    let hidden = groups.iter().map(|group| group.iter().map(|batch| tokens(batch)).sum::<usize>()).max().unwrap_or(0);
    Needs::new(config, batch, hidden * config.hidden_size * size_of::<f32>())
}

fn check(requests: &[Request], max_positions: usize) -> Result<(), EvalError> {
    let wrong = |r: &Request| r.context.is_empty() || r.continuation.is_empty() || r.continuation.len() > max_positions;
    match requests.iter().position(wrong) {
        Some(request) => {
            let Request { context, continuation } = &requests[request];
            let (context, continuation) = (context.len(), continuation.len());
            Err(EvalError::Request { request, context, continuation, max_positions })
        }
        None => Ok(()),
    }
}

/// Every different input once, the longest first.
fn rows(requests: &[Request], max_positions: usize) -> Vec<Row> {
    let mut rows: BTreeMap<(Reverse<usize>, Vec<u32>), Vec<Ask>> = BTreeMap::new();
    for (i, request) in requests.iter().enumerate() {
        let input = request.input(max_positions);
        let ask = Ask { request: i, tokens: request.continuation.clone() };
        // Sorted by length, so that neighbours need the least filling up.
        rows.entry((Reverse(input.len()), input)).or_default().push(ask);
    }
    rows.into_iter().map(|((_, input), asks)| Row { input, asks }).collect()
}

/// As many tokens as keep the widest activation of any layer within [`ACTIVATION_BYTES`], and what is bound at once.
fn usual_batch_tokens(config: &ModelConfig, device: &Device) -> usize {
    let widths = config.layers.iter().map(|l| l.channels.max(l.heads * config.head_dim));
    let widest = widths.max().unwrap_or(0).max(config.hidden_size);
    let bytes = bindable(ACTIVATION_BYTES, device.tensor_device());
    (bytes / (widest * size_of::<f32>())).min(if device.is_gpu() { GPU_TOKENS } else { CPU_TOKENS })
}

/// Consecutive rows that have at most so many tokens when filled up to the first; at least one row.
fn batches(rows: &[Row], batch_tokens: usize) -> Vec<&[Row]> {
    let mut cut = Vec::new();
    let mut rest = rows;
    while let Some(longest) = rest.first() {
        // A sequence is never cut: one that is too long goes alone.
        let together = (batch_tokens / longest.input.len()).clamp(1, rest.len());
        let (batch, after) = rest.split_at(together);
        cut.push(batch);
        rest = after;
    }
    cut
}

/// Consecutive batches whose hidden states stay within [`GROUP_BYTES`]; at least one batch.
fn groups<'a>(batches: &'a [&'a [Row]], hidden_size: usize) -> Vec<&'a [&'a [Row]]> {
    let bytes = |batch: &[Row]| batch.len() * batch[0].input.len() * hidden_size * size_of::<f32>();
    let (mut cut, mut start, mut held) = (Vec::new(), 0, 0);
    for (i, batch) in batches.iter().enumerate() {
        held += bytes(batch);
        // A batch that is too large by itself still has to go.
        if held > GROUP_BYTES && i > start {
            cut.push(&batches[start..i]);
            (start, held) = (i, bytes(batch));
        }
    }
    if start < batches.len() {
        cut.push(&batches[start..]);
    }
    cut
}

/// The answers of a group: request and Σ log p, batch by batch.
async fn run_group(
    checkpoint: &Checkpoint,
    outer: &Outer,
    group: &[&[Row]],
    on: &TensorDevice,
    step: &mut impl FnMut() -> Result<(), RanksError>,
) -> Result<Vec<Vec<(usize, f64)>>, EvalError> {
    let config = checkpoint.config();
    let longest = |batch: &[Row]| batch[0].input.len();
    // Rows are sorted, so the first batch is the longest and its table serves all.
    let positions = Positions::new(config, 0, group.first().map_or(0, |b| longest(b)), on);
    let mut hidden: Vec<Tensor<3>> = group.iter().map(|batch| outer.embed(filled_up(batch, on))).collect();
    // Layers outside, batches inside: each layer is read and uploaded once for the group.
    for i in 0..config.layers.len() {
        let block = Block::read(i, checkpoint, on)?;
        for (batch, rows) in hidden.iter_mut().zip(group) {
            *batch = block.forward(batch.clone(), &positions.first(longest(rows)));
            // Told when it is done: a GPU takes hours of work in seconds.
            settled(batch).await?;
            step()?;
        }
    }
    let mut answers = Vec::new();
    for (hidden, rows) in hidden.into_iter().zip(group) {
        answers.push(read_off(outer, hidden, rows).await?);
    }
    Ok(answers)
}

/// `(rows, longest)`: shorter rows have token 0 at the end.
fn filled_up(rows: &[Row], on: &TensorDevice) -> Tensor<2, Int> {
    let longest = rows[0].input.len();
    let filled = |row: &Row| {
        let mut tokens = row.input.clone();
        // Any token does, since none of them is asked for or looked back at.
        tokens.resize(longest, 0);
        tokens
    };
    token_tensor(&rows.iter().map(filled).collect::<Vec<_>>(), on)
}

/// Σ log p of what is asked of each row, from the hidden states `(rows, longest, d)` after the last layer.
async fn read_off(outer: &Outer, hidden: Tensor<3>, rows: &[Row]) -> Result<Vec<(usize, f64)>, EvalError> {
    let [b, t, d] = hidden.dims();
    let (mut at, mut next) = (Vec::new(), Vec::new());
    for (r, row) in rows.iter().enumerate() {
        for ask in &row.asks {
            let end = r * t + row.input.len();
            // Position i predicts token i + 1, and the input lacks the last token: its last k predict k.
            at.extend((end - ask.tokens.len()..end).map(|i| i as i32));
            next.extend_from_slice(&ask.tokens);
        }
    }
    let count = at.len();
    let at = Tensor::<1, Int>::from_data(TensorData::new(at, [count]), &hidden.device());
    // Only rows that are asked for: the head makes each as wide as the vocabulary.
    let log_p = floats(outer.log_p(hidden.reshape([b * t, d]).select(0, at), &next)).await?;
    let mut rest = log_p.as_slice();
    let asks = rows.iter().flat_map(|row| &row.asks);
    Ok(asks
        .map(|ask| {
            let (own, after) = rest.split_at(ask.tokens.len());
            rest = after;
            // Summed in f64: over thousands of terms f32 would lose digits.
            (ask.request, own.iter().copied().map(f64::from).sum())
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(context: &[u32], continuation: &[u32]) -> Request {
        Request { context: context.to_vec(), continuation: continuation.to_vec() }
    }

    fn row(input: &[u32], asks: &[(usize, &[u32])]) -> Row {
        let asks = asks.iter().map(|&(request, tokens)| Ask { request, tokens: tokens.to_vec() });
        Row { input: input.to_vec(), asks: asks.collect() }
    }

    fn of_length(length: usize) -> Row {
        row(&vec![0; length], &[])
    }

    #[test]
    fn choices_of_one_token_share_their_context() {
        let requests = [request(&[1, 2], &[7]), request(&[5], &[6, 7, 8]), request(&[1, 2], &[9])];
        let want = [row(&[5, 6, 7], &[(1, &[6, 7, 8])]), row(&[1, 2], &[(0, &[7]), (2, &[9])])];
        assert_eq!(rows(&requests, 8), want);
    }

    #[test]
    fn what_is_too_long_loses_its_beginning() {
        let long = request(&[1, 2, 3, 4], &[5, 6]);
        assert_eq!((long.cut_off(5), long.input(5)), (0, vec![1, 2, 3, 4, 5]));
        assert_eq!((long.cut_off(4), long.input(4)), (1, vec![2, 3, 4, 5]));
        assert_eq!((long.cut_off(2), long.input(2)), (3, vec![4, 5]));
    }

    #[test]
    fn a_continuation_must_fit_and_nothing_may_be_empty() {
        assert!(check(&[request(&[1], &[2, 3])], 2).is_ok());
        for wrong in [request(&[1], &[2, 3, 4]), request(&[], &[2]), request(&[1], &[])] {
            let error = check(&[request(&[1], &[2]), wrong], 2).unwrap_err();
            assert!(matches!(error, EvalError::Request { request: 1, .. }), "{error}");
        }
    }

    #[test]
    fn batches_count_what_is_filled_up() {
        let rows = [7, 5, 5, 2, 1, 1].map(of_length);
        let lengths = |tokens: usize| batches(&rows, tokens).iter().map(|b| b.len()).collect::<Vec<_>>();
        assert_eq!(lengths(10), [1, 2, 3]);
        assert_eq!(lengths(1), [1; 6]);
        assert_eq!(lengths(42), [6]);
        assert!(batches(&[], 10).is_empty());
    }

    #[test]
    fn groups_stay_within_their_bytes_and_lose_no_batch() {
        for (length, count, hidden) in [(256, 9, 64), (2048, 40, 4096), (131_072, 3, 16_384)] {
            let rows: Vec<Row> = (0..count).map(|_| of_length(length)).collect();
            let cut = batches(&rows, length);
            let found = groups(&cut, hidden);
            let bytes = |group: &[&[Row]]| group.len() * length * hidden * 4;
            assert!(found.iter().all(|g| bytes(g) <= GROUP_BYTES || g.len() == 1), "{length} {hidden}");
            assert_eq!(found.iter().map(|g| g.len()).sum::<usize>(), count);
        }
        assert!(groups(&[], 64).is_empty());
    }
}
