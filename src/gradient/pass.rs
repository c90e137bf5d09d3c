//! Batches on their way through a model and back, a layer at a time: whoever has the layers brings them in
//! order, first to last and last to first.

use burn::tensor::{Device, Tensor};

use super::head::{Targets, Teacher, score};
use super::layer::Graph;
use super::{Batch, GradientError, HeadGradients, HeadWanted, LayerGradients, Loss, Taps};
use crate::activations::{Cache, CacheError, Placement, SharedSpill};
use crate::checkpoint::HostTensor;
use crate::device::readback::floats;
use crate::model::{Block, Head, Positions};
use crate::shape::ModelConfig;

/// What is kept of the way forward for the way back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Nothing: there is no way back.
    Nothing,
    /// Every layer's input, in this place; the layer is computed again on the way back.
    Inputs(Placement),
    /// All that autodiff needs, on the device: nothing is computed twice.
    Graphs,
}

/// Batches between two layers of a model.
pub struct Pass<'a> {
    config: &'a ModelConfig,
    batches: &'a [Batch],
    device: &'a Device,
    keep: Keep,
    /// The hidden states behind the layer before, and on the way back the gradients at them.
    hidden: Cache,
    inputs: Cache,
    graphs: Vec<Option<Graph>>,
    /// The layer whose turn it is on the way forward, or the one after it on the way back.
    next: usize,
    wants_taps: bool,
    wants_products: bool,
    /// Positions of batches without documents, which are those of every batch of their length.
    plain: Option<(usize, Positions)>,
}

/// What the head makes of a pass.
#[derive(Debug)]
pub struct Outcome {
    /// Σ wᵢ ℓᵢ over all tokens of all batches.
    pub loss: f64,
    /// Gradients at the head's own parameters.
    pub head: HeadGradients,
}

/// What a layer has on the way back.
#[derive(Debug, Default)]
pub struct Back {
    /// Summed over all batches.
    pub gradients: LayerGradients,
    /// Of each batch, where they were asked for.
    pub taps: Vec<Taps>,
    /// Σ g gᵀ `(d, d)` of the taps behind attention and behind the feed-forward part over all tokens of all batches, where
    /// they were asked for.
    pub products: Option<[Tensor<2>; 2]>,
}

impl<'a> Pass<'a> {
    /// Batches before the first layer of a model. Hidden states lie in `place`; `spill` is the disk, if there is one.
    ///
    /// # Errors
    /// When a batch does not fit together, or not to the model.
    pub fn new(
        config: &'a ModelConfig,
        batches: &'a [Batch],
        device: &'a Device,
        keep: Keep,
        place: Placement,
        spill: &SharedSpill,
    ) -> Result<Self, GradientError> {
        check(config)?;
        // First: all that follows takes tokens and lengths for granted.
        batches.iter().try_for_each(|batch| batch.check(config.vocab_size))?;
        let slots = batches.len() * config.layers.len();
        let cache = |name, slots, place| Cache::new(name, slots, place, spill, device);
        let inputs = match keep {
            Keep::Inputs(place) => cache("input", slots, place),
            // No slot, so the place does not matter.
            Keep::Nothing | Keep::Graphs => cache("input", 0, Placement::Device),
        };
        let graphs = std::iter::repeat_with(|| None).take(if keep == Keep::Graphs { slots } else { 0 }).collect();
        let hidden = cache("hidden", batches.len(), place);
        let (wants_taps, wants_products) = (false, false);
        Ok(Self {
            config,
            batches,
            device,
            keep,
            hidden,
            inputs,
            graphs,
            next: 0,
            wants_taps,
            wants_products,
            plain: None,
        })
    }

    /// The same whose hidden states have another name on a disk that two passes share.
    #[must_use]
    pub fn named(self, name: &'static str) -> Self {
        Self { hidden: self.hidden.named(name), ..self }
    }

    /// The same that hands over the gradients at what each half of a layer adds.
    #[must_use]
    pub fn with_taps(self) -> Self {
        Self { wants_taps: true, ..self }
    }

    /// The same that adds up the outer products of these gradients.
    #[must_use]
    pub fn with_products(self) -> Self {
        Self { wants_products: true, ..self }
    }

    /// Fills the hidden states with the tokens' embeddings.
    ///
    /// # Errors
    /// When they cannot be kept.
    pub async fn embed(&mut self, table: &HostTensor) -> Result<(), GradientError> {
        for (i, batch) in self.batches.iter().enumerate() {
            self.hidden.put(i, Tensor::from_data(batch.embedded(table, &self.config.design), self.device)).await?;
        }
        Ok(())
    }

    /// Sends all batches through the next layer, which is not under autodiff.
    ///
    /// # Errors
    /// When it is another layer's turn, or hidden states cannot be kept.
    pub async fn forward(&mut self, layer: usize, block: &Block) -> Result<(), GradientError> {
        self.turn(layer, self.next)?;
        for i in 0..self.batches.len() {
            let (positions, block) = (self.positions(i), self.dropping(layer, i, block));
            let hidden = self.take(i)?;
            let output = match self.keep {
                Keep::Nothing => block.forward(hidden, &positions),
                Keep::Inputs(_) => {
                    self.inputs.put(self.slot(layer, i), hidden.clone()).await?;
                    Graph::output_of(&block, &positions, hidden)
                }
                Keep::Graphs => {
                    let graph = Graph::forward(&block, &positions, hidden);
                    let output = graph.output();
                    let slot = self.slot(layer, i);
                    self.graphs[slot] = Some(graph);
                    output
                }
            };
            self.hidden.put(i, output).await?;
        }
        self.next = layer + 1;
        Ok(())
    }

