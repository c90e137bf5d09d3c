//! Models and data sets by their names on the Hugging Face hub: from the cache that is shared with its own
//! programs, else downloaded into it.
//!
//! What the cache has is taken as it is and nobody is asked. Otherwise what will be downloaded is told before it
//! begins; whatever arrived stays when the connection or the process ends, and every file's hash is checked before
//! it gets its name.

mod cache;
mod cached;
mod choose;
mod client;
mod error;
mod event;
mod fetch;
mod hash;
mod name;
mod pace;
mod retry;
mod settings;
mod waiting;

use std::collections::BTreeSet;
use std::path::PathBuf;

pub use cache::model_of_snapshot;
pub use cached::Cached;
pub use choose::{Need, is_whole};
pub use error::HubError;
pub use event::{Event, Observer};
pub use name::Name;
pub use pace::Pace;
pub use settings::Settings;

use crate::device::room;
use crate::disk;
use cache::Repository;
use choose::{CONFIG, INDEX, TOKENIZER, lacking, shards, weights};
use client::{Client, Listing, Remote};
use fetch::{Fetcher, Told, Wanted};
use waiting::Waiting;

/// A hub and its cache.
pub struct Hub {
    settings: Settings,
    is_stopped: Box<dyn Fn() -> bool>,
}

impl Hub {
    /// With these settings.
    pub fn new(settings: Settings) -> Self {
        Self { settings, is_stopped: Box::new(|| false) }
    }

    /// The same whose downloads end with [`HubError::Stopped`] soon after `is_stopped` says so, whatever is waited for.
    /// It is asked several times a second.
    #[must_use]
    pub fn until(self, is_stopped: impl Fn() -> bool + 'static) -> Self {
        Self { is_stopped: Box::new(is_stopped), ..self }
    }

    /// The folder of a model, with all that `need` asks for. Of files that are neither its config.json nor its
    /// weights, those come that `belongs` to it by their names.
    ///
    /// # Errors
    /// When the cache does not have it and it cannot or must not be downloaded.
    pub fn model(
        &self,
        name: &Name,
        need: Need,
        belongs: &dyn Fn(&str) -> bool,
        observer: &mut Observer<'_>,
    ) -> Result<PathBuf, HubError> {
        let repository = self.repository(name);
        let held = repository.commit(&name.revision).map(|commit| repository.snapshot(&commit));
        let held = held.filter(|snapshot| snapshot.is_dir());
        let lacks = held.as_deref().map(|snapshot| lacking(snapshot, need)).unwrap_or_default();
        // Not every model has a tokenizer of that name; whoever needs it says so.
        let usable = held.filter(|_| lacks.iter().all(|lacks| *lacks == TOKENIZER));
        match usable {
            Some(snapshot) if lacks.is_empty() || self.settings.offline => return Ok(snapshot),
            None if self.settings.offline => return Err(self.offline(name, &lacks.join(", "))),
            _ => {}
        }
        let client = self.client();
        let Listing { commit, files } = match usable {
            // A model without a tokenizer of that name is whole in the cache: whatever the hub refuses, it is used.
            Some(snapshot) => match client.list(name) {
                // Whoever stops wants nothing opened afterwards.
                Err(HubError::Stopped) => return Err(HubError::Stopped),
                Err(_) => return Ok(snapshot),
                Ok(listing) => listing,
            },
            None => client.patiently(|| client.list(name))?,
        };
        let download = Download { hub: self, client: &client, repository: &repository, name, commit: &commit };
        let mut wanted: Vec<String> = match need {
            Need::Config => Vec::new(),
            Need::Whole => files.iter().filter(|file| belongs(file)).cloned().collect(),
        };
        wanted.insert(0, CONFIG.into());
        if need == Need::Whole {
            let weights = weights(&files, || download.shards(observer))?;
            if weights.is_empty() {
                return Err(no_weights(name, &files));
            }
            // Last, so that a snapshot with weights has everything else.
            wanted.extend(files.iter().filter(|file| *file == INDEX).cloned());
            wanted.extend(weights);
        }
        download.files(&wanted, observer)?;
        // Last, so that a branch leads to what is there.
        repository.refer(&name.revision, &commit)?;
        Ok(repository.snapshot(&commit))
    }

    /// A file of a data set. Where the name has none, it is the only one of its repository that `is_text` says can
    /// be read.
    ///
    /// # Errors
    /// When the cache does not have it and it cannot or must not be downloaded, or it is not one file that is meant.
    pub fn text(
        &self,
        name: &Name,
        is_text: &dyn Fn(&str) -> bool,
        observer: &mut Observer<'_>,
    ) -> Result<PathBuf, HubError> {
        let repository = self.repository(name);
        let client = self.client();
        let (file, revision) = match &name.file {
            Some(file) => (file.clone(), name.revision.clone()),
            None if self.settings.offline => return Err(self.offline(name, "the list of its files; name one of them")),
            None => {
                let Listing { commit, files } = client.patiently(|| client.list(name))?;
                // At the commit of the list: the branch may move on meanwhile.
                (only_text(name, files, is_text)?, commit)
            }
        };
        let held = repository.commit(&revision).map(|commit| repository.snapshot(&commit).join(&file));
        match held {
            Some(held) if held.is_file() => return Ok(held),
            _ if self.settings.offline => return Err(self.offline(name, "")),
            _ => {}
        }
        let remote = client.patiently(|| client.look(name, &revision, &file))?;
        let commit = remote.commit.clone();
        let download = Download { hub: self, client: &client, repository: &repository, name, commit: &commit };
        download.all(&[(file.clone(), remote)], observer)?;
        repository.refer(&name.revision, &commit)?;
        Ok(repository.snapshot(&commit).join(file))
    }

