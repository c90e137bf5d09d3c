//! What ends a text, by generation_config.json, where that goes before config.json.

use std::io::ErrorKind;
use std::path::Path;

use serde_json::Value;

use super::ReadError;
use super::config::token_ids;
use super::folder::json_of;
use crate::beside;

/// The file of a folder.
const FILE: &str = "generation_config.json";

/// The tokens at which generation ends; none where the file is not there or names none.
///
/// # Errors
/// When the file is there and cannot be read.
pub fn generation_ends(folder: &Path) -> Result<Vec<u32>, ReadError> {
    let read = || -> Result<Value, ReadError> { json_of(&folder.join(FILE), &beside::read(folder, FILE)?) };
    match read() {
        Ok(settings) => Ok(token_ids(&settings["eos_token_id"])),
        Err(ReadError::Disk(error)) if error.cause.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}
