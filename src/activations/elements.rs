//! In which numbers activations are kept.

use serde::{Deserialize, Serialize};

/// The numbers in which activations wait.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
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
pub enum Elements {
    /// As they are computed.
    #[default]
    #[strum(message = "single precision, as they are computed")]
    F32,
    /// In half of the memory, rounded to 11 bits.
    #[strum(message = "half precision, in half of the memory; more than 65504 is refused")]
    F16,
}

impl Elements {
    /// Bytes of a number.
    pub fn bytes(self) -> u64 {
        match self {
            Self::F32 => 4,
            Self::F16 => 2,
        }
    }
}
