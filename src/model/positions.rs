//! What a token's position means to attention: rotary angles, and who may look at whom.

use burn::tensor::{Device, Tensor, TensorData};

use crate::cpu::Spans;
use crate::shape::{Design, ModelConfig, Reach, Rope, RopeScaling};

/// Added to the score of a pair that may not attend; its exponential is zero in single precision.
/// Not −∞: WGSL lets a driver assume that there are no infinities.
const MASKED: f32 = -1e9;

/// The tables for `t` tokens that follow `offset` earlier ones.
#[derive(Clone, Debug)]
pub struct Positions {
    whole: Tables,
    /// Of the layers whose tokens see a window.
    sliding: Option<Tables>,
}

/// The tables of layers of one kind.
#[derive(Clone, Debug)]
struct Tables {
    cos: Tensor<4>, // (1, 1, t, dimensions that turn)
    sin: Tensor<4>, // (1, 1, t, dimensions that turn)
    spans: Spans,
    /// What is added to the scores, `(1, 1, t, offset + t)`, or one for each sequence, `(b, 1, t, t)`. None where
    /// attention goes by the spans, which is on the CPU unless gradients are traced there.
    mask: Option<Tensor<4>>,
}

impl Positions {
    /// Tables for tokens `offset .. offset + t` of a model.
    pub fn new(config: &ModelConfig, offset: usize, t: usize, device: &Device) -> Self {
        let (design, head_dim) = (&config.design, config.head_dim);
        let tables = |rope, window| {
            let turn = Turn::new(rope, design, head_dim);
            Tables::new(&turn, Spans::new(offset, t, window), device)
        };
        Self {
            whole: tables(&config.rope, None),
            sliding: (design.window.is_some() || design.window_rope.is_some())
                .then(|| tables(design.window_rope.as_ref().unwrap_or(&config.rope), design.window)),
        }
    }

    /// The tables of a layer.
    fn of(&self, reach: Reach) -> &Tables {
        self.sliding.as_ref().filter(|_| reach.slides).unwrap_or(&self.whole)
    }

    /// The tables of the first `t` tokens alone, for tables that begin a sequence.
    pub fn first(&self, t: usize) -> Self {
        Self { whole: self.whole.first(t), sliding: self.sliding.as_ref().map(|tables| tables.first(t)) }
    }

    /// The same where a token looks only at tokens of its own document: `documents` has a row for each sequence,
    /// and in it the number of the document that a token is of. Angles need not begin anew with a document,
    /// because only their differences count.
    #[must_use]
    pub fn within(self, documents: &[Vec<u32>], device: &Device) -> Self {
        let within = |tables: Tables| tables.within(documents, device);
        Self { whole: within(self.whole), sliding: self.sliding.map(within) }
    }

    /// Rotates `(b, heads, t, head_dim)`, the first half of a head against the second, in layers that know positions.
    pub(super) fn rotate(&self, reach: Reach, x: Tensor<4>) -> Tensor<4> {
        if reach.turns { self.of(reach).rotate(x) } else { x }
    }

    /// Which tokens a token of a layer sees.
    pub(super) fn spans(&self, reach: Reach) -> &Spans {
        &self.of(reach).spans
    }

    /// What is added to the scores of a layer: `(1, 1, t, offset + t)`, or `(b·kv_heads, 1, t, t)` where sequences have
    /// masks of their own. None where attention goes by the spans.
    pub(super) fn mask(&self, reach: Reach, kv_heads: usize) -> Option<Tensor<4>> {
        self.of(reach).mask.as_ref().map(|mask| of_rows(mask, kv_heads))
    }
}

impl Tables {
    fn new(turn: &Turn, spans: Spans, device: &Device) -> Self {
        let t = spans.queries();
        let offset = spans.keys() - t;
        let pairs = turn.frequencies.len();
        let width = 2 * pairs;
        // Both halves of what turns do so by the same angles.
        let angle = |i: usize| (offset + i / width) as f64 * turn.frequencies[i % width % pairs];
        // Single precision only at the end: at position 100 000 its steps are 0.008 of a radian.
        let table = |f: fn(f64) -> f64| {
            let values: Vec<f32> = (0..t * width).map(|i| (turn.factor * f(angle(i))) as f32).collect();
            Tensor::from_data(TensorData::new(values, [1, 1, t, width]), device)
        };
        Self { cos: table(f64::cos), sin: table(f64::sin), mask: mask(&spans, device), spans }
    }

    fn first(&self, t: usize) -> Self {
        let [_, _, _, d] = self.cos.dims();
        let angles = |table: &Tensor<4>| table.clone().slice([0..1, 0..1, 0..t, 0..d]);
        let mask = self.mask.as_ref().map(|mask| mask.clone().slice([0..1, 0..1, 0..t, 0..t]));
        Self { cos: angles(&self.cos), sin: angles(&self.sin), spans: self.spans.first(t), mask }
    }

