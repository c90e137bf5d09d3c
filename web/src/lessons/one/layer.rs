//! A decoder layer before and after a cut, in numbers: which entries of which matrix leave follows
//! from what the library's own cut keeps along each axis.

use std::ops::Range;

use slimgpt::checkpoint::Dtype;
use slimgpt::obs::HeadUnit;
use slimgpt::pipeline::KeptIndices;
use slimgpt::shape::{Axis, LayerShape, ModelConfig, Part, Projection};
use slimgpt::shipped;

use super::State;

/// How many query heads may share a key/value head: 1, 2 or 4, which divide the 8 and the 32 heads of the models.
pub(super) const SHARINGS: usize = 3;

/// The sizes of a model as they are published: the shipped one, then LLaMA-7B.
pub(super) fn published(model: usize) -> ModelConfig {
    let shipped = shipped::config();
    match model {
        0 => shipped,
        _ => {
            let dense = LayerShape { heads: 32, kv_heads: 32, channels: 11008 };
            let layers = vec![dense; 32];
            ModelConfig { vocab_size: 32000, hidden_size: 4096, head_dim: 128, dense, layers, ..shipped }
        }
    }
}

/// A layer and what is cut from it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Layer {
    pub config: ModelConfig,
    /// What stays.
    pub kept: KeptIndices,
    /// Where the channels that leave begin.
    pub first: usize,
}

impl Layer {
    pub fn of(state: &State) -> Self {
        let mut config = published(state.model);
        config.dense.kv_heads = config.dense.heads >> state.sharing;
        let LayerShape { kv_heads, channels, .. } = config.dense;
        // An address may name heads that this model lacks, or all: the last one stays.
        let gone: Vec<usize> = state.heads.iter().copied().filter(|&h| h < kv_heads).take(kv_heads - 1).collect();
        let heads: Vec<usize> = (0..kv_heads).filter(|h| !gone.contains(h)).collect();
        let count = state.channels.min(channels - 1);
        let first = state.first.min(channels - count);
        let channels: Vec<usize> = (0..first).chain(first + count..channels).collect();
        let kept = KeptIndices::new(config.dense, HeadUnit::KeyValue, &heads, &channels);
        Self { config, kept, first }
    }

    /// Heads that leave, as heads of k and v.
    pub fn heads_gone(&self) -> Vec<usize> {
        (0..self.config.dense.kv_heads).filter(|head| !self.kept.kv_heads.contains(head)).collect()
    }

    /// Channels that leave.
    pub fn channels_gone(&self) -> usize {
        self.config.dense.channels - self.kept.channels.len()
    }

    /// Parameters before the cut.
    pub fn parameters(&self) -> usize {
        self.config.layer_parameters(self.config.dense)
    }

    /// Parameters that leave.
    pub fn parameters_gone(&self) -> usize {
        self.parameters() - self.config.layer_parameters(self.kept.shape())
    }

    /// The share of the layer that leaves.
    pub fn share(&self) -> f64 {
        self.parameters_gone() as f64 / self.parameters() as f64
    }

    /// How many channels weigh as much as a key/value head with its query heads.
    pub fn channels_per_head(&self) -> f64 {
        let dense = self.config.dense;
        let without = |shape| self.parameters() - self.config.layer_parameters(shape);
        let heads = dense.heads - dense.heads_per_group();
        let head = without(LayerShape { heads, kv_heads: dense.kv_heads - 1, ..dense });
        head as f64 / without(LayerShape { channels: dense.channels - 1, ..dense }) as f64
    }

    /// The matrices, in the order in which a layer computes with them.
    pub fn projections(&self) -> impl Iterator<Item = Projection> {
        self.config.parts().filter_map(|part| if let Part::Weight(of) = part { Some(of) } else { None })
    }

    /// Rows and columns of a matrix before the cut.
    pub fn size(&self, of: Projection) -> [usize; 2] {
        of.axes().map(|axis| axis.entries(&self.config, self.config.dense))
    }

    /// Rows and columns of a matrix after the cut.
    pub fn size_left(&self, of: Projection) -> [usize; 2] {
        of.axes().map(|axis| axis.entries(&self.config, self.kept.shape()))
    }

    /// The entries that leave along an axis, as runs of neighbours.
    pub fn gone(&self, axis: Axis) -> Vec<Range<usize>> {
        let Some(kept) = self.kept.along(axis, self.config.head_dim) else { return Vec::new() };
        let entries = axis.entries(&self.config, self.config.dense);
        let mut runs = Vec::new();
        let mut next = 0;
        // The end stands for an entry that stays, so that the last run ends too.
        for stays in kept.into_iter().chain([entries]) {
            if stays > next {
                runs.push(next..stays);
            }
            next = stays + 1;
        }
        runs
    }
}

/// Bytes of so many parameters in half precision.
pub(super) fn bytes(parameters: usize) -> String {
    slimgpt::format::bytes((parameters * Dtype::F16.bytes()) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(state: State) -> Layer {
        Layer::of(&state)
    }

    #[test]
    fn the_entries_that_leave_are_as_many_as_each_matrix_shrinks_by() {
        for model in 0..2 {
            for sharing in 0..SHARINGS {
                let layer = layer(State { model, sharing, heads: vec![0, 1, 5], channels: 7, first: 3 });
                let mut weights = 0;
                for of in layer.projections() {
                    for (k, axis) in of.axes().iter().enumerate() {
                        let gone: usize = layer.gone(*axis).iter().map(Range::len).sum();
                        assert_eq!(layer.size(of)[k] - layer.size_left(of)[k], gone, "{of}");
                    }
                    weights += layer.size(of).iter().product::<usize>() - layer.size_left(of).iter().product::<usize>();
                }
                // Norms stay as they are, so matrices are all that leaves.
                assert_eq!(weights, layer.parameters_gone());
            }
        }
    }

    #[test]
    fn a_head_is_rows_of_q_k_v_and_columns_of_o_and_a_shared_one_takes_its_queries_along() {
        let layer = layer(State { heads: vec![1], ..State::default() });
        let ends = |axis| layer.gone(axis).into_iter().map(|run| (run.start, run.end)).collect::<Vec<_>>();
        let along = |of: Projection| of.axes().map(ends);
        assert_eq!(along(Projection::Q), [vec![(32, 64)], vec![]]);
        assert_eq!(along(Projection::K), [vec![(16, 32)], vec![]]);
        assert_eq!(along(Projection::O), [vec![], vec![(32, 64)]]);
        assert!(along(Projection::Down).iter().all(Vec::is_empty));
    }

    #[test]
    fn llama_has_its_published_sizes() {
        let config = published(1);
        // 6,738,415,616 parameters in all: https://huggingface.co/huggyllama/llama-7b.
        let llama = ModelConfig { tied_head: false, ..config };
        assert_eq!(llama.parameters(), 6_738_415_616);
    }

    #[test]
    fn nothing_that_an_address_names_leaves_a_layer_of_nothing() {
        let layer = layer(State { sharing: 2, heads: vec![0, 1], channels: 11007, first: 11007, ..State::default() });
        assert_eq!((layer.kept.kv_heads.len(), layer.kept.channels.len()), (1, 1));
    }
}
