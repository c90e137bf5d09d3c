//! What is learnt: numbers on the host with their moments, by layer, and how they go into a layer on the
//! device.

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::adam::Moments;
use super::{RecoverError, Settings, Train};
use crate::checkpoint::{Checkpoint, HostTensor, LayerWeights, OuterWeights};
use crate::device::readback::floats;
use crate::gradient::{HeadGradients, HeadWanted, LayerGradients};
use crate::model::{Block, LowRank};
use crate::parallel;
use crate::shape::{LayerShape, ModelConfig, Part, Projection};

/// What numbers are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// A part of a layer, or what stands for it.
    Part(Part),
    /// A `(rank, in)` of a projection.
    A(Projection),
    /// B `(out, rank)` of a projection.
    B(Projection),
    Embedding,
    FinalNorm,
    /// The output matrix of a model that has one of its own.
    Head,
}

/// Numbers that are learnt.
#[derive(Clone, Debug)]
pub(super) struct Parameter {
    pub what: What,
    pub shape: Vec<usize>,
    pub moments: Moments,
    /// Of the step that is going on.
    pub gradient: Vec<f32>,
}

impl Parameter {
    fn new(what: What, shape: Vec<usize>, values: Vec<f32>) -> Self {
        Self { what, shape, moments: Moments::new(values), gradient: Vec::new() }
    }

    fn of(what: What, tensor: HostTensor) -> Self {
        Self::new(what, tensor.shape, tensor.values)
    }
}

/// Everything that is learnt.
#[derive(Clone, Debug)]
pub(super) struct Learnt {
    /// By layer.
    layers: Vec<Vec<Parameter>>,
    /// Outside the layers.
    outer: Vec<Parameter>,
    scale: f64,
    rank: usize,
}

impl Learnt {
    /// As it is before the first step.
    pub fn new(checkpoint: &Checkpoint, settings: &Settings) -> Result<Self, RecoverError> {
        let config = checkpoint.config();
        // One generator for all factors in their order, so that a seed says everything.
        let mut random = ChaCha8Rng::seed_from_u64(settings.seed);
        let layers = config.layers.iter().enumerate().map(|(i, &shape)| match settings.train {
            Train::Lora => Ok(factors(config, shape, settings, &mut random)),
            Train::Norms => Ok(parts(checkpoint.layer(i)?, |part| !matches!(part, Part::Weight(_)))),
            Train::All => Ok(parts(checkpoint.layer(i)?, |_| true)),
        });
        let layers = layers.collect::<Result<_, RecoverError>>()?;
        let outer = match settings.train {
            Train::Lora => Vec::new(),
            Train::Norms => vec![Parameter::of(What::FinalNorm, checkpoint.outer()?.final_norm)],
            Train::All => {
                let OuterWeights { embedding, final_norm, head } = checkpoint.outer()?;
                let fixed = [Parameter::of(What::Embedding, embedding), Parameter::of(What::FinalNorm, final_norm)];
                fixed.into_iter().chain(head.map(|head| Parameter::of(What::Head, head))).collect()
            }
        };
        Ok(Self { layers, outer, scale: settings.scale(), rank: settings.rank })
    }

    /// All of them, in one order.
    pub fn iter(&self) -> impl Iterator<Item = &Parameter> {
        self.layers.iter().flatten().chain(&self.outer)
    }

