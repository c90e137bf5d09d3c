//! GGUF's numbers for the types of values, and for the kinds of tokens.

use strum::VariantArray;

/// The type of a key's value; `as u32` is its number in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, VariantArray)]
#[allow(missing_docs, reason = "the names are the types")]
pub enum Kind {
    U8 = 0,
    I8 = 1,
    U16 = 2,
    I16 = 3,
    U32 = 4,
    I32 = 5,
    F32 = 6,
    Bool = 7,
    String = 8,
    Array = 9,
    U64 = 10,
    I64 = 11,
    F64 = 12,
}

impl Kind {
    /// The type of this number.
    pub(super) fn of(number: u32) -> Option<Self> {
        Self::VARIANTS.iter().copied().find(|kind| *kind as u32 == number)
    }

    /// Fewest bytes that a value takes; an array's are its type and its length.
    pub(super) fn least_bytes(self) -> u64 {
        match self {
            Self::U8 | Self::I8 | Self::Bool => 1,
            Self::U16 | Self::I16 => 2,
            Self::U32 | Self::I32 | Self::F32 => 4,
            Self::U64 | Self::I64 | Self::F64 | Self::String => 8,
            Self::Array => 12,
        }
    }
}

/// What a token of `tokenizer.ggml.tokens` is; `as i32` is its number in `tokenizer.ggml.token_type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, VariantArray)]
pub enum TokenKind {
    /// A piece of text.
    Normal = 1,
    /// What stands for text without a token.
    Unknown = 2,
    /// With a meaning, and no text of its own.
    Control = 3,
    /// Text that is always a token of its own.
    UserDefined = 4,
    /// A number without a token.
    Unused = 5,
    /// A byte, for text without a token.
    Byte = 6,
}

impl TokenKind {
    /// The kind of this number.
    pub(super) fn of(number: i64) -> Option<Self> {
        Self::VARIANTS.iter().copied().find(|kind| *kind as i64 == number)
    }
}
