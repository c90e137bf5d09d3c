//! Calibration windows, cut into batches of equal length, and their embeddings.

use std::ops::Range;

use burn::tensor::TensorData;
use sha2::{Digest, Sha256};

use super::PipelineError;
use crate::checkpoint::HostTensor;
use crate::format::hex;
use crate::shape::Design;

/// Consecutive windows of one length, at most `most` together.
pub fn batches(windows: &[Vec<u32>], most: usize) -> Vec<Range<usize>> {
    let mut cut = Vec::new();
    let mut start = 0;
    for end in 1..=windows.len() {
        // Windows of other lengths would need filling up, and the Hessian would count the filling.
        let goes_on = end < windows.len() && end - start < most && windows[end].len() == windows[start].len();
        if !goes_on {
            cut.push(start..end);
            start = end;
        }
    }
    cut
}

/// The embeddings of the windows in `range`, `(windows, tokens, width)`, gathered on the host so
/// that the table need not be on the device.
///
/// # Errors
/// When a token has no row in the table.
pub fn embed(
    windows: &[Vec<u32>],
    range: &Range<usize>,
    embedding: &HostTensor,
    design: &Design,
) -> Result<TensorData, PipelineError> {
    let (vocabulary, width) = (embedding.shape[0], embedding.shape[1]);
    let tokens = windows[range.start].len();
    let mut values = Vec::with_capacity(range.len() * tokens * width);
    for window in range.clone() {
        for &token in &windows[window] {
            let row = token as usize * width;
            // Another model's tokenizer makes numbers beyond the table; that must not panic.
            match embedding.values.get(row..row + width) {
                Some(row) => values.extend(design.embedded(row)),
                None => return Err(PipelineError::Token { window, token, vocabulary }),
            }
        }
    }
    Ok(TensorData::new(values, [range.len(), tokens, width]))
}

/// SHA-256 of windows of tokens, their lengths included.
pub fn digest(windows: &[Vec<u32>]) -> String {
    let mut hash = Sha256::new();
    for window in windows {
        // Always 64 bits: `usize` has 32 on a page, and the digest must not depend on that.
        hash.update((window.len() as u64).to_le_bytes());
        hash.update(bytemuck::cast_slice::<u32, u8>(window));
    }
    hex(&hash.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(lengths: &[usize], most: usize, cut: &[Range<usize>]) {
        let windows: Vec<Vec<u32>> = lengths.iter().map(|&n| vec![0; n]).collect();
        assert_eq!(batches(&windows, most), cut, "{lengths:?}");
    }

    #[allow(clippy::single_range_in_vec_init, reason = "a list of one range is meant")]
    #[test]
    fn windows_of_one_length_go_together() {
        check(&[], 2, &[]);
        check(&[4], 2, &[0..1]);
        check(&[4, 4, 4], 2, &[0..2, 2..3]);
        check(&[4, 4, 3, 4], 8, &[0..2, 2..3, 3..4]);
    }

    #[test]
    fn a_token_beyond_the_table_is_an_error() {
        let table = HostTensor { shape: vec![2, 1], values: vec![5.0, 6.0] };
        let rows = embed(&[vec![1, 0]], &(0..1), &table, &Design::default()).unwrap();
        assert_eq!(rows.try_to_vec::<f32>().unwrap(), [6.0, 5.0]);
        let error = embed(&[vec![0, 2]], &(0..1), &table, &Design::default()).unwrap_err();
        assert!(matches!(error, PipelineError::Token { window: 0, token: 2, vocabulary: 2 }), "{error}");
    }

    #[test]
    fn the_digest_knows_where_windows_end() {
        assert_ne!(digest(&[vec![1, 2], vec![3]]), digest(&[vec![1], vec![2, 3]]));
    }
}
