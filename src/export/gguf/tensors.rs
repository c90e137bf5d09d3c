//! Which tensors stand in the file, under llama.cpp's names and in its order of rows.
//!
//! Where rotary pairs lie side by side (`llama`, `deci`), row h·d + s·d/2 + j of q and k, that is
//! half s of head h, becomes row h·d + 2j + s; likewise in their biases. Elsewhere the order stays.

use super::Arch;
use super::format::{ElementType, TensorInfo};
use crate::checkpoint::{Dtype, HostTensor, LayerWeights, OuterWeights, Projection};
use crate::shape::{LayerShape, ModelConfig, Rope};

/// How a tensor's values are made of weights.
type Values<W> = Box<dyn Fn(&W) -> Vec<f32>>;

/// A tensor of the file and where its values come from.
pub(super) enum Entry {
    /// From outside the layers.
    Outer { name: String, shape: Vec<usize>, values: Values<OuterWeights> },
    /// From layer `layer`.
    Layer { layer: usize, name: String, shape: Vec<usize>, values: Values<LayerWeights> },
}

/// The table of tensors: matrices as `dtype`, vectors in f32.
pub(super) fn infos(entries: &[Entry], dtype: Dtype) -> Vec<TensorInfo> {
    let info = |entry: &Entry| {
        let (Entry::Outer { name, shape, .. } | Entry::Layer { name, shape, .. }) = entry;
        let element = if shape.len() > 1 { ElementType::of(dtype) } else { ElementType::F32 };
        TensorInfo { name: name.clone(), shape: shape.clone(), element }
    };
    entries.iter().map(info).collect()
}

/// Every tensor of the file, those outside the layers first.
pub(super) fn all(arch: Arch, config: &ModelConfig) -> Vec<Entry> {
    let layers = config.layers.iter().enumerate().flat_map(|(i, &shape)| of_layer(arch, config, i, shape));
    outer(config).into_iter().chain(layers).collect()
}

fn outer(config: &ModelConfig) -> Vec<Entry> {
    let (v, d) = (config.vocab_size, config.hidden_size);
    let entry =
        |name: &str, shape: Vec<usize>, values: Values<OuterWeights>| Entry::Outer { name: name.into(), shape, values };
    let mut all = vec![
        entry("token_embd.weight", vec![v, d], Box::new(|w| w.embedding.values.clone())),
        entry("output_norm.weight", vec![d], Box::new(|w| w.final_norm.values.clone())),
    ];
    if !config.tied_head {
        let head = |w: &OuterWeights| w.head.as_ref().map(|h| h.values.clone()).unwrap_or_default();
        all.push(entry("output.weight", vec![v, d], Box::new(head)));
    }
    if config.rope.scaling.is_some() {
        let divisors = frequency_divisors(&config.rope, config.head_dim);
        all.push(entry("rope_freqs.weight", vec![divisors.len()], Box::new(move |_| divisors.clone())));
    }
    all
}

/// By what LLaMA 3.1 divides each rotary frequency: 1 where the wave is short, `factor` where it
/// is long, and between them so that the divided frequency passes evenly from one to the other.
fn frequency_divisors(rope: &Rope, head_dim: usize) -> Vec<f32> {
    let Some(scaling) = rope.scaling else { return vec![] };
    let context = scaling.original_max_positions as f64;
    let (low, high) = (scaling.low_freq_factor, scaling.high_freq_factor);
    let divisor = |j: usize| {
        let wavelength = 2.0 * std::f64::consts::PI * rope.theta.powf(2.0 * j as f64 / head_dim as f64);
        let turns = context / wavelength;
        let smooth = ((turns - low) / (high - low)).clamp(0.0, 1.0);
        1.0 / ((1.0 - smooth) / scaling.factor + smooth)
    };
    (0..head_dim / 2).map(|j| divisor(j) as f32).collect()
}

