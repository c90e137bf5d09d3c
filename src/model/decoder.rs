//! A whole model on one device.

use burn::module::Module;
use burn::tensor::{Device, Distribution, Int, Tensor};

use super::{Block, LayerCache, Outer, Positions};
use crate::checkpoint::{Checkpoint, ReadError};
use crate::device::panels::Panels;
use crate::shape::{LayerShape, ModelConfig, Part, Projection};

/// All layers, and what stands outside them.
#[derive(Module, Debug)]
pub struct Decoder {
    /// Embedding, last norm, head.
    pub outer: Outer,
    /// The layers, first to last.
    pub blocks: Vec<Block>,
}

/// Keys and values of the tokens a decoder has seen.
#[derive(Debug, Default)]
pub struct KvCache {
    layers: Vec<LayerCache>,
    tokens: usize,
}

/// Standard deviation of a matrix before training.
const DEVIATION: f64 = 0.02;

impl Decoder {
    /// Loads every layer.
    ///
    /// # Errors
    /// When a weight is not finite.
    pub fn load(checkpoint: &Checkpoint, device: &Device) -> Result<Self, ReadError> {
        Self::load_telling(checkpoint, device, &mut |_, _| {})
    }

    /// Loads every layer; `progress` is told how many of how many layers are there.
    ///
    /// # Errors
    /// When a weight is not finite.
    pub fn load_telling(
        checkpoint: &Checkpoint,
        device: &Device,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Self, ReadError> {
        let config = checkpoint.config();
        let blocks = (0..config.layers.len()).map(|i| {
            let block = Block::read(i, checkpoint, device)?;
            progress(i + 1, config.layers.len());
            Ok(block)
        });
        Ok(Self {
            blocks: blocks.collect::<Result<_, ReadError>>()?,
            outer: Outer::load(&checkpoint.outer()?, config, device),
        })
    }

    /// A decoder with random weights, to be trained: normal with deviation 0.02, what adds to the
    /// residual stream smaller by √(2·layers), as GPT-2 did. Biases start at zero.
    pub fn init(config: &ModelConfig, device: &Device) -> Self {
        let random = |deviation| Distribution::Normal(0.0, deviation);
        let matrix = || Panels::random([config.vocab_size, config.hidden_size], random(DEVIATION), device);
        // Norms begin at a factor of one, whatever of it is kept beside the scale.
        let one = |count: [usize; 1]| Tensor::full(count, 1.0 - config.design.norm_offset, device);
        let embedding = matrix();
        let outer = Outer::new(embedding, one([config.hidden_size]), (!config.tied_head).then(matrix), config);
        // As many of these as there are layers times two are summed in the residual stream.
        let narrow = DEVIATION / (2.0 * config.layers.len() as f64).sqrt();
        let initial = |part: Part, layer: LayerShape| {
            let count = [part.elements(config, layer)];
            match part {
                Part::Norm(_) => one(count),
                Part::Bias(_) => Tensor::zeros(count, device),
                Part::Weight(Projection::O | Projection::Down) => Tensor::random(count, random(narrow), device),
                Part::Weight(_) => Tensor::random(count, random(DEVIATION), device),
            }
        };
        let block = |(i, &layer): (usize, &LayerShape)| {
            let parts = config.parts_of(layer).map(|part| (part, initial(part, layer))).collect();
            Block::new(i, &parts, layer, config)
        };
        Self { blocks: config.layers.iter().enumerate().map(block).collect(), outer }
    }

    /// Logits `(b·t, vocab)` of whole sequences `(b, t)`.
    pub fn forward(&self, tokens: Tensor<2, Int>, config: &ModelConfig) -> Tensor<2> {
        let [_, t] = tokens.dims();
        // The angles are those of every layer, so they are computed once.
        let positions = Positions::new(config, 0, t, &self.outer.embedding.val().device());
        let hidden = self.blocks.iter().fold(self.outer.embed(tokens), |h, block| block.forward(h, &positions));
        self.outer.logits(hidden)
    }

    /// Logits `(1, vocab)` after the last of the tokens `(1, t)`, which follow those in `cache`.
    pub fn forward_cached(&self, tokens: Tensor<2, Int>, config: &ModelConfig, cache: &mut KvCache) -> Tensor<2> {
        let [_, t] = tokens.dims();
        let device = self.outer.embedding.val().device();
        let positions = Positions::new(config, cache.tokens, t, &device);
        // A new cache knows no model; it gets its layers with the first tokens.
        cache.layers.resize_with(self.blocks.len(), LayerCache::default);
        let mut hidden = self.outer.embed(tokens);
        for (block, layer) in self.blocks.iter().zip(&mut cache.layers) {
            hidden = block.forward_cached(hidden, &positions, layer);
        }
        cache.tokens += t;
        // Of a whole prompt only the last logits are wanted, and the head is the widest matrix there is.
        let [b, _, d] = hidden.dims();
        self.outer.logits(hidden.slice([0..b, t - 1..t, 0..d]))
    }
}
