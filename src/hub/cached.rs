//! Which models the cache holds whole. Nobody is asked.

use std::path::{Path, PathBuf};

use super::cache::Repository;
use super::choose::is_whole;
use super::name::{Holding, Name, is_commit};
use crate::disk;

/// A model that the cache holds whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cached {
    /// `org/name`.
    pub name: String,
    /// The folder of its files.
    pub folder: PathBuf,
}

/// All of them, by their names.
pub(super) fn models(cache: &Path) -> Vec<Cached> {
    let names = disk::names(cache).unwrap_or_default();
    let mut found: Vec<Cached> = names.iter().filter_map(|folder| of(cache, folder)).collect();
    found.sort_by_key(|model| model.name.to_lowercase());
    found
}

/// The model of a repository's folder: as its usual branch was, else at whichever commit it is whole.
fn of(cache: &Path, folder: &str) -> Option<Cached> {
    let id = folder.strip_prefix(Holding::Model.plural())?.strip_prefix("--")?.replacen("--", "/", 1);
    let name = Name::of_model(&id)?;
    let repository = Repository::of(cache, &name, true);
    let others = disk::names(&cache.join(folder).join("snapshots")).unwrap_or_default();
    // The branch's own goes before what older downloads left.
    let commits =
        repository.commit(&name.revision).into_iter().chain(others.into_iter().filter(|name| is_commit(name)));
    let folder = commits.map(|commit| repository.snapshot(&commit)).find(|snapshot| is_whole(snapshot))?;
    Some(Cached { name: id, folder })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_models_are_listed() {
        let cache = tempfile::tempdir().unwrap();
        let put = |path: &str, text: &str| {
            let path = cache.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        let commits = ["a".repeat(40), "b".repeat(40)];
        let whole = |repository: &str, commit: &str| {
            for file in ["config.json", "model.safetensors"] {
                put(&format!("{repository}/snapshots/{commit}/{file}"), "{}");
            }
        };
        assert!(models(cache.path()).is_empty());
        whole("models--org--b", &commits[0]);
        whole("models--org--b", &commits[1]);
        put("models--org--b/refs/main", &commits[1]);
        whole("models--org--A", &commits[0]);
        // Sizes alone, a data set, a commit that is none, and what is no repository.
        put(&format!("models--org--sizes/snapshots/{}/config.json", commits[0]), "{}");
        whole("datasets--org--d", &commits[0]);
        whole("models--org--c", "main");
        put("version.txt", "1");
        let found = models(cache.path());
        let names: Vec<&str> = found.iter().map(|model| model.name.as_str()).collect();
        assert_eq!(names, ["org/A", "org/b"]);
        assert!(found[1].folder.ends_with(&commits[1]) && found[0].folder.ends_with(&commits[0]));
    }
}
