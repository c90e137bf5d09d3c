//! Tensors back on the host, whatever device they live on. Always awaited: a page that waited for
//! its device would keep it from answering.

use burn::tensor::{Int, Tensor, TensorData};

use super::trouble;
use crate::remedy::{Remedied, Remedy};

/// The device lost the work or refused it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadbackError {
    /// There was no room for what is computed.
    #[error("the device ran out of memory")]
    OutOfMemory,
    /// Its driver was reset, or refused the work.
    #[error("the device did not answer: {0}")]
    Lost(String),
}

/// Characters of a driver's words that are told.
const MOST_SAID: usize = 200;

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

impl ReadbackError {
    /// The device lost the work, in its driver's words.
    pub fn lost(said: &str) -> Self {
        Self::Lost(sentence(said))
    }
}

/// The beginning of what a driver says, which goes on for pages about its own parts.
fn sentence(said: &str) -> String {
    // Debug texts have their line ends escaped.
    let line = said.split(['\n', '\r']).next().unwrap_or_default();
    let line = line.split("\\n").next().unwrap_or_default().trim();
    match line.char_indices().nth(MOST_SAID) {
        Some((end, _)) => format!("{} …", &line[..end]),
        None => line.to_owned(),
    }
}

impl Remedied for ReadbackError {
    fn remedy(&self) -> Option<Remedy> {
        match self {
            Self::OutOfMemory => Some(Remedy::LessAtOnce),
            Self::Lost(_) => Some(Remedy::Cpu),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_driver_that_says_pages_is_quoted_in_a_line() {
        assert_eq!(lost("out of memory"), ReadbackError::Lost("\"out of memory\"".into()));
        assert_eq!(sentence("can not allocate 3 GB\nskipped Kernel\nskipped Kernel"), "can not allocate 3 GB");
        assert_eq!(sentence("Execution { reason: \"no room\\n\\nCaused by"), "Execution { reason: \"no room");
        let long = sentence(&"é".repeat(900));
        assert_eq!(long.chars().count(), MOST_SAID + 2);
    }
}
