//! The output folder, which appears under its final name only when it is whole.
//!
//! ```text
//! OUT.partial/run.json                  what tells this run from others
//! OUT.partial/lock                      held while a process works here
//! OUT.partial/layer-00012.safetensors   a finished layer, by its final names and element type
//! OUT.partial/layer-00012.json          what became of it; written last, so it marks the layer whole
//! OUT.partial/activations/              activations that fit no memory, while a process works here
//! OUT.partial/final/                    the folder being put together, then renamed to OUT
//! ```
//!
//! Every file is whole as soon as it has its name ([`crate::disk`]): a process killed at any moment
//! leaves whole layers and rubbish that the next one clears away.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::batches::hex;
use super::{Fingerprint, FinishedLayer, FolderError, Job, LayerRecord, LayerSink, PipelineError, Report, Spill};
use crate::checkpoint::{Checkpoint, LayerWeights, Types, decode_layer, encode_layer};
use crate::disk::{self, DiskError};
use crate::shape::ModelConfig;

mod assemble;
mod spill;

use spill::FolderSpill;

/// What stands at the output's place.
#[allow(clippy::large_enum_variant, reason = "one of it exists in a run")]
pub enum Opened {
    /// A folder to work in, perhaps with layers of an interrupted run.
    Work(OutputFolder),
    /// This very run is finished already.
    Finished(Box<Report>),
}

/// The working folder of a run.
pub struct OutputFolder {
    out: PathBuf,
    partial: PathBuf,
    fingerprint: Fingerprint,
    config: ModelConfig,
    types: Types,
    shard_bytes: usize,
    finished: usize,
    // Held until the run ends; the system lets go of it when the process dies.
    lock: Option<File>,
}

/// What `layer-00012.json` holds of a finished layer.
#[derive(Serialize, Deserialize)]
struct Sidecar {
    seconds: f64,
    weights_sha256: String,
    record: LayerRecord,
}

impl OutputFolder {
    /// Prepares to write the result of `job` to `out`.
    ///
    /// An existing folder is replaced only with `overwrite`, and only if it is the output of
    /// this program; a finished folder of this very run is reported instead.
    ///
    /// # Errors
    /// When `out` is the model itself or something else, when its working folder belongs to another run or is in use,
    /// or when the disk refuses.
    pub fn open(out: &Path, job: &Job<'_>, overwrite: bool) -> Result<Opened, FolderError> {
        let fingerprint = Fingerprint::of(job)?;
        let partial = partial_of(out)?;
        // The source is read until the end of the run, so it cannot be replaced by its result.
        if job.checkpoint.folder().is_some_and(|source| is_same(source, out)) {
            return Err(FolderError::IsSource { path: out.into() });
        }
        // A process died between two renames: the earlier output must have its name back first.
        if partial.join(disk::REPLACED).is_dir() {
            let _lock = lock(&partial)?;
            disk::put_back(&partial, out)?;
        }
        if let Some(report) = standing(out, overwrite)? {
            if !overwrite && fingerprint.made(&report) {
                // A process killed between the last rename and the clearing leaves this behind.
                disk::remove_folder(&partial)?;
                return Ok(Opened::Finished(Box::new(report)));
            }
            if !overwrite {
                return Err(FolderError::Exists { path: out.into() });
            }
        }
        let lock = Some(claim(&partial, &fingerprint, overwrite)?);
        let config = job.plan.biased_config(job.checkpoint.config());
        // After the claim, which may have removed another run's layers.
        let finished = count_finished(&partial, config.layers.len());
        let (out, shard_bytes) = (out.to_owned(), SHARD_BYTES);
        Ok(Opened::Work(Self { out, partial, fingerprint, config, types: job.types(), shard_bytes, finished, lock }))
    }

    /// The same folder with shards of at most so many bytes.
    pub fn with_shard_bytes(self, shard_bytes: usize) -> Self {
        Self { shard_bytes, ..self }
    }

