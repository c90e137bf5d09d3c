//! Names on the hub, as people type them: `org/name`, `org/name@revision`, `dataset:org/name/file`.

use std::fmt;
use std::path::{Component, Path};

/// How the name of a data set begins.
const DATASET: &str = "dataset:";
/// The branch that is meant where no revision is named.
const MAIN: &str = "main";
/// Longest name of a repository, as the hub has it.
const LONGEST: usize = 96;

/// What a repository holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holding {
    /// A model.
    Model,
    /// A data set.
    Dataset,
}

impl Holding {
    /// How folders of a cache and addresses of the hub's interface call it.
    pub(super) fn plural(self) -> &'static str {
        match self {
            Self::Model => "models",
            Self::Dataset => "datasets",
        }
    }

    /// How the addresses of its pages and files begin.
    pub(super) fn prefix(self) -> &'static str {
        match self {
            Self::Model => "",
            Self::Dataset => "datasets/",
        }
    }
}

/// A repository on the hub at some revision, and perhaps a file in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// What the repository holds.
    pub holding: Holding,
    /// `org/name`.
    pub id: String,
    /// A branch, a tag or a commit.
    pub revision: String,
    /// A path within the repository, with `/` between its parts.
    pub file: Option<String>,
}

impl Name {
    /// The name of a model, `org/name` or `org/name@revision`; `None` for anything else, such as a path.
    pub fn of_model(text: &str) -> Option<Self> {
        let (id, revision) = text.split_once('@').unwrap_or((text, MAIN));
        let is_name = is_id(id) && is_revision(revision);
        is_name.then(|| Self { holding: Holding::Model, id: id.into(), revision: revision.into(), file: None })
    }

    /// The name of a data set: `dataset:org/name`, `dataset:org/name/file` or, with a revision that has no `/`,
    /// `dataset:org/name@revision/file`. `None` where the text does not begin so.
    ///
    /// # Errors
    /// With the text, where it begins so and is no such name.
    pub fn of_dataset(text: &str) -> Option<Result<Self, String>> {
        let name = text.strip_prefix(DATASET)?;
        Some(dataset(name).ok_or_else(|| text.to_owned()))
    }
}

fn dataset(name: &str) -> Option<Name> {
    let mut parts = name.splitn(3, '/');
    let (org, repository, file) = (parts.next()?, parts.next()?, parts.next());
    let (repository, revision) = repository.split_once('@').unwrap_or((repository, MAIN));
    let id = format!("{org}/{repository}");
    let is_name = is_id(&id) && is_revision(revision) && file.is_none_or(is_inside);
    is_name.then(|| Name { holding: Holding::Dataset, id, revision: revision.into(), file: file.map(str::to_owned) })
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.holding == Holding::Dataset {
            f.write_str(DATASET)?;
        }
        f.write_str(&self.id)?;
        if self.revision != MAIN {
            write!(f, "@{}", self.revision)?;
        }
        self.file.as_ref().map_or(Ok(()), |file| write!(f, "/{file}"))
    }
}

/// Whether a text is `org/name` with the characters that the hub allows.
fn is_id(text: &str) -> bool {
    let allowed = |part: &str| {
        // `--` stands for the `/` in a cache's folders.
        let plain = part.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
        let ends = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_');
        plain && ends(part.chars().next()) && ends(part.chars().next_back())
    };
    let is_pair = matches!(text.split_once('/'), Some((org, name)) if allowed(org) && allowed(name));
    is_pair && text.len() <= LONGEST && !text.contains("--") && !text.contains("..") && !text.ends_with(".git")
}

/// Whether a text can be a branch, a tag or a commit, and as a path leads nowhere else.
fn is_revision(text: &str) -> bool {
    let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || "-_./".contains(c));
    plain && is_inside(text) && !text.ends_with(".lock")
}

/// Whether a path of somebody else's, with `/` between its parts, stays inside of the folder it is in.
pub(super) fn is_inside(path: &str) -> bool {
    // A `\` or `:` would lead elsewhere on Windows.
    let is_plain = |part: &str| !part.is_empty() && part != "." && part != ".." && !(cfg!(windows) && is_other(part));
    let plain = !path.contains(|c: char| c == '\\' || c == ':' || c.is_control()) && path.split('/').all(is_plain);
    plain && Path::new(path).components().all(|part| matches!(part, Component::Normal(_)))
}

