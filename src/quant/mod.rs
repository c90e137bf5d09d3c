//! The blocks in which ggml, and so every GGUF file, stores numbers with few bits.
//!
//! A block holds 32 values, or 256 in the k-quants, as small codes with a scale that they share; some
//! have a minimum too. The layouts and formulas are those of ggml's `ggml-common.h` and
//! `ggml-quants.c`; what is read equals what its Python package `gguf` reads, bit for bit.

mod block;
mod error;
mod halves;
mod k;
mod plain;
mod plane;
mod small;

pub use block::BlockType;
pub use error::QuantError;
pub use halves::Half;

use crate::parallel;

/// The values of stored blocks, in single precision and ggml's order of operations; bytes after the
/// last whole block are ignored.
pub fn dequantise(kind: BlockType, bytes: &[u8]) -> Vec<f32> {
    let read: fn(&[u8], &mut [f32]) = match kind {
        BlockType::F32 | BlockType::F16 | BlockType::Bf16 => return plain::read(kind, bytes),
        BlockType::Q8_0 => small::read_q8_0,
        BlockType::Q4_0 => small::read_q4_0,
        BlockType::Q4_1 => small::read_q4_1,
        BlockType::Q5_0 => small::read_q5_0,
        BlockType::Q5_1 => small::read_q5_1,
        BlockType::Q2K => k::read_q2_k,
        BlockType::Q3K => k::read_q3_k,
        BlockType::Q4K => k::read_q4_k,
        BlockType::Q5K => k::read_q5_k,
        BlockType::Q6K => k::read_q6_k,
    };
    let mut values = vec![0.0; bytes.len() / kind.bytes() * kind.elements()];
    parallel::blocks(bytes, kind.bytes(), &mut values, kind.elements(), |block, values| {
        read(block, values);
        true
    });
    values
}

/// Values as blocks, as ggml's reference quantisers make them without weights of importance.
///
/// # Errors
/// With the first value that is no finite number, when the values do not fill whole blocks, and when
/// a scale or a value is too large for what stores it.
pub fn quantise(kind: BlockType, values: &[f32]) -> Result<Vec<u8>, QuantError> {
    let uneven = QuantError::Uneven { kind, values: values.len() };
    let length = kind.size_of(values.len()).ok_or(uneven)?;
    // A block shares its scale, so one such value would spoil all of it.
    if let Some(index) = values.iter().position(|v| !v.is_finite()) {
        return Err(QuantError::NotFinite { index, value: values[index] });
    }
    let write: fn(&[f32], &mut [u8]) -> bool = match kind {
        BlockType::F32 | BlockType::F16 | BlockType::Bf16 => return plain::write(kind, values),
        BlockType::Q8_0 => small::write_q8_0,
        BlockType::Q4_0 => small::write_q4_0,
        BlockType::Q4_1 => small::write_q4_1,
        BlockType::Q5_0 => small::write_q5_0,
        BlockType::Q5_1 => small::write_q5_1,
        BlockType::Q2K => k::write_q2_k,
        BlockType::Q3K => k::write_q3_k,
        BlockType::Q4K => k::write_q4_k,
        BlockType::Q5K => k::write_q5_k,
        BlockType::Q6K => k::write_q6_k,
    };
    // Zeros, because codes of less than a byte are added to what stands there.
    let mut bytes = vec![0; length];
    match parallel::blocks(values, kind.elements(), &mut bytes, kind.bytes(), write) {
        None => Ok(bytes),
        Some(block) => {
            let values = &values[block * kind.elements()..][..kind.elements()];
            Err(QuantError::TooLarge { kind, value: plain::largest(values) })
        }
    }
}
