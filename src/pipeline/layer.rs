//! What the two prunable projections of the layer on the device become.

use burn::tensor::{Device, Int, Tensor, TensorData};

use crate::checkpoint::{HostTensor, LayerWeights};
use crate::device::panels::Panels;
use crate::device::product::product;
use crate::device::readback::{ReadbackError, floats};
use crate::model::{flat, upload, weighted};
use crate::shape::Projection;

/// A site's new projection on the device, and how far it is from the old one.
pub(super) struct NewProjection {
    /// Ŵ `(out, kept)`; `None` where the site has gone as a whole, or was never there.
    weight: Option<Panels>,
    /// The bias `(out)`, rounded as it will be saved; `None` where there is none.
    bias: Option<Tensor<1>>,
    /// Which inputs are kept; `None` for all.
    columns: Option<Tensor<1, Int>>,
    /// (W − Ŵ)ᵀ `(columns, out)`; `None` where it is zero, or not wanted.
    difference: Option<Tensor<2>>,
    /// What the bias gained `(1, out)`; `None` where it is what it was.
    bias_change: Option<Tensor<2>>,
}

impl NewProjection {
    /// A projection of `weights` `(out, kept)` that reads `columns` of the `inputs` that the old one
    /// read.
    pub fn new(
        weights: &LayerWeights,
        projection: Projection,
        columns: &[usize],
        inputs: usize,
        difference: Option<HostTensor>,
        device: &Device,
    ) -> Self {
        Self {
            weight: Some(upload::<2>(weights.weight(projection), device).into()),
            bias: weights.bias(projection).map(|b| upload(b, device)),
            // Gathering all columns would copy the input for nothing.
            columns: (columns.len() != inputs).then(|| indices(columns, device)),
            difference: difference.map(|d| upload::<2>(&d, device).transpose()),
            bias_change: None,
        }
    }

    /// No projection, of a site that goes as a whole. The `old` weight, if given, is all of the difference.
    pub fn left_out(old: Option<&HostTensor>, device: &Device) -> Self {
        let difference = old.map(|old| upload::<2>(old, device).transpose());
        Self { weight: None, bias: None, columns: None, difference, bias_change: None }
    }

    /// The same projection, told how its bias differs from that of the old one.
    pub fn with_biases(self, new: Option<&HostTensor>, old: Option<&HostTensor>, device: &Device) -> Self {
        let bias_change = match (new, old) {
            (Some(new), Some(old)) => {
                let values: Vec<f32> = new.values.iter().zip(&old.values).map(|(n, o)| n - o).collect();
                let shape = vec![1, values.len()];
                // A change of zero would cost a pass over every error for nothing.
                values.iter().any(|&v| v != 0.0).then(|| upload(&HostTensor { shape, values }, device))
            }
            _ => None,
        };
        Self { bias_change, ..self }
    }

    /// Whether there is none.
    pub fn is_left_out(&self) -> bool {
        self.weight.is_none()
    }

    /// Which inputs are kept; `None` for all.
    pub fn kept(&self) -> Option<&Tensor<1, Int>> {
        self.columns.as_ref()
    }

    /// The projection `(windows, tokens, out)` of `input` `(windows, tokens, columns)`; `None` where there is none.
    pub fn output(&self, input: Tensor<3>) -> Option<Tensor<3>> {
        let [windows, tokens, _] = input.dims();
        // One product over the tokens of all windows, not one for each window.
        let input = flat(input);
        let input = match &self.columns {
            Some(columns) => input.select(1, columns.clone()),
            None => input,
        };
        self.of_rows(input, [windows, tokens])
    }

    /// The same of an input `(windows, tokens, kept)` that has the kept columns alone.
    pub fn output_of_kept(&self, input: Tensor<3>) -> Option<Tensor<3>> {
        let [windows, tokens, _] = input.dims();
        self.of_rows(flat(input), [windows, tokens])
    }

    fn of_rows(&self, input: Tensor<2>, [windows, tokens]: [usize; 2]) -> Option<Tensor<3>> {
        let mut output = weighted(input, self.weight.as_ref()?);
        if let Some(bias) = &self.bias {
            output = output + bias.clone().unsqueeze();
        }
        let [_, out] = output.dims();
        Some(output.reshape([windows, tokens, out]))
    }

    /// ‖input (W − Ŵ)ᵀ − change of the bias‖² of every token; of none where nothing is lost.
    ///
    /// # Errors
    /// When the device lost the work.
    pub async fn losses(&self, input: Tensor<3>) -> Result<Vec<f32>, ReadbackError> {
        // A site that lost nothing has no error to measure.
        let Some(difference) = &self.difference else { return Ok(Vec::new()) };
        // X (W − Ŵ)ᵀ in one product: the difference of two outputs would lose the digits that they share.
        let error = product(flat(input), difference.clone());
        let error = match &self.bias_change {
            Some(change) => error - change.clone(),
            None => error,
        };
        // A token's few thousand squares keep their digits in f32; a sum over all tokens would not.
        floats((error.clone() * error).sum_dim(1)).await
    }
}

/// A matrix back on the host.
///
/// # Errors
/// When the device lost the work.
pub(super) async fn download(matrix: Tensor<2>) -> Result<HostTensor, ReadbackError> {
    let shape = matrix.dims().to_vec();
    Ok(HostTensor { shape, values: floats(matrix).await? })
}

fn indices(columns: &[usize], device: &Device) -> Tensor<1, Int> {
    let columns: Vec<i32> = columns.iter().map(|&c| c as i32).collect();
    let count = columns.len();
    Tensor::from_data(TensorData::new(columns, [count]), device)
}
