//! Tensors back on the host, whatever device they live on. Always awaited: a page that waited for
//! its device would keep it from answering.

use burn::tensor::{Int, Tensor};

use crate::remedy::{Remedied, Remedy};

/// The device lost the work or refused it: it ran out of memory, or its driver was reset.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the device did not answer: {0}")]
pub struct ReadbackError(pub String);

/// Characters of a driver's words that are told.
const MOST_SAID: usize = 200;

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
    ReadbackError(sentence(&format!("{reason:?}")))
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
        Some(Remedy::LessAtOnce)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_driver_that_says_pages_is_quoted_in_a_line() {
        assert_eq!(lost("out of memory").0, "\"out of memory\"");
        assert_eq!(sentence("can not allocate 3 GB\nskipped Kernel\nskipped Kernel"), "can not allocate 3 GB");
        assert_eq!(sentence("Execution { reason: \"no room\\n\\nCaused by"), "Execution { reason: \"no room");
        let long = sentence(&"é".repeat(900));
        assert_eq!(long.chars().count(), MOST_SAID + 2);
    }
}
