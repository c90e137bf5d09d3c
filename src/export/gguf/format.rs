//! The bytes of a GGUF file before its data.

use crate::gguf::{ALIGNMENT, Kind, MAGIC, VERSION};
use crate::quant::BlockType;

/// The value of a key.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "the names are the types")]
pub enum Value {
    U32(u32),
    F32(f32),
    Bool(bool),
    String(String),
    I32s(Vec<i32>),
    F32s(Vec<f32>),
    Strings(Vec<String>),
}

impl Value {
    fn kind(&self) -> Kind {
        match self {
            Self::U32(_) => Kind::U32,
            Self::F32(_) => Kind::F32,
            Self::Bool(_) => Kind::Bool,
            Self::String(_) => Kind::String,
            // The kind of its elements is part of the value.
            Self::I32s(_) | Self::F32s(_) | Self::Strings(_) => Kind::Array,
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::U32(v) => out.extend(v.to_le_bytes()),
            Self::F32(v) => out.extend(v.to_le_bytes()),
            Self::Bool(v) => out.push((*v).into()),
            Self::String(v) => write_string(out, v),
            Self::I32s(all) => write_array(out, Kind::I32, all, |out, v| out.extend(v.to_le_bytes())),
            Self::F32s(all) => write_array(out, Kind::F32, all, |out, v| out.extend(v.to_le_bytes())),
            Self::Strings(all) => write_array(out, Kind::String, all, |out, v| write_string(out, v)),
        }
    }
}

fn write_string(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend(text.as_bytes());
}

fn write_array<T>(out: &mut Vec<u8>, kind: Kind, all: &[T], write: impl Fn(&mut Vec<u8>, &T)) {
    out.extend((kind as u32).to_le_bytes());
    out.extend((all.len() as u64).to_le_bytes());
    all.iter().for_each(|v| write(out, v));
}

/// A line of the table of tensors.
pub(super) struct TensorInfo {
    pub name: String,
    /// Sizes, outermost first; the file has them the other way round.
    pub shape: Vec<usize>,
    pub kind: BlockType,
    /// Bytes of its data.
    pub bytes: u64,
}

/// Bytes from `length` to the next multiple of [`ALIGNMENT`].
pub(super) fn padding(length: u64) -> u64 {
    length.next_multiple_of(ALIGNMENT) - length
}

/// Everything before the data, filled up to where the first tensor begins.
pub(super) fn header(keys: &[(String, Value)], tensors: &[TensorInfo]) -> Vec<u8> {
    let mut out = MAGIC.to_vec();
    out.extend(VERSION.to_le_bytes());
    out.extend((tensors.len() as u64).to_le_bytes());
    out.extend((keys.len() as u64).to_le_bytes());
    for (key, value) in keys {
        write_string(&mut out, key);
        out.extend((value.kind() as u32).to_le_bytes());
        value.write(&mut out);
    }
    // From where the data begins, each tensor filled up to the alignment.
    let mut offset = 0;
    for tensor in tensors {
        write_string(&mut out, &tensor.name);
        out.extend((tensor.shape.len() as u32).to_le_bytes());
        // Innermost first, as ggml has them.
        tensor.shape.iter().rev().for_each(|&n| out.extend((n as u64).to_le_bytes()));
        out.extend(tensor.kind.id().to_le_bytes());
        out.extend(u64::to_le_bytes(offset));
        offset += tensor.bytes + padding(tensor.bytes);
    }
    out.resize(out.len() + padding(out.len() as u64) as usize, 0);
    out
}
