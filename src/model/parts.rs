//! Weights to the device and back: which module holds which part of a layer.

use burn::module::Param;
use burn::tensor::{Device, Tensor};

use super::transfer::{download, halves_in_panels, in_panels, upload};
use super::{Attention, Block, Dropout, FeedForward, Linear, LowRank, Outer, RmsNorm, Table};
use crate::checkpoint::{Checkpoint, Halves, HostTensor, LayerWeights, OuterWeights, ReadError};
use crate::device::has_kernels;
use crate::device::panels::Panels;
use crate::device::readback::ReadbackError;
use crate::shape::{Layer, LayerShape, ModelConfig, Norm, Norms, Part, Projection, Site};

impl Block {
    /// Layer `i` of a checkpoint, whose matrices of halves a GPU is given as they are stored.
    ///
    /// # Errors
    /// When a weight is not finite.
    pub fn read(i: usize, checkpoint: &Checkpoint, device: &Device) -> Result<Self, ReadError> {
        let (config, shape) = (checkpoint.config(), checkpoint.config().layers[i]);
        let (halves, weights) = match has_kernels(device) {
            true => checkpoint.layer_in_halves(i)?,
            false => (Layer::default(), checkpoint.layer(i)?),
        };
        Ok(Self::load_with(i, &halves, &weights, shape, config, device))
    }

    /// Layer `i` of these weights.
    pub fn load(i: usize, weights: &LayerWeights, shape: LayerShape, config: &ModelConfig, device: &Device) -> Self {
        Self::load_with(i, &Layer::default(), weights, shape, config, device)
    }

    /// Layer `i` of `halves`, and of `weights` for all that these lack.
    pub fn load_with(
        i: usize,
        halves: &Layer<Halves<'_>>,
        weights: &LayerWeights,
        shape: LayerShape,
        config: &ModelConfig,
        device: &Device,
    ) -> Self {
        let matrix = |(part, tensor): (Part, &HostTensor)| match part {
            Part::Weight(_) if halves.get(part).is_none() => Some((part, in_panels(tensor, device))),
            _ => None,
        };
        let narrow = halves.iter().map(|(part, matrix)| (part, halves_in_panels(matrix, device)));
        let vector = |(part, tensor): (Part, &HostTensor)| match part {
            Part::Weight(_) => None,
            _ => Some((part, upload(tensor, device))),
        };
        let matrices = narrow.chain(weights.iter().filter_map(matrix)).collect();
        Self::of(i, &matrices, &weights.iter().filter_map(vector).collect(), shape, config)
    }

    /// Layer `i` made of its parts. They lie flat, row-major, so that one type holds matrices and
    /// vectors.
    pub fn new(i: usize, parts: &Layer<Tensor<1>>, shape: LayerShape, config: &ModelConfig) -> Self {
        let matrix = |(part, flat): (Part, &Tensor<1>)| match part {
            Part::Weight(projection) => {
                let shape = projection.axes().map(|axis| axis.entries(config, shape));
                Some((part, Panels::from(flat.clone().reshape(shape))))
            }
            _ => None,
        };
        Self::of(i, &parts.iter().filter_map(matrix).collect(), parts, shape, config)
    }

