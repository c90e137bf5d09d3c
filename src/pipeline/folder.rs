//! The output folder, which appears under its final name only when it is whole.
//!
//! ```text
//! OUT.partial/run.json                  what tells this run from others
//! OUT.partial/lock                      held while a process works here
//! OUT.partial/state                     what was chosen of the whole model, where the method chooses so; with its SHA-256
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

use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::aside::Aside;
use super::{
    Fingerprint, FinishedLayer, FolderError, Job, LayerRecord, LayerSink, PipelineError, Plan, Report, Storing,
};
use crate::activations::Spill;
use crate::allocate::LayerPlan;
use crate::checkpoint::{Checkpoint, LayerWeights, SHARD_BYTES, Types, decode_layer, encode_layer};
use crate::disk::{self, DiskError};
use crate::format::hex;
use crate::place::{Kind, Place};
use crate::shape::{ModelConfig, places};

mod assemble;
mod room;
mod stored;
mod work;

use stored::{Sidecar, sha256_of};
use work::read_json;
pub use work::{Begun, Work};

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
    /// Where layers are hashed and written.
    thread: Aside,
    work: Work,
    config: ModelConfig,
    /// Of the tensors as they are numbered in the result.
    types: Types,
    plan: Vec<LayerPlan>,
    shard_bytes: usize,
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
        // The report of another version is still ours, but of another run.
        let finished = |out: &Path| read_json::<Report>(out, Report::FILE).ok().filter(|r| fingerprint.made(r));
        let work = match Work::open(place, &fingerprint, &reads, overwrite, finished)? {
            Begun::Finished(report) => return Ok(Opened::Finished(Box::new(report))),
            Begun::Work(work) => work,
        };
        let config = job.plan.biased_config(job.checkpoint.config());
        let (plan, shard_bytes) = (job.plan.layers.clone(), SHARD_BYTES);
        let stay: Vec<usize> = (0..plan.len()).filter(|&layer| !plan[layer].after.is_empty()).collect();
        let types = job.types().of_layers(&stay);
        room::ask(work.folder(), job.plan, types.bulk())?;
        Ok(Opened::Work(Self { thread: Aside::named("finished layer"), work, config, plan, types, shard_bytes }))
    }

    /// The plan by which a run like `job` was begun at `out`, or finished there: its own, or one with
    /// the smaller batches that a device without room for more has led to.
    pub fn begun(out: &Path, job: &Job<'_>) -> Option<Plan> {
        let place = Place::new(out, Kind::Pruned, false);
        let begun = Work::run_of(&place);
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
        self.work.begin_anew(&Fingerprint::of(job)?)
    }

    /// The same folder with shards of at most so many bytes.
    pub fn with_shard_bytes(self, shard_bytes: usize) -> Self {
        Self { shard_bytes, ..self }
    }

    /// Moves the folder here that a run like `job` has finished at `made`, and reports it; `None` where what stands there
    /// is of another run, or on another disk. It then stands there still.
    ///
    /// # Errors
    /// When something came to this place meanwhile that is not to be replaced, or the disk refuses.
    pub fn adopt(&mut self, job: &Job<'_>, made: &Path) -> Result<Option<Report>, FolderError> {
        let fingerprint = Fingerprint::of(job)?;
        let report = read_json::<Report>(made, Report::FILE).ok().filter(|report| fingerprint.made(report));
        let Some(report) = report else { return Ok(None) };
        if disk::rename(made, &self.work.whole()?).is_err() {
            return Ok(None);
        }
        self.work.publish()?;
        Ok(Some(report))
    }

    /// The folder that will appear.
    pub fn path(&self) -> &Path {
        self.work.out()
    }

    fn sidecar(&self, layer: usize) -> Result<Sidecar, FolderError> {
        let name = sidecar_name(layer);
        let sidecar: Sidecar = read_json(self.work.folder(), &name)?;
        match sidecar.is_whole(layer, &self.plan[layer]) {
            true => Ok(sidecar),
            false => Err(self.damaged(&name)),
        }
    }

    /// The file of a finished layer's weights, which are those that were written.
    fn whole_weights(&self, layer: usize) -> Result<PathBuf, FolderError> {
        let name = weights_name(layer);
        let path = self.work.folder().join(&name);
        match sha256_of(&path)? == self.sidecar(layer)?.weights_sha256 {
            true => Ok(path),
            false => Err(self.damaged(&name)),
        }
    }

    /// The number by which the tensors of a layer are named. One that leaves the model has none to be named.
    fn place(&self, layer: usize) -> usize {
        places(self.plan.iter().map(|plan| plan.after))[layer].unwrap_or(layer)
    }

    fn damaged(&self, name: &str) -> FolderError {
        FolderError::Damaged { path: self.work.folder().join(name), folder: self.work.folder().to_owned() }
    }
}