    /// The folder that will appear.
    pub fn path(&self) -> &Path {
        &self.out
    }

    fn sidecar(&self, layer: usize) -> Result<Sidecar, FolderError> {
        read_json(&self.partial, &sidecar_name(layer))
    }
}

impl LayerSink for OutputFolder {
    fn finished(&self) -> usize {
        self.finished
    }

    fn record(&self, layer: usize) -> Result<(LayerRecord, f64), PipelineError> {
        let sidecar = self.sidecar(layer)?;
        Ok((sidecar.record, sidecar.seconds))
    }

    fn weights(&self, layer: usize) -> Result<LayerWeights, PipelineError> {
        let name = weights_name(layer);
        let bytes = disk::read(&self.partial.join(&name))?;
        let sidecar = self.sidecar(layer)?;
        // A replayed layer feeds all later ones, so damage must not go unnoticed.
        if hex(&Sha256::digest(&bytes)) != sidecar.weights_sha256 {
            return Err(FolderError::Damaged { path: self.partial.join(name), folder: self.partial.clone() }.into());
        }
        Ok(decode_layer(layer, bytes, &self.config, sidecar.record.after)?)
    }

    fn store(&mut self, finished: FinishedLayer) -> Result<(), PipelineError> {
        let layer = finished.record.layer;
        let bytes = encode_layer(layer, &finished.weights, &self.types)?;
        let sidecar = Sidecar {
            seconds: finished.seconds,
            weights_sha256: hex(&Sha256::digest(&bytes)),
            record: finished.record,
        };
        self.keep(layer, &bytes, &sidecar)?;
        // Only now: a layer counts when its mark is on the disk.
        self.finished = layer + 1;
        Ok(())
    }

    fn finish(&mut self, checkpoint: &Checkpoint, report: &Report) -> Result<(), PipelineError> {
        let whole = self.partial.join(disk::FINAL);
        // The whole needs the room more than activations that nobody will read again.
        for folder in [&self.partial.join(ACTIVATIONS), &whole] {
            disk::remove_folder(folder)?;
        }
        assemble::assemble(self, checkpoint, report, &whole)?;
        Ok(self.publish()?)
    }

    fn run_id(&self) -> Option<String> {
        Some(self.fingerprint.digest())
    }

    fn spill(&self) -> Option<Rc<dyn Spill>> {
        Some(Rc::new(FolderSpill::new(self.partial.join(ACTIVATIONS))))
    }
}

impl OutputFolder {
    /// Keeps a layer; its mark of wholeness comes last.
    fn keep(&self, layer: usize, weights: &[u8], sidecar: &Sidecar) -> Result<(), DiskError> {
        disk::write(&self.partial.join(weights_name(layer)), weights)?;
        disk::write_json(&self.partial.join(sidecar_name(layer)), sidecar)
    }

    /// Gives the whole folder its name and clears the working folder away.
    fn publish(&mut self) -> Result<(), DiskError> {
        disk::publish(&self.partial, &self.out)?;
        if cfg!(windows) {
            // Windows does not remove a file that is open.
            self.lock = None;
        }
        disk::remove_folder(&self.partial)
    }
}

/// Whether two paths lead to one folder.
fn is_same(a: &Path, b: &Path) -> bool {
    // Resolved, because links and `..` give one folder many names.
    matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}

/// The working folder: `OUT.partial` beside `OUT`.
fn partial_of(out: &Path) -> Result<PathBuf, FolderError> {
    // Beside the output and so on its file system: the last step is a rename.
    let name = out.file_name().ok_or_else(|| FolderError::NoName { path: out.into() })?;
    let mut name = name.to_owned();
    name.push(".partial");
    Ok(out.with_file_name(name))
}