    fn within(self, documents: &[Vec<u32>], device: &Device) -> Self {
        let spans = self.spans.within(documents);
        Self { mask: mask(&spans, device), spans, ..self }
    }

    fn rotate(&self, x: Tensor<4>) -> Tensor<4> {
        let [b, h, t, whole] = x.dims();
        let [_, _, _, d] = self.cos.dims();
        if d < whole {
            let rest = x.clone().slice([0..b, 0..h, 0..t, d..whole]);
            return Tensor::cat(vec![self.rotate(x.slice([0..b, 0..h, 0..t, 0..d])), rest], 3);
        }
        let first = x.clone().slice([0..b, 0..h, 0..t, 0..d / 2]);
        let second = x.clone().slice([0..b, 0..h, 0..t, d / 2..d]);
        // (a, b) → (a cos − b sin, b cos + a sin), paired as in transformers: dimension j with j + d/2.
        let turned = Tensor::cat(vec![second.neg(), first], 3);
        x * self.cos.clone() + turned * self.sin.clone()
    }
}

/// The mask of every K/V head of every sequence, where sequences have masks of their own.
fn of_rows(mask: &Tensor<4>, kv_heads: usize) -> Tensor<4> {
    let [b, _, t, width] = mask.dims();
    match b {
        1 => mask.clone(),
        _ => mask.clone().repeat_dim(1, kv_heads).reshape([b * kv_heads, 1, t, width]),
    }
}

/// Zero where a token may look, [`MASKED`] where it may not: `(rows, 1, t, offset + t)`.
fn mask(spans: &Spans, device: &Device) -> Option<Tensor<4>> {
    // The CPU's own attention looks nowhere else, but it cannot be traced.
    if *device == Device::flex() && !device.is_autodiff() {
        return None;
    }
    let (rows, t, width) = (spans.rows(), spans.queries(), spans.keys());
    let value = |i: usize| {
        let (query, key) = (i / width, i % width);
        if spans.seen(query / t, query % t).contains(&key) { 0.0 } else { MASKED }
    };
    let mask: Vec<f32> = (0..rows * t * width).map(value).collect();
    Some(Tensor::from_data(TensorData::new(mask, [rows, 1, t, width]), device))
}

/// By how much what turns does so.
struct Turn {
    /// The angle per position of each pair.
    frequencies: Vec<f64>,
    /// Factor of what turns.
    factor: f64,
}

impl Turn {
    fn new(rope: &Rope, design: &Design, head_dim: usize) -> Self {
        let plain = frequencies(rope, design.rotated.unwrap_or(head_dim));
        match &design.stretch {
            None => Self { frequencies: plain, factor: 1.0 },
            Some(stretch) => {
                let frequencies = plain.iter().zip(&stretch.divisors).map(|(plain, by)| plain / by).collect();
                Self { frequencies, factor: stretch.factor }
            }
        }
    }
}

/// The angle per position of each pair of dimensions, θ^(−2j/d) (RoFormer, arXiv 2104.09864).
fn frequencies(rope: &Rope, head_dim: usize) -> Vec<f64> {
    let plain = (0..head_dim / 2).map(|j| rope.theta.powf(-2.0 * j as f64 / head_dim as f64));
    match rope.scaling {
        None => plain.collect(),
        Some(scaling) => plain.map(|f| stretched(f, &scaling)).collect(),
    }
}

/// LLaMA 3.1: long wavelengths are stretched by `factor`, short ones kept, those between mixed.
fn stretched(frequency: f64, scaling: &RopeScaling) -> f64 {
    // How often the pair turns within the context that the model was first trained with.
    let wavelengths = scaling.original_max_positions as f64 * frequency / std::f64::consts::TAU;
    let kept = (wavelengths - scaling.low_freq_factor) / (scaling.high_freq_factor - scaling.low_freq_factor);
    // Outside of 0 to 1 are the wavelengths that are not mixed.
    let kept = kept.clamp(0.0, 1.0);
    (1.0 - kept) * frequency / scaling.factor + kept * frequency
}

#[cfg(test)]
mod tests {
    use super::*;

    const LLAMA_31: RopeScaling =
        RopeScaling { factor: 8.0, low_freq_factor: 1.0, high_freq_factor: 4.0, original_max_positions: 8192 };

    #[test]
    fn short_wavelengths_are_kept_and_long_ones_stretched() {
        assert_eq!(stretched(1.0, &LLAMA_31), 1.0);
        assert_eq!(stretched(1e-5, &LLAMA_31), 1e-5 / 8.0);
        let middle = stretched(2.0 * std::f64::consts::TAU / 8192.0, &LLAMA_31);
        let f = 2.0 * std::f64::consts::TAU / 8192.0;
        assert!(middle > f / 8.0 && middle < f);
    }
}
