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
//! Where OUT is a mount point, all this lies in OUT/slimgpt.partial, and what is whole moves into OUT
//! with `config.json` last.
//!
//! Every file is whole as soon as it has its name ([`crate::disk`]): a process killed at any moment
//! leaves whole layers and rubbish that the next one clears away.

use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use super::batches::hex;
use super::{Fingerprint, FinishedLayer, FolderError, Job, LayerRecord, LayerSink, PipelineError, Plan, Report, Spill};
use crate::allocate::LayerPlan;
use crate::checkpoint::{Checkpoint, LayerWeights, Types, decode_layer, encode_layer};
use crate::disk::{self, DiskError};
use crate::place::{Kind, Place, PlaceError};
use crate::shape::ModelConfig;

mod assemble;
mod room;
mod spill;
mod stored;

use spill::FolderSpill;
use stored::{Sidecar, sha256_of};

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
    place: Place,
    partial: PathBuf,
    fingerprint: Fingerprint,
    config: ModelConfig,
    types: Types,
    plan: Vec<LayerPlan>,
    shard_bytes: usize,
    finished: usize,
    // Held until the run ends; the system lets go of it when the process dies.
    lock: Option<File>,
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
        // The source is read until the end of the run, so it cannot be replaced by its result.
        let reads: Vec<PathBuf> = job.checkpoint.folder().map(Path::to_owned).into_iter().collect();
        let place = Place::new(out, Kind::Pruned, overwrite);
        place.keeps(&reads)?;
        let (out, partial) = (place.out().to_owned(), place.working_folder()?);
        settle(&place, &partial)?;
        match place.stands() {
            Err(exists @ PlaceError::Exists { .. }) => {
                // The report of another version is still ours, but of another run.
                let report = read_json::<Report>(&out, Report::FILE).ok().filter(|r| fingerprint.made(r));
                let report = report.ok_or(exists)?;
                clear_finished(&partial, &fingerprint)?;
                return Ok(Opened::Finished(Box::new(report)));
            }
            stands => stands?,
        };
        let lock = Some(claim(&partial, &fingerprint, overwrite)?);
        let config = job.plan.biased_config(job.checkpoint.config());
        // After the claim, which may have removed another run's layers.
        let finished = count_finished(&partial, config.layers.len());
        let types = job.types();
        room::ask(&partial, job.plan, types.bulk())?;
        let (plan, shard_bytes) = (job.plan.layers.clone(), SHARD_BYTES);
        Ok(Opened::Work(Self { out, place, partial, fingerprint, config, plan, types, shard_bytes, finished, lock }))
    }

    /// The plan by which a run like `job` was begun at `out`, or finished there: its own, or one with
    /// the smaller batches that a device without room for more has led to.
    pub fn begun(out: &Path, job: &Job<'_>) -> Option<Plan> {
        let place = Place::new(out, Kind::Pruned, false);
        let begun = read_json::<Fingerprint>(&place.working_folder().ok()?, RUN).ok();
        let finished = read_json::<Report>(place.out(), Report::FILE).ok();
        if begun.is_none() && finished.is_none() {
            return None;
        }
        let is_it = |plan: &Plan| {
            let own = Fingerprint::of(&Job { plan, ..*job }).ok();
            own.is_some_and(|own| finished.as_ref().is_some_and(|f| own.made(f)) || begun.as_ref() == Some(&own))
        };
        std::iter::successors(Some(job.plan.clone()), Plan::with_smaller_batches).find(is_it)
    }

    /// Forgets the finished layers and takes up the run of `job` instead.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn begin_anew(&self, job: &Job<'_>) -> Result<(), FolderError> {
        Ok(begin(&self.partial, &Fingerprint::of(job)?)?)
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
        let name = sidecar_name(layer);
        let sidecar: Sidecar = read_json(&self.partial, &name)?;
        match sidecar.is_whole(layer, &self.plan[layer]) {
            true => Ok(sidecar),
            false => Err(self.damaged(&name)),
        }
    }

    /// The file of a finished layer's weights, which are those that were written.
    fn whole_weights(&self, layer: usize) -> Result<PathBuf, FolderError> {
        let name = weights_name(layer);
        let path = self.partial.join(&name);
        match sha256_of(&path)? == self.sidecar(layer)?.weights_sha256 {
            true => Ok(path),
            false => Err(self.damaged(&name)),
        }
    }

    fn damaged(&self, name: &str) -> FolderError {
        FolderError::Damaged { path: self.partial.join(name), folder: self.partial.clone() }
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
        // As large as it was written: its hash says whether it is that.
        let bytes = disk::read_within(&self.partial.join(&name), u64::MAX - 1)?;
        let sidecar = self.sidecar(layer)?;
        // A replayed layer feeds all later ones, so damage must not go unnoticed.
        if hex(&Sha256::digest(&bytes)) != sidecar.weights_sha256 {
            return Err(self.damaged(&name).into());
        }
        Ok(decode_layer(layer, bytes, &self.config, sidecar.record.after)?)
    }

    fn store(&mut self, finished: FinishedLayer) -> Result<(), PipelineError> {
        let layer = finished.record.layer;
        let bytes = encode_layer(layer, &finished.weights, &self.types)?;
        let sidecar = Sidecar::new(finished.seconds, &bytes, finished.record);
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
    fn publish(&mut self) -> Result<(), FolderError> {
        // Asked again: hours have passed since the run began.
        let may_go = |at: &Path| self.place.may_go(at).map(drop);
        let published = match self.place.is_filled() {
            true => disk::fill(&self.partial, &self.out, may_go),
            false => disk::publish(&self.partial, &self.out, may_go),
        };
        published.map_err(|cause| match cause {
            PlaceError::Disk(error) => error.into(),
            cause => FolderError::Taken { path: self.partial.clone(), cause },
        })?;
        if cfg!(windows) {
            // Windows does not remove a file that is open.
            self.lock = None;
        }
        Ok(clear(&self.partial)?)
    }
}

