//! Weights to the device and back: which module holds which part of a layer.

use burn::module::Param;
use burn::tensor::{Device, Tensor};

use super::transfer::{download, in_panels, upload};
use super::{Attention, Block, Dropout, Linear, LowRank, Outer, RmsNorm, Table};
use crate::checkpoint::{HostTensor, LayerWeights, OuterWeights};
use crate::device::panels::Panels;
use crate::device::readback::ReadbackError;
use crate::shape::{Layer, LayerShape, ModelConfig, Norm, Part, Projection};

impl Block {
    /// A layer of a checkpoint.
    pub fn load(weights: &LayerWeights, shape: LayerShape, config: &ModelConfig, device: &Device) -> Self {
        let matrix = |(part, tensor): (Part, &HostTensor)| match part {
            Part::Weight(_) => Some((part, in_panels(tensor, device))),
            _ => None,
        };
        let vector = |(part, tensor): (Part, &HostTensor)| match part {
            Part::Weight(_) => None,
            _ => Some((part, upload(tensor, device))),
        };
        let (matrices, vectors) = (weights.iter().filter_map(matrix), weights.iter().filter_map(vector));
        Self::of(&matrices.collect(), &vectors.collect(), shape, config)
    }

    /// A layer made of its parts. They lie flat, row-major, so that one type holds matrices and
    /// vectors.
    pub fn new(parts: &Layer<Tensor<1>>, shape: LayerShape, config: &ModelConfig) -> Self {
        let matrix = |(part, flat): (Part, &Tensor<1>)| match part {
            Part::Weight(projection) => {
                let shape = projection.axes().map(|axis| axis.entries(config, shape));
                Some((part, Panels::from(flat.clone().reshape(shape))))
            }
            _ => None,
        };
        Self::of(&parts.iter().filter_map(matrix).collect(), parts, shape, config)
    }

    fn of(matrices: &Layer<Panels>, parts: &Layer<Tensor<1>>, shape: LayerShape, config: &ModelConfig) -> Self {
        let linear =
            |projection: Projection| Linear::new(matrices.weight(projection).clone(), parts.bias(projection).cloned());
        let norm = |scale: &Tensor<1>| RmsNorm::new(scale.clone(), config.rms_norm_eps);
        let projections = [Projection::Q, Projection::K, Projection::V, Projection::O].map(linear);
        let head_norms = [Norm::Query, Norm::Key].map(|of| parts.get(Part::Norm(of)).map(norm));
        Self {
            input_norm: norm(&parts[Part::Norm(Norm::Input)]),
            attention: Attention::new(projections, head_norms, shape, config.head_dim),
            post_norm: norm(&parts[Part::Norm(Norm::PostAttention)]),
            gate: linear(Projection::Gate),
            up: linear(Projection::Up),
            down: linear(Projection::Down),
            gates: None,
        }
    }

    /// The module of a projection.
    pub fn linear(&self, projection: Projection) -> &Linear {
        match projection {
            Projection::Q => &self.attention.q,
            Projection::K => &self.attention.k,
            Projection::V => &self.attention.v,
            Projection::O => &self.attention.o,
            Projection::Gate => &self.gate,
            Projection::Up => &self.up,
            Projection::Down => &self.down,
        }
    }

    /// The module of a projection, to be changed.
    pub fn linear_mut(&mut self, projection: Projection) -> &mut Linear {
        match projection {
            Projection::Q => &mut self.attention.q,
            Projection::K => &mut self.attention.k,
            Projection::V => &mut self.attention.v,
            Projection::O => &mut self.attention.o,
            Projection::Gate => &mut self.gate,
            Projection::Up => &mut self.up,
            Projection::Down => &mut self.down,
        }
    }

    /// The same with other numbers, flat and row by row, at a part that it has.
    #[must_use]
    pub fn with_part(mut self, part: Part, values: Tensor<1>) -> Self {
        match part {
            Part::Weight(projection) => {
                let linear = self.linear_mut(projection);
                let shape = linear.weight.val().dims();
                linear.weight = Panels::from(values.reshape(shape)).into();
            }
            Part::Bias(projection) => self.linear_mut(projection).bias = Some(Param::from_tensor(values)),
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
            self.linear_mut(projection).low_rank = Some(adapter);
        }
        self
    }

    /// The same whose adapters drop a share of their inputs, each by a seed of its own.
    #[must_use]
    pub fn dropping(mut self, dropout: Dropout) -> Self {
        // By its place among all seven: which others have adapters changes nothing of what one drops.
        for (place, projection) in Projection::ALL.into_iter().enumerate() {
            let linear = self.linear_mut(projection);
            linear.low_rank = linear.low_rank.take().map(|adapter| adapter.dropping(dropout.at(place as u32)));
        }
        self
    }

    /// The module of a norm, in a model that has it.
    pub fn norm(&self, norm: Norm) -> Option<&RmsNorm> {
        match norm {
            Norm::Input => Some(&self.input_norm),
            Norm::Query => self.attention.q_norm.as_ref(),
            Norm::Key => self.attention.k_norm.as_ref(),
            Norm::PostAttention => Some(&self.post_norm),
        }
    }

    fn norm_mut(&mut self, norm: Norm) -> Option<&mut RmsNorm> {
        match norm {
            Norm::Input => Some(&mut self.input_norm),
            Norm::Query => self.attention.q_norm.as_mut(),
            Norm::Key => self.attention.k_norm.as_mut(),
            Norm::PostAttention => Some(&mut self.post_norm),
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
                Part::Weight(projection) => Some(table(&self.linear(projection).weight).await?),
                Part::Bias(projection) => vector(self.linear(projection).bias.as_ref()).await?,
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
