//! Which element type each tensor is stored in. Most checkpoints have one for all; where tools
//! left some tensors wider, each keeps its own, so that nothing grows and nothing is rounded.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Dtype;
use super::names::{self, EMBEDDING, FINAL_NORM, HEAD, in_layer};
use crate::shape::{ModelConfig, Part};

/// What a file's header has of a tensor besides its name, at most: type, shape and offsets are about 90 bytes, and a file
/// begins with 50 more, which a tensor that fills a file by itself brings along.
const ENTRY_BYTES: usize = 144;
/// How much of a model is stored in one type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TypeShare {
    /// Name of the type: that of an element, or of a kind of block.
    #[serde(rename = "type")]
    pub name: String,
    /// How many tensors are stored in it.
    pub tensors: usize,
    /// How many elements they have.
    pub elements: usize,
    /// The bytes that they take.
    pub bytes: u64,
}

/// The element type of every tensor of a model, by the names under which we write them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Types {
    bulk: Dtype,
    // Only those that differ: a tensor that a method adds has the type of the bulk.
    others: BTreeMap<String, Dtype>,
}

impl Types {
    /// One type for all.
    pub fn all(dtype: Dtype) -> Self {
        Self { bulk: dtype, others: BTreeMap::new() }
    }

    /// From the tensors with their types and how many elements each has. The type of most
    /// elements is that of the bulk; of two with as many, that of the first tensor.
    pub(super) fn of_tensors(tensors: &[(String, Dtype, usize)]) -> Self {
        let elements = |dtype: Dtype| tensors.iter().filter(|t| t.1 == dtype).map(|t| t.2).sum::<usize>();
        let mut bulk = tensors.first().map_or(Dtype::F32, |t| t.1);
        for (_, dtype, _) in tensors {
            // More, and not as many: of two alike the one of the first tensor stays.
            if elements(*dtype) > elements(bulk) {
                bulk = *dtype;
            }
        }
        let others = tensors.iter().filter(|t| t.1 != bulk).map(|(name, dtype, _)| (name.clone(), *dtype)).collect();
        Self { bulk, others }
    }

    /// The type of most of the weights.
    pub fn bulk(&self) -> Dtype {
        self.bulk
    }

    /// The type of a part of layer `i`.
    pub fn part(&self, i: usize, part: Part) -> Dtype {
        self.named(&in_layer(i, part))
    }

    /// The types of a model whose layers are these of the model's, in this order.
    #[must_use]
    pub fn of_layers(&self, layers: &[usize]) -> Self {
        let outer = [EMBEDDING, FINAL_NORM, HEAD].into_iter().map(|name| (name.to_owned(), name.to_owned()));
        let inside = layers
            .iter()
            .enumerate()
            .flat_map(|(new, &old)| Part::ALL.into_iter().map(move |part| (in_layer(new, part), in_layer(old, part))));
        let renamed = outer.chain(inside).filter_map(|(new, old)| Some((new, *self.others.get(&old)?)));
        Self { bulk: self.bulk, others: renamed.collect() }
    }

    /// The type that holds these parts of layer `i` as they are; `None` where there are none.
    pub fn widest(&self, i: usize, parts: &[Part]) -> Option<Dtype> {
        parts.iter().map(|&part| self.part(i, part)).reduce(Dtype::wider)
    }

    /// The type of the embedding.
    pub fn embedding(&self) -> Dtype {
        self.named(EMBEDDING)
    }

    /// The type of the output head, where it is not the embedding.
    pub fn head(&self) -> Dtype {
        self.named(HEAD)
    }

    /// The type of the last norm.
    pub fn final_norm(&self) -> Dtype {
        self.named(FINAL_NORM)
    }

    pub(super) fn named(&self, tensor: &str) -> Dtype {
        self.others.get(tensor).copied().unwrap_or(self.bulk)
    }

    /// Bytes of all tensors of a model of these sizes.
    pub fn bytes(&self, config: &ModelConfig) -> u64 {
        let matrix = config.vocab_size * config.hidden_size;
        let head = names::head(config).map_or(0, |_| matrix * self.named(HEAD).bytes());
        let outer = matrix * self.named(EMBEDDING).bytes() + config.hidden_size * self.named(FINAL_NORM).bytes() + head;
        (outer + (0..config.layers.len()).map(|i| self.layer_bytes(config, i)).sum::<usize>()) as u64
    }

    /// Bytes that the files of such a model have at most, the headers that name its tensors included.
    pub fn file_bytes(&self, config: &ModelConfig) -> u64 {
        let of_layer = |(i, &layer)| config.parts_of(layer).map(move |part| in_layer(i, part));
        let layers = config.layers.iter().enumerate().flat_map(of_layer);
        let names = [EMBEDDING, FINAL_NORM, HEAD].map(str::to_owned).into_iter().chain(layers);
        let header: usize = names.map(|name| name.len() + ENTRY_BYTES).sum();
        self.bytes(config) + header as u64
    }

    /// Bytes of the tensors of layer `i`.
    pub fn layer_bytes(&self, config: &ModelConfig, i: usize) -> usize {
        let layer = config.layers[i];
        config.parts_of(layer).map(|part| part.elements(config, layer) * self.part(i, part).bytes()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_that_move_up_keep_their_types() {
        let norm = Part::Norm(crate::shape::Norm::Input);
        let tensor = |name: String, dtype, elements| (name, dtype, elements);
        let types = Types::of_tensors(&[
            tensor(EMBEDDING.into(), Dtype::F16, 50),
            tensor(HEAD.into(), Dtype::F32, 9),
            tensor(in_layer(2, norm), Dtype::F32, 3),
        ]);
        let left = types.of_layers(&[0, 2]);
        assert_eq!((left.part(0, norm), left.part(1, norm), left.part(2, norm)), (Dtype::F16, Dtype::F32, Dtype::F16));
        assert_eq!((left.bulk(), left.head()), (Dtype::F16, Dtype::F32));
    }

    #[test]
    fn the_bulk_is_what_most_elements_have() {
        let tensor = |name: &str, dtype, elements| (name.to_owned(), dtype, elements);
        let types = Types::of_tensors(&[
            tensor(EMBEDDING, Dtype::F32, 50),
            tensor("a", Dtype::Bf16, 30),
            tensor("b", Dtype::Bf16, 30),
        ]);
        assert_eq!((types.bulk(), types.embedding(), types.head()), (Dtype::Bf16, Dtype::F32, Dtype::Bf16));
        let even = [tensor(EMBEDDING, Dtype::F16, 9), tensor("a", Dtype::F32, 9)];
        assert_eq!(Types::of_tensors(&even).bulk(), Dtype::F16);
        assert_eq!(Types::all(Dtype::F16), Types::of_tensors(&even[..1]));
    }
}
