//! A whole model on one device.

use burn::module::Module;
use burn::tensor::{Device, Distribution, Int, Tensor};

use super::{Attention, Block, Ends, LayerCache, Linear, Positions, RmsNorm};
use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::shape::{LayerShape, ModelConfig};
use burn::module::Param;

/// All layers with their ends.
#[derive(Module, Debug)]
pub struct Decoder {
    /// Embedding, last norm, head.
    pub ends: Ends,
    /// The layers.
    pub blocks: Vec<Block>,
}

/// Keys and values of the tokens a decoder has seen.
#[derive(Debug, Default)]
pub struct KvCache {
    layers: Vec<LayerCache>,
    tokens: usize,
}

impl Decoder {
    /// Loads every layer.
    ///
    /// # Errors
    /// When a weight is not finite.
    pub fn load(checkpoint: &Checkpoint, device: &Device) -> Result<Self, CheckpointError> {
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
    ) -> Result<Self, CheckpointError> {
        let config = checkpoint.config();
        let blocks = config.layers.iter().enumerate().map(|(i, &shape)| {
            let block = Block::load(&checkpoint.layer(i)?, shape, config, device);
            progress(i + 1, config.layers.len());
            Ok(block)
        });
        Ok(Self {
            blocks: blocks.collect::<Result<_, CheckpointError>>()?,
            ends: Ends::load(&checkpoint.outer()?, config, device),
        })
    }

    /// A decoder with random weights, to be trained: normal with deviation 0.02, what adds to
    /// the residual stream smaller by √(2·layers). Biases start at zero.
    pub fn init(config: &ModelConfig, device: &Device) -> Self {
        let random = |shape: [usize; 2], scale: f64| {
            Param::from_tensor(Tensor::<2>::random(shape, Distribution::Normal(0.0, scale), device))
        };
        let ones = |width: usize| RmsNorm::new(Tensor::ones([width], device), config.rms_norm_eps);
        let norm = || ones(config.hidden_size);
        let embedding_shape = [config.vocab_size, config.hidden_size];
        let ends = Ends {
            embedding: random(embedding_shape, 0.02),
            norm: norm(),
            head: (!config.tied_head).then(|| random(embedding_shape, 0.02)),
        };
        let narrow = 0.02 / (2.0 * config.layers.len() as f64).sqrt();
        let blocks = config.layers.iter().map(|&LayerShape { heads, kv_heads, channels }| {
            let (d, hd) = (config.hidden_size, config.head_dim);
            let linear = |out: usize, input: usize, scale: f64, bias: bool| Linear {
                weight: random([out, input], scale),
                bias: bias.then(|| Param::from_tensor(Tensor::zeros([out], device))),
            };
            let [q, k, v] = [heads, kv_heads, kv_heads].map(|n| linear(n * hd, d, 0.02, config.qkv_bias));
            let o = linear(d, heads * hd, narrow, config.o_bias);
            let head_norms = [(); 2].map(|()| config.qk_norm.then(|| ones(hd)));
            Block {
                input_norm: norm(),
                attention: Attention::new([q, k, v, o], head_norms, LayerShape { heads, kv_heads, channels }, hd),
                post_norm: norm(),
                gate: linear(channels, d, 0.02, config.mlp_bias),
                up: linear(channels, d, 0.02, config.mlp_bias),
                down: linear(d, channels, narrow, config.mlp_bias),
            }
        });
        Self { blocks: blocks.collect(), ends }
    }

    /// Logits `(b·t, vocab)` of whole sequences `(b, t)`.
    pub fn forward(&self, tokens: Tensor<2, Int>, config: &ModelConfig) -> Tensor<2> {
        let [_, t] = tokens.dims();
        let positions = Positions::new(&config.rope, config.head_dim, 0, t, &self.ends.embedding.val().device());
        let hidden = self.blocks.iter().fold(self.ends.embed(tokens), |h, block| block.forward(h, &positions));
        self.ends.logits(hidden)
    }

    /// Logits `(1, vocab)` after the last of the tokens `(1, t)`, which follow those in `cache`.
    pub fn forward_cached(&self, tokens: Tensor<2, Int>, config: &ModelConfig, cache: &mut KvCache) -> Tensor<2> {
        let [_, t] = tokens.dims();
        let device = self.ends.embedding.val().device();
        let positions = Positions::new(&config.rope, config.head_dim, cache.tokens, t, &device);
        cache.layers.resize_with(self.blocks.len(), LayerCache::default);
        let mut hidden = self.ends.embed(tokens);
        for (block, layer) in self.blocks.iter().zip(&mut cache.layers) {
            hidden = block.forward_cached(hidden, &positions, layer);
        }
        cache.tokens += t;
        let [b, _, d] = hidden.dims();
        self.ends.logits(hidden.slice([0..b, t - 1..t, 0..d]))
    }
}
