//! Weights back from the device, for a model that was trained there.

use burn::tensor::Tensor;

use super::{Block, Decoder, Linear, RmsNorm};
use crate::checkpoint::{HostTensor, LayerWeights, OuterWeights, Projection};
use crate::device::readback::{ReadbackError, floats};

async fn host<const D: usize>(tensor: Tensor<D>) -> Result<HostTensor, ReadbackError> {
    let shape = tensor.dims().to_vec();
    Ok(HostTensor { shape, values: floats(tensor).await? })
}

impl Linear {
    async fn to_host(&self) -> Result<Projection, ReadbackError> {
        let bias = match &self.bias {
            Some(bias) => Some(host(bias.val()).await?),
            None => None,
        };
        Ok(Projection { weight: host(self.weight.val()).await?, bias })
    }
}

impl RmsNorm {
    async fn to_host(&self) -> Result<HostTensor, ReadbackError> {
        host(self.scale.val()).await
    }
}

async fn to_host_if_any(norm: Option<&RmsNorm>) -> Result<Option<HostTensor>, ReadbackError> {
    match norm {
        Some(norm) => Ok(Some(norm.to_host().await?)),
        None => Ok(None),
    }
}

impl Block {
    /// The layer's weights.
    ///
    /// # Errors
    /// When the device lost them.
    pub async fn to_host(&self) -> Result<LayerWeights, ReadbackError> {
        Ok(LayerWeights {
            input_norm: self.input_norm.to_host().await?,
            q: self.attention.q.to_host().await?,
            k: self.attention.k.to_host().await?,
            v: self.attention.v.to_host().await?,
            o: self.attention.o.to_host().await?,
            q_norm: to_host_if_any(self.attention.q_norm.as_ref()).await?,
            k_norm: to_host_if_any(self.attention.k_norm.as_ref()).await?,
            post_norm: self.post_norm.to_host().await?,
            gate: self.gate.to_host().await?,
            up: self.up.to_host().await?,
            down: self.down.to_host().await?,
        })
    }
}

impl Decoder {
    /// The weights outside the layers.
    ///
    /// # Errors
    /// When the device lost them.
    pub async fn outer_to_host(&self) -> Result<OuterWeights, ReadbackError> {
        let head = match &self.ends.head {
            Some(head) => Some(host(head.val()).await?),
            None => None,
        };
        let embedding = host(self.ends.embedding.val()).await?;
        Ok(OuterWeights { embedding, final_norm: self.ends.norm.to_host().await?, head })
    }
}
