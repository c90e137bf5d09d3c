//! In what the matrices of a file are stored, by llama.cpp's names for it.

use crate::checkpoint::Dtype;
use crate::names::Named;
use crate::quant::BlockType;

/// In what the matrices of a file are stored; vectors are f32 in all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr, strum::EnumMessage, strum::VariantArray)]
#[strum(serialize_all = "lowercase")]
pub enum FileType {
    /// IEEE single precision
    F32,
    /// IEEE half precision: numbers up to 65504
    F16,
    /// The upper half of a single
    Bf16,
    /// 8.5 bits for each weight: hardly to be told from f16
    Q8_0,
    /// 6.6 bits for each weight
    #[strum(serialize = "q6_k")]
    Q6K,
    /// 5.5 bits for each weight, and 6.6 where they matter most
    #[strum(serialize = "q5_k_m")]
    Q5KM,
    /// 4.5 bits for each weight, and 6.6 where they matter most: what most people run
    #[strum(serialize = "q4_k_m")]
    Q4KM,
    /// 4.5 bits for each weight, in the simplest blocks
    Q4_0,
}

impl FileType {
    /// The type of a file whose matrices are of this type.
    pub fn of(dtype: Dtype) -> Self {
        match dtype {
            Dtype::F32 => Self::F32,
            Dtype::F16 => Self::F16,
            Dtype::Bf16 => Self::Bf16,
        }
    }

    /// Whether matrices are stored in blocks, which a rule chooses for each.
    pub fn is_mixture(self) -> bool {
        self.dtype().is_none()
    }

    /// What all matrices are stored in; `None` where a mixture says it of each.
    pub(super) fn dtype(self) -> Option<Dtype> {
        Dtype::all().iter().copied().find(|&dtype| Self::of(dtype) == self)
    }

    /// The blocks of most matrices.
    pub(super) fn bulk(self) -> BlockType {
        match self {
            Self::F32 => BlockType::F32,
            Self::F16 => BlockType::F16,
            Self::Bf16 => BlockType::Bf16,
            Self::Q8_0 => BlockType::Q8_0,
            Self::Q6K => BlockType::Q6K,
            Self::Q5KM => BlockType::Q5K,
            Self::Q4KM => BlockType::Q4K,
            Self::Q4_0 => BlockType::Q4_0,
        }
    }

    /// llama.cpp's number for it (`enum llama_ftype` of `llama.h`).
    pub(super) fn number(self) -> u32 {
        match self {
            Self::F32 => 0,
            Self::F16 => 1,
            Self::Q4_0 => 2,
            Self::Q8_0 => 7,
            Self::Q4KM => 15,
            Self::Q5KM => 17,
            Self::Q6K => 18,
            Self::Bf16 => 32,
        }
    }
}

impl std::fmt::Display for FileType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