    /// Of the parts only those are read here that are no matrices.
    fn of(
        i: usize,
        matrices: &Layer<Panels>,
        parts: &Layer<Tensor<1>>,
        shape: LayerShape,
        config: &ModelConfig,
    ) -> Self {
        let linear =
            |projection: Projection| Linear::new(matrices.weight(projection).clone(), parts.bias(projection).cloned());
        let norm = |of: Norm| parts.get(Part::Norm(of)).map(|scale| RmsNorm::new(scale.clone(), config));
        // The name of the one before the feed-forward part belongs to another where norms stand behind.
        let (behind_attention, before_feed_forward) = match config.design.norms {
            Norms::Before => (None, norm(Norm::PostAttention)),
            Norms::Behind => (norm(Norm::PostAttention), None),
            Norms::Around => (norm(Norm::PostAttention), norm(Norm::PreFeedForward)),
        };
        // Called only where the layer has the half: otherwise its parts are not there.
        let attention = || {
            let projections = [Projection::Q, Projection::K, Projection::V, Projection::O].map(linear);
            let [q_norm, k_norm] =
                [[Norm::Query, Norm::Queries], [Norm::Key, Norm::Keys]].map(|of| of.into_iter().find_map(norm));
            let norms = [norm(Norm::Input), behind_attention, q_norm, k_norm];
            Attention::new(i, projections, norms, shape, config)
        };
        let feed_forward = || FeedForward {
            norm: before_feed_forward,
            gate: linear(Projection::Gate),
            up: linear(Projection::Up),
            down: linear(Projection::Down),
            added_norm: norm(Norm::PostFeedForward),
            activation: config.design.activation,
        };
        Self {
            attention: shape.has(Site::Heads).then(attention),
            feed_forward: shape.has(Site::Channels).then(feed_forward),
            gates: None,
            norms: config.design.norms,
            residual_scale: config.design.residual_scale,
        }
    }

    /// The module of a projection; `None` where the layer lacks its half.
    pub fn linear(&self, projection: Projection) -> Option<&Linear> {
        let (attention, feed_forward) = (self.attention.as_ref(), self.feed_forward.as_ref());
        match projection {
            Projection::Q => attention.map(|attention| &attention.q),
            Projection::K => attention.map(|attention| &attention.k),
            Projection::V => attention.map(|attention| &attention.v),
            Projection::O => attention.map(|attention| &attention.o),
            Projection::Gate => feed_forward.map(|feed_forward| &feed_forward.gate),
            Projection::Up => feed_forward.map(|feed_forward| &feed_forward.up),
            Projection::Down => feed_forward.map(|feed_forward| &feed_forward.down),
        }
    }

    /// The module of a projection, to be changed; `None` where the layer lacks its half.
    pub fn linear_mut(&mut self, projection: Projection) -> Option<&mut Linear> {
        let (attention, feed_forward) = (self.attention.as_mut(), self.feed_forward.as_mut());
        match projection {
            Projection::Q => attention.map(|attention| &mut attention.q),
            Projection::K => attention.map(|attention| &mut attention.k),
            Projection::V => attention.map(|attention| &mut attention.v),
            Projection::O => attention.map(|attention| &mut attention.o),
            Projection::Gate => feed_forward.map(|feed_forward| &mut feed_forward.gate),
            Projection::Up => feed_forward.map(|feed_forward| &mut feed_forward.up),
            Projection::Down => feed_forward.map(|feed_forward| &mut feed_forward.down),
        }
    }

    /// The same with other numbers, flat and row by row, at a part that it has.
    #[must_use]
    pub fn with_part(mut self, part: Part, values: Tensor<1>) -> Self {
        match part {
            Part::Weight(projection) => {
                if let Some(linear) = self.linear_mut(projection) {
                    let shape = linear.weight.val().dims();
                    linear.weight = Panels::from(values.reshape(shape)).into();
                }
            }
            Part::Bias(projection) => {
                if let Some(linear) = self.linear_mut(projection) {
                    linear.bias = Some(Param::from_tensor(values));
                }
            }
            Part::Norm(norm) => {
                if let Some(norm) = self.norm_mut(norm) {
                    norm.scale = Param::from_tensor(values);
                }
            }
        }
        self
    }

    /// The same with an adapter on each projection that `adapters` has one for.
    #[must_use]
    pub fn with_adapters(mut self, adapters: impl IntoIterator<Item = (Projection, LowRank)>) -> Self {
        for (projection, adapter) in adapters {
            if let Some(linear) = self.linear_mut(projection) {
                linear.low_rank = Some(adapter);
            }
        }
        self
    }

