//! The working folder beside an output: one run works there at a time, and what it holds is of that run.

use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use super::assemble;
use crate::activations::{FolderSpill, Spill};
use crate::disk::{self, DiskError};
use crate::pipeline::{Fingerprint, FolderError};
use crate::place::{Place, PlaceError};

/// Before a state stands its SHA-256.
const SHA256_BYTES: usize = 32;

/// What stands at an output's place.
pub enum Begun<R> {
    /// A folder to work in.
    Work(Work),
    /// What this very run has made earlier.
    Finished(R),
}

/// A working folder that is held.
pub struct Work {
    place: Place,
    folder: PathBuf,
    fingerprint: Fingerprint,
    // Held until the run ends; the system lets go of it when the process dies.
    lock: Option<File>,
}

impl Work {
    /// The file that a run keeps its state in, if it has one that is not a layer.
    pub const STATE: &'static str = "state";

    /// Takes the working folder of a place for the run of `fingerprint`, which reads `reads`. What stands there is
    /// replaced only with `overwrite`, and only if it is of the place's kind; `finished` tells whether it is what this
    /// very run has made.
    ///
    /// # Errors
    /// When the place is what is read or something else, when its working folder belongs to another run or is in use,
    /// or when the disk refuses.
    pub fn open<R>(
        place: Place,
        fingerprint: &Fingerprint,
        reads: &[PathBuf],
        overwrite: bool,
        finished: impl Fn(&Path) -> Option<R>,
    ) -> Result<Begun<R>, FolderError> {
        place.keeps(reads)?;
        let folder = place.working_folder()?;
        settle(&place, &folder)?;
        match place.stands() {
            Err(exists @ PlaceError::Exists { .. }) => {
                let result = finished(place.out()).ok_or(exists)?;
                clear_finished(&folder, fingerprint)?;
                return Ok(Begun::Finished(result));
            }
            stands => stands?,
        };
        let lock = Some(claim(&folder, fingerprint, overwrite)?);
        Ok(Begun::Work(Self { place, folder, fingerprint: fingerprint.clone(), lock }))
    }

    /// The run that a place's working folder belongs to.
    pub fn run_of(place: &Place) -> Option<Fingerprint> {
        read_json(&place.working_folder().ok()?, RUN).ok()
    }

    /// Forgets what the run has stored and takes up another.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn begin_anew(&self, fingerprint: &Fingerprint) -> Result<(), FolderError> {
        Ok(begin(&self.folder, fingerprint)?)
    }

    /// The working folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The folder that will appear.
    pub fn out(&self) -> &Path {
        self.place.out()
    }

    /// The state that the run keeps, checked against its hash.
    ///
    /// # Errors
    /// When it cannot be read, or is not what was kept.
    pub fn state(&self) -> Result<Option<Vec<u8>>, FolderError> {
        let path = self.folder.join(Self::STATE);
        if !path.is_file() {
            return Ok(None);
        }
        // As large as it was written: its hash says whether it is that.
        let mut bytes = disk::read_within(&path, u64::MAX - 1)?;
        let kept = bytes.split_off(bytes.len().min(SHA256_BYTES));
        match Sha256::digest(&kept)[..] == bytes {
            true => Ok(Some(kept)),
            false => Err(FolderError::Damaged { path, folder: self.folder.clone() }),
        }
    }

    /// Keeps a state in place of the one before.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn keep_state(&self, state: &[u8]) -> Result<(), DiskError> {
        disk::write(&self.folder.join(Self::STATE), &[&Sha256::digest(state)[..], state].concat())
    }

    /// What tells the run from others.
    pub fn run_id(&self) -> String {
        self.fingerprint.digest()
    }

    /// Room for activations, while the run lasts.
    pub fn spill(&self) -> Arc<dyn Spill> {
        Arc::new(FolderSpill::new(self.folder.join(ACTIVATIONS)))
    }

    /// The folder that the whole is put together in; it is not there.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn whole(&self) -> Result<PathBuf, DiskError> {
        let whole = self.folder.join(disk::FINAL);
        // The whole needs the room more than activations that nobody will read again.
        for folder in [&self.folder.join(ACTIVATIONS), &whole] {
            disk::remove_folder(folder)?;
        }
        Ok(whole)
    }

    /// Gives the whole folder its name and clears the working folder away.
    ///
    /// # Errors
    /// When something came to the place meanwhile that is not to be replaced, or the disk refuses.
    pub fn publish(&mut self) -> Result<(), FolderError> {
        // Asked again: hours have passed since the run began.
        let may_go = |at: &Path| self.place.may_go(at).map(drop);
        let published = match self.place.is_filled() {
            true => disk::fill(&self.folder, self.place.out(), may_go),
            false => disk::publish(&self.folder, self.place.out(), may_go),
        };
        published.map_err(|cause| match cause {
            PlaceError::Disk(error) => error.into(),
            cause => FolderError::Taken { path: self.folder.clone(), cause },
        })?;
        if cfg!(windows) {
            // Windows does not remove a file that is open.
            self.lock = None;
        }
        Ok(clear(&self.folder)?)
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
        Err(_) => !partial.join(RUN).exists() && !disk::names(partial)?.iter().any(|name| is_mark(name)),
    };
    if is_own { Ok(clear(partial)?) } else { Ok(()) }
}

/// Removes a working folder that is held. No part of it can be mistaken for a run's.
fn clear(partial: &Path) -> Result<(), DiskError> {
    clear_stored(partial)?;
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
    clear_stored(partial)?;
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
pub(super) fn read_json<T: DeserializeOwned>(folder: &Path, name: &str) -> Result<T, FolderError> {
    let path = folder.join(name);
    serde_json::from_slice(&disk::read_within(&path, disk::REPORT)?)
        .map_err(|_| FolderError::Damaged { path, folder: folder.into() })
}

/// The working folder holds what we put there, or nothing of it is touched.
fn refuse_strangers(partial: &Path) -> Result<(), FolderError> {
    for name in disk::names(partial)? {
        let ours = [RUN, LOCK, disk::FINAL, disk::REPLACED, disk::ARRIVING, ACTIVATIONS, assemble::OUTER]
            .contains(&name.as_str())
            || is_stored(&name)
            || disk::is_unfinished(&name);
        if !ours {
            return Err(FolderError::Stranger { path: partial.into(), name });
        }
    }
    Ok(())
}

/// Removes what another run has stored, the marks of wholeness first.
fn clear_stored(partial: &Path) -> Result<(), DiskError> {
    let mut names: Vec<String> = disk::names(partial)?.into_iter().filter(|n| is_stored(n)).collect();
    names.sort_by_key(|n| !is_mark(n));
    names.iter().try_for_each(|name| disk::remove_file(&partial.join(name)))
}

/// Whether a run goes on from a file of this name.
fn is_stored(name: &str) -> bool {
    name.starts_with("layer-") || name == Work::STATE
}

/// Whether a file of this name says that something stored is whole.
fn is_mark(name: &str) -> bool {
    name == Work::STATE || is_stored(name) && name.ends_with(".json")
}

/// How often a folder is made that another run takes away.
const ATTEMPTS: usize = 100;

const RUN: &str = "run.json";
const LOCK: &str = "lock";
const ACTIVATIONS: &str = "activations";
