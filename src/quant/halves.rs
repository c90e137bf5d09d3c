//! Numbers of two bytes that are stored one by one.

use super::BlockType;

/// How two bytes are a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Half {
    /// IEEE half precision.
    F16,
    /// The upper half of a single.
    Bf16,
}

/// Bytes that are looked at before it is asked whether all were numbers: without a branch for each, several are looked
/// at in one instruction.
const PIECE: usize = 1 << 12;

impl Half {
    /// That of elements which are stored so.
    pub fn of(kind: BlockType) -> Option<Self> {
        match kind {
            BlockType::F16 => Some(Self::F16),
            BlockType::Bf16 => Some(Self::Bf16),
            _ => None,
        }
    }

    /// Whether all of these, little-endian, are finite numbers.
    pub fn are_finite(self, bytes: &[u8]) -> bool {
        // All bits of the exponent say that it is infinite or no number.
        let exponent: u16 = match self {
            Self::F16 => 0x7c00,
            Self::Bf16 => 0x7f80,
        };
        let is_none = |pair: &[u8; 2]| u16::from_le_bytes(*pair) & exponent == exponent;
        bytes
            .chunks(PIECE)
            .all(|piece| !piece.as_chunks::<2>().0.iter().fold(false, |found, pair| found | is_none(pair)))
    }
}

impl From<Half> for BlockType {
    fn from(half: Half) -> Self {
        match half {
            Half::F16 => Self::F16,
            Half::Bf16 => Self::Bf16,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quant::dequantise;

    #[test]
    fn every_pattern_is_finite_as_its_single_is() {
        for half in [Half::F16, Half::Bf16] {
            assert_eq!(Half::of(half.into()), Some(half));
            for pattern in 0..=u16::MAX {
                let bytes = pattern.to_le_bytes();
                let is_finite = dequantise(half.into(), &bytes)[0].is_finite();
                assert_eq!(half.are_finite(&bytes), is_finite, "{half:?} {pattern:#06x}");
            }
        }
    }

    #[test]
    fn one_among_many_is_found_wherever_it_stands() {
        let mut bytes = vec![0u8; 3 * PIECE + 10];
        assert!(Half::F16.are_finite(&bytes) && Half::F16.are_finite(&[]));
        for at in [0, PIECE - 2, PIECE, 3 * PIECE + 8] {
            bytes[at + 1] = 0xfc;
            assert!(!Half::F16.are_finite(&bytes), "{at}");
            bytes[at + 1] = 0;
        }
    }
}
