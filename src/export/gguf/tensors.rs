//! Which tensors stand in the file, under llama.cpp's names and in its order of rows.
//!
//! Where rotary pairs lie side by side (`llama`, `deci`), rows of q and k and of their biases are put in
//! that order. Elsewhere the order stays.

use super::format::{ElementType, TensorInfo};
use crate::checkpoint::{Dtype, HostTensor, LayerWeights, OuterWeights, Types};
use crate::export::fused::{beginning_with, widest};
use crate::gguf::key::tensor as names;
use crate::gguf::{Arch, frequency_divisors, side_by_side};
use crate::shape::{ModelConfig, Part};

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
        entry(names::EMBEDDING, vec![v, d], types.embedding(), Box::new(|w| w.embedding.values.clone())),
        entry(names::FINAL_NORM, vec![d], Dtype::F32, Box::new(|w| w.final_norm.values.clone())),
    ];
    // Without output.weight llama.cpp takes the embedding.
    if !config.tied_head {
        let head = |w: &OuterWeights| w.head.as_ref().map(|h| h.values.clone()).unwrap_or_default();
        all.push(entry(names::HEAD, vec![v, d], types.head(), Box::new(head)));
    }
    if config.rope.scaling.is_some() {
        let divisors = frequency_divisors(&config.rope, config.head_dim);
        let values = Box::new(move |_: &OuterWeights| divisors.clone());
        all.push(entry(names::DIVISORS, vec![config.head_dim / 2], Dtype::F32, values));
    }
    all
}

/// The tensor of layer `layer` that begins with `part`, if one does.
fn in_layer(arch: Arch, config: &ModelConfig, types: &Types, layer: usize, part: Part) -> Option<Entry> {
    let parts = beginning_with(part, arch.fused());
    let name = arch.tensor_in_layer(layer, *parts.first()?)?;
    let mut shape = part.shape(config, config.layers[layer]);
    // Fused projections lie under one another, so their rows add up.
    shape[0] = parts.iter().map(|part| part.shape(config, config.layers[layer])[0]).sum();
    let (head_dim, dtype) = (config.head_dim, widest(layer, &parts, types)?);
    let values = move |weights: &LayerWeights| {
        parts.iter().flat_map(|&part| in_order(arch, part, &weights[part], head_dim)).collect()
    };
    Some(Entry::Layer { layer, name, shape, dtype, values: Box::new(values) })
}

/// The values with the rows in the architecture's order.
fn in_order(arch: Arch, part: Part, tensor: &HostTensor, head_dim: usize) -> Vec<f32> {
    match arch.reorders(part) {
        true => tensor.select(0, &side_by_side(tensor.shape[0] / head_dim, head_dim)).values,
        false => tensor.values.clone(),
    }
}
