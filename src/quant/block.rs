//! The kinds of block, their names, numbers and sizes.

/// How the numbers of a tensor are stored: one by one, or in blocks that share a scale.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    strum::IntoStaticStr,
    strum::EnumMessage,
    strum::VariantArray,
)]
#[strum(serialize_all = "lowercase")]
pub enum BlockType {
    /// IEEE single precision
    F32,
    /// IEEE half precision
    F16,
    /// The upper half of a single
    Bf16,
    /// 8-bit codes by 32, with a scale: 8.5 bits for each value
    Q8_0,
    /// 4-bit codes by 32, with a scale: 4.5 bits for each value
    Q4_0,
    /// 4-bit codes by 32, with a scale and a minimum: 5 bits for each value
    Q4_1,
    /// 5-bit codes by 32, with a scale: 5.5 bits for each value
    Q5_0,
    /// 5-bit codes by 32, with a scale and a minimum: 6 bits for each value
    Q5_1,
    /// 2-bit codes by 256, with 16 scales and minima of 4 bits: 2.6 bits for each value
    #[strum(serialize = "q2_k")]
    Q2K,
    /// 3-bit codes by 256, with 16 scales of 6 bits: 3.4 bits for each value
    #[strum(serialize = "q3_k")]
    Q3K,
    /// 4-bit codes by 256, with 8 scales and minima of 6 bits: 4.5 bits for each value
    #[strum(serialize = "q4_k")]
    Q4K,
    /// 5-bit codes by 256, with 8 scales and minima of 6 bits: 5.5 bits for each value
    #[strum(serialize = "q5_k")]
    Q5K,
    /// 6-bit codes by 256, with 16 scales of 8 bits: 6.6 bits for each value
    #[strum(serialize = "q6_k")]
    Q6K,
}

impl BlockType {
    /// The kind of ggml's number; `None` for those that are not read here.
    pub fn of_id(id: u32) -> Option<Self> {
        <Self as strum::VariantArray>::VARIANTS.iter().copied().find(|kind| kind.id() == id)
    }

    /// ggml's number for it (`enum ggml_type` of `ggml.h`).
    pub fn id(self) -> u32 {
        match self {
            Self::F32 => 0,
            Self::F16 => 1,
            Self::Q4_0 => 2,
            Self::Q4_1 => 3,
            // 4 and 5 are no longer in ggml; 9 and 15 are what it multiplies with, and stand in no file.
            Self::Q5_0 => 6,
            Self::Q5_1 => 7,
            Self::Q8_0 => 8,
            Self::Q2K => 10,
            Self::Q3K => 11,
            Self::Q4K => 12,
            Self::Q5K => 13,
            Self::Q6K => 14,
            Self::Bf16 => 30,
        }
    }

    /// Values of a block.
    pub fn elements(self) -> usize {
        match self {
            Self::F32 | Self::F16 | Self::Bf16 => 1,
            Self::Q8_0 | Self::Q4_0 | Self::Q4_1 | Self::Q5_0 | Self::Q5_1 => 32,
            Self::Q2K | Self::Q3K | Self::Q4K | Self::Q5K | Self::Q6K => 256,
        }
    }

    /// Bytes of a block.
    pub fn bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
            // A scale and perhaps a minimum of 2 bytes, fifth bits, codes.
            Self::Q8_0 => 2 + 32,
            Self::Q4_0 => 2 + 16,
            Self::Q4_1 => 4 + 16,
            Self::Q5_0 => 2 + 4 + 16,
            Self::Q5_1 => 4 + 4 + 16,
            // Bits of the codes, scales of the groups, then one or two scales of those.
            Self::Q2K => 64 + 16 + 4,
            Self::Q3K => 64 + 32 + 12 + 2,
            Self::Q4K => 128 + 12 + 4,
            Self::Q5K => 128 + 32 + 12 + 4,
            Self::Q6K => 128 + 64 + 16 + 2,
        }
    }

    /// Bytes of so many values; `None` where they do not fill blocks, or the bytes cannot be counted.
    pub fn size_of(self, values: usize) -> Option<usize> {
        values.is_multiple_of(self.elements()).then(|| (values / self.elements()).checked_mul(self.bytes()))?
    }
}

impl std::fmt::Display for BlockType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str((*self).into())
    }
}
