//! What a result may replace, and checkpoint folders in the making.

use std::path::{Path, PathBuf};

use super::ExportError;
use super::huggingface;
use crate::checkpoint::{self, Checkpoint, Dtype, HostTensor, SHARD_BYTES, encode_tensors};
use crate::disk::{self, Alone, NewFile, NewFolder};
use crate::place::{Kind, Place};

/// What a command that exports `checkpoint` reads.
fn reads(checkpoint: &Checkpoint) -> Vec<PathBuf> {
    checkpoint.folder().map(Path::to_owned).into_iter().collect()
}

/// A file in the making that is to replace what stands at its place only if that may go.
pub(super) struct NewExport {
    pub file: NewFile,
    place: Place,
    // Dropped last, when nothing unfinished is left.
    _alone: Alone,
}

impl NewExport {
    /// Begins a file of `kind` that will be `out`; an earlier one there is replaced at the end, with
    /// `overwrite`.
    pub fn begin(checkpoint: &Checkpoint, out: &Path, kind: Kind, overwrite: bool) -> Result<Self, ExportError> {
        let place = Place::new(out, kind, overwrite);
        place.ask(&reads(checkpoint))?;
        let alone = place.alone()?;
        Ok(Self { file: place.begin()?, place, _alone: alone })
    }

    /// Gives the file its name.
    pub fn finish(self) -> Result<(), ExportError> {
        Ok(self.place.finish(self.file)?)
    }
}

/// A checkpoint folder in the making.
pub(super) struct NewCheckpoint {
    place: Place,
    folder: NewFolder,
    parts: Vec<PathBuf>,
    source: Option<PathBuf>,
    _alone: Alone,
}

impl NewCheckpoint {
    /// Begins a folder that will be `out`, made of `checkpoint`. A folder there is replaced at the end,
    /// with `overwrite`, if it is a checkpoint and nothing else.
    pub fn begin(checkpoint: &Checkpoint, out: &Path, overwrite: bool) -> Result<Self, ExportError> {
        let place = Place::new(out, Kind::Checkpoint, overwrite);
        place.ask(&reads(checkpoint))?;
        let source = checkpoint.folder().map(Path::to_owned);
        let alone = place.alone()?;
        let folder = NewFolder::begin(place.out())?;
        Ok(Self { place, folder, parts: vec![], source, _alone: alone })
    }

    /// Writes a file of the folder.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<(), ExportError> {
        Ok(disk::put(&self.folder.path().join(name), bytes)?)
    }

    /// Adds tensors to the weights.
    pub fn tensors(&mut self, named: &[(String, &HostTensor, Dtype)]) -> Result<(), ExportError> {
        self.part(&encode_tensors(named)?)
    }

    /// Adds the bytes of a safetensors file to the weights.
    pub fn part(&mut self, bytes: &[u8]) -> Result<(), ExportError> {
        let path = self.folder.scratch().join(format!("{:05}.safetensors", self.parts.len()));
        disk::put(&path, bytes)?;
        self.parts.push(path);
        Ok(())
    }

    /// Joins the weights, takes over what the source has besides them, and gives the folder its name.
    pub fn finish(self) -> Result<(), ExportError> {
        let source = self.source.as_deref();
        checkpoint::assemble(&self.parts, self.folder.path(), SHARD_BYTES)?;
        source.map_or(Ok(()), |source| huggingface::carry(source, self.folder.path()))?;
        // Both copies of the weights need not lie there while an older result is replaced.
        self.parts.iter().try_for_each(|part| disk::remove_file(part))?;
        // Asked again: what stands there now may not be what stood there.
        Ok(self.folder.finish(|at| self.place.may_go(at).map(drop))?)
    }
}
