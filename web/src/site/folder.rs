//! What is in a built folder, and whether a folder may be replaced by one.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use slimgpt::disk;

/// The list of what was built, in the folder itself.
pub const LIST: &str = "build.json";
/// Longest file of the page; the window's module has a tenth of it.
const LONGEST: u64 = 256 << 20;

/// A file of the folder: its name with the folders that it lies in, `/` between them, and what is in it.
pub struct File {
    /// As in its address.
    pub name: String,
    /// The whole file.
    pub bytes: Vec<u8>,
}

/// What was built, by which program.
#[derive(Serialize, Deserialize)]
pub struct List {
    /// The program and its version.
    pub made_by: String,
    /// The digest that names this build.
    pub build: String,
    /// Every file's name, sorted.
    pub files: BTreeSet<String>,
}

/// Every file in `folder`, sorted by name.
///
/// # Errors
/// When something cannot be read.
pub fn files(folder: &Path) -> Result<Vec<File>> {
    let read = |name: String| {
        let bytes = read(&folder.join(&name))?;
        Ok(File { name, bytes })
    };
    names(folder)?.into_iter().map(read).collect()
}

/// What is in one of a folder's files.
///
/// # Errors
/// When it cannot be read, or is none.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    Ok(disk::read_within(path, LONGEST)?)
}

/// The name of every file in `folder` and in the folders it holds, `/` between them, sorted.
///
/// # Errors
/// When a folder cannot be read.
pub fn names(folder: &Path) -> Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    let mut open = vec![String::new()];
    while let Some(inside) = open.pop() {
        for name in disk::names(&folder.join(&inside))?.into_iter().filter(|name| !disk::is_nobodys(name)) {
            let name = format!("{inside}{name}");
            match folder.join(&name).is_dir() {
                true => open.push(name + "/"),
                false => drop(found.insert(name)),
            }
        }
    }
    Ok(found)
}

/// Whether what lies `at` a place, which has or had the name `dir`, may be replaced by a built folder.
///
/// # Errors
/// When somebody would miss it.
pub fn may_go(at: &Path, dir: &Path) -> Result<()> {
    if at.symlink_metadata().is_err() || disk::is_empty(at) {
        return Ok(());
    }
    let not_ours = || format!("{} was not made by this program; choose an empty folder or a new name", dir.display());
    let list = disk::read(&at.join(LIST)).with_context(not_ours)?;
    let list: List = serde_json::from_slice(&list).with_context(not_ours)?;
    match names(at)?.iter().find(|name| *name != LIST && !list.files.contains(*name)) {
        Some(stranger) => bail!("{} holds {stranger}, which would be lost; move it elsewhere first", dir.display()),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, text) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            std::fs::write(path, text).expect("written");
        }
        folder
    }

    fn may(files: &[(&str, &str)]) -> bool {
        let folder = folder(files);
        may_go(folder.path(), folder.path()).is_ok()
    }

    #[test]
    fn only_what_was_built_is_replaced() {
        let list = ("build.json", r#"{"made_by":"slimgpt","build":"0","files":["index.html","page/page.js"]}"#);
        assert!(may_go(Path::new("/nowhere/at/all"), Path::new("x")).is_ok());
        assert!(may(&[]));
        assert!(may(&[list, ("index.html", "x"), ("page/page.js", "x"), (".DS_Store", "")]));
        assert!(!may(&[("index.html", "x")]), "somebody's page");
        assert!(!may(&[list, ("page/notes.txt", "x")]), "a stranger inside");
        assert!(!may(&[("build.json", "{}")]), "somebody's list");
    }

    #[test]
    fn files_are_listed_with_their_folders() {
        let folder = folder(&[("b/c.js", "1"), ("a.css", "22"), ("b/d/e.wasm", "")]);
        let files = files(folder.path()).expect("readable");
        let seen: Vec<_> = files.iter().map(|f| (f.name.as_str(), f.bytes.len())).collect();
        assert_eq!(seen, [("a.css", 2), ("b/c.js", 1), ("b/d/e.wasm", 0)]);
    }
}
