//! A tensor in half precision, where it lies on the device or on the host: rounded alike in both.

#[cfg(feature = "gpu")]
use burn::tensor::Int;
use burn::tensor::{Device, Tensor, TensorData};
use half::f16;

use super::CacheError;
use crate::device::readback::floats;
#[cfg(feature = "gpu")]
use crate::device::{has_kernels, readback::words};
#[cfg(feature = "gpu")]
use crate::gpu::halves;
#[cfg(feature = "gpu")]
use crate::quant::Half;

/// The numbers of a tensor `(windows, tokens, width)` in half precision.
pub(super) struct Halves {
    shape: [usize; 3],
    numbers: Numbers,
}

#[allow(clippy::large_enum_variant, reason = "a few live at a time; the numbers behind them are what is large")]
enum Numbers {
    /// Two in a word.
    #[cfg(feature = "gpu")]
    Device(Tensor<1, Int>),
    /// Little-endian.
    Host(Vec<u8>),
}

impl Halves {
    /// A tensor rounded, on its device where that has kernels for it.
    ///
    /// # Errors
    /// [`CacheError::Overflow`] when a number is too large, or when the device lost the work.
    pub async fn of(tensor: Tensor<3>) -> Result<Self, CacheError> {
        let shape = tensor.dims();
        #[cfg(feature = "gpu")]
        if has_kernels(&tensor.device()) {
            let largest = floats(tensor.clone().abs().max()).await?;
            refuse_overflow(largest.into_iter())?;
            return Ok(Self { shape, numbers: Numbers::Device(halves::narrow(&tensor)) });
        }
        let singles = floats(tensor).await?;
        refuse_overflow(singles.iter().copied())?;
        let bytes = singles.into_iter().flat_map(|single| f16::from_f32(single).to_le_bytes()).collect();
        Ok(Self::on_host(bytes, shape))
    }

    /// The numbers of a tensor of this shape that [`Self::into_bytes`] gave.
    pub fn on_host(bytes: Vec<u8>, shape: [usize; 3]) -> Self {
        Self { shape, numbers: Numbers::Host(bytes) }
    }

    /// The numbers, little-endian.
    ///
    /// # Errors
    /// When the device lost them.
    pub async fn into_bytes(self) -> Result<Vec<u8>, CacheError> {
        match self.numbers {
            #[cfg(feature = "gpu")]
            Numbers::Device(numbers) => {
                let mut bytes: Vec<u8> = bytemuck::pod_collect_to_vec(&words(numbers).await?);
                // The last word may be filled up.
                bytes.truncate(2 * self.shape.iter().product::<usize>());
                Ok(bytes)
            }
            Numbers::Host(bytes) => Ok(bytes),
        }
    }

    /// The tensor in singles, on its device.
    pub fn widened(&self, device: &Device) -> Tensor<3> {
        match &self.numbers {
            #[cfg(feature = "gpu")]
            Numbers::Device(words) => halves::widen(Half::F16, words, self.shape),
            #[cfg(feature = "gpu")]
            Numbers::Host(bytes) if has_kernels(device) => {
                halves::widen(Half::F16, &halves::words(bytes, device), self.shape)
            }
            Numbers::Host(bytes) => {
                let singles: Vec<f32> =
                    bytes.as_chunks().0.iter().map(|&pair| f16::from_le_bytes(pair).to_f32()).collect();
                Tensor::from_data(TensorData::new(singles, self.shape), device)
            }
        }
    }
}

/// Refuses the first number that half precision has not.
fn refuse_overflow(mut singles: impl Iterator<Item = f32>) -> Result<(), CacheError> {
    match singles.find(|&single| !f16::from_f32(single).is_finite()) {
        Some(value) => Err(CacheError::Overflow { value }),
        None => Ok(()),
    }
}
