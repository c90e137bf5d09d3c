//! One file from the hub into the cache: what has arrived stays, the next try asks for the rest, and it gets its
//! name only when its hash is that of the file.

use std::path::PathBuf;
use std::time::Duration;

use super::cache::Repository;
use super::client::{Client, Remote};
use super::error::HubError;
use super::event::{Event, Observer};
use super::hash::Hash;
use super::name::Name;
use super::retry::Tries;
use super::settings::Settings;
use super::waiting::{Waiting, pieces};
use crate::disk::Growing;

/// Tries in a row that bring nothing before it is given up: half a minute of pauses, in which a network comes back.
const TRIES: u32 = 6;
/// Between two looks whether another process has finished.
const LOOK: Duration = Duration::from_millis(200);

/// A file that is to be fetched.
pub(super) struct Wanted<'a> {
    pub name: &'a Name,
    pub file: &'a str,
    pub remote: &'a Remote,
}

/// Who is told of a file, which is one of several.
pub(super) struct Told<'a, 'b> {
    pub observer: &'a mut Observer<'b>,
    /// Bytes of the files before it.
    pub before: u64,
    /// Bytes of all files.
    pub total: u64,
}

impl Told<'_, '_> {
    fn arrived(&mut self, done: u64) {
        (self.observer)(Event::Arrived { done: self.before.saturating_add(done), total: self.total });
    }
}

/// Fetches files into a repository of the cache.
pub(super) struct Fetcher<'a> {
    pub client: &'a Client<'a>,
    pub settings: &'a Settings,
    pub repository: &'a Repository,
}

