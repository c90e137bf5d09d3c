//! The chat templates that a folder has as files, which go before those of the tokenizer's settings.

use std::io::ErrorKind;
use std::path::Path;

use super::{FILE, Named};
use crate::format::without_mark;
use crate::text::TextError;
use crate::{beside, disk};

/// The folder of the others, each under its name.
const FOLDER: &str = "additional_chat_templates";
/// What a template's file ends in.
const ENDING: &str = ".jinja";

/// All that there are.
pub(super) fn read(folder: &Path) -> Result<Vec<Named>, TextError> {
    let mut found = Vec::new();
    found.extend(text(folder, FILE)?.map(Named::of_the_file));
    // A folder that is not there, or is none, has no templates.
    for file in disk::names(&folder.join(FOLDER)).unwrap_or_default() {
        let Some(name) = file.strip_suffix(ENDING) else { continue };
        let source = text(&folder.join(FOLDER), &file)?;
        found.extend(source.map(|source| Named { name: name.into(), source, origin: format!("{FOLDER}/{file}") }));
    }
    Ok(found)
}

fn text(folder: &Path, file: &str) -> Result<Option<String>, TextError> {
    let wrong = |reason: String| TextError::File { file: folder.join(file).display().to_string(), reason };
    match beside::read(folder, file) {
        Ok(bytes) => {
            let text = std::str::from_utf8(without_mark(&bytes)).map_err(|e| wrong(e.to_string()))?;
            Ok(Some(text.to_owned()))
        }
        Err(e) if e.cause.kind() == ErrorKind::NotFound => Ok(None),
        Err(e) => Err(wrong(e.cause.to_string())),
    }
}
