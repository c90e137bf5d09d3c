//! Tensors back on the host, whatever device they live on. Always awaited: a page that waited for
//! its device would keep it from answering.

use burn::tensor::{Int, Tensor, TensorData};

pub use super::lost::ReadbackError;
use super::trouble;

/// The elements of a tensor in single precision, row by row.
///
/// # Errors
/// When the device lost the work.
pub async fn floats<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>, ReadbackError> {
    data(tensor).await?.try_to_vec::<f32>().map_err(lost)
}

/// A tensor on the host.
///
/// # Errors
/// When the device lost the work.
pub async fn data<const D: usize>(tensor: Tensor<D>) -> Result<TensorData, ReadbackError> {
    heard(tensor.into_data_async().await)
}

/// Waits until `tensor` is computed, so that progress tells what is done and not what is queued.
///
/// # Errors
/// When the device lost the work.
pub async fn settled<const D: usize>(tensor: &Tensor<D>) -> Result<(), ReadbackError> {
    // Reading one element waits for all that it is made of, and transfers next to nothing.
    data(tensor.clone().slice(std::array::from_fn::<_, D, _>(|_| 0..1))).await.map(drop)
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
    let data = heard(tensor.into_data_async().await)?;
    Ok(data.try_to_vec::<i32>().map_err(lost)?.into_iter().map(|i| i as usize).collect())
}

/// What was read, unless the driver has said that something was lost.
fn heard(read: Result<TensorData, impl std::fmt::Debug>) -> Result<TensorData, ReadbackError> {
    match trouble::take() {
        // Also where the reading went well: other tensors of the same work may lack a part.
        Some(trouble) => Err(trouble),
        None => read.map_err(lost),
    }
}

fn lost(reason: impl std::fmt::Debug) -> ReadbackError {
    ReadbackError::lost(&format!("{reason:?}"))
}