/// Whether Windows takes a name for another one: that of a device, whatever ending it has, or one without the dots and
/// spaces at its end.
fn is_other(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().trim_end().to_ascii_uppercase();
    let is_port = |kind: &str| stem.strip_prefix(kind).is_some_and(|n| matches!(n.as_bytes(), [b'0'..=b'9']));
    let is_device = ["CON", "PRN", "AUX", "NUL"].contains(&stem.as_str()) || is_port("COM") || is_port("LPT");
    is_device || name.ends_with(['.', ' '])
}

/// Whether a text is a commit's whole number, in the small letters that folders of caches have.
pub(super) fn is_commit(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|b| b.is_ascii_hexdigit() && !b.is_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dataset(text: &str) -> Option<Name> {
        Name::of_dataset(text).and_then(Result::ok)
    }

    #[test]
    fn names_of_models_are_told_from_paths() {
        let name = Name::of_model("HuggingFaceTB/SmolLM2-135M").unwrap();
        assert_eq!((name.id.as_str(), name.revision.as_str()), ("HuggingFaceTB/SmolLM2-135M", "main"));
        assert_eq!(Name::of_model("a/b@refs/pr/1").unwrap().revision, "refs/pr/1");
        assert_eq!(Name::of_model("a/b@v1.0").unwrap().to_string(), "a/b@v1.0");
        let paths =
            ["./a/b", "/a/b", "../b", "a", "a/b/c", "a//b", "a/b@", "a/..", "a\\b", "a/b ", "a/b--c", "-a/b", "a/b."];
        for path in paths {
            assert_eq!(Name::of_model(path), None, "{path}");
        }
        for revision in ["../x", "a/../b", "/x", "x/", "-x y", "x\\y", "x.lock"] {
            assert_eq!(Name::of_model(&format!("a/b@{revision}")), None, "{revision}");
        }
    }

    #[test]
    fn names_that_windows_takes_for_others_are_known() {
        for other in ["NUL", "aux.py", "Con.tar.gz", "com1.txt", "LPT9", "nul .json", "config.json.", "config.json "] {
            assert!(is_other(other), "{other}");
            assert_eq!(is_inside(&format!("a/{other}")), !cfg!(windows), "{other}");
        }
        for own in ["config.json", "auxiliary.py", "com.txt", "com10.txt", "console", ".gitattributes"] {
            assert!(!is_other(own) && is_inside(own), "{own}");
        }
    }

    #[test]
    fn commits_are_written_as_folders_have_them() {
        let commit = "f09bf1f4d4c7e9bfd2f6f1cf6a0d4d3e2c1b0a99";
        assert!(is_commit(commit));
        // The hub takes it, and answers with the other: to the cache it is a revision like a branch.
        assert!(!is_commit(&commit.to_uppercase()) && is_revision(&commit.to_uppercase()));
        assert!(!is_commit(&commit[1..]) && !is_commit("main"));
    }

    #[test]
    fn names_of_data_sets_may_have_a_file() {
        let c4 = dataset("dataset:allenai/c4/en/c4-train.00000-of-01024.json.gz").unwrap();
        assert_eq!((c4.id.as_str(), c4.file.as_deref()), ("allenai/c4", Some("en/c4-train.00000-of-01024.json.gz")));
        assert_eq!(c4.to_string(), "dataset:allenai/c4/en/c4-train.00000-of-01024.json.gz");
        assert_eq!(dataset("dataset:a/b@v2/c.txt").unwrap().revision, "v2");
        assert_eq!(dataset("dataset:a/b").unwrap().file, None);
        for wrong in
            ["dataset:", "dataset:a", "dataset:a/b/", "dataset:a/b/../c", "dataset:a/b/c\\d", "dataset:a/b/c:d"]
        {
            assert!(Name::of_dataset(wrong).unwrap().is_err(), "{wrong}");
        }
        assert_eq!(Name::of_dataset("c4.jsonl"), None);
    }
}
