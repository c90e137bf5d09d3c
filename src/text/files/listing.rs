//! What was named to the files that are meant: a file, all of a folder, all that a pattern fits, or standard input.

use std::collections::HashSet;
use std::fs;
use std::path::{Component, Path, PathBuf};

use super::endings::{is_readable, told};
use super::row::listed;
use crate::disk;
use crate::text::TextError;

/// Deepest folder within a folder that is looked into.
const DEEPEST: usize = 16;
/// Most files of a folder or pattern.
const MOST: usize = 1 << 17;
/// Files that tell about a data set and are no part of it, as the hub and Hugging Face's datasets write them.
const ABOUT: [&str; 6] =
    ["README.md", "LICENSE.md", "LICENSE.txt", "dataset_info.json", "dataset_infos.json", "dataset_dict.json"];

/// Files, and what is to be said of how they were found.
pub(in crate::text) struct Listing {
    pub paths: Vec<PathBuf>,
    pub notes: Vec<String>,
}

/// The files that are meant by these names, in their order; those of a folder or pattern by their paths.
pub(in crate::text) fn listing<'a>(named: impl IntoIterator<Item = &'a Path>) -> Result<Listing, TextError> {
    let mut all = Listing { paths: Vec::new(), notes: Vec::new() };
    for name in named {
        let wrong = |reason: String| TextError::File { file: name.display().to_string(), reason };
        let found = match name {
            _ if disk::is_pipe(name) => None,
            folder if folder.is_dir() => Some(inside(folder)),
            file if file.exists() => None,
            pattern => fitting(&pattern.to_string_lossy()),
        };
        let Some(found) = found.transpose().map_err(&wrong)? else {
            all.paths.push(name.to_owned());
            continue;
        };
        let Sorted { taken, left_out } = found;
        if taken.is_empty() {
            let seen = if left_out.is_empty() { String::new() } else { format!("; there is {}", listed(&left_out)) };
            let what = if name.is_dir() { "a folder without" } else { "it fits no" };
            return Err(wrong(format!("{what} file that can be read as text{seen}; {}", told())));
        }
        if !left_out.is_empty() {
            let count = taken.len();
            let (files, are) = if count == 1 { ("file", "is") } else { ("files", "are") };
            all.notes.push(format!("{}: {count} {files} {are} read, without {}", name.display(), listed(&left_out)));
        }
        all.paths.extend(taken);
    }
    Ok(all)
}

/// Files that are read, and the names of others.
#[derive(Default)]
struct Sorted {
    taken: Vec<PathBuf>,
    left_out: Vec<String>,
}

impl Sorted {
    /// Takes a file, or leaves it out.
    fn sort(&mut self, path: PathBuf, within: &Path) {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let is_text = path.is_file() && is_readable(&name) && !name.starts_with('.') && !ABOUT.contains(&name.as_str());
        match is_text {
            true => self.taken.push(path),
            false => self.left_out.push(path.strip_prefix(within).unwrap_or(&path).display().to_string()),
        }
    }

    fn count(&self) -> Result<(), String> {
        match self.taken.len() + self.left_out.len() > MOST {
            true => Err(format!("more than {MOST} files; name some of them")),
            false => Ok(()),
        }
    }
}

/// All files of a folder and of those inside of it.
fn inside(folder: &Path) -> Result<Sorted, String> {
    let mut sorted = Sorted::default();
    walk(folder, folder, DEEPEST, &mut sorted)?;
    sorted.taken.sort();
    sorted.left_out.sort();
    Ok(sorted)
}

fn walk(top: &Path, folder: &Path, depth: usize, sorted: &mut Sorted) -> Result<(), String> {
    let entries = fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    for entry in entries {
        let entry = entry.map_err(|e| format!("{}: {e}", folder.display()))?;
        let is_hidden = entry.file_name().to_string_lossy().starts_with('.');
        // A link to a folder may lead back to this one. One to a file is what the hub's cache has.
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        match is_folder && !is_hidden && depth > 0 {
            true => walk(top, &entry.path(), depth - 1, sorted)?,
            false => sorted.sort(entry.path(), top),
        }
        sorted.count()?;
    }
    Ok(())
}

