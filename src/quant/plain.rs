//! Numbers that are stored one by one, and the halves that scales are.

use half::{bf16, f16};

use super::{BlockType, QuantError};

/// Little-endian bytes to singles; exact. Other kinds have no values here.
pub(super) fn read(kind: BlockType, bytes: &[u8]) -> Vec<f32> {
    match kind {
        BlockType::F32 => bytes.as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)).collect(),
        BlockType::F16 => bytes.as_chunks().0.iter().map(|&b| f16::from_le_bytes(b).to_f32()).collect(),
        BlockType::Bf16 => bytes.as_chunks().0.iter().map(|&b| bf16::from_le_bytes(b).to_f32()).collect(),
        _ => vec![],
    }
}

/// Singles to little-endian bytes, to the nearest value, ties to even.
pub(super) fn write(kind: BlockType, values: &[f32]) -> Result<Vec<u8>, QuantError> {
    let holds = |value: f32| match kind {
        BlockType::F16 => f16::from_f32(value).is_finite(),
        BlockType::Bf16 => bf16::from_f32(value).is_finite(),
        _ => true,
    };
    if let Some(&value) = values.iter().find(|&&v| !holds(v)) {
        return Err(QuantError::TooLarge { kind, value });
    }
    Ok(match kind {
        BlockType::F16 => values.iter().flat_map(|&v| f16::from_f32(v).to_le_bytes()).collect(),
        BlockType::Bf16 => values.iter().flat_map(|&v| bf16::from_f32(v).to_le_bytes()).collect(),
        _ => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
    })
}

/// The half that stands at `at`.
pub(super) fn half(block: &[u8], at: usize) -> f32 {
    f16::from_le_bytes([block[at], block[at + 1]]).to_f32()
}

/// Puts a half at `at`: what was put, and whether it is a number.
pub(super) fn put_half(block: &mut [u8], at: usize, value: f32) -> (f32, bool) {
    let half = f16::from_f32(value);
    block[at..at + 2].copy_from_slice(&half.to_le_bytes());
    (half.to_f32(), half.is_finite())
}

/// The first value that is farthest from zero; 0 of none.
pub(super) fn largest(values: &[f32]) -> f32 {
    values.iter().fold(0.0, |most: f32, &v| if v.abs() > most.abs() { v } else { most })
}
