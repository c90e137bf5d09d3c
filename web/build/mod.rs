//! From texts to Rust: lessons, glossary, phrases, the lines that ran and the measured table.
//!
//! Whatever is wrong in a text is told with its file and line, and nothing is generated.

pub mod colour;
pub mod function;
mod glossary;
mod lesson;
mod markdown;
pub mod math;
pub mod mathml;
mod phrases;
mod section;
mod table;
mod wrong;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use lesson::Lesson;
pub use math::Formulas;
pub use wrong::Wrong;

/// A number and its percent sign stay on one line.
fn unbroken(text: &str) -> String {
    text.replace(" %", "\u{a0}%")
}

/// Lessons of the page; each has a file that begins with its number.
const LESSONS: usize = 9;

/// What the page is compiled with.
pub struct Generated {
    /// Statics and functions, to be included beside the types of `web/src/text.rs`.
    pub rust: String,
    /// The files that decide it, from the repository's root.
    pub read: BTreeSet<PathBuf>,
}

/// The files of the repository, and which of them were asked for.
pub struct Files<'a> {
    root: &'a Path,
    read: RefCell<BTreeSet<PathBuf>>,
}

impl<'a> Files<'a> {
    /// The files below the repository's root.
    pub fn new(root: &'a Path) -> Self {
        Self { root, read: RefCell::default() }
    }

    /// The text of a file.
    pub fn read(&self, path: &str) -> Result<String, Wrong> {
        let text = std::fs::read_to_string(self.root.join(path));
        self.read.borrow_mut().insert(path.into());
        text.map_err(|error| Wrong::new(path, 1, error))
    }

    /// The names in `folder`, sorted.
    fn names(&self, folder: &str) -> Result<Vec<String>, Wrong> {
        let entries = std::fs::read_dir(self.root.join(folder)).map_err(|e| Wrong::new(folder, 1, e))?;
        let mut names: Vec<String> = entries.flatten().map(|e| e.file_name().to_string_lossy().into_owned()).collect();
        // Folders list in any order, and equal texts are to give equal pages.
        names.sort();
        Ok(names)
    }

    /// The files of phrases in `folder`.
    fn phrases(&self, folder: &str) -> Result<Vec<String>, Wrong> {
        let names = self.names(folder)?.into_iter();
        let named = names.filter(|name| name.starts_with("phrases") && name.ends_with(".txt"));
        Ok(named.map(|name| format!("{folder}/{name}")).collect())
    }

    /// The file of each lesson in `folder`, in their order.
    fn lessons(&self, folder: &str) -> Result<Vec<String>, Wrong> {
        let names = self.names(folder)?;
        let of = |number: usize| {
            let mut found = names.iter().filter(|name| name.starts_with(&format!("{number}-")));
            match (found.next(), found.next()) {
                (Some(name), None) => Ok(format!("{folder}/{name}")),
                _ => Err(Wrong::new(folder, 1, format!("lesson {number} needs one file, {number}-SLUG.md"))),
            }
        };
        (1..=LESSONS).map(of).collect()
    }
}

/// Everything the page says in one language: the files in `web/texts/LANGUAGE`.
///
/// # Errors
/// When a text is not as the page needs it, or names what is not there.
pub fn generate(root: &Path, language: &str) -> Result<Generated, Wrong> {
    let files = Files::new(root);
    let folder = format!("web/texts/{language}");
    let (formulas, symbols) = glossary::read(&files, &format!("{folder}/glossary.md"))?;
    let paths = files.lessons(&folder)?;
    let lessons: Vec<Lesson> =
        paths.iter().map(|path| lesson::read(&files, path, &formulas)).collect::<Result<_, _>>()?;
    let mut phrases = Vec::new();
    for path in files.phrases(&folder)? {
        phrases::read(&files, &path, &mut phrases)?;
    }
    let table = table::read(&files, "README.md")?;

    let mut rust = String::new();
    lesson::write(&mut rust, &lessons);
    glossary::write(&mut rust, &symbols);
    let _ = writeln!(rust, "/// Measured, with how it was measured: HTML.\npub static TABLE: &str = {table:?};\n");
    phrases::write(&mut rust, &phrases);
    Ok(Generated { rust, read: files.read.into_inner() })
}
