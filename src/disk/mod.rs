//! The one room that writes: a file or a folder appears under its name when it is whole, or not at
//! all, and what it replaces stays until then.
//!
//! ```text
//! OUT.unfinished.a1b2c3   a file or folder in the making: a name of its own, beside what it will be
//!   final/                in such a folder: what OUT will be
//!   replaced/             what OUT was, where the system cannot exchange two names at once
//! ```
//!
//! Bytes are flushed before a name is given and the names after it. A process killed at any moment
//! leaves the old OUT or the new one, and rubbish that the next to write OUT clears away.
//!
//! What is read is opened here too: it is a file, and one of settings is no larger than such can be.

mod error;
mod file;
mod fill;
mod folder;
mod given;
mod growing;
mod hold;
mod place;
mod publish;
mod zip;

pub use error::DiskError;
pub use file::{NewFile, write, write_json, write_with};
pub use fill::{ARRIVING, fill, is_mount_point, settle};
pub use folder::NewFolder;
pub use given::{REPORT, ROWS, SETTINGS, TOKENIZER, is_pipe, open, open_named, read, read_named, read_within, told};
pub use growing::{Growing, link};
pub use hold::{Alone, alone_at, clear_abandoned, clear_unfinished, discard, in_turn, lock};
pub use place::{copy, is_empty, is_nobodys, is_unfinished, make_folder, names, put, real, remove_file, remove_folder};
pub use publish::{FINAL, REPLACED, publish, put_back, rename};
pub use zip::{Entry, Zip};