/// Ends what a process was doing that died between two renames: the earlier output has its name back,
/// or the new one is whole.
fn settle(place: &Place, partial: &Path) -> Result<(), FolderError> {
    if ![disk::REPLACED, disk::ARRIVING].iter().any(|name| partial.join(name).is_dir()) {
        return Ok(());
    }
    let _lock = lock(partial)?;
    match place.is_filled() {
        true => Ok(disk::settle(partial, place.out())?),
        false => Ok(disk::put_back(partial, place.out())?),
    }
}

/// Clears away what a finished run left of its working folder, and nothing of another run.
fn clear_finished(partial: &Path, fingerprint: &Fingerprint) -> Result<(), FolderError> {
    // Killed after the result had its name, a process may have left what it was clearing.
    disk::clear_abandoned(partial);
    if !partial.is_dir() || refuse_strangers(partial).is_err() {
        return Ok(());
    }
    // Whoever works there works for another run: this one is finished.
    let Some(_lock) = disk::lock(&partial.join(LOCK))? else { return Ok(()) };
    let theirs = read_json::<Fingerprint>(partial, RUN);
    let is_own = match theirs {
        Ok(theirs) => theirs.differences(fingerprint).is_empty(),
        // Without it nobody can go on from here: the folder was being cleared, or had just been made.
        Err(_) => !partial.join(RUN).exists() && count_finished(partial, 1) == 0,
    };
    if is_own { Ok(clear(partial)?) } else { Ok(()) }
}

/// Removes a working folder that is held. No part of it can be mistaken for a run's.
fn clear(partial: &Path) -> Result<(), DiskError> {
    clear_layers(partial)?;
    disk::discard(partial);
    Ok(())
}

/// Makes or takes over the working folder and locks it.
fn claim(partial: &Path, fingerprint: &Fingerprint, overwrite: bool) -> Result<File, FolderError> {
    disk::clear_abandoned(partial);
    let lock = made_and_locked(partial)?;
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
    }
    begin(partial, fingerprint)?;
    Ok(lock)
}

/// Gives a working folder that is held to a run. Layers that are there have no name of their run, or
/// another's.
fn begin(partial: &Path, fingerprint: &Fingerprint) -> Result<(), DiskError> {
    // Before the new name is written: killed in between, what is left still says whose it is.
    clear_layers(partial)?;
    disk::write_json(&partial.join(RUN), fingerprint)
}

/// Makes the working folder where it is not there, and locks it.
fn made_and_locked(partial: &Path) -> Result<File, FolderError> {
    let mut attempt = 0;
    loop {
        disk::make_folder(partial)?;
        // Before the lock, which is a file: nothing is written into a folder of somebody else.
        refuse_strangers(partial)?;
        attempt += 1;
        match lock(partial) {
            // The run that has just finished took the folder away.
            Err(FolderError::Disk(e)) if e.cause.kind() == ErrorKind::NotFound && attempt < ATTEMPTS => {}
            locked => return locked,
        }
    }
}

/// The lock of a working folder.
fn lock(partial: &Path) -> Result<File, FolderError> {
    disk::lock(&partial.join(LOCK))?.ok_or_else(|| PlaceError::Busy { path: partial.into() }.into())
}

/// The value of a file in a folder of ours.
fn read_json<T: DeserializeOwned>(folder: &Path, name: &str) -> Result<T, FolderError> {
    let path = folder.join(name);
    serde_json::from_slice(&disk::read_within(&path, disk::REPORT)?)
        .map_err(|_| FolderError::Damaged { path, folder: folder.into() })
}

/// The working folder holds what we put there, or nothing of it is touched.
fn refuse_strangers(partial: &Path) -> Result<(), FolderError> {
    for name in disk::names(partial)? {
        let ours = [RUN, LOCK, disk::FINAL, disk::REPLACED, disk::ARRIVING, ACTIVATIONS, assemble::OUTER]
            .contains(&name.as_str())
            || name.starts_with("layer-")
            || disk::is_unfinished(&name);
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

/// How often a folder is made that another run takes away.
const ATTEMPTS: usize = 100;

const RUN: &str = "run.json";
const LOCK: &str = "lock";
const ACTIVATIONS: &str = "activations";

fn weights_name(layer: usize) -> String {
    format!("layer-{layer:05}.safetensors")
}

fn sidecar_name(layer: usize) -> String {
    format!("layer-{layer:05}.json")
}
