//! Between burn's tensors, row by row in single precision, and faer's matrices, column by column
//! in the executor's precision.

use std::borrow::Cow;

use burn::tensor::{Device, Tensor, TensorData};
use faer::{Mat, MatMut, MatRef};

use super::real::Real;
use super::tiles::copy;
use crate::cpu::Lent;
use crate::device::readback::{ReadbackError, floats};

/// A tensor's elements in host memory: lent by a tensor that lives there, read from any other.
pub(super) struct Elements {
    held: Held,
    shape: [usize; 2],
}

enum Held {
    Lent(Lent),
    Read(Vec<f32>),
}

impl Elements {
    pub async fn of(tensor: &Tensor<2>) -> Result<Self, ReadbackError> {
        let held = match Lent::of(tensor.clone()) {
            Some(lent) => Held::Lent(lent),
            None => Held::Read(floats(tensor.clone()).await?),
        };
        Ok(Self { held, shape: tensor.dims() })
    }

    /// The elements in `T`, row by row.
    pub fn values<T: Real>(&self) -> Cow<'_, [T]> {
        match &self.held {
            Held::Lent(lent) => T::of_singles(lent.values()),
            Held::Read(values) => T::of_singles(values),
        }
    }

    /// The elements as a matrix, from what [`Self::values`] gave.
    pub fn matrix<'a, T: Real>(&self, values: &'a [T]) -> MatRef<'a, T> {
        MatRef::from_row_major_slice(values, self.shape[0], self.shape[1])
    }
}

/// A matrix of faer's own, with the elements of a tensor.
pub(super) async fn matrix<T: Real>(tensor: &Tensor<2>) -> Result<Mat<T>, ReadbackError> {
    let elements = Elements::of(tensor).await?;
    let values = elements.values();
    let mut own = Mat::zeros(elements.shape[0], elements.shape[1]);
    copy(own.as_mut(), elements.matrix(&values));
    Ok(own)
}

/// The matrix on `device`, in single precision.
pub(super) fn tensor<T: Real>(a: MatRef<'_, T>, device: &Device) -> Tensor<2> {
    let shape = [a.nrows(), a.ncols()];
    let mut values = vec![T::of(0.0); shape[0] * shape[1]];
    copy(MatMut::from_row_major_slice_mut(&mut values, shape[0], shape[1]), a);
    Tensor::from_data(TensorData::new(values.into_iter().map(Real::single).collect::<Vec<f32>>(), shape), device)
}

/// The elements row by row, in double precision.
pub(super) fn row_by_row<T: Real>(a: MatRef<'_, T>) -> Vec<f64> {
    (0..a.nrows()).flat_map(|i| (0..a.ncols()).map(move |j| a[(i, j)].into())).collect()
}