impl Fetcher<'_> {
    /// Has the file's bytes in the cache; whether they were downloaded just now.
    pub fn fetch(&self, wanted: &Wanted<'_>, told: &mut Told<'_, '_>) -> Result<bool, HubError> {
        let Remote { etag, size, .. } = wanted.remote;
        let hash = Hash::of(etag, *size)
            .ok_or_else(|| self.client.nonsense(wanted.name, &format!("no hash of {}", wanted.file)))?;
        let _turn = self.turn(wanted, told)?;
        // While it waited another process may have brought them.
        let is_new = !self.is_there(wanted.file, wanted.remote);
        if is_new {
            self.bring(wanted, hash, told)?;
        }
        Ok(is_new)
    }

    /// Whether the cache has all bytes of a file: under their hash, or where there are no links in its snapshot alone.
    pub fn is_there(&self, file: &str, remote: &Remote) -> bool {
        let is_whole = |path: PathBuf| path.metadata().is_ok_and(|data| data.is_file() && data.len() == remote.size);
        is_whole(self.repository.blob(&remote.etag)) || is_whole(self.repository.snapshot(&remote.commit).join(file))
    }

    /// Bytes of a file that are there from an earlier try.
    pub fn begun(&self, remote: &Remote) -> u64 {
        let begun = self.repository.incomplete(&remote.etag).metadata().map_or(0, |data| data.len());
        if begun > remote.size { 0 } else { begun }
    }

    /// Waits until no other process downloads the same bytes.
    fn turn(&self, wanted: &Wanted<'_>, told: &mut Told<'_, '_>) -> Result<std::fs::File, HubError> {
        let mut is_told = false;
        loop {
            if let Some(turn) = self.repository.lock(&wanted.remote.etag)? {
                return Ok(turn);
            }
            if !is_told {
                (told.observer)(Event::Waiting { file: wanted.file });
                is_told = true;
            }
            self.client.waiting.pause(LOOK)?;
        }
    }

    /// Downloads the bytes that are missing, and gives all of them their name.
    fn bring(&self, wanted: &Wanted<'_>, hash: Hash, told: &mut Told<'_, '_>) -> Result<(), HubError> {
        let Remote { etag, size, .. } = wanted.remote;
        let mut arriving =
            Arriving { part: Growing::open(&self.repository.incomplete(etag))?, hash: hash.clone(), anew: hash };
        let was_begun = arriving.take_up(*size, self.client.waiting)?;
        let mut found = self.whole(wanted, &mut arriving, told)?;
        if found != *etag && was_begun {
            // What an earlier try left may be damaged, as after a power cut.
            arriving.restart()?;
            found = self.whole(wanted, &mut arriving, told)?;
        }
        if found == *etag {
            return Ok(arriving.part.finish(&self.repository.blob(etag))?);
        }
        // Nothing good would come of going on from it.
        arriving.restart()?;
        let (name, file) = (wanted.name.to_string(), wanted.file.to_owned());
        Err(HubError::Hash { name, file, wanted: etag.clone(), found })
    }

    /// Downloads until all bytes are there, and returns their hash. Broken connections are tried again as long as
    /// they bring something.
    fn whole(&self, wanted: &Wanted<'_>, arriving: &mut Arriving, told: &mut Told<'_, '_>) -> Result<String, HubError> {
        let mut tries = Tries::new(TRIES, self.settings.pause);
        while arriving.part.len() < wanted.remote.size {
            let before = arriving.part.len();
            let Err(error) = self.more(wanted, arriving, told) else { continue };
            if arriving.part.len() > before {
                tries.helped();
            }
            let reason = error.to_string();
            let pause = tries.failed(error)?;
            (told.observer)(Event::Again { file: wanted.file, reason: &reason, seconds: pause.as_secs_f64() });
            self.client.waiting.pause(pause)?;
        }
        Ok(arriving.hash.clone().finish())
    }

    /// One request for what is missing.
    fn more(&self, wanted: &Wanted<'_>, arriving: &mut Arriving, told: &mut Told<'_, '_>) -> Result<(), HubError> {
        let Wanted { name, file, remote } = *wanted;
        let from = arriving.part.len();
        let response = self.client.get(name, &remote.commit, file, from)?;
        let range = response.headers().get("content-range").and_then(|range| range.to_str().ok());
        // A server that knows no ranges sends all of it, and one may think that there is no such range.
        let goes_on = response.status() == 206 && range.and_then(first_byte) == Some(from);
        let broken = |done: u64, reason: String| {
            let (name, file) = (name.to_string(), file.to_owned());
            HubError::Broken { name, file, done, size: remote.size, reason }
        };
        if from > 0 && !goes_on {
            arriving.restart()?;
            if response.status() != 200 {
                return Err(broken(0, format!("no bytes from {from} on")));
            }
        }
        let body = pieces(response.into_body().into_reader());
        while arriving.part.len() < remote.size {
            let piece = match self.client.waiting.next(&body)? {
                None => return Err(broken(arriving.part.len(), "the connection ended".into())),
                Some(piece) => piece.map_err(|error| broken(arriving.part.len(), error.to_string()))?,
            };
            // Never more than was told: a disk is not filled by a server that does not end.
            let missing = usize::try_from(remote.size - arriving.part.len()).unwrap_or(usize::MAX);
            arriving.add(&piece[..piece.len().min(missing)])?;
            told.arrived(arriving.part.len());
        }
        Ok(())
    }
}

/// Bytes that arrive, and their hash so far.
struct Arriving {
    part: Growing,
    hash: Hash,
    /// The hash of nothing.
    anew: Hash,
}

impl Arriving {
    /// Takes up what an earlier try left of a file of so many bytes; whether that is anything.
    fn take_up(&mut self, size: u64, waiting: Waiting<'_>) -> Result<bool, HubError> {
        if self.part.len() > size {
            self.restart()?;
        }
        let hash = &mut self.hash;
        self.part.read(&mut |bytes| {
            hash.update(bytes);
            // Half of a large model takes half a minute.
            waiting.go_on()
        })?;
        Ok(!self.part.is_empty())
    }

    fn add(&mut self, bytes: &[u8]) -> Result<(), HubError> {
        self.part.add(bytes)?;
        self.hash.update(bytes);
        Ok(())
    }

    fn restart(&mut self) -> Result<(), HubError> {
        self.hash = self.anew.clone();
        Ok(self.part.restart()?)
    }
}

/// The first byte of "bytes 100-199/200".
fn first_byte(range: &str) -> Option<u64> {
    range.trim().strip_prefix("bytes ")?.split_once('-')?.0.trim().parse().ok()
}
