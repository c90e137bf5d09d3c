//! The one layer that is on the device, and what its two prunable sites become.

use burn::tensor::{Device, Int, Tensor, TensorData};

use crate::checkpoint::{HostTensor, LayerWeights, Projection};
use crate::model::{Block, Positions};
use crate::shape::{LayerShape, ModelConfig, Site};

/// A layer as it was, ready to run.
pub(super) struct LiveLayer {
    /// Its place in the model.
    pub index: usize,
    block: Block,
}

impl LiveLayer {
    /// Puts a layer's weights on the device.
    pub fn new(index: usize, weights: &LayerWeights, config: &ModelConfig, shape: LayerShape, device: &Device) -> Self {
        Self { index, block: Block::load(weights, shape, config, device) }
    }

    /// The input of o_proj `(windows, tokens, heads · head_dim)`.
    pub fn context(&self, hidden: Tensor<3>, positions: &Positions) -> Tensor<3> {
        self.block.context(hidden, positions)
    }

    /// The input of down_proj `(windows, tokens, channels)`.
    pub fn inner(&self, hidden: Tensor<3>) -> Tensor<3> {
        self.block.inner(hidden)
    }

    /// What the site as it was adds to the residual stream.
    pub fn add_dense(&self, site: Site, hidden: Tensor<3>, input: Tensor<3>) -> Tensor<3> {
        match site {
            Site::Heads => self.block.add_attention(hidden, input),
            Site::Channels => self.block.add_mlp(hidden, input),
        }
    }
}

/// A site's new projection on the device, and how far it is from the old one.
pub(super) struct NewProjection {
    /// Ŵᵀ `(kept, out)`.
    transposed: Tensor<2>,
    /// `(out)`.
    bias: Option<Tensor<1>>,
    /// Which inputs are kept; `None` for all.
    columns: Option<Tensor<1, Int>>,
    /// (W − Ŵ)ᵀ `(columns, out)`; `None` where it is zero, or not wanted.
    difference: Option<Tensor<2>>,
    /// What the bias gained `(1, out)`; `None` where it is what it was.
    bias_change: Option<Tensor<2>>,
}

impl NewProjection {
    /// `new` `(out, kept)` reads `columns` of the `inputs` that the old one read.
    pub fn new(
        new: &Projection,
        columns: &[usize],
        inputs: usize,
        difference: Option<HostTensor>,
        device: &Device,
    ) -> Self {
        let vector = |b: &HostTensor| Tensor::from_data(TensorData::new(b.values.clone(), [b.values.len()]), device);
        Self {
            transposed: upload(&new.weight, device).transpose(),
            bias: new.bias.as_ref().map(vector),
            columns: (columns.len() != inputs).then(|| indices(columns, device)),
            difference: difference.map(|d| upload(&d, device).transpose()),
            bias_change: None,
        }
    }

    /// The same projection, told how its bias differs from that of the old one.
    pub fn with_bias_of(self, new: &Projection, old: &Projection, device: &Device) -> Self {
        let bias_change = match (&new.bias, &old.bias) {
            (Some(new), Some(old)) => {
                let values: Vec<f32> = new.values.iter().zip(&old.values).map(|(n, o)| n - o).collect();
                let shape = vec![1, values.len()];
                values.iter().any(|&v| v != 0.0).then(|| upload(&HostTensor { shape, values }, device))
            }
            _ => None,
        };
        Self { bias_change, ..self }
    }

    /// `hidden` plus the projection of `input`, both `(windows, tokens, …)`.
    pub fn add(&self, hidden: Tensor<3>, input: Tensor<3>) -> Tensor<3> {
        let shape = hidden.dims();
        let input = flat(input);
        let input = match &self.columns {
            Some(columns) => input.select(1, columns.clone()),
            None => input,
        };
        let mut output = input.matmul(self.transposed.clone());
        if let Some(bias) = &self.bias {
            output = output + bias.clone().unsqueeze();
        }
        hidden + output.reshape(shape)
    }

    /// ‖input (W − Ŵ)ᵀ − change of the bias‖²_F, summed on the device over each token and in f64
    /// over the tokens.
    ///
    /// # Errors
    /// The device's words when the sums cannot be read back.
    pub async fn loss(&self, input: Tensor<3>) -> Result<f64, String> {
        let Some(difference) = &self.difference else { return Ok(0.0) };
        let error = flat(input).matmul(difference.clone());
        let error = match &self.bias_change {
            Some(change) => error - change.clone(),
            None => error,
        };
        let per_token = (error.clone() * error).sum_dim(1);
        let sums = values(per_token).await?;
        Ok(sums.iter().map(|&s| f64::from(s)).sum())
    }
}

/// A matrix on the device.
pub(super) fn upload(matrix: &HostTensor, device: &Device) -> Tensor<2> {
    Tensor::from_data(TensorData::new(matrix.values.clone(), [matrix.shape[0], matrix.shape[1]]), device)
}

/// A matrix back on the host.
///
/// # Errors
/// The device's words.
pub(super) async fn download(matrix: Tensor<2>) -> Result<HostTensor, String> {
    let shape = matrix.dims().to_vec();
    Ok(HostTensor { shape, values: values(matrix).await? })
}

/// `(windows, tokens, width)` as `(windows · tokens, width)`.
pub(super) fn flat(x: Tensor<3>) -> Tensor<2> {
    let [windows, tokens, width] = x.dims();
    x.reshape([windows * tokens, width])
}

/// Waits until `x` is computed, so that progress tells what is done and not what is queued.
///
/// # Errors
/// The device's words.
pub(super) async fn settle(x: &Tensor<3>) -> Result<(), String> {
    let first = x.clone().slice([0..1, 0..1, 0..1]);
    first.into_data_async().await.map(|_| ()).map_err(|e| format!("{e:?}"))
}

async fn values<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>, String> {
    let data = tensor.into_data_async().await.map_err(|e| format!("{e:?}"))?;
    data.try_to_vec::<f32>().map_err(|e| format!("{e:?}"))
}

fn indices(columns: &[usize], device: &Device) -> Tensor<1, Int> {
    let columns: Vec<i32> = columns.iter().map(|&c| c as i32).collect();
    let count = columns.len();
    Tensor::from_data(TensorData::new(columns, [count]), device)
}