/// What a pattern fits; `None` where the name is none, so that it is told as a file that is not there.
fn fitting(pattern: &str) -> Option<Result<Sorted, String>> {
    if !pattern.contains(['*', '?', '[']) {
        return None;
    }
    let found = glob::glob(pattern).map_err(|e| format!("a pattern that says nothing: {}", e.msg));
    Some(found.and_then(|paths| {
        let (mut sorted, meant) = (Sorted::default(), hidden(Path::new(pattern)));
        for path in paths {
            let path = path.map_err(|e| e.to_string())?;
            // What a shell would not find: copies in the folders of editors and of git.
            if hidden(&path) > meant {
                continue;
            }
            match path.is_dir() {
                true => {
                    let Sorted { taken, left_out } = inside(&path)?;
                    sorted.taken.extend(taken);
                    sorted.left_out.extend(left_out);
                }
                false => sorted.sort(path, Path::new("")),
            }
            sorted.count()?;
        }
        // A folder that fits has files that fit too, and a link may lead to one that did.
        let mut seen = HashSet::new();
        sorted.taken.retain(|path| seen.insert(place(path)));
        sorted.left_out.sort();
        sorted.left_out.dedup();
        Ok(sorted)
    }))
}

/// How many parts of a path begin with a dot.
fn hidden(path: &Path) -> usize {
    let is_hidden =
        |part: &Component<'_>| matches!(part, Component::Normal(name) if name.to_string_lossy().starts_with('.'));
    path.components().filter(is_hidden).count()
}

/// Where a file lies, by whatever links its folder was come to. Two links to one file are two files.
fn place(path: &Path) -> PathBuf {
    let folder = path.parent().and_then(|folder| fs::canonicalize(folder).ok());
    folder.zip(path.file_name()).map_or_else(|| path.to_owned(), |(folder, name)| folder.join(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The names of the files found, and the notes.
    fn found(name: &Path) -> Result<(Vec<String>, Vec<String>), String> {
        let listing = listing([name]).map_err(|e| e.to_string())?;
        let name = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
        Ok((listing.paths.iter().map(name).collect(), listing.notes))
    }

    #[test]
    fn a_folder_is_its_texts_in_order_and_tells_what_it_leaves_out() {
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        };
        assert!(found(folder.path()).unwrap_err().contains("a folder without"));
        for name in ["b.jsonl", "a/z.parquet", "a/y.csv.gz", "README.md", ".hidden/c.txt", "model.bin", "notes.md"] {
            put(name);
        }
        let (names, notes) = found(folder.path()).unwrap();
        assert_eq!(names, ["y.csv.gz", "z.parquet", "b.jsonl", "notes.md"]);
        assert!(notes[0].contains("4 files") && notes[0].contains("\"README.md\", \"model.bin\""), "{notes:?}");
        let pattern = |pattern: &str| found(&folder.path().join(pattern));
        assert_eq!(pattern("*.jsonl").unwrap(), (vec!["b.jsonl".into()], vec![]));
        assert_eq!(pattern("**/*.parquet").unwrap().0, ["z.parquet"]);
        // No file twice, though it fits and so does its folder; and none that is hidden, unless it is meant.
        assert_eq!(pattern("**/*").unwrap().0.len(), 4);
        assert!(pattern("**/*.txt").unwrap_err().contains("it fits no"));
        assert_eq!(pattern(".h*/*.txt").unwrap().0, ["c.txt"]);
        assert!(pattern("*.rows").unwrap_err().contains("it fits no"));
        assert!(pattern("*.bin").unwrap_err().contains("model.bin"));
        // What is no pattern is the file that it names, there or not.
        assert_eq!(pattern("missing.txt").unwrap().0, ["missing.txt"]);
        put("odd[1].txt");
        assert_eq!(pattern("odd[1].txt").unwrap().0, ["odd[1].txt"]);
    }

    #[cfg(unix)]
    #[test]
    fn links_lead_to_files_and_not_around() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("blobs")).unwrap();
        std::fs::write(folder.path().join("blobs/0f3a"), "").unwrap();
        std::os::unix::fs::symlink("blobs/0f3a", folder.path().join("train.parquet")).unwrap();
        std::os::unix::fs::symlink(".", folder.path().join("around")).unwrap();
        let (names, notes) = found(folder.path()).unwrap();
        assert_eq!(names, ["train.parquet"]);
        assert!(notes[0].contains("\"around\", \"blobs/0f3a\""), "{notes:?}");
        assert_eq!(found(&folder.path().join("**/*.parquet")).unwrap().0, ["train.parquet"]);
    }
}