    /// The same whose adapters drop a share of their inputs, each by a seed of its own.
    #[must_use]
    pub fn dropping(mut self, dropout: Dropout) -> Self {
        // By its place among all seven: which others have adapters changes nothing of what one drops.
        for (place, projection) in Projection::ALL.into_iter().enumerate() {
            let Some(linear) = self.linear_mut(projection) else { continue };
            linear.low_rank = linear.low_rank.take().map(|adapter| adapter.dropping(dropout.at(place as u32)));
        }
        self
    }

    /// The module of a norm, in a layer that has it.
    pub fn norm(&self, norm: Norm) -> Option<&RmsNorm> {
        let (attention, feed_forward) = (self.attention.as_ref(), self.feed_forward.as_ref());
        match norm {
            Norm::Input => attention?.norm.as_ref(),
            Norm::Query => attention?.head_norms(false)[0],
            Norm::Key => attention?.head_norms(false)[1],
            Norm::Queries => attention?.head_norms(true)[0],
            Norm::Keys => attention?.head_norms(true)[1],
            Norm::PostAttention => match self.norms {
                Norms::Before => feed_forward?.norm.as_ref(),
                Norms::Behind | Norms::Around => attention?.added_norm.as_ref(),
            },
            // The module is there in every model, and has this name only where norms stand around.
            Norm::PreFeedForward => feed_forward?.norm.as_ref().filter(|_| self.norms == Norms::Around),
            Norm::PostFeedForward => feed_forward?.added_norm.as_ref(),
        }
    }

    fn norm_mut(&mut self, norm: Norm) -> Option<&mut RmsNorm> {
        let (attention, feed_forward) = (self.attention.as_mut(), self.feed_forward.as_mut());
        match norm {
            Norm::Input => attention?.norm.as_mut(),
            Norm::Query | Norm::Queries => attention?.q_norm.as_mut(),
            Norm::Key | Norm::Keys => attention?.k_norm.as_mut(),
            Norm::PostAttention => match self.norms {
                Norms::Before => feed_forward?.norm.as_mut(),
                Norms::Behind | Norms::Around => attention?.added_norm.as_mut(),
            },
            Norm::PreFeedForward => feed_forward?.norm.as_mut(),
            Norm::PostFeedForward => feed_forward?.added_norm.as_mut(),
        }
    }

    /// The layer's weights back on the host, for a model that was trained on the device.
    ///
    /// # Errors
    /// When the device lost them.
    pub async fn to_host(&self) -> Result<LayerWeights, ReadbackError> {
        let mut parts = Vec::new();
        for part in Part::ALL {
            let tensor = match part {
                Part::Weight(projection) => match self.linear(projection) {
                    Some(linear) => Some(table(&linear.weight).await?),
                    None => None,
                },
                Part::Bias(projection) => vector(self.linear(projection).and_then(|l| l.bias.as_ref())).await?,
                Part::Norm(norm) => vector(self.norm(norm).map(|norm| &norm.scale)).await?,
            };
            parts.extend(tensor.map(|tensor| (part, tensor)));
        }
        Ok(parts.into_iter().collect())
    }
}

async fn vector(parameter: Option<&Param<Tensor<1>>>) -> Result<Option<HostTensor>, ReadbackError> {
    match parameter {
        Some(parameter) => Ok(Some(download(parameter.val()).await?)),
        None => Ok(None),
    }
}

impl Outer {
    /// The weights back on the host, for a model that was trained on the device.
    ///
    /// # Errors
    /// When the device lost them.
    pub async fn to_host(&self) -> Result<OuterWeights, ReadbackError> {
        let head = match &self.head {
            Some(head) => Some(table(head).await?),
            None => None,
        };
        let final_norm = download(self.norm.scale.val()).await?;
        Ok(OuterWeights { embedding: table(&self.embedding).await?, final_norm, head })
    }
}

async fn table(table: &Table) -> Result<HostTensor, ReadbackError> {
    let matrix = table.val();
    Ok(HostTensor { shape: matrix.dims().to_vec(), values: matrix.floats().await? })
}
