//! What stands beside the weights of a model, whatever it was opened from: the files of its folder, or
//! those that the keys of a GGUF say in other words, or where they do not, those that lie beside it.

use std::io::{Error, ErrorKind};
use std::path::{Path, PathBuf};

use crate::disk::{self, DiskError};
use crate::gguf::{self, Texts};

/// What makes the files beside a GGUF those of its model.
const TOKENIZER: &str = "tokenizer.json";
/// What may stand beside it then.
const FILES: [&str; 6] = [
    TOKENIZER,
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "generation_config.json",
    "chat_template.jinja",
];

/// Whether a model is one file, and not a folder.
pub fn is_file(model: &Path) -> bool {
    model.is_file()
}

/// The bytes of the file `name` of a model, which is one of settings.
///
/// # Errors
/// When it is not there, cannot be read, or is larger than such a file can be.
pub fn read(model: &Path, name: &str) -> Result<Vec<u8>, DiskError> {
    read_within(model, name, disk::SETTINGS)
}

/// The bytes of the file `name` of a model, if there are at most so many.
///
/// # Errors
/// When it is not there, cannot be read, or is larger.
pub fn read_within(model: &Path, name: &str, most: u64) -> Result<Vec<u8>, DiskError> {
    if !is_file(model) {
        return disk::read_within(&model.join(name), most);
    }
    if let Some(folder) = stands_in(model) {
        return disk::read_within(&folder.join(name), most);
    }
    let wrong = |cause: Error| DiskError::at("read", model)(cause);
    // The name is asked for first: what no GGUF has needs no look at one.
    let known = Texts::NAMES.contains(&name).then(|| text(model, name)).transpose().map_err(wrong)?;
    match known.flatten() {
        None => Err(wrong(Error::new(ErrorKind::NotFound, format!("it says nothing of what stands in a {name}")))),
        Some(text) if text.len() as u64 > most => {
            let sizes = format!("its {name} would have {} bytes, and what is meant has at most {most}", text.len());
            Err(wrong(Error::new(ErrorKind::FileTooLarge, sizes)))
        }
        Some(text) => Ok(text.into_bytes()),
    }
}

/// The folder of a GGUF whose files stand for what its keys should say: where these make no tokenizer, and a
/// tokenizer.json lies there. Never otherwise, because in a folder of downloads it may be of any model.
fn stands_in(model: &Path) -> Option<PathBuf> {
    let folder = model.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let is_needed = folder.join(TOKENIZER).is_file() && text(model, TOKENIZER).is_err();
    is_needed.then(|| folder.to_owned())
}

/// The files that the keys of a GGUF make, or those that lie beside it in their place, with their names.
///
/// # Errors
/// When it cannot be read, or one of them cannot be made.
pub fn made(model: &Path) -> Result<Vec<(&'static str, String)>, DiskError> {
    if let Some(folder) = stands_in(model) {
        let there = FILES.into_iter().filter(|name| folder.join(name).is_file());
        let read = |name: &'static str| -> Result<(&'static str, String), DiskError> {
            let text = String::from_utf8(disk::read_within(&folder.join(name), disk::TOKENIZER)?);
            Ok((name, text.map_err(Error::other).map_err(DiskError::at("read", &folder.join(name)))?))
        };
        return there.map(read).collect();
    }
    let texts = Texts::open(model).map_err(Error::other).map_err(DiskError::at("read", model))?;
    let of = |name| -> Result<_, Error> { Ok(texts.get(name).map_err(Error::other)?.map(|text| (name, text))) };
    let all = Texts::NAMES.into_iter().map(of).collect::<Result<Vec<_>, Error>>();
    Ok(all.map_err(DiskError::at("read", model))?.into_iter().flatten().collect())
}

fn text(model: &Path, name: &str) -> Result<Option<String>, Error> {
    Texts::open(model).and_then(|texts| texts.get(name)).map_err(Error::other)
}

/// The files that hold the weights of a model: the safetensors of its folder, sorted, or the GGUF file, with those
/// that the model was split into.
///
/// # Errors
/// When the folder cannot be read.
pub fn weights(model: &Path) -> Result<Vec<PathBuf>, DiskError> {
    if is_file(model) {
        return Ok(gguf::parts(model).into_iter().filter(|part| part == model || part.is_file()).collect());
    }
    let names = disk::names(model)?.into_iter().filter(|name| name.ends_with(".safetensors"));
    Ok(names.map(|name| model.join(name)).collect())
}
