//! Which tensors stand in the file, under llama.cpp's names and in its order of rows.
//!
//! Where rotary pairs lie side by side (`llama`, `deci`), rows of q and k and of their biases are put in
//! that order. Elsewhere the order stays.

use std::borrow::Cow;

use super::format::TensorInfo;
use super::mixture::{Blocks, Mixture, Role};
use crate::checkpoint::{Dtype, HostTensor, LayerWeights, OuterWeights, Types};
use crate::gguf::key::tensor as names;
use crate::gguf::{Arch, frequency_divisors, side_by_side};
use crate::quant::BlockType;
use crate::shape::{Axis, ModelConfig, Part, Projection, Site, beginning_with};

/// How a tensor's values are made of weights.
type Values<W> = Box<dyn for<'w> Fn(&'w W) -> Cow<'w, [f32]>>;

/// A tensor of the file.
pub(super) struct Entry {
    pub name: String,
    /// Sizes, outermost first.
    pub shape: Vec<usize>,
    /// What its rows, or its entries, run along.
    pub along: Axis,
    pub blocks: Blocks,
    pub source: Source,
}

/// Where a tensor's values come from.
pub(super) enum Source {
    /// From outside the layers.
    Outer(Values<OuterWeights>),
    /// From the weights of a layer, counted from 0.
    Layer(usize, Values<LayerWeights>),
}

/// In what tensors are stored: vectors in f32, as llama.cpp wants them, and matrices each in its own type or as
/// a mixture says.
pub(super) struct Storage {
    /// The types that matrices have without a mixture.
    pub types: Types,
    pub mixture: Option<Mixture>,
}

impl Storage {
    fn blocks(&self, role: Role, shape: &[usize], own: Dtype) -> Blocks {
        match (shape, &self.mixture) {
            ([_, width], Some(mixture)) => mixture.blocks(role, *width),
            ([_, _], None) => Blocks::from(BlockType::from(own)),
            // Vectors: llama.cpp adds and multiplies by them in f32 only.
            _ => BlockType::F32.into(),
        }
    }
}

/// The table of tensors.
pub(super) fn infos(entries: &[Entry]) -> Vec<TensorInfo> {
    let info = |entry: &Entry| {
        let (kind, values) = (entry.blocks.stored, entry.shape.iter().product::<usize>());
        // Blocks are chosen so that they divide the rows.
        let bytes = (values / kind.elements() * kind.bytes()) as u64;
        TensorInfo { name: entry.name.clone(), shape: entry.shape.clone(), kind, bytes }
    };
    entries.iter().map(info).collect()
}

/// Every tensor of the file, those outside the layers first.
pub(super) fn all(arch: Arch, config: &ModelConfig, storage: &Storage) -> Vec<Entry> {
    let layers = 0..config.layers.len();
    let of_layer =
        |i: usize| config.parts_of(config.layers[i]).filter_map(move |part| in_layer(arch, config, storage, i, part));
    let inside = layers.flat_map(of_layer);
    outer(config, storage).into_iter().chain(inside).collect()
}

fn outer(config: &ModelConfig, storage: &Storage) -> Vec<Entry> {
    let (v, d, types) = (config.vocab_size, config.hidden_size, &storage.types);
    let offset = config.design.norm_offset as f32;
    let entry = |name: &str, shape: Vec<usize>, along: Axis, blocks: Blocks, values: Values<OuterWeights>| Entry {
        name: name.into(),
        shape,
        along,
        blocks,
        source: Source::Outer(values),
    };
    let matrix = |name: &str, role: Role, own: Dtype, values: Values<OuterWeights>| {
        entry(name, vec![v, d], Axis::Hidden, storage.blocks(role, &[v, d], own), values)
    };
    let vector = |name: &str, length: usize, along: Axis, values: Values<OuterWeights>| {
        entry(name, vec![length], along, BlockType::F32.into(), values)
    };
    // Without output.weight llama.cpp takes the embedding.
    let of_embedding = if config.tied_head { Role::Head } else { Role::Other };
    let mut all = vec![
        matrix(names::EMBEDDING, of_embedding, types.embedding(), Box::new(|w| (&w.embedding.values).into())),
        vector(names::FINAL_NORM, d, Axis::Hidden, Box::new(move |w| whole_scale(&w.final_norm, offset))),
    ];
    if !config.tied_head {
        all.push(matrix(names::HEAD, Role::Head, types.head(), Box::new(head)));
    }
    if config.rope.scaling.is_some() {
        let divisors = frequency_divisors(&config.rope, config.head_dim);
        let values: Values<OuterWeights> = Box::new(move |_| divisors.clone().into());
        all.push(vector(names::DIVISORS, config.head_dim / 2, Axis::HeadDim, values));
    }
    all
}

fn head(weights: &OuterWeights) -> Cow<'_, [f32]> {
    weights.head.as_ref().map_or_else(Cow::default, |head| (&head.values).into())
}

/// The tensor of layer `layer` that begins with `part`, if one does.
fn in_layer(arch: Arch, config: &ModelConfig, storage: &Storage, layer: usize, part: Part) -> Option<Entry> {
    let parts = beginning_with(part, arch.fused().iter().copied());
    let name = arch.tensor_in_layer(layer, *parts.first()?)?;
    let mut shape = part.shape(config, config.layers[layer]);
    // Fused projections lie under one another, so their rows add up.
    shape[0] = parts.iter().map(|part| part.shape(config, config.layers[layer])[0]).sum();
    let blocks = storage.blocks(role(config, layer, &parts), &shape, storage.types.widest(layer, &parts)?);
    let (along, head_dim, offset) = (*part.axes().last()?, config.head_dim, config.design.norm_offset as f32);
    let values: Values<LayerWeights> = match part {
        Part::Norm(_) => Box::new(move |weights| whole_scale(&weights[part], offset)),
        _ => Box::new(move |weights| joined(arch, &parts, weights, head_dim)),
    };
    Some(Entry { name, shape, along, blocks, source: Source::Layer(layer, values) })
}

/// The scale of a norm, to which llama.cpp adds nothing.
fn whole_scale(scale: &HostTensor, offset: f32) -> Cow<'_, [f32]> {
    match offset {
        0.0 => (&scale.values).into(),
        _ => scale.values.iter().map(|value| value + offset).collect(),
    }
}

/// What a tensor made of these parts is to the model.
fn role(config: &ModelConfig, layer: usize, parts: &[Part]) -> Role {
    match parts.last() {
        // Among those that there are: layers without attention have none.
        Some(Part::Weight(Projection::V)) => {
            Role::Values(config.layers[..layer].iter().filter(|l| l.has(Site::Heads)).count())
        }
        Some(Part::Weight(Projection::Down)) => Role::Down(layer),
        _ => Role::Other,
    }
}

/// The values of these parts, one under the other.
fn joined<'w>(arch: Arch, parts: &[Part], weights: &'w LayerWeights, head_dim: usize) -> Cow<'w, [f32]> {
    match parts {
        [part] => in_order(arch, *part, &weights[*part], head_dim),
        _ => parts.iter().flat_map(|&part| in_order(arch, part, &weights[part], head_dim).into_owned()).collect(),
    }
}

/// The values with the rows in the architecture's order.
fn in_order(arch: Arch, part: Part, tensor: &HostTensor, head_dim: usize) -> Cow<'_, [f32]> {
    match arch.reorders(part) {
        true => tensor.select(0, &side_by_side(tensor.shape[0] / head_dim, head_dim)).values.into(),
        false => (&tensor.values).into(),
    }
}
