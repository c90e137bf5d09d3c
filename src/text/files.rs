//! Calibration files: plain text, JSON lines, Alpaca-style rows and tables, packed or not. They are read
//! only as far as they are wanted: a file may be larger than the memory, and a small packed one may
//! hold a text that is.

use std::ops::ControlFlow;
use std::path::Path;

use serde_json::Value;

use super::piece::Piece;
use super::{Message, TextError};
use crate::device::room;

mod csv;
mod endings;
mod input;
mod listing;
mod parquet;
mod pass;
mod row;
mod table;
mod zstd;

pub(super) use endings::is_text;
pub use endings::{has_rows, is_readable, text_endings};
pub(super) use listing::{Listing, listing};
use pass::{Found, Shown};
pub(super) use row::under;

/// The share of the free memory that texts may take: what is made of them needs room too.
const SHARE: u64 = 2;
/// Bytes of text where a machine does not tell what is free.
const USUAL_BYTES: u64 = 4 << 30;

/// How far files are read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Documents that are wanted.
    pub documents: usize,
    /// Bytes after which reading stops, wherever that is.
    pub bytes: usize,
    /// Bytes of the longest row, which is held as a whole.
    pub held: usize,
}

impl Bounds {
    /// So many documents, as long as memory holds them.
    pub fn of_memory(documents: usize) -> Self {
        let bytes = room::host_bytes().map_or(USUAL_BYTES, |free| free / SHARE);
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        Self { documents, bytes, held: bytes }
    }

    /// However many bytes, for whoever holds none of them.
    pub fn endless(self) -> Self {
        Self { bytes: usize::MAX, ..self }
    }
}

/// How rows become texts.
#[derive(Clone, Copy)]
pub(super) struct How<'a> {
    /// Under which key the text stands, or the messages of a conversation.
    pub key: &'a str,
    /// Which columns of a table are read where rows are wanted; `None` reads all.
    pub columns: Option<&'a [&'a str]>,
    /// Makes a conversation a text.
    pub render: &'a dyn Fn(&[Message]) -> Result<String, String>,
}

/// What was read.
#[derive(Clone, Debug, Default)]
pub struct Documents {
    /// The texts.
    pub texts: Vec<String>,
    /// What was not taken as it stands, in sentences that name the file.
    pub notes: Vec<String>,
    /// Whether the bytes did not reach for all that was wanted.
    pub(super) is_part: bool,
    /// Whether the last text is only the beginning of its document.
    pub(super) is_cut: bool,
}

impl Documents {
    /// One text that is there already.
    pub fn one(text: &str) -> Self {
        Self { texts: vec![text.to_owned()], ..Self::default() }
    }
}

/// The first `documents` of the files together.
pub(super) fn whole<'a>(
    files: impl IntoIterator<Item = &'a Path>,
    how: How<'_>,
    documents: usize,
) -> Result<Documents, TextError> {
    let bounds = Bounds::of_memory(documents);
    let read = read(files, how, bounds)?;
    if read.is_part { Err(TextError::TooLarge { limit: bounds.bytes as u64 }) } else { Ok(read) }
}

/// The documents of the files, one after the other, within the bounds.
pub(super) fn read<'a>(
    files: impl IntoIterator<Item = &'a Path>,
    how: How<'_>,
    bounds: Bounds,
) -> Result<Documents, TextError> {
    let mut texts: Vec<String> = Vec::new();
    let found = pass(files, how, bounds, &mut |piece| {
        match texts.last_mut().filter(|_| !piece.begins) {
            Some(last) => last.push_str(piece.text),
            None => texts.push(piece.text.to_owned()),
        }
        ControlFlow::Continue(())
    })?;
    Ok(Documents { texts, notes: found.notes, is_part: found.is_part, is_cut: found.is_cut })
}

/// Shows the documents of the files to `each`, one after the other, within the bounds.
pub(super) fn pass<'a>(
    files: impl IntoIterator<Item = &'a Path>,
    how: How<'_>,
    bounds: Bounds,
    each: &mut dyn FnMut(Piece<'_>) -> ControlFlow<()>,
) -> Result<Found, TextError> {
    all(pass::Pass::new(how, bounds, Shown::Documents(each)), files)
}

/// Shows the rows of the files to `each`, as they are and with where each stands, as far as memory holds them.
pub(super) fn rows<'a>(
    files: impl IntoIterator<Item = &'a Path>,
    how: How<'_>,
    each: &mut dyn FnMut(&Value, &str) -> Result<(), String>,
) -> Result<Vec<String>, TextError> {
    let bounds = Bounds::of_memory(usize::MAX);
    let found = all(pass::Pass::new(how, bounds, Shown::Rows(each)), files)?;
    if found.is_part { Err(TextError::TooLarge { limit: bounds.bytes as u64 }) } else { Ok(found.notes) }
}

fn all<'a>(mut pass: pass::Pass<'_>, files: impl IntoIterator<Item = &'a Path>) -> Result<Found, TextError> {
    for path in files {
        if pass.is_full() {
            break;
        }
        pass.file(path)?;
    }
    Ok(pass.found)
}