fn of_layer(arch: Arch, config: &ModelConfig, i: usize, shape: LayerShape) -> Vec<Entry> {
    let mut layer = Layer { i, entries: vec![] };
    let (d, f, hd) = (config.hidden_size, shape.channels, config.head_dim);
    let (q, kv) = (shape.heads * hd, shape.kv_heads * hd);
    layer.vector("attn_norm.weight", d, |w| &w.input_norm);
    match arch {
        Arch::OpenElm => layer.push("attn_qkv.weight", vec![q + 2 * kv, d], |w| {
            [&w.q, &w.k, &w.v].into_iter().flat_map(|p| p.weight.values.iter().copied()).collect()
        }),
        _ => {
            let [turn_q, turn_k] = [shape.heads, shape.kv_heads]
                .map(|heads| if arch.pairs_lie_side_by_side() { Some(heads) } else { None });
            layer.projection("attn_q", [q, d], config.qkv_bias, turn_q, |w| &w.q);
            layer.projection("attn_k", [kv, d], config.qkv_bias, turn_k, |w| &w.k);
            layer.projection("attn_v", [kv, d], config.qkv_bias, None, |w| &w.v);
        }
    }
    if config.qk_norm {
        layer.push("attn_q_norm.weight", vec![hd], |w| optional(w.q_norm.as_ref()));
        layer.push("attn_k_norm.weight", vec![hd], |w| optional(w.k_norm.as_ref()));
    }
    layer.projection("attn_output", [d, q], config.o_bias, None, |w| &w.o);
    layer.vector("ffn_norm.weight", d, |w| &w.post_norm);
    layer.projection("ffn_gate", [f, d], config.mlp_bias, None, |w| &w.gate);
    layer.projection("ffn_up", [f, d], config.mlp_bias, None, |w| &w.up);
    layer.projection("ffn_down", [d, f], config.mlp_bias, None, |w| &w.down);
    layer.entries
}

fn optional(tensor: Option<&HostTensor>) -> Vec<f32> {
    tensor.map(|t| t.values.clone()).unwrap_or_default()
}

/// The entries of one layer as they gather.
struct Layer {
    i: usize,
    entries: Vec<Entry>,
}

impl Layer {
    fn push(&mut self, part: &str, shape: Vec<usize>, values: impl Fn(&LayerWeights) -> Vec<f32> + 'static) {
        let name = format!("blk.{}.{part}", self.i);
        self.entries.push(Entry::Layer { layer: self.i, name, shape, values: Box::new(values) });
    }

    fn vector(&mut self, part: &str, width: usize, of: fn(&LayerWeights) -> &HostTensor) {
        self.push(part, vec![width], move |w| of(w).values.clone());
    }

    /// A projection `(out, in)`, with the rows of `heads` heads in the order of side-by-side pairs
    /// where `turned` says how many there are.
    fn projection(
        &mut self,
        part: &str,
        [out, input]: [usize; 2],
        has_bias: bool,
        turned: Option<usize>,
        of: fn(&LayerWeights) -> &Projection,
    ) {
        let rows = move |tensor: &HostTensor| match turned {
            Some(heads) => tensor.rows(&side_by_side(heads, out / heads)).values,
            None => tensor.values.clone(),
        };
        self.push(&format!("{part}.weight"), vec![out, input], move |w| rows(&of(w).weight));
        if has_bias {
            self.push(&format!("{part}.bias"), vec![out], move |w| of(w).bias.as_ref().map(rows).unwrap_or_default());
        }
    }
}

/// The old place of every new row: the halves of each head, one element of each in turn.
fn side_by_side(heads: usize, head_dim: usize) -> Vec<usize> {
    let half = head_dim / 2;
    (0..heads * head_dim)
        .map(|row| {
            let (head, within) = (row / head_dim, row % head_dim);
            head * head_dim + within % 2 * half + within / 2
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shape::RopeScaling;

    #[test]
    fn halves_become_pairs_within_each_head() {
        assert_eq!(side_by_side(2, 4), [0, 2, 1, 3, 4, 6, 5, 7]);
    }

    #[test]
    fn short_waves_stay_and_long_ones_are_divided() {
        let scaling =
            RopeScaling { factor: 8.0, low_freq_factor: 1.0, high_freq_factor: 4.0, original_max_positions: 8192 };
        let divisors = frequency_divisors(&Rope { theta: 5e5, scaling: Some(scaling) }, 128);
        assert_eq!((divisors.len(), divisors[0], divisors[63]), (64, 1.0, 8.0));
        assert!(divisors.windows(2).all(|w| w[0] <= w[1]));
        assert!(divisors.iter().any(|&d| d > 1.0 && d < 8.0));
    }
}