/// The report of the folder that stands at `out`; `None` when nothing does.
fn standing(out: &Path, overwrite: bool) -> Result<Option<Report>, FolderError> {
    match std::fs::metadata(out) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(DiskError::at("looked at", out)(e).into()),
        Ok(data) if !data.is_dir() => return Err(FolderError::NotOurs { path: out.into() }),
        Ok(_) => {}
    }
    let names = disk::names(out)?;
    if names.is_empty() {
        // An empty folder holds nothing to lose.
        return Ok(None);
    }
    // The report is our mark; without it the folder may be somebody's work.
    if !names.iter().any(|name| name == Report::FILE) {
        return Err(FolderError::NotOurs { path: out.into() });
    }
    match read_json(out, Report::FILE) {
        Ok(report) => Ok(Some(report)),
        // The report of another version is still ours, but of another run.
        Err(_) if overwrite => Ok(None),
        Err(_) => Err(FolderError::Exists { path: out.into() }),
    }
}

/// Makes or takes over the working folder and locks it.
fn claim(partial: &Path, fingerprint: &Fingerprint, overwrite: bool) -> Result<File, FolderError> {
    disk::make_folder(partial)?;
    // Before the lock, which is a file: nothing is written into a folder of somebody else.
    refuse_strangers(partial)?;
    let lock = lock(partial)?;
    // Under the lock, so what is unfinished here was left by a process that died.
    disk::clear_unfinished(partial)?;
    disk::remove_folder(&partial.join(ACTIVATIONS))?;
    if partial.join(RUN).is_file() {
        let theirs: Fingerprint = read_json(partial, RUN)?;
        let differences = theirs.differences(fingerprint);
        if differences.is_empty() {
            return Ok(lock);
        }
        if !overwrite {
            return Err(FolderError::OtherRun { path: partial.into(), differences });
        }
        // Before the new name of the run: killed in between, what is left still says whose it is.
        clear_layers(partial)?;
    }
    disk::write_json(&partial.join(RUN), fingerprint)?;
    Ok(lock)
}

/// The lock of a working folder.
fn lock(partial: &Path) -> Result<File, FolderError> {
    disk::lock(&partial.join(LOCK))?.ok_or_else(|| FolderError::Busy { path: partial.into() })
}

/// The value of a file in a folder of ours.
fn read_json<T: DeserializeOwned>(folder: &Path, name: &str) -> Result<T, FolderError> {
    let path = folder.join(name);
    serde_json::from_slice(&disk::read(&path)?).map_err(|_| FolderError::Damaged { path, folder: folder.into() })
}

/// The working folder holds what we put there, or nothing of it is touched.
fn refuse_strangers(partial: &Path) -> Result<(), FolderError> {
    for name in disk::names(partial)? {
        let ours = [RUN, LOCK, disk::FINAL, disk::REPLACED, ACTIVATIONS, assemble::OUTER].contains(&name.as_str())
            || name.starts_with("layer-")
            || name.ends_with(disk::UNFINISHED);
        if !ours {
            return Err(FolderError::Stranger { path: partial.into(), name });
        }
    }
    Ok(())
}

/// Removes another run's layers, the marks of wholeness first.
fn clear_layers(partial: &Path) -> Result<(), DiskError> {
    let mut names: Vec<String> = disk::names(partial)?.into_iter().filter(|n| n.starts_with("layer-")).collect();
    names.sort_by_key(|n| !n.ends_with(".json"));
    names.iter().try_for_each(|name| disk::remove_file(&partial.join(name)))
}

/// Layers from the first that are marked whole.
fn count_finished(partial: &Path, layers: usize) -> usize {
    // Up to the first gap: going on needs every layer before.
    (0..layers).take_while(|&layer| partial.join(sidecar_name(layer)).is_file()).count()
}

/// Larger outputs are cut into shards of at most this size.
const SHARD_BYTES: usize = 5_000_000_000;

const RUN: &str = "run.json";
const LOCK: &str = "lock";
const ACTIVATIONS: &str = "activations";

fn weights_name(layer: usize) -> String {
    format!("layer-{layer:05}.safetensors")
}

fn sidecar_name(layer: usize) -> String {
    format!("layer-{layer:05}.json")
}
