//! What tells one run from another: everything that decides the bytes of the result.
//!
//! The fingerprint lies in the working folder as `run.json`. A run goes on only from layers of
//! the same fingerprint. Where activations lie and how much memory there is decide nothing about
//! the result and are left out, so that a run may go on with another `--memory`.

use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::batches::digest;
use super::{Job, Report};
use crate::beside;
use crate::checkpoint::Checkpoint;
use crate::disk::{self, DiskError};
use crate::format::hex;

/// A run's identity, as JSON: one entry for each thing that decides the result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fingerprint {
    entries: Map<String, Value>,
}

impl Fingerprint {
    /// Of what a run works with.
    ///
    /// # Errors
    /// When the checkpoint's files cannot be looked at.
    pub fn of(job: &Job<'_>) -> Result<Self, DiskError> {
        let checkpoint = job.checkpoint;
        let config = checkpoint.raw_config().to_string();
        let mut entries = Map::new();
        // Another version may compute other bits.
        entries.insert("version".into(), json!(env!("CARGO_PKG_VERSION")));
        entries.insert("source".into(), Self::files_of(checkpoint)?);
        // All of it: keys that pruning does not read are written to the output too.
        entries.insert("config".into(), json!(hex(&Sha256::digest(config))));
        entries.insert("calibration".into(), json!(digest(job.windows)));
        entries.insert("dtype".into(), json!(job.types().bulk().to_string()));
        // Sums differ in their last bits between devices, and layers of two must not mix.
        entries.insert("device".into(), json!(job.device.name()));
        entries.insert("plan".into(), plan(job));
        Ok(Self { entries })
    }

    /// Of anything that is told from others by these entries.
    pub fn new(entries: Map<String, Value>) -> Self {
        Self { entries }
    }

    /// Where a checkpoint lies, and its files of weights as they are; `null` for a model in memory.
    ///
    /// # Errors
    /// When the files cannot be looked at.
    pub fn files_of(checkpoint: &Checkpoint) -> Result<Value, DiskError> {
        let model = source(checkpoint.folder())?;
        match checkpoint.adapter() {
            Some(adapter) => Ok(json!({ "model": model, "adapter": source(Some(adapter))? })),
            None => Ok(model),
        }
    }

    /// A short name for a checkpoint, wherever it lies: its configuration, and of a folder the names, the
    /// sizes and the last bytes of its weights.
    ///
    /// # Errors
    /// When the files cannot be looked at.
    pub fn source_of(checkpoint: &Checkpoint) -> Result<String, DiskError> {
        let files = checkpoint.folder().map(ends_of_weights).transpose()?;
        let text = json!([files, checkpoint.raw_config()]).to_string();
        Ok(hex(&Sha256::digest(text))[..16].to_owned())
    }

    /// A short name for it: the first 16 hexadecimal digits of its SHA-256.
    pub fn digest(&self) -> String {
        let text = Value::Object(self.entries.clone()).to_string();
        hex(&Sha256::digest(text))[..16].to_owned()
    }

    /// What is not the same, by name and in order; settings of the plan one by one.
    pub fn differences(&self, other: &Self) -> Vec<String> {
        differing("", &self.entries, &other.entries)
    }

    /// Whether a finished folder's report is of this run.
    pub fn made(&self, report: &Report) -> bool {
        report.run_id.as_deref() == Some(&self.digest())
    }
}

/// The plan without the bytes.
fn plan(job: &Job<'_>) -> Value {
    let mut plan = serde_json::to_value(job.plan).unwrap_or(Value::Null);
    if let Some(plan) = plan.as_object_mut() {
        plan.remove("memory");
    }
    plan
}

/// Path, and name, size and time of change of every file of weights; `null` for a model in memory.
fn source(path: Option<&Path>) -> Result<Value, DiskError> {
    let Some(path) = path else { return Ok(Value::Null) };
    let path = path.canonicalize().map_err(DiskError::at("looked at", path))?;
    // Not their hash: that would read the whole model before any work.
    let mut files = Vec::new();
    for file in beside::weights(&path)? {
        // The file behind a link is what is read; caches of downloads are full of links.
        let name = name_of(&file);
        let data = std::fs::metadata(&file).map_err(DiskError::at("looked at", &file))?;
        let changed = data.modified().ok().and_then(|t| t.duration_since(std::time::UNIX_EPOCH).ok());
        files.push((name, data.len(), changed.map(|t| t.as_nanos() as u64)));
    }
    Ok(json!({ "path": path.to_string_lossy(), "files": files }))
}

/// Name, size and a digest of the end of every file of weights. No training leaves all of these as
/// they were, and a whole model would take minutes to read.
fn ends_of_weights(folder: &Path) -> Result<Vec<(String, u64, String)>, DiskError> {
    let of = |path: std::path::PathBuf| {
        let name = name_of(&path);
        let read = || {
            let mut file = disk::open(&path).map_err(|e| e.cause)?;
            let length = file.metadata()?.len();
            file.seek(SeekFrom::Start(length.saturating_sub(END)))?;
            let mut end = Vec::new();
            file.take(END).read_to_end(&mut end)?;
            Ok((length, hex(&Sha256::digest(end))))
        };
        let (length, end) = read().map_err(DiskError::at("read", &path))?;
        Ok((name, length, end))
    };
    beside::weights(folder)?.into_iter().map(of).collect()
}

fn name_of(file: &Path) -> String {
    file.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Bytes at the end of a file that are looked at.
const END: u64 = 1 << 20;

fn differing(prefix: &str, a: &Map<String, Value>, b: &Map<String, Value>) -> Vec<String> {
    let mut names: Vec<&String> = a.keys().chain(b.keys().filter(|k| !a.contains_key(*k))).collect();
    names.retain(|name| a.get(*name) != b.get(*name));
    let describe = |name: &String| match (name.as_str(), a.get(name), b.get(name)) {
        // Settings are told one by one; the files of the source or the layers' ratios would not help.
        ("plan" | "request", Some(Value::Object(a)), Some(Value::Object(b))) => differing("plan.", a, b),
        _ => vec![format!("{prefix}{name}")],
    };
    names.into_iter().flat_map(describe).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fingerprint(text: &str) -> Fingerprint {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn differences_name_the_settings() {
        let a = fingerprint(r#"{"dtype":"f16","device":"cpu","plan":{"ratio":0.2,"seed":0}}"#);
        let b = fingerprint(r#"{"dtype":"f16","device":"gpu","plan":{"ratio":0.3,"seed":0}}"#);
        assert_eq!(a.differences(&b), ["device", "plan.ratio"]);
        assert!(a.differences(&a).is_empty());
        assert_ne!(a.digest(), b.digest());
    }
}
