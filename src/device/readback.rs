//! Tensors back on the host, whatever device they live on. Always awaited: a page that waited for
//! its device would keep it from answering.

use burn::tensor::{Int, Tensor};

use crate::remedy::{Remedied, Remedy};

/// The device lost the work or refused it: it ran out of memory, or its driver was reset.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the device did not answer: {0}")]
pub struct ReadbackError(pub String);

/// The elements of a tensor in single precision, row by row.
///
/// # Errors
/// When the device lost the work.
pub async fn floats<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>, ReadbackError> {
    let data = tensor.into_data_async().await.map_err(lost)?;
    data.try_to_vec::<f32>().map_err(lost)
}

/// As [`floats`], in double precision.
///
/// # Errors
/// When the device lost the work.
pub async fn doubles<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f64>, ReadbackError> {
    Ok(floats(tensor).await?.into_iter().map(f64::from).collect())
}

/// The elements of a tensor of row or column numbers.
///
/// # Errors
/// When the device lost the work.
pub async fn indices(tensor: Tensor<1, Int>) -> Result<Vec<usize>, ReadbackError> {
    let data = tensor.into_data_async().await.map_err(lost)?;
    Ok(data.try_to_vec::<i32>().map_err(lost)?.into_iter().map(|i| i as usize).collect())
}

fn lost(reason: impl std::fmt::Debug) -> ReadbackError {
    ReadbackError(format!("{reason:?}"))
}

impl Remedied for ReadbackError {
    fn remedy(&self) -> Option<Remedy> {
        Some(Remedy::LessAtOnce)
    }
}