    /// All of them, in the same order.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Parameter> {
        self.layers.iter_mut().flatten().chain(&mut self.outer)
    }

    /// Those within the layers, by layer.
    pub fn layers(&self) -> &[Vec<Parameter>] {
        &self.layers
    }

    /// How many numbers they are.
    pub fn count(&self) -> usize {
        self.iter().map(|parameter| parameter.moments.values.len()).sum()
    }

    /// A layer that learns them, from the layer as it was read.
    pub fn block(&self, layer: usize, base: Block, device: &Device) -> Block {
        // Nothing of what was read learns; the parameters that are put in below are new ones, which do.
        let mut block = base.no_grad();
        let mut adapters = Vec::new();
        let mut a = None;
        for parameter in &self.layers[layer] {
            let data = |shape: Vec<usize>| TensorData::new(parameter.moments.values.clone(), shape);
            match parameter.what {
                What::Part(part) => {
                    let flat = Tensor::from_data(data(vec![parameter.moments.values.len()]), device);
                    block = block.with_part(part, flat);
                }
                // Kept for its B, which comes next: see `factors`.
                What::A(_) => a = Some(Tensor::<2>::from_data(data(parameter.shape.clone()), device)),
                What::B(projection) => {
                    let b = Tensor::<2>::from_data(data(parameter.shape.clone()), device);
                    adapters.extend(a.take().map(|a| (projection, LowRank::new(a, b, self.scale))));
                }
                What::Embedding | What::FinalNorm | What::Head => {}
            }
        }
        block.with_adapters(adapters)
    }

    /// Which gradients of the head they need.
    pub fn head_wanted(&self) -> HeadWanted {
        let has = |what| self.outer.iter().any(|parameter| parameter.what == what);
        HeadWanted { norm: has(What::FinalNorm), matrix: has(What::Embedding) }
    }

    /// Whether anything outside the layers is learnt.
    pub fn has_outer(&self) -> bool {
        !self.outer.is_empty()
    }

    /// Whether the embedding is learnt.
    pub fn has_embedding(&self) -> bool {
        self.outer.iter().any(|parameter| parameter.what == What::Embedding)
    }

    /// Takes the gradients of a layer over.
    pub async fn take_layer(&mut self, layer: usize, gradients: LayerGradients) -> Result<(), RecoverError> {
        let LayerGradients { parts, mut factors, .. } = gradients;
        for parameter in &mut self.layers[layer] {
            let gradient = match parameter.what {
                What::Part(part) => parts.get(part).cloned(),
                What::A(projection) => factors.get(&projection).map(|[a, _]| flat(a.clone())),
                // The last that is asked of a projection.
                What::B(projection) => factors.remove(&projection).map(|[_, b]| flat(b)),
                What::Embedding | What::FinalNorm | What::Head => None,
            };
            // Without a gradient it still takes part in the step: its moments decay.
            parameter.gradient = match gradient {
                Some(gradient) => floats(gradient).await?,
                None => vec![0.0; parameter.moments.values.len()],
            };
        }
        Ok(())
    }

    /// Takes the gradients outside the layers over. A tied embedding has two: as what is read, and as the head.
    pub async fn take_outer(&mut self, head: HeadGradients, embedding: Option<Vec<f32>>) -> Result<(), RecoverError> {
        let has_head = self.outer.iter().any(|parameter| parameter.what == What::Head);
        let mut matrix = match head.matrix {
            Some(matrix) => Some(floats(matrix).await?),
            None => None,
        };
        let (mut norm, mut embedding) = (head.norm, embedding);
        for parameter in &mut self.outer {
            parameter.gradient = match parameter.what {
                What::FinalNorm => match norm.take() {
                    Some(norm) => floats(norm).await?,
                    None => vec![0.0; parameter.moments.values.len()],
                },
                What::Head => matrix.take().unwrap_or_default(),
                What::Embedding => {
                    let mut sum = embedding.take().unwrap_or_default();
                    // A tied head is the embedding, which then learns from both ends.
                    if let Some(matrix) = matrix.take_if(|_| !has_head) {
                        sum.iter_mut().zip(matrix).for_each(|(sum, more)| *sum += more);
                    }
                    sum
                }
                What::Part(_) | What::A(_) | What::B(_) => Vec::new(),
            };
        }
        Ok(())
    }

    /// The norm of all gradients together.
    pub fn gradient_norm(&self) -> f64 {
        // In f64 and always in one order: over millions of numbers f32 would lose what is added last.
        let squares = self.iter().flat_map(|parameter| &parameter.gradient).map(|&g| f64::from(g) * f64::from(g));
        squares.sum::<f64>().sqrt()
    }

    /// One step against the gradients, each first multiplied by `shortened`; `step` counts from 1.
    pub fn step(&mut self, step: usize, rate: f64, shortened: f64) {
        let shortened = shortened as f32;
        let all: Vec<&mut Parameter> = self.iter_mut().collect();
        // Each by itself: the order of cores changes no bit.
        parallel::map(all, |parameter| {
            // Taken, so that it is free while the next step's are computed.
            let mut gradient = std::mem::take(&mut parameter.gradient);
            gradient.iter_mut().for_each(|g| *g *= shortened);
            parameter.moments.step(&gradient, step, rate);
        });
    }

    /// A layer with what was learnt in it, factors multiplied out.
    pub fn merged(&self, layer: usize, mut weights: LayerWeights) -> LayerWeights {
        let mut a: &[f32] = &[];
        for parameter in &self.layers[layer] {
            let values = &parameter.moments.values;
            match parameter.what {
                What::Part(part) => replace(&mut weights, part, |tensor| tensor.values.clone_from(values)),
                What::A(_) => a = values,
                What::B(projection) => {
                    replace(&mut weights, Part::Weight(projection), |tensor| {
                        tensor.add_product(values, a, self.rank, self.scale);
                    });
                }
                What::Embedding | What::FinalNorm | What::Head => {}
            }
        }
        weights
    }

    /// What stands outside the layers, with what was learnt.
    pub fn merged_outer(&self, mut outer: OuterWeights) -> OuterWeights {
        for parameter in &self.outer {
            let values = parameter.moments.values.clone();
            match (parameter.what, &mut outer.head) {
                (What::Embedding, _) => outer.embedding.values = values,
                (What::FinalNorm, _) => outer.final_norm.values = values,
                (What::Head, Some(head)) => head.values = values,
                _ => {}
            }
        }
        outer
    }
}

fn replace(weights: &mut LayerWeights, part: Part, with: impl FnOnce(&mut HostTensor)) {
    if let Some((_, tensor)) = weights.iter_mut().find(|(other, _)| *other == part) {
        with(tensor);
    }
}

fn flat(tensor: Tensor<2>) -> Tensor<1> {
    let [rows, columns] = tensor.dims();
    tensor.reshape([rows * columns])
}

fn parts(weights: LayerWeights, is_learnt: impl Fn(Part) -> bool) -> Vec<Parameter> {
    let learnt = weights.into_iter().filter(|(part, _)| is_learnt(*part));
    learnt.map(|(part, tensor)| Parameter::of(What::Part(part), tensor)).collect()
}

/// Factors whose product is nothing yet: B is zero, A is drawn as peft draws it (Kaiming's uniform with a = √5,
/// which is ±1/√in).
fn factors(config: &ModelConfig, shape: LayerShape, settings: &Settings, random: &mut ChaCha8Rng) -> Vec<Parameter> {
    // A before B and layer after layer: the generator is one for all.
    let of = |projection: Projection| {
        let [out, input] = projection.axes().map(|axis| axis.entries(config, shape));
        // As peft draws them. B is zero, so that the model begins as it was.
        let bound = 1.0 / (input as f32).sqrt();
        let a = (0..settings.rank * input).map(|_| random.random_range(-bound..bound)).collect();
        [
            Parameter::new(What::A(projection), vec![settings.rank, input], a),
            Parameter::new(What::B(projection), vec![out, settings.rank], vec![0.0; out * settings.rank]),
        ]
    };
    settings.targets.in_layer(shape).flat_map(of).collect()
}