    /// The folder of a model that the cache holds whole. Nobody is asked.
    pub fn held(&self, name: &Name) -> Option<PathBuf> {
        let repository = self.repository(name);
        let snapshot = repository.snapshot(&repository.commit(&name.revision)?);
        is_whole(&snapshot).then_some(snapshot)
    }

    /// The models that the cache holds whole, by their names. Nobody is asked.
    pub fn models(&self) -> Vec<Cached> {
        cached::models(&self.settings.cache)
    }

    fn client(&self) -> Client<'_> {
        Client::new(&self.settings, Waiting { is_stopped: &*self.is_stopped })
    }

    fn repository(&self, name: &Name) -> Repository {
        Repository::of(&self.settings.cache, name, self.settings.linked)
    }

    fn offline(&self, name: &Name, lacks: &str) -> HubError {
        HubError::Offline { name: name.to_string(), cache: self.settings.cache.clone(), lacks: lacks.into() }
    }
}

/// Files of one commit on their way into the cache.
struct Download<'a> {
    hub: &'a Hub,
    client: &'a Client<'a>,
    repository: &'a Repository,
    name: &'a Name,
    commit: &'a str,
}

impl Download<'_> {
    /// The files that hold the weights by the repository's index, which is downloaded for that.
    fn shards(&self, observer: &mut Observer<'_>) -> Result<Option<BTreeSet<String>>, HubError> {
        self.files(&[INDEX.to_owned()], observer)?;
        Ok(shards(&disk::read(&self.repository.snapshot(self.commit).join(INDEX))?))
    }

    /// Has these files in the snapshot.
    fn files(&self, files: &[String], observer: &mut Observer<'_>) -> Result<(), HubError> {
        let snapshot = self.repository.snapshot(self.commit);
        let missing = files.iter().filter(|file| !snapshot.join(file).is_file());
        let look = |file: &String| -> Result<(String, Remote), HubError> {
            Ok((file.clone(), self.client.patiently(|| self.client.look(self.name, self.commit, file))?))
        };
        let missing = missing.map(look).collect::<Result<Vec<_>, _>>()?;
        self.all(&missing, observer)
    }

    /// Tells what is to come, and has it come.
    fn all(&self, files: &[(String, Remote)], observer: &mut Observer<'_>) -> Result<(), HubError> {
        let settings = &self.hub.settings;
        let fetcher = Fetcher { client: self.client, settings, repository: self.repository };
        let absent: Vec<_> = files.iter().filter(|(file, remote)| !fetcher.is_there(file, remote)).collect();
        // Sizes are a server's words.
        let total = absent.iter().fold(0u64, |sum, (_, remote)| sum.saturating_add(remote.size));
        let begun = absent.iter().fold(0u64, |sum, (_, remote)| sum.saturating_add(fetcher.begun(remote)));
        let bytes = total.saturating_sub(begun);
        if !absent.is_empty() {
            self.ask_for_room(bytes)?;
            let (endpoint, cache) = (settings.shown_endpoint(), settings.cache.as_path());
            observer(Event::Begins { name: self.name, endpoint: &endpoint, cache, files: absent.len(), bytes });
        }
        let (mut before, mut brought) = (0u64, Vec::new());
        for (file, remote) in files {
            let is_absent = !fetcher.is_there(file, remote);
            let wanted = Wanted { name: self.name, file, remote };
            let is_new = fetcher.fetch(&wanted, &mut Told { observer: &mut *observer, before, total })?;
            brought.push((is_new, file, &remote.etag));
            // What was there before is in no total.
            before = before.saturating_add(if is_absent { remote.size } else { 0 });
        }
        // Together at the end: a snapshot has all weights or none. Where there are no links bytes move to the file
        // that they are new for, so those that are copied come first.
        brought.sort_by_key(|(is_new, ..)| *is_new);
        for (is_new, file, etag) in brought {
            self.repository.point(self.commit, file, etag, is_new)?;
        }
        Ok(())
    }

    /// Refuses what would fill the disk.
    fn ask_for_room(&self, needed: u64) -> Result<(), HubError> {
        let cache = self.hub.settings.cache.clone();
        match room::disk_bytes(&cache) {
            Some(free) if free < needed => Err(HubError::Room { name: self.name.to_string(), cache, needed, free }),
            // Where the system does not say, the disk will.
            _ => Ok(()),
        }
    }
}

fn no_weights(name: &Name, files: &[String]) -> HubError {
    let others = [".bin", ".pt", ".pth", ".gguf", ".onnx", ".h5", ".msgpack"];
    let instead = files.iter().find(|file| others.iter().any(|end| file.ends_with(end))).cloned();
    HubError::NoWeights { name: name.to_string(), instead }
}

/// The one file that is meant where none is named.
fn only_text(name: &Name, files: Vec<String>, is_text: &dyn Fn(&str) -> bool) -> Result<String, HubError> {
    // Cards and licences are texts, but no data.
    let is_data = |file: &String| is_text(file) && !["README.md", "LICENSE.txt"].contains(&file.as_str());
    let mut texts: Vec<String> = files.into_iter().filter(is_data).collect();
    match texts.len() {
        0 => Err(HubError::NoText { name: name.to_string() }),
        1 => Ok(texts.remove(0)),
        _ => Err(HubError::WhichFile { name: name.to_string(), files: texts }),
    }
}
