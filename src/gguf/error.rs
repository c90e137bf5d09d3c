//! What can be wrong with a GGUF file: where, which value, and what to do.

use super::Arch;

/// Why a GGUF file is not read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GgufError {
    /// The disk refused.
    #[error("{0}")]
    Disk(#[from] std::io::Error),
    /// It is another kind of file.
    #[error("it does not begin as a GGUF file does; give a .gguf file, or the folder of a Hugging Face checkpoint")]
    Other,
    /// It is of a version, or an order of bytes, that is not read.
    #[error("it is GGUF of {0}; versions 2 and 3 in little-endian order are read")]
    Version(String),
    /// It is not whole.
    #[error("it ends within {0}; download it again")]
    Ends(String),
    /// A count or a length is beyond what any model has.
    #[error("{what} is {found}, more than any model has (at most {most} is read)")]
    TooMany {
        /// What is counted.
        what: String,
        /// How many there are.
        found: u64,
        /// How many are read.
        most: u64,
    },
    /// A name stands twice.
    #[error("{0} is in it twice; it is damaged")]
    Twice(String),
    /// A key is missing, is of another type, or says what is not supported.
    #[error("{key} {reason}")]
    Key {
        /// Name of the key.
        key: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A line of the table of tensors is wrong.
    #[error("tensor {name} {reason}")]
    Tensor {
        /// Name of the tensor.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A tensor is stored in a type that is not read.
    #[error(
        "tensor {tensor} is of type {kind}, which is not read; read are f32, f16, bf16, q8_0, q4_0 to q5_1 and q2_k \
         to q6_k: take a file in one of these"
    )]
    Type {
        /// Name of the tensor.
        tensor: String,
        /// Name and number of the type.
        kind: String,
    },
    /// The model is of another architecture.
    #[error("its architecture is \"{found}\", which is not read; read are {}", Arch::names())]
    Architecture {
        /// What stands there.
        found: String,
    },
    /// The file is a part of one that was split.
    #[error(
        "it is one of {0} files; give the first of them, with the others beside it under the names that \
         llama-gguf-split gave them (NAME-00001-of-{0:05}.gguf and so on)"
    )]
    Split(u64),
    /// The tokenizer cannot be made into a tokenizer.json.
    #[error("its tokenizer is not read: {0}; the tokenizer.json of the model is taken where it lies beside the file")]
    Tokenizer(String),
}

impl GgufError {
    /// Something wrong with a key.
    pub fn key(key: &str, reason: impl Into<String>) -> Self {
        Self::Key { key: key.into(), reason: reason.into() }
    }

    /// Something wrong with a tensor.
    pub fn tensor(name: &str, reason: impl Into<String>) -> Self {
        Self::Tensor { name: name.into(), reason: reason.into() }
    }
}