    /// The loss behind the last layer. The hidden states become gradients at them. A teacher is a pass of the same
    /// batches behind the last layer of its own model, with its head.
    ///
    /// # Errors
    /// When layers are left, or the device fails.
    pub async fn score(
        &mut self,
        head: &Head,
        loss: Loss,
        mut teacher: Option<(&mut Pass<'_>, &Head)>,
        wanted: HeadWanted,
    ) -> Result<Outcome, GradientError> {
        self.turn(self.config.layers.len(), self.next)?;
        let mut outcome = Outcome { loss: 0.0, head: HeadGradients::default() };
        for (i, batch) in self.batches.iter().enumerate() {
            let hidden = self.take(i)?;
            let [b, t, d] = hidden.dims();
            let (next, weights) = (batch.next(), batch.weights.concat());
            let teacher = match &mut teacher {
                Some((pass, head)) => {
                    let hidden = pass.take(i)?;
                    let [b, t, d] = hidden.dims();
                    Some(Teacher { head, hidden: hidden.reshape([b * t, d]) })
                }
                None => None,
            };
            let targets = Targets { next: &next, weights: &weights };
            let scored = score(head, hidden.reshape([b * t, d]), &targets, loss, teacher, wanted).await?;
            outcome.loss += scored.loss;
            outcome.head.add(scored.head);
            // Where there is no way back nobody asks for the gradient.
            if self.keep != Keep::Nothing {
                self.hidden.put(i, scored.hidden.reshape([b, t, d])).await?;
            }
        }
        Ok(outcome)
    }

    /// Pulls the gradients of all batches back through the layer before.
    ///
    /// # Errors
    /// When it is another layer's turn, or what was kept cannot be found again.
    pub async fn backward(&mut self, layer: usize, block: &Block) -> Result<Back, GradientError> {
        self.turn(layer + 1, self.next)?;
        let mut back = Back::default();
        for i in 0..self.batches.len() {
            let at_output = self.take(i)?;
            let slot = self.slot(layer, i);
            let graph = match self.keep {
                Keep::Graphs => self.graphs[slot].take().ok_or_else(missing)?,
                _ => {
                    let input = self.inputs.take(slot)?.ok_or_else(missing)?;
                    let (positions, block) = (self.positions(i), self.dropping(layer, i, block));
                    Graph::forward(&block, &positions, input)
                }
            };
            let pulled = graph.pull(&self.positions(i), at_output);
            back.gradients.add(pulled.gradients);
            if self.wants_products {
                // Summed at once: the taps of all batches would be as large as all hidden states, twice.
                let [attention, feed_forward] = pulled.taps.products();
                back.products = Some(match back.products.take() {
                    Some([a, f]) => [a + attention, f + feed_forward],
                    None => [attention, feed_forward],
                });
            }
            back.taps.extend(self.wants_taps.then_some(pulled.taps));
            self.hidden.put(i, pulled.input).await?;
        }
        self.next = layer;
        Ok(back)
    }

    /// The gradient at the embedding, `vocab · d` row by row, after the way back through all layers.
    ///
    /// # Errors
    /// When layers are left, or the device fails.
    pub async fn at_embedding(&mut self) -> Result<Vec<f32>, GradientError> {
        self.turn(0, self.next)?;
        let d = self.config.hidden_size;
        let mut sum = vec![0.0; self.config.vocab_size * d];
        for (i, batch) in self.batches.iter().enumerate() {
            let rows = floats(self.take(i)?).await?;
            // On the host and in order, so that equal runs add the rows of a token alike.
            for (token, row) in batch.inputs().zip(rows.chunks_exact(d)) {
                let at = token as usize * d;
                // A factor behind the table is one of its gradient too.
                sum[at..at + d].iter_mut().zip(self.config.design.embedded(row)).for_each(|(sum, more)| *sum += more);
            }
        }
        Ok(sum)
    }

    fn take(&mut self, batch: usize) -> Result<Tensor<3>, GradientError> {
        self.hidden.take(batch)?.ok_or_else(missing)
    }

    fn slot(&self, layer: usize, batch: usize) -> usize {
        layer * self.batches.len() + batch
    }

    fn turn(&self, layer: usize, next: usize) -> Result<(), GradientError> {
        if layer == next { Ok(()) } else { Err(GradientError::Order { layer, next }) }
    }

    /// The layer as it computes for a batch: what its adapters drop is the same forward and back.
    fn dropping(&self, layer: usize, batch: usize, block: &Block) -> Block {
        match self.batches[batch].dropout {
            Some(dropout) => block.clone().dropping(dropout.at(layer as u32)),
            None => block.clone(),
        }
    }

    fn positions(&mut self, batch: usize) -> Positions {
        let (config, batch) = (self.config, &self.batches[batch]);
        if !batch.documents.is_empty() {
            return batch.positions(config, self.device);
        }
        match &self.plain {
            Some((length, positions)) if *length == batch.length() => positions.clone(),
            _ => {
                let positions = batch.positions(config, self.device);
                self.plain = Some((batch.length(), positions.clone()));
                positions
            }
        }
    }
}

/// Refuses a model whose gradients are not computed.
///
/// # Errors
/// [`GradientError::Capped`].
pub fn check(config: &ModelConfig) -> Result<(), GradientError> {
    let is_capped = config.design.score_cap.is_some() || config.design.logit_cap.is_some();
    if is_capped { Err(GradientError::Capped(config.family)) } else { Ok(()) }
}

/// A layer's hidden states were not kept, or were taken before.
fn missing() -> GradientError {
    GradientError::Cache(CacheError::Missing)
}
