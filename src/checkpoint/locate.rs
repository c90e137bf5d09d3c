//! What people have in place of a model's folder or its GGUF: one of its files, an adapter, an archive.

use std::path::{Path, PathBuf};

use super::folder::{CONFIG, INDEX, SINGLE, is_named_by, set_of};
use super::{Adapter, ModelFile, ReadError};
use crate::{disk, gguf};

const WEIGHTS: &str = ".safetensors";

/// What a path is, as a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Located {
    /// A folder, or a GGUF file, that is opened as it is.
    Model(PathBuf),
    /// A folder of low-rank factors that are added to another model.
    Adapter {
        /// The folder.
        folder: PathBuf,
        /// The model that they were trained on, as the folder names it: a path, or a name on the hub.
        base: String,
    },
    /// A folder in one archive; see [`super::unpacked`].
    Packed(PathBuf),
}

/// What a path is, as a model. Of a path that is nothing known it is left to whoever opens it to say so.
///
/// # Errors
/// When a file of weights has no config.json beside it, or is one of several that are each a model, or an adapter does
/// not say what it is for.
pub fn locate(path: &Path) -> Result<Located, ReadError> {
    if path.is_dir() {
        let is_adapter = !path.join(CONFIG).exists() && path.join(Adapter::CONFIG).is_file();
        return if is_adapter { adapter(path) } else { Ok(Located::Model(path.to_owned())) };
    }
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    match ModelFile::of(path).filter(|_| path.is_file()) {
        // A folder has several of them, and is what is meant by each.
        Some(ModelFile::Json) => locate(&folder_of(path)),
        Some(ModelFile::Safetensors) if name == Adapter::FACTORS => locate(&folder_of(path)),
        Some(ModelFile::Safetensors) => weights(path, &name),
        Some(ModelFile::Zip) => Ok(Located::Packed(path.to_owned())),
        // The first has the keys. Where it is missing, whoever opens it says so.
        Some(ModelFile::Gguf) => Ok(Located::Model(gguf::parts(path).swap_remove(0))),
        None => Ok(Located::Model(path.to_owned())),
    }
}

/// The folder that a file lies in.
fn folder_of(path: &Path) -> PathBuf {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned()
}

/// The folder whose weights a file holds, alone or with others of its set.
fn weights(path: &Path, name: &str) -> Result<Located, ReadError> {
    let folder = folder_of(path);
    if !folder.join(CONFIG).exists() {
        return Err(ReadError::NoConfig(path.to_owned()));
    }
    let others: Vec<String> = disk::names(&folder)?.into_iter().filter(|other| other.ends_with(WEIGHTS)).collect();
    let is_chosen = match folder.join(SINGLE).exists() {
        true => name == SINGLE,
        false => is_named_by(&folder.join(INDEX), name) || others.iter().all(|other| set_of(other) == set_of(name)),
    };
    match is_chosen {
        true => Ok(Located::Model(folder)),
        false => Err(ReadError::OneOfSeveral { file: path.to_owned(), others }),
    }
}

fn adapter(folder: &Path) -> Result<Located, ReadError> {
    match Adapter::base(folder)? {
        Some(base) => Ok(Located::Adapter { folder: folder.to_owned(), base }),
        None => {
            let reason =
                "it does not say which model it was trained on; give that model, and this folder as its adapter";
            Err(ReadError::Adapter { folder: folder.to_owned(), reason: reason.into() })
        }
    }
}
