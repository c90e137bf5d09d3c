//! What a token's position means to attention: rotary angles, and who may look at whom.

use burn::tensor::{Device, Tensor, TensorData};

use crate::shape::{Design, ModelConfig, Reach, Rope, RopeScaling};

/// Added to the score of a pair that may not attend; its exponential is zero in single precision.
/// Not −∞: WGSL lets a driver assume that there are no infinities.
const MASKED: f32 = -1e9;

/// How attention is kept from looking ahead.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant, reason = "one of it exists for each length of windows")]
pub(super) enum Causality {
    /// By burn's fused attention, which is causal by itself: on the CPU.
    BuiltIn,
    /// By a mask `(1, 1, t, offset + t)` that is added to the scores: on a GPU, whose attention is ours. Or by
    /// one for each sequence, `(b, 1, t, t)`, where documents share a sequence.
    Masked(Tensor<4>),
}

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
    /// How many tokens, itself included, a token sees; all where there is no number.
    window: Option<usize>,
    causality: Causality,
    /// Whether a token sees all before it, and the tables begin with the first.
    sees_all: bool,
}

impl Positions {
    /// Tables for tokens `offset .. offset + t` of a model.
    pub fn new(config: &ModelConfig, offset: usize, t: usize, device: &Device) -> Self {
        let (design, head_dim) = (&config.design, config.head_dim);
        // burn's attention has no gradient where query heads share keys, and knows no windows.
        let is_plain = design.window.is_none() && design.score_cap.is_none();
        let is_fused = is_plain && *device == Device::flex() && !device.is_autodiff();
        let causality = |window| match is_fused {
            true => Causality::BuiltIn,
            false => Causality::Masked(mask(offset, t, window, device)),
        };
        let tables = |rope, window| {
            let turn = Turn::new(rope, design, head_dim);
            Tables::new(&turn, offset, t, device, window, causality(window))
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

    /// What is added to the scores of `t` tokens that begin a sequence: `(1, 1, t, t)`, or `(b·kv_heads, 1, t, t)` where
    /// sequences have masks of their own.
    pub(super) fn score_mask(&self, reach: Reach, kv_heads: usize, device: &Device) -> Tensor<4> {
        let tables = self.of(reach);
        let [_, _, t, _] = tables.cos.dims();
        match &tables.causality {
            Causality::BuiltIn => mask(0, t, tables.window, device),
            Causality::Masked(mask) => of_rows(mask, kv_heads),
        }
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

    /// Whether every token of a layer sees all before it, of which none is cached.
    pub(super) fn sees_all(&self, reach: Reach) -> bool {
        self.of(reach).sees_all
    }

    pub(super) fn causality(&self, reach: Reach) -> &Causality {
        &self.of(reach).causality
    }
}

impl Tables {
    fn new(turn: &Turn, offset: usize, t: usize, device: &Device, window: Option<usize>, causality: Causality) -> Self {
        let pairs = turn.frequencies.len();
        let width = 2 * pairs;
        // Both halves of what turns do so by the same angles.
        let angle = |i: usize| (offset + i / width) as f64 * turn.frequencies[i % width % pairs];
        // Single precision only at the end: at position 100 000 its steps are 0.008 of a radian.
        let table = |f: fn(f64) -> f64| {
            let values: Vec<f32> = (0..t * width).map(|i| (turn.factor * f(angle(i))) as f32).collect();
            Tensor::from_data(TensorData::new(values, [1, 1, t, width]), device)
        };
        Self {
            cos: table(f64::cos),
            sin: table(f64::sin),
            window,
            causality,
            sees_all: offset == 0 && window.is_none_or(|n| n >= t),
        }
    }

    fn first(&self, t: usize) -> Self {
        let [_, _, _, d] = self.cos.dims();
        let angles = |table: &Tensor<4>| table.clone().slice([0..1, 0..1, 0..t, 0..d]);
        let causality = match &self.causality {
            Causality::BuiltIn => Causality::BuiltIn,
            Causality::Masked(mask) => Causality::Masked(mask.clone().slice([0..1, 0..1, 0..t, 0..t])),
        };
        Self { cos: angles(&self.cos), sin: angles(&self.sin), window: self.window, causality, sees_all: self.sees_all }
    }

    fn within(self, documents: &[Vec<u32>], device: &Device) -> Self {
        let t = documents.first().map_or(0, Vec::len);
        let mask: Vec<f32> = documents
            .iter()
            .flat_map(|of| (0..t * t).map(move |i| (of, i / t, i % t)))
            .map(|(of, query, key)| if sees(query, key, self.window) && of[key] == of[query] { 0.0 } else { MASKED })
            .collect();
        let mask = Tensor::from_data(TensorData::new(mask, [documents.len(), 1, t, t]), device);
        Self { causality: Causality::Masked(mask), sees_all: false, ..self }
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
pub(super) fn of_rows(mask: &Tensor<4>, kv_heads: usize) -> Tensor<4> {
    let [b, _, t, width] = mask.dims();
    match b {
        1 => mask.clone(),
        _ => mask.clone().repeat_dim(1, kv_heads).reshape([b * kv_heads, 1, t, width]),
    }
}

/// Zero where a token may look, [`MASKED`] where it may not: `(1, 1, t, offset + t)`.
fn mask(offset: usize, t: usize, window: Option<usize>, device: &Device) -> Tensor<4> {
    let width = offset + t;
    // Query i stands at offset + i, behind every cached token.
    let value = |i: usize| if sees(offset + i / width, i % width, window) { 0.0 } else { MASKED };
    let mask: Vec<f32> = (0..t * width).map(value).collect();
    Tensor::from_data(TensorData::new(mask, [1, 1, t, width]), device)
}

/// Whether the token at `query` looks at that at `key`.
fn sees(query: usize, key: usize, window: Option<usize>) -> bool {
    key <= query && window.is_none_or(|window| query - key < window)
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
    fn a_window_counts_the_token_itself() {
        let seen = |window| (0..6).filter(|&key| sees(4, key, window)).collect::<Vec<_>>();
        assert_eq!((seen(Some(1)), seen(Some(3))), (vec![4], vec![2, 3, 4]));
        assert_eq!((seen(Some(99)), seen(None)), (vec![0, 1, 2, 3, 4], vec![0, 1, 2, 3, 4]));
    }

    #[test]
    fn short_wavelengths_are_kept_and_long_ones_stretched() {
        assert_eq!(stretched(1.0, &LLAMA_31), 1.0);
        assert_eq!(stretched(1e-5, &LLAMA_31), 1e-5 / 8.0);
        let middle = stretched(2.0 * std::f64::consts::TAU / 8192.0, &LLAMA_31);
        let f = 2.0 * std::f64::consts::TAU / 8192.0;
        assert!(middle > f / 8.0 && middle < f);
    }
}
