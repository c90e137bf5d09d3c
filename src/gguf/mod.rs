//! What stands in a GGUF file, read and written: the header with its keys and its table of tensors,
//! llama.cpp's names for architectures, tensors and rules that cut text, and the files of a folder that
//! the keys say in other words.
//!
//! The layout is that of the GGUF specification, versions 2 and 3. A file is from a stranger: counts,
//! lengths and places are held to the file's length before anything is made of them.

mod arch;
mod cursor;
mod error;
mod header;
pub mod key;
mod kind;
mod pre;
mod rope;
mod split;
mod texts;
mod tokenizer;
mod types;
mod value;

pub use arch::Arch;
pub use error::GgufError;
pub use header::{ALIGNMENT, Header, MAGIC, TensorInfo, VERSION};
pub use kind::{Kind, TokenKind};
pub use pre::{Cut, RULES, Rule};
pub use rope::{frequency_divisors, scaling_of, side_by_side};
#[cfg(not(target_arch = "wasm32"))]
pub use split::parts;
pub use texts::Texts;
pub use tokenizer::{NEVER_JOINED, ids};
