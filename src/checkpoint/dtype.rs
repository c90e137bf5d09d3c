//! Element types of stored tensors, and their widening and rounding.

use half::{bf16, f16};
use serde::{Deserialize, Serialize};

use super::WriteError;
use crate::quant::{self, BlockType};

/// How a tensor's elements are stored.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
    strum::IntoStaticStr,
    strum::EnumMessage,
    strum::VariantArray,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Dtype {
    /// IEEE single precision: what weights are computed in.
    F32,
    /// IEEE half precision: numbers up to 65504.
    F16,
    /// The upper half of a single: its range, with 8 bits of precision.
    Bf16,
}

impl Dtype {
    /// Bytes of one element.
    pub fn bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
        }
    }

    /// The name PyTorch gives it, as `torch_dtype` of config.json wants it.
    pub fn torch_name(self) -> &'static str {
        match self {
            Self::F32 => "float32",
            Self::F16 => "float16",
            Self::Bf16 => "bfloat16",
        }
    }

    /// The narrowest type that holds every value of both.
    pub fn wider(self, other: Self) -> Self {
        // f16 has more digits and bf16 the wider range: only f32 holds what both hold.
        if self == other { self } else { Self::F32 }
    }

    pub(super) fn of_stored(dtype: safetensors::Dtype) -> Option<Self> {
        match dtype {
            safetensors::Dtype::F32 => Some(Self::F32),
            safetensors::Dtype::F16 => Some(Self::F16),
            safetensors::Dtype::BF16 => Some(Self::Bf16),
            _ => None,
        }
    }

    pub(super) fn stored(self) -> safetensors::Dtype {
        match self {
            Self::F32 => safetensors::Dtype::F32,
            Self::F16 => safetensors::Dtype::F16,
            Self::Bf16 => safetensors::Dtype::BF16,
        }
    }

    /// Little-endian bytes to singles; exact.
    pub(super) fn widen(self, bytes: &[u8]) -> Vec<f32> {
        quant::dequantise(self.into(), bytes)
    }

    /// Singles to little-endian bytes, to the nearest value, ties to even.
    pub(crate) fn narrow(self, tensor: &str, values: &[f32]) -> Result<Vec<u8>, WriteError> {
        let mut bytes = Vec::with_capacity(values.len() * self.bytes());
        for &value in values {
            // An infinity must not be written.
            if self != Self::F32 && !self.holds(value) {
                return Err(WriteError::Overflow { tensor: tensor.to_owned(), value, range: self.range() });
            }
            match self {
                Self::F32 => bytes.extend(value.to_le_bytes()),
                Self::F16 => bytes.extend(f16::from_f32(value).to_le_bytes()),
                Self::Bf16 => bytes.extend(bf16::from_f32(value).to_le_bytes()),
            }
        }
        Ok(bytes)
    }

    /// Whether a number is one in this type too: what is too large becomes infinite when it is rounded.
    pub(super) fn holds(self, value: f32) -> bool {
        match self {
            Self::F32 => value.is_finite(),
            Self::F16 => f16::from_f32(value).is_finite(),
            Self::Bf16 => bf16::from_f32(value).is_finite(),
        }
    }

    /// Its name, and the largest number that it holds.
    pub(super) fn range(self) -> &'static str {
        match self {
            Self::F32 => "f32 (largest 3.4028e38)",
            Self::F16 => "f16 (largest 65504)",
            Self::Bf16 => "bf16 (largest 3.3895e38)",
        }
    }
}

impl From<Dtype> for BlockType {
    fn from(dtype: Dtype) -> Self {
        match dtype {
            Dtype::F32 => Self::F32,
            Dtype::F16 => Self::F16,
            Dtype::Bf16 => Self::Bf16,
        }
    }
}

impl std::fmt::Display for Dtype {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stored_value_survives_a_round_trip() {
        let values = [0.0, -1.5, 0.333_251_95, 1024.0, -6.1035156e-5];
        for dtype in [Dtype::F32, Dtype::F16, Dtype::Bf16] {
            let once = dtype.widen(&dtype.narrow("w", &values).unwrap());
            let twice = dtype.widen(&dtype.narrow("w", &once).unwrap());
            assert_eq!(once, twice, "{dtype}");
        }
    }

    #[test]
    fn a_value_too_large_for_half_names_the_tensor() {
        let error = Dtype::F16.narrow("model.norm.weight", &[70000.0]).unwrap_err();
        let WriteError::Overflow { tensor, value, .. } = error else { panic!("{error}") };
        assert_eq!((&*tensor, value), ("model.norm.weight", 70000.0));
    }

    #[test]
    fn a_value_that_rounds_to_infinity_does_not_fit() {
        // Half a step beyond the largest bf16, from which on it is rounded up.
        let largest = f32::from_bits(0x7f7f_7fff);
        assert!(Dtype::Bf16.narrow("w", &[largest, -largest]).is_ok());
        for value in [f32::from_bits(0x7f7f_8000), f32::MAX, f32::MIN, f32::INFINITY] {
            let error = Dtype::Bf16.narrow("w", &[value]).unwrap_err();
            assert!(error.to_string().contains("does not fit bf16 (largest 3.3895e38)"), "{error}");
            assert!(!Dtype::Bf16.holds(value));
        }
        assert!(
            Dtype::F32.narrow("w", &[f32::MAX]).is_ok() && Dtype::F16.holds(65_519.0) && !Dtype::F16.holds(65_520.0)
        );
    }
}
