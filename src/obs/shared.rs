//! Sums that several ranks have parts of, each on a device of its own.

use std::ops::Range;

#[cfg(feature = "gpu")]
use burn::tensor::{Tensor, TensorData};

#[cfg(feature = "gpu")]
use super::WgpuExecutor;
use super::{CpuExecutor, Executor, ObsError, Real};
#[cfg(feature = "gpu")]
use crate::device::readback::floats;

/// An executor whose sums can leave its device and come back, some rows at a time.
#[allow(async_fn_in_trait, reason = "as for `Executor`")]
pub trait Shared: Executor {
    /// The elements of the rows `rows` of the sum up to the diagonal of the last, `(rows, rows.end)`, row by row. What
    /// stands above the diagonal means nothing.
    async fn rows(&self, sum: &Self::Sum, rows: Range<usize>) -> Result<Vec<f32>, ObsError>;

    /// The sum with such elements in the place of its own.
    fn with_rows(&self, sum: Self::Sum, rows: Range<usize>, elements: Vec<f32>) -> Self::Sum;
}

impl<T: Real> Shared for CpuExecutor<T> {
    async fn rows(&self, sum: &Self::Sum, rows: Range<usize>) -> Result<Vec<f32>, ObsError> {
        let end = rows.end;
        // Only the lower triangle is kept.
        let element = |i: usize, j: usize| if j <= i { sum[(i, j)].single() } else { 0.0 };
        Ok(rows.flat_map(|i| (0..end).map(move |j| element(i, j))).collect())
    }

    fn with_rows(&self, mut sum: Self::Sum, rows: Range<usize>, elements: Vec<f32>) -> Self::Sum {
        let own = std::sync::Arc::make_mut(&mut sum);
        for (i, row) in rows.clone().zip(elements.chunks_exact(rows.end)) {
            for (j, &element) in row[..=i].iter().enumerate() {
                own[(i, j)] = T::of(element.into());
            }
        }
        sum
    }
}

#[cfg(feature = "gpu")]
impl Shared for WgpuExecutor {
    async fn rows(&self, sum: &Self::Sum, rows: Range<usize>) -> Result<Vec<f32>, ObsError> {
        let (count, end) = (rows.len(), rows.end);
        Ok(floats(sum.rows(rows).slice([0..count, 0..end])).await?)
    }

    fn with_rows(&self, mut sum: Self::Sum, rows: Range<usize>, elements: Vec<f32>) -> Self::Sum {
        let width = rows.end;
        sum.inplace(|first, block| {
            let [count, _] = block.dims();
            let own = rows.start.max(first)..rows.end.min(first + count);
            if own.is_empty() {
                return block;
            }
            let part = &elements[(own.start - rows.start) * width..(own.end - rows.start) * width];
            let part = TensorData::new(part.to_vec(), [own.len(), width]);
            let part = Tensor::from_data(part, &block.device());
            block.slice_assign([own.start - first..own.end - first, 0..width], part)
        });
        sum
    }
}