impl LayerSink for OutputFolder {
    fn finished(&self) -> usize {
        count_finished(self.work.folder(), self.plan.len())
    }

    fn record(&self, layer: usize) -> Result<(LayerRecord, f64), PipelineError> {
        let sidecar = self.sidecar(layer)?;
        Ok((sidecar.record, sidecar.seconds))
    }

    fn weights(&self, layer: usize) -> Result<LayerWeights, PipelineError> {
        let name = weights_name(layer);
        // As large as it was written: its hash says whether it is that.
        let bytes = disk::read_within(&self.work.folder().join(&name), u64::MAX - 1)?;
        let sidecar = self.sidecar(layer)?;
        // A replayed layer feeds all later ones, so damage must not go unnoticed.
        if hex(&Sha256::digest(&bytes)) != sidecar.weights_sha256 {
            return Err(self.damaged(&name).into());
        }
        Ok(decode_layer(self.place(layer), bytes, &self.config, sidecar.record.after)?)
    }

    fn store(&mut self, finished: FinishedLayer) -> Storing {
        let layer = finished.record.layer;
        let (place, family, types) = (self.place(layer), self.config.family, self.types.clone());
        let folder = self.work.folder().to_owned();
        self.thread.begin(move || -> Result<(), PipelineError> {
            let FinishedLayer { weights, record, seconds } = finished;
            let bytes = encode_layer(place, &weights, family, &types)?;
            // The bytes alone are what is left to write.
            drop(weights);
            let sidecar = Sidecar::new(seconds, &bytes, record);
            Ok(keep(&folder, layer, &bytes, &sidecar)?)
        })
    }

    fn finish(&mut self, checkpoint: &Checkpoint, report: &Report) -> Result<(), PipelineError> {
        let whole = self.work.whole()?;
        assemble::assemble(self, checkpoint, report, &whole)?;
        Ok(self.work.publish()?)
    }

    fn settle(&mut self, layers: &[LayerPlan]) {
        self.plan = layers.to_vec();
    }

    fn choice(&self) -> Result<Option<Vec<u8>>, PipelineError> {
        Ok(self.work.state()?)
    }

    fn keep_choice(&mut self, choice: &[u8]) -> Result<(), PipelineError> {
        Ok(self.work.keep_state(choice)?)
    }

    fn run_id(&self) -> Option<String> {
        Some(self.work.run_id())
    }

    fn spill(&self) -> Option<Arc<dyn Spill>> {
        Some(self.work.spill())
    }
}

/// Keeps a layer; its mark of wholeness comes last.
fn keep(folder: &Path, layer: usize, weights: &[u8], sidecar: &Sidecar) -> Result<(), DiskError> {
    disk::write(&folder.join(weights_name(layer)), weights)?;
    disk::write_json(&folder.join(sidecar_name(layer)), sidecar)
}

/// Layers from the first that are marked whole.
fn count_finished(partial: &Path, layers: usize) -> usize {
    // Up to the first gap: going on needs every layer before.
    (0..layers).take_while(|&layer| partial.join(sidecar_name(layer)).is_file()).count()
}

fn weights_name(layer: usize) -> String {
    format!("layer-{layer:05}.safetensors")
}

fn sidecar_name(layer: usize) -> String {
    format!("layer-{layer:05}.json")
}
