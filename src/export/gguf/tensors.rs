//! Which tensors stand in the file, under llama.cpp's names and in its order of rows.
//!
//! Where rotary pairs lie side by side (`llama`, `deci`), row h·d + s·d/2 + j of q and k, that is
//! half s of head h, becomes row h·d + 2j + s; likewise in their biases. Elsewhere the order stays.

use super::Arch;
use super::format::{ElementType, TensorInfo};
use crate::checkpoint::{Dtype, HostTensor, LayerWeights, OuterWeights, Types};
use crate::export::fused::{beginning_with, widest};
use crate::shape::{ModelConfig, Part, Projection, Rope};

/// How a tensor's values are made of weights.
type Values<W> = Box<dyn Fn(&W) -> Vec<f32>>;

/// A tensor of the file and where its values come from.
pub(super) enum Entry {
    /// From outside the layers.
    Outer { name: String, shape: Vec<usize>, dtype: Dtype, values: Values<OuterWeights> },
    /// From the weights of layer `layer`, counted from 0.
    Layer { layer: usize, name: String, shape: Vec<usize>, dtype: Dtype, values: Values<LayerWeights> },
}

/// The table of tensors: matrices in their types, vectors in f32.
pub(super) fn infos(entries: &[Entry]) -> Vec<TensorInfo> {
    let info = |entry: &Entry| {
        let (Entry::Outer { name, shape, dtype, .. } | Entry::Layer { name, shape, dtype, .. }) = entry;
        let element = if shape.len() > 1 { ElementType::of(*dtype) } else { ElementType::F32 };
        TensorInfo { name: name.clone(), shape: shape.clone(), element }
    };
    entries.iter().map(info).collect()
}

/// Every tensor of the file, those outside the layers first.
pub(super) fn all(arch: Arch, config: &ModelConfig, types: &Types) -> Vec<Entry> {
    let layers = 0..config.layers.len();
    let inside = layers.flat_map(|i| config.parts().filter_map(move |part| in_layer(arch, config, types, i, part)));
    outer(config, types).into_iter().chain(inside).collect()
}

fn outer(config: &ModelConfig, types: &Types) -> Vec<Entry> {
    let (v, d) = (config.vocab_size, config.hidden_size);
    let entry = |name: &str, shape: Vec<usize>, dtype: Dtype, values: Values<OuterWeights>| Entry::Outer {
        name: name.into(),
        shape,
        dtype,
        values,
    };
    let mut all = vec![
        entry("token_embd.weight", vec![v, d], types.embedding(), Box::new(|w| w.embedding.values.clone())),
        entry("output_norm.weight", vec![d], Dtype::F32, Box::new(|w| w.final_norm.values.clone())),
    ];
    // Without output.weight llama.cpp takes the embedding.
    if !config.tied_head {
        let head = |w: &OuterWeights| w.head.as_ref().map(|h| h.values.clone()).unwrap_or_default();
        all.push(entry("output.weight", vec![v, d], types.head(), Box::new(head)));
    }
    if config.rope.scaling.is_some() {
        let divisors = frequency_divisors(&config.rope, config.head_dim);
        let values = Box::new(move |_: &OuterWeights| divisors.clone());
        all.push(entry("rope_freqs.weight", vec![config.head_dim / 2], Dtype::F32, values));
    }
    all
}

/// By what LLaMA 3.1 divides each rotary frequency: 1 where the wave is short, `factor` where it
/// is long, and between them so that the divided frequency passes evenly from one to the other.
fn frequency_divisors(rope: &Rope, head_dim: usize) -> Vec<f32> {
    // As llama.cpp's conversion has them (conversion/llama.py, `generate_extra_tensors`).
    let Some(scaling) = rope.scaling else { return vec![] };
    let context = scaling.original_max_positions as f64;
    let (low, high) = (scaling.low_freq_factor, scaling.high_freq_factor);
    let divisor = |j: usize| {
        let wavelength = 2.0 * std::f64::consts::PI * rope.theta.powf(2.0 * j as f64 / head_dim as f64);
        // Turns within the original context: many where the wave is short.
        let turns = context / wavelength;
        let smooth = ((turns - low) / (high - low)).clamp(0.0, 1.0);
        1.0 / ((1.0 - smooth) / scaling.factor + smooth)
    };
    (0..head_dim / 2).map(|j| divisor(j) as f32).collect()
}

/// The tensor of layer `layer` that begins with `part`, if one does.
fn in_layer(arch: Arch, config: &ModelConfig, types: &Types, layer: usize, part: Part) -> Option<Entry> {
    let parts = beginning_with(part, arch.fused());
    let name = arch.tensor_name(*parts.first()?)?;
    let ending = if matches!(part, Part::Bias(_)) { "bias" } else { "weight" };
    let mut shape = part.shape(config, config.layers[layer]);
    // Fused projections lie under one another, so their rows add up.
    shape[0] = parts.iter().map(|part| part.shape(config, config.layers[layer])[0]).sum();
    let (head_dim, dtype) = (config.head_dim, widest(layer, &parts, types)?);
    let values = move |weights: &LayerWeights| {
        parts.iter().flat_map(|&part| in_order(arch, part, &weights[part], head_dim)).collect()
    };
    Some(Entry::Layer { layer, name: format!("blk.{layer}.{name}.{ending}"), shape, dtype, values: Box::new(values) })
}

/// The values with the rows in the architecture's order.
fn in_order(arch: Arch, part: Part, tensor: &HostTensor, head_dim: usize) -> Vec<f32> {
    match part {
        Part::Weight(Projection::Q | Projection::K) | Part::Bias(Projection::Q | Projection::K)
            if arch.pairs_lie_side_by_side() =>
        {
            tensor.select(0, &side_by_side(tensor.shape[0] / head_dim, head_dim)).values
        }
        _ => tensor.values.clone(),
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
