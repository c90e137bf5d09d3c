//! Windows of documents that are held.

use super::windows::{Part, Windows, cut};
use super::{TextError, Tokenizer, drawn};

/// Cuts windows from documents. A single document is encoded whole; several are each followed by
/// an empty line, as the paper's calibration does.
///
/// # Errors
/// When the text is too short or the model has no begin-of-sequence token that is asked for.
pub fn windows(
    tokenizer: &Tokenizer,
    documents: &[String],
    bos: Option<u32>,
    which: &Windows,
) -> Result<Vec<Vec<u32>>, TextError> {
    windows_watched(tokenizer, documents, bos, which, &mut |_, _| {})
}

/// [`windows`], telling `progress` how many of how many documents are encoded.
///
/// # Errors
/// As [`windows`].
pub fn windows_watched(
    tokenizer: &Tokenizer,
    documents: &[String],
    bos: Option<u32>,
    which: &Windows,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Vec<Vec<u32>>, TextError> {
    match drawn::windows(tokenizer, &documents, bos, which, progress)? {
        Some(windows) => Ok(windows),
        None => Ok(cut(tokenizer, documents, Part::default(), bos, which, progress)?.windows),
    }
}
