//! How each family names its tensors. A new family's fused projections begin here.

use crate::shape::{Family, Fused, LayerShape, ModelConfig, Part, Projection};

/// A tensor there must be.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Expected {
    pub name: String,
    pub shape: Vec<usize>,
}

/// Where a tensor's rows stand in the files: alone under its own name, or within a fused one.
#[derive(Debug, PartialEq)]
pub(super) struct Stored {
    pub tensor: Expected,
    pub first_row: usize,
    /// Sizes of what is wanted of it.
    pub shape: Vec<usize>,
}

pub(super) const EMBEDDING: &str = "model.embed_tokens.weight";
pub(super) const FINAL_NORM: &str = "model.norm.weight";
/// What stands before the name of every tensor but the head's.
const BASE: &str = "model.";
/// The output head, where it is not the embedding.
pub(super) const HEAD: &str = "lm_head.weight";

impl From<Expected> for Stored {
    fn from(tensor: Expected) -> Self {
        Self { shape: tensor.shape.clone(), first_row: 0, tensor }
    }
}

/// Adds what is left out of names in files that were written of a decoder without its head: both kinds
/// are one model to transformers.
pub(super) fn complete(names: &mut [&mut String]) {
    if names.iter().all(|name| !name.starts_with(BASE)) {
        names.iter_mut().for_each(|name| **name = completed(name));
    }
}

/// A tensor's name as it is in a model with its head.
pub(super) fn completed(name: &str) -> String {
    let shortened = ["embed_tokens.", "layers.", "norm."].iter().any(|start| name.starts_with(start));
    if shortened { format!("{BASE}{name}") } else { name.to_owned() }
}

/// The name of a part of layer `i`, or of another tensor that stands with it.
pub(super) fn in_layer(i: usize, part: impl std::fmt::Display) -> String {
    format!("model.layers.{i}.{part}")
}

/// Where the source of `config` keeps a part of layer `i`.
pub(super) fn stored(config: &ModelConfig, i: usize, part: Part) -> Stored {
    placed(config.family, config, i, part, config.layers[i])
}

/// Where what is written of a model keeps a part of layer `i`, which has the sizes `layer`.
pub(super) fn written(config: &ModelConfig, i: usize, part: Part, layer: LayerShape) -> Stored {
    placed(config.family.written(), config, i, part, layer)
}

fn placed(family: Family, config: &ModelConfig, i: usize, part: Part, layer: LayerShape) -> Stored {
    let own = Expected { name: in_layer(i, part), shape: part.shape(config, layer) };
    let Part::Weight(projection) = part else { return own.into() };
    match family.fused().iter().find(|fused| fused.projections.contains(&projection)) {
        None => own.into(),
        Some(fused) => within(fused, projection, own, i, |of| of.axes()[0].entries(config, layer)),
    }
}

/// A projection's place in a tensor of several, of which `rows` tells how many rows each has.
fn within(fused: &Fused, own: Projection, wanted: Expected, i: usize, rows: impl Fn(Projection) -> usize) -> Stored {
    let all = || fused.projections.iter().copied();
    let first_row = all().take_while(|&of| of != own).map(&rows).sum();
    let shape = vec![all().map(&rows).sum(), wanted.shape[1]];
    Stored { tensor: Expected { name: in_layer(i, fused.name), shape }, first_row, shape: wanted.shape }
}

/// The embedding `(vocab, hidden)`.
pub(super) fn embedding(config: &ModelConfig) -> Expected {
    Expected { name: EMBEDDING.into(), shape: vec![config.vocab_size, config.hidden_size] }
}

/// The last norm `(hidden)`.
pub(super) fn final_norm(config: &ModelConfig) -> Expected {
    Expected { name: FINAL_NORM.into(), shape: vec![config.hidden_size] }
}

/// The output head `(vocab, hidden)`, unless it is the embedding.
pub(super) fn head(config: &ModelConfig) -> Option<Expected> {
    (!config.tied_head).then(|| Expected { name: HEAD.into(), ..embedding(config) })
}

/// Every tensor of the source's files.
pub(super) fn all(config: &ModelConfig) -> impl Iterator<Item = Expected> {
    let layers = 0..config.layers.len();
    let of_layer = move |i: usize| config.parts_of(config.layers[i]).map(move |part| stored(config, i, part));
    // Of a fused tensor the first part stands for all.
    let inside = layers.flat_map(of_layer).filter(|stored| stored.first_row == 0).map(|stored| stored.tensor);
    [embedding(config), final_norm(config)].into_iter().chain(head(config)).chain(inside)
}

/// Whether the rows of the output head count only by their direction: Baichuan2, which is told
/// from Baichuan by its vocabulary alone, divides each by its length whenever it runs.
pub(super) fn has_normed_head(config: &ModelConfig) -> bool {
    const BAICHUAN2_VOCABULARY: usize = 125_696;
    config.family == Family::Baichuan && config.vocab_size == BAICHUAN2_VOCABULARY
}

/// Whether a tensor that nothing expects changes nothing: tables that are computed anew, and a
/// head beside an embedding that serves as one.
pub(super) fn is_superfluous(config: &ModelConfig, name: &str) -> bool {
    name.ends_with("rotary_emb.inv_freq") || (config.tied_head && name == HEAD)
}
