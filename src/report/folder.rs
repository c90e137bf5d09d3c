//! What a page is about: pruned folders, and continuations of prompts.

#[cfg(not(target_arch = "wasm32"))]
use std::path::Path;

#[cfg(not(target_arch = "wasm32"))]
use super::ReportError;
#[cfg(not(target_arch = "wasm32"))]
use crate::disk;
use crate::eval::EvalEntry;
#[cfg(not(target_arch = "wasm32"))]
use crate::eval::EvalRecord;
use crate::pipeline::Report;
use crate::search::{SearchPlan, Tuning};
#[cfg(not(target_arch = "wasm32"))]
use crate::shape::ModelConfig;

/// What a page shows of a pruned folder.
pub struct Folder {
    /// What it is called on the page.
    pub name: String,
    /// What was planned, what went, what it cost.
    pub report: Report,
    /// What was measured of it.
    pub evaluation: Vec<EvalEntry>,
    /// What was searched before it was pruned.
    pub searched: Option<SearchPlan>,
    /// What was tried before it was pruned.
    pub tuned: Option<Tuning>,
    /// What was learnt after it was pruned.
    #[cfg(feature = "gradients")]
    pub recovery: Option<crate::recover::Record>,
}

/// A prompt with what models made of it.
pub struct Sample {
    /// The beginning that was given.
    pub prompt: String,
    /// How each model went on.
    pub continuations: Vec<Continuation>,
}

/// How one model went on.
#[derive(serde::Serialize)]
pub struct Continuation {
    /// What the model is called.
    pub name: String,
    /// What it added to the prompt.
    pub text: String,
}

#[cfg(not(target_arch = "wasm32"))]
impl Folder {
    /// Reads what a folder says about itself.
    ///
    /// # Errors
    /// When it was not pruned by this program, or its files cannot be read.
    pub fn open(folder: &Path) -> Result<Self, ReportError> {
        let file = folder.join(Report::FILE);
        if !file.is_file() {
            return Err(ReportError::NotPruned { folder: folder.into(), file: Report::FILE });
        }
        let wrong = |reason: String| ReportError::Unreadable { file: file.clone(), reason };
        let json = disk::read_within(&file, disk::REPORT).map_err(|e| wrong(e.cause.to_string()))?;
        let report: Report = serde_json::from_slice(&json)
            .map_err(|e| wrong(format!("{e}; it is damaged or of another version: prune again")))?;
        // A column is drawn for each: a report that was tampered with must not fill the memory.
        if report.layers.len() > ModelConfig::MOST_LAYERS {
            return Err(wrong(format!("{} layers are more than any model has", report.layers.len())));
        }
        let name =
            // "." has no name; the folder it leads to has one.
            folder.canonicalize().ok().as_deref().unwrap_or(folder).file_name().map(|n| n.to_string_lossy().into());
        let evaluation = EvalRecord::read(folder)?.entries;
        Ok(Self {
            name: name.unwrap_or_else(|| folder.display().to_string()),
            report,
            evaluation,
            searched: read(folder, SearchPlan::FILE)?,
            tuned: read(folder, Tuning::FILE)?,
            #[cfg(feature = "gradients")]
            recovery: read(folder, crate::recover::Record::FILE)?,
        })
    }
}

/// What a file of the folder says, if it is there.
#[cfg(not(target_arch = "wasm32"))]
fn read<T: serde::de::DeserializeOwned>(folder: &Path, name: &str) -> Result<Option<T>, ReportError> {
    let file = folder.join(name);
    if !file.is_file() {
        return Ok(None);
    }
    let wrong = |reason: String| ReportError::Unreadable { file: file.clone(), reason };
    let json = disk::read_within(&file, disk::REPORT).map_err(|e| wrong(e.cause.to_string()))?;
    serde_json::from_slice(&json).map(Some).map_err(|e| wrong(format!("{e}; it is damaged or of another version")))
}
