//! Tensors back on the host, whatever device they live on. Always awaited: a page that waited for
//! its device would keep it from answering.

use burn::tensor::{Element, Int, Tensor, TensorData};

pub use super::lost::ReadbackError;
use super::trouble;

/// The elements of a tensor in single precision, row by row.
///
/// # Errors
/// When the device lost the work.
pub async fn floats<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>, ReadbackError> {
    elements(tensor.into_data_async().await)
}

/// Waits until `tensor` is computed, and whatever was asked of its device before: progress tells what is done and
/// not what is queued, and who stops need not wait for more than is done at once.
///
/// # Errors
/// When the device lost the work.
pub async fn settled<const D: usize>(tensor: &Tensor<D>) -> Result<(), ReadbackError> {
    // Reading one element waits for all that it is made of, and transfers next to nothing.
    floats(tensor.clone().slice(std::array::from_fn::<_, D, _>(|_| 0..1))).await.map(drop)
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
    Ok(words(tensor).await?.into_iter().map(|i| i as usize).collect())
}

/// A tensor of words as they stand.
///
/// # Errors
/// When the device lost the work.
pub async fn words(tensor: Tensor<1, Int>) -> Result<Vec<i32>, ReadbackError> {
    elements(tensor.into_data_async().await)
}

/// The elements of what was asked for, unless the driver has said that something was lost.
fn elements<T: Element>(asked: Result<TensorData, impl std::fmt::Debug>) -> Result<Vec<T>, ReadbackError> {
    // burn's answer is a promise, outside of browsers: only here is the device waited for. The elements are copied,
    // because what the promise holds keeps its memory on the device.
    let read = asked.map_err(lost).and_then(|data| data.try_to_vec::<T>().map_err(lost));
    match trouble::take() {
        // Also where the reading went well: other tensors of the same work may lack a part.
        Some(trouble) => Err(trouble),
        None => read,
    }
}

fn lost(reason: impl std::fmt::Debug) -> ReadbackError {
    ReadbackError::lost(&format!("{reason:?}"))
}
