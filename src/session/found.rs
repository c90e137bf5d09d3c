//! The model that is meant by what people have: one of its files, an archive, a name on the hub, or low-rank factors,
//! which are added to the model that they were trained on.

use std::path::{Path, PathBuf};

use crate::checkpoint::{Checkpoint, Located, OnBytes, ReadError, locate, read_config, unpacked};
use crate::export::huggingface::may_belong;
use crate::hub::{Hub, HubError, Name, Need, Observer};
use crate::pipeline::Report;
use crate::remedy::{Remedied, Remedy};

/// A model before it is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// What leads to it again: the archive, or the folder of the factors, else the model itself.
    pub given: PathBuf,
    /// Its folder, or its GGUF file.
    pub model: PathBuf,
    /// The folder of the low-rank factors that are added to it.
    pub adapter: Option<PathBuf>,
}

impl Found {
    /// The model in a folder or a GGUF file.
    pub fn at(model: PathBuf) -> Self {
        Self { given: model.clone(), model, adapter: None }
    }

    /// What a model was pruned from, as far as its report knows.
    pub fn source_of(report: &Report) -> Option<Self> {
        let adapter = report.adapter.as_ref().map(PathBuf::from);
        Some(Self { adapter, ..Self::at(report.source.as_ref()?.into()) })
    }

    /// Opens it, with its factors if it has any.
    ///
    /// # Errors
    /// As [`Checkpoint::open`], and when the factors do not fit.
    pub fn open(&self) -> Result<Checkpoint, ReadError> {
        let checkpoint = Checkpoint::open(&self.model)?;
        match &self.adapter {
            Some(adapter) => checkpoint.with_adapter(adapter),
            None => Ok(checkpoint),
        }
    }
}

/// Why there is no model to open.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FindError {
    /// What was given stands for no model.
    #[error("{0}")]
    Read(#[from] ReadError),
    /// The hub does not have it, or not for now.
    #[error("{0}")]
    Hub(#[from] HubError),
    /// The hub has it, and it is of no kind that is read.
    #[error("{name}: {source}")]
    Unread {
        /// Its name on the hub.
        name: String,
        /// What its config.json has.
        source: ReadError,
    },
    /// The model that factors were trained on is not here.
    #[error("{} holds low-rank factors for {base}, which is neither beside it nor in the cache", .adapter.display())]
    NoBase {
        /// The folder of the factors.
        adapter: PathBuf,
        /// The model, as that folder names it.
        base: String,
    },
}

impl Remedied for FindError {
    fn remedy(&self) -> Option<Remedy> {
        match self {
            Self::Hub(error) => error.remedy(),
            Self::NoBase { .. } => Some(Remedy::GetBase),
            Self::Read(_) | Self::Unread { .. } => None,
        }
    }
}

/// The model that is meant. An archive is unpacked for that, once, into a folder in `into`; the model that factors were trained on is looked for
/// where its path leads, beside them, and in the cache of the hub. Nothing is downloaded, because nobody typed its name.
///
/// # Errors
/// When an archive holds no model, or factors have none.
pub fn found(located: Located, hub: &Hub, into: &Path, on_bytes: &mut OnBytes<'_>) -> Result<Found, FindError> {
    match located {
        Located::Model(model) => Ok(Found::at(model)),
        Located::Packed(zip) => {
            // The archive leads to it again: what it is unpacked into may be cleared.
            let model = unpacked(&zip, into, on_bytes)?;
            Ok(Found { given: zip, model, adapter: None })
        }
        Located::Adapter { folder, base } => {
            let cached = || hub.held(&Name::of_model(&base)?);
            match beside(&folder, &base).or_else(cached) {
                Some(model) => Ok(Found { given: folder.clone(), model, adapter: Some(folder) }),
                None => Err(FindError::NoBase { adapter: folder, base }),
            }
        }
    }
}

/// The model that factors were trained on, where the path leads that stands there, or beside the factors.
fn beside(folder: &Path, base: &str) -> Option<PathBuf> {
    let around = folder.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let last = Path::new(base).file_name().map(|name| around.join(name));
    // As peft writes it, it is what was typed when the factors were trained, perhaps on another machine.
    let paths = [Some(folder.join(base)), last, Some(base.into())];
    // A folder or a GGUF, and no other factors.
    let is_model = |path: &PathBuf| path.is_file() || path.join("config.json").is_file();
    paths.into_iter().flatten().find_map(|path| match locate(&path) {
        Ok(Located::Model(path)) => Some(path).filter(is_model),
        _ => None,
    })
}

/// The folder of a model on the hub, downloaded as far as the cache lacks it.
///
/// # Errors
/// When it cannot be had, or is of no kind that is read.
pub fn fetched(hub: &Hub, name: &Name, need: Need, observer: &mut Observer<'_>) -> Result<PathBuf, FindError> {
    let folder = hub.model(name, Need::Config, &may_belong, observer)?;
    if need == Need::Config {
        return Ok(folder);
    }
    // Its sizes first: of a model that is not read no weights are downloaded.
    read_config(&folder).map_err(|source| FindError::Unread { name: name.to_string(), source })?;
    Ok(hub.model(name, need, &may_belong, observer)?)
}
