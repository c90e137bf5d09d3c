//! The divergence of a model one of whose sites is cut: from that layer on, all stages of a layer's sites together, so
//! that every layer behind it is brought once.

use burn::tensor::{Device, Int, Tensor, TensorData};

use super::{Cut, SearchError};
use crate::checkpoint::{Checkpoint, HostTensor};
use crate::device::product::product;
use crate::device::readback::settled;
use crate::eval::Expected;
use crate::model::{Block, Head, Positions, flat};
use crate::obs::Stage;
use crate::pipeline::{batches, embed};
use crate::shape::{Design, Site};

/// Tokens of the probe that go through a layer together: activations that outgrow a CPU's caches take longer.
const PIECE_TOKENS: usize = 2048;

/// Hidden states `(windows, tokens, d)` of all probe windows, in pieces that go through a layer together.
pub(super) type States = Vec<Tensor<3>>;

/// The dense model's states on the probe windows, and what it expects in the end.
pub(super) struct Probe<'a> {
    checkpoint: &'a Checkpoint,
    device: &'a Device,
    positions: Positions,
    /// Before the layer whose turn it is.
    pub hidden: States,
    head: &'a Head,
    expected: Expected<'a>,
    tokens: usize,
}

impl<'a> Probe<'a> {
    /// The states before the first layer, of windows of one length. The dense model goes through once, for what it expects.
    pub async fn new(
        checkpoint: &'a Checkpoint,
        head: &'a Head,
        embedded: States,
        device: &'a Device,
    ) -> Result<Self, SearchError> {
        let config = checkpoint.config();
        let length = embedded.first().map_or(0, |piece| piece.dims()[1]);
        let positions = Positions::new(config, 0, length, device);
        let mut last = embedded.clone();
        for layer in 0..config.layers.len() {
            let block = block(checkpoint, layer, device)?;
            last.iter_mut().for_each(|piece| *piece = block.forward(piece.clone(), &positions));
        }
        let last = rows(last);
        let [tokens, _] = last.dims();
        Ok(Self { checkpoint, device, positions, hidden: embedded, head, expected: Expected::new(head, last), tokens })
    }

    /// The probe's hidden states behind a layer as it is.
    pub fn advance(&mut self, block: &Block) {
        self.hidden.iter_mut().for_each(|piece| *piece = block.forward(piece.clone(), &self.positions));
    }

    /// The hidden states behind a layer whose o_proj makes `made` of its context.
    pub fn with_attention(&self, block: &Block, made: impl Fn(Tensor<3>) -> Tensor<3>) -> States {
        let cut = |hidden: &Tensor<3>| {
            let between = match block.context(hidden.clone(), &self.positions) {
                Some(context) => hidden.clone() + block.added(Site::Heads, made(context)),
                None => hidden.clone(),
            };
            let inner = block.inner(between.clone());
            block.add_mlp(between, inner)
        };
        self.hidden.iter().map(cut).collect()
    }

    /// The hidden states behind a layer whose down_proj makes `made` of its inner activations.
    pub fn with_feed_forward(&self, block: &Block, made: impl Fn(Tensor<3>) -> Tensor<3>) -> States {
        let cut = |hidden: &Tensor<3>| {
            let context = block.context(hidden.clone(), &self.positions);
            let between = block.add_attention(hidden.clone(), context);
            match block.inner(between.clone()) {
                Some(inner) => between + block.added(Site::Channels, made(inner)),
                None => between,
            }
        };
        self.hidden.iter().map(cut).collect()
    }

    /// The hidden states behind a layer without one of its halves.
    pub fn without(&self, block: &Block, site: Site) -> States {
        let cut = |hidden: &Tensor<3>| match site {
            Site::Heads => block.add_mlp(hidden.clone(), block.inner(hidden.clone())),
            Site::Channels => block.add_attention(hidden.clone(), block.context(hidden.clone(), &self.positions)),
        };
        self.hidden.iter().map(cut).collect()
    }

    /// The divergence in nats a token of each of the variants, which are hidden states behind `layer`. `told` is called
    /// after every layer.
    pub async fn divergences<F: FnMut() -> Result<(), SearchError>>(
        &self,
        layer: usize,
        mut variants: Vec<States>,
        mut told: F,
    ) -> Result<Vec<f64>, SearchError> {
        for later in layer + 1..self.checkpoint.config().layers.len() {
            let block = block(self.checkpoint, later, self.device)?;
            for piece in variants.iter_mut().flatten() {
                *piece = block.forward(piece.clone(), &self.positions);
            }
            // Told when it is done, and a device that hurries ahead would hold the weights of all layers.
            if let Some(last) = variants.last().and_then(|states| states.last()) {
                settled(last).await?;
            }
            told()?;
        }
        let mut found = Vec::with_capacity(variants.len());
        for hidden in variants {
            found.push(self.expected.divergence(self.head, rows(hidden)).await? / self.tokens as f64);
        }
        Ok(found)
    }
}

/// The windows of the greatest length: all go through a layer in pieces of one length.
pub(super) fn whole(windows: &[Vec<u32>]) -> Vec<Vec<u32>> {
    let length = windows.iter().map(Vec::len).max().unwrap_or(0);
    windows.iter().filter(|window| window.len() == length).cloned().collect()
}

/// The states before the first layer, of windows of one length.
pub(super) fn embedded(
    windows: &[Vec<u32>],
    embedding: &HostTensor,
    design: &Design,
    device: &Device,
) -> Result<States, SearchError> {
    let length = windows.first().map_or(1, Vec::len).max(1);
    let piece = |range| Ok(Tensor::from_data(embed(windows, &range, embedding, design)?, device));
    batches(windows, (PIECE_TOKENS / length).max(1)).into_iter().map(piece).collect()
}

/// What a site's projection makes at a stage, of the inputs that the whole site would have.
pub(super) fn made(block: &Block, cut: Cut, stage: &Stage, input: Tensor<3>) -> Tensor<3> {
    let [b, t, width] = input.dims();
    let device = input.device();
    let columns: Vec<i32> = stage.kept_columns.iter().map(|&j| j as i32).collect();
    let count = columns.len();
    let columns: Tensor<1, Int> = Tensor::from_data(TensorData::new(columns, [count]), &device);
    let output = product(input.reshape([b * t, width]).select(1, columns), stage.weight.clone().transpose());
    let output = match block.linear(cut.site().projection()).and_then(|linear| linear.bias.as_ref()) {
        Some(bias) => output + bias.val().unsqueeze(),
        None => output,
    };
    let [_, out] = output.dims();
    output.reshape([b, t, out])
}

/// All tokens one after the other, `(n, d)`.
pub(super) fn rows(states: States) -> Tensor<2> {
    Tensor::cat(states.into_iter().map(flat).collect(), 0)
}

/// A layer as it is.
pub(super) fn block(checkpoint: &Checkpoint, layer: usize, device: &Device) -> Result<Block, SearchError> {
    Ok(Block::read(layer, checkpoint, device)?)
}
