//! Windows from files: read only as far as the windows reach, where the choice of windows allows it.

use std::cell::OnceCell;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::files::{self, Bounds, Documents};
use super::piece::{Passing, Piece};
use super::windows::{Cut, Part, cut, enough};
use super::{Join, Sampling, TextError, Tokenizer, Windows, drawn};

/// Bytes that are read for each token that is wanted: far more than a token has in any language.
const BYTES_A_TOKEN: usize = 64;
/// Bytes that are read at least.
const LEAST_BYTES: usize = 1 << 16;
/// How much further the next try reads.
const FURTHER: usize = 4;

/// Files with texts.
#[derive(Clone, Copy, Debug)]
pub struct Files<'a> {
    /// Where they are.
    pub paths: &'a [PathBuf],
    /// Under which key the text of a row stands.
    pub key: &'a str,
    /// How many documents of all of them together are used; `None` uses all.
    pub documents: Option<usize>,
}

impl Files<'_> {
    /// All documents.
    ///
    /// # Errors
    /// When a file cannot be read, or there is more text than memory.
    pub fn read(&self) -> Result<Documents, TextError> {
        files::whole(self.each(), self.key, self.wanted())
    }

    /// Whether a file among them holds a text and no rows, by its name.
    pub fn have_texts(&self) -> bool {
        self.paths.iter().any(|path| files::is_text(path))
    }

    /// The rows as they stand in the files, each with its file's path and its place in it; what `each` finds wrong
    /// with one is told with both. Returns what is to be said of them.
    ///
    /// # Errors
    /// When a file cannot be read, is no file of rows or holds more than memory does, or with what `each` says.
    pub fn rows(&self, each: &mut dyn FnMut(&Value, &str) -> Result<(), String>) -> Result<Vec<String>, TextError> {
        files::rows(self.each(), each)
    }

    /// Windows of the documents, or of the one text that they are joined to. `progress` is told how
    /// many of how many documents are encoded, or windows where they are drawn.
    ///
    /// # Errors
    /// When a file cannot be read or is too short, or the model has no begin-of-sequence token that
    /// is asked for.
    pub fn windows(
        &self,
        join: Option<Join>,
        tokenizer: &Tokenizer,
        bos: Option<u32>,
        which: &Windows,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Cut, TextError> {
        let most = Bounds::of_memory(self.wanted());
        if let Some(cut) = self.drawn(join, tokenizer, bos, which, most, progress)? {
            return Ok(cut);
        }
        let mut bytes = self.first_bytes(which, most.bytes);
        loop {
            let mut read = files::read(self.each(), self.key, Bounds { bytes, ..most })?;
            if !read.is_part || self.tells_what_it_is(&read) {
                let part = Part { is_cut: read.is_part && (read.is_cut || join.is_some()) };
                let texts = match join {
                    Some(join) => vec![join.text(&read.texts)],
                    None => std::mem::take(&mut read.texts),
                };
                match cut(tokenizer, &texts, part, bos, which, progress) {
                    // More of the text may have enough.
                    Err(TextError::TooShort { .. }) if read.is_part => {}
                    Err(error) => return Err(error),
                    Ok(mut found) => {
                        read.notes.append(&mut found.notes);
                        return Ok(Cut { notes: read.notes, ..found });
                    }
                }
            }
            if bytes >= most.bytes {
                return Err(TextError::TooLarge { limit: most.bytes as u64 });
            }
            bytes = bytes.saturating_mul(FURTHER).min(most.bytes);
        }
    }

    /// Windows at drawn places, of documents that are not held; `None` where the text is to be cut as a whole.
    fn drawn(
        &self,
        join: Option<Join>,
        tokenizer: &Tokenizer,
        bos: Option<u32>,
        which: &Windows,
        most: Bounds,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Option<Cut>, TextError> {
        if join.is_some() || which.sampling != Sampling::Random || !self.can_be_read_again() {
            return Ok(None);
        }
        let text = Unheld { files: *self, bounds: most.endless(), notes: OnceCell::new() };
        let windows = drawn::windows(tokenizer, &text, bos, which, progress)?;
        let notes = text.notes.into_inner().unwrap_or_default();
        Ok(windows.map(|windows| Cut { windows, notes }))
    }

    /// What comes through a pipe can be read only once.
    fn can_be_read_again(&self) -> bool {
        self.paths.iter().all(|path| path.metadata().is_ok_and(|data| data.is_file()))
    }

    /// How far the first try reads.
    fn first_bytes(&self, which: &Windows, most: usize) -> usize {
        match enough(which) {
            usize::MAX => most,
            _ if !self.can_be_read_again() => most,
            tokens => tokens.saturating_mul(BYTES_A_TOKEN).clamp(LEAST_BYTES.min(most), most),
        }
    }

    /// Whether a part of the files shows already whether they are one document or several, which are
    /// joined differently.
    fn tells_what_it_is(&self, read: &Documents) -> bool {
        read.texts.len() > 1 || read.is_cut && self.paths.len() == 1
    }

    fn each(&self) -> impl Iterator<Item = &Path> {
        self.paths.iter().map(PathBuf::as_path)
    }

    fn wanted(&self) -> usize {
        self.documents.unwrap_or(usize::MAX)
    }
}

/// Documents of files that pass by and are not held.
struct Unheld<'a> {
    files: Files<'a>,
    bounds: Bounds,
    /// What is to be said of the first pass, which sees all of them.
    notes: OnceCell<Vec<String>>,
}

impl Passing for Unheld<'_> {
    fn pass(&self, each: &mut dyn FnMut(Piece<'_>) -> ControlFlow<()>) -> Result<(), TextError> {
        let found = files::pass(self.files.each(), self.files.key, self.bounds, each)?;
        if found.is_part {
            return Err(TextError::TooLarge { limit: self.bounds.held as u64 });
        }
        self.notes.get_or_init(|| found.notes);
        Ok(())
    }
}
