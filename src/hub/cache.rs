//! The cache of downloads, read and written as huggingface_hub does, so that both share it:
//!
//! ```text
//! models--org--name/
//!   refs/main                       the commit that the branch was at
//!   blobs/ETAG                      a file's bytes under their hash; ETAG.incomplete while they arrive
//!   snapshots/COMMIT/config.json    a link to ../../blobs/ETAG, or the file itself where there are no links
//! .locks/models--org--name/ETAG.lock
//! ```

use std::fs::File;
use std::path::{Path, PathBuf};

use super::name::{Holding, Name, is_commit};
use crate::disk::{self, DiskError};

/// Most bytes of a reference, which is a commit's number.
const REFERENCE: u64 = 1 << 12;

/// A repository's place in the cache.
pub(super) struct Repository {
    folder: PathBuf,
    locks: PathBuf,
    linked: bool,
}

impl Repository {
    /// That of `name` in `cache`; whether its snapshots are to be links.
    pub fn of(cache: &Path, name: &Name, linked: bool) -> Self {
        let folder = format!("{}--{}", name.holding.plural(), name.id.replace('/', "--"));
        Self { folder: cache.join(&folder), locks: cache.join(".locks").join(&folder), linked }
    }

    /// The commit of a revision, as far as the cache knows it.
    pub fn commit(&self, revision: &str) -> Option<String> {
        // Of a commit there is no reference.
        if is_commit(revision) {
            return Some(revision.to_owned());
        }
        let bytes = disk::read_within(&self.folder.join("refs").join(revision), REFERENCE).ok()?;
        let commit = String::from_utf8(bytes).ok()?.trim().to_owned();
        is_commit(&commit).then_some(commit)
    }

    /// Remembers which commit a revision was at.
    pub fn refer(&self, revision: &str, commit: &str) -> Result<(), DiskError> {
        if revision == commit || self.commit(revision).as_deref() == Some(commit) {
            return Ok(());
        }
        let reference = self.folder.join("refs").join(revision);
        reference.parent().map_or(Ok(()), disk::make_folder)?;
        disk::write(&reference, commit.as_bytes())
    }

    /// The folder of a commit's files.
    pub fn snapshot(&self, commit: &str) -> PathBuf {
        self.folder.join("snapshots").join(commit)
    }

    /// Where a file's bytes lie, or will.
    pub fn blob(&self, etag: &str) -> PathBuf {
        self.folder.join("blobs").join(etag)
    }

    /// Where bytes lie that are not all there.
    pub fn incomplete(&self, etag: &str) -> PathBuf {
        self.folder.join("blobs").join(format!("{etag}.incomplete"))
    }

    /// Keeps others from downloading the same bytes; `None` while another process does, this program or another.
    pub fn lock(&self, etag: &str) -> Result<Option<File>, DiskError> {
        disk::make_folder(&self.locks)?;
        disk::make_folder(&self.folder.join("blobs"))?;
        disk::lock(&self.locks.join(format!("{etag}.lock")))
    }

    /// Makes the file of a commit lead to its bytes, which were downloaded just now if `is_new`.
    pub fn point(&self, commit: &str, file: &str, etag: &str, is_new: bool) -> Result<(), DiskError> {
        let pointer = self.snapshot(commit).join(file);
        // Out of the file's own folders, the commit and `snapshots`.
        let up = file.split('/').count() + 1;
        let relative: PathBuf = std::iter::repeat_n("..", up).chain(["blobs", etag]).collect();
        disk::link(&self.blob(etag), &relative, &pointer, self.linked, is_new)
    }
}

/// `org/name` of the repository whose snapshot a folder is, by its path: `…/models--org--name/snapshots/COMMIT`.
pub fn model_of_snapshot(folder: &Path) -> Option<String> {
    let parts: Vec<_> = folder.components().map(|part| part.as_os_str().to_string_lossy()).collect();
    let [.., repository, snapshots, commit] = parts.as_slice() else { return None };
    let is_snapshot = snapshots == "snapshots" && is_commit(commit);
    let name = repository.strip_prefix(Holding::Model.plural())?.strip_prefix("--").filter(|_| is_snapshot)?;
    Some(name.replacen("--", "/", 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMIT: &str = "f09bf1f4d4c7e9bfd2f6f1cf6a0d4d3e2c1b0a99";

    #[test]
    fn a_snapshot_tells_its_model() {
        let of = |path: &str| model_of_snapshot(Path::new(path));
        let snapshot = format!("/hub/models--org--Tiny-Model/snapshots/{COMMIT}");
        assert_eq!(of(&snapshot).as_deref(), Some("org/Tiny-Model"));
        assert_eq!(of(&format!("/hub/models--gpt2/snapshots/{COMMIT}")).as_deref(), Some("gpt2"));
        assert_eq!(of("/hub/models--org--name/snapshots/main"), None);
        assert_eq!(of(&format!("/hub/datasets--org--name/snapshots/{COMMIT}")), None);
        assert_eq!(of("slim"), None);
    }

    #[test]
    fn a_reference_is_a_commit_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let name = Name::of_model("org/name").unwrap();
        let repository = Repository::of(folder.path(), &name, true);
        assert_eq!(repository.commit("main"), None);
        repository.refer("refs/pr/1", COMMIT).unwrap();
        let written = folder.path().join("models--org--name/refs/refs/pr/1");
        assert_eq!(std::fs::read_to_string(&written).unwrap(), COMMIT);
        std::fs::write(&written, format!("{COMMIT}\n")).unwrap();
        assert_eq!(repository.commit("refs/pr/1").as_deref(), Some(COMMIT));
        std::fs::write(&written, "../../../etc").unwrap();
        assert_eq!(repository.commit("refs/pr/1"), None);
        assert_eq!(repository.commit(COMMIT).as_deref(), Some(COMMIT));
    }
}
