//! Whether a place is, holds or lies in what a command reads. Paths are resolved first, because links
//! and `..` give one thing many names.

use std::path::{Path, PathBuf};

use super::{Place, PlaceError};

impl Place {
    /// Refuses a place in which something would be lost that is read.
    ///
    /// # Errors
    /// With what is read there.
    pub fn keeps(&self, reads: &[PathBuf]) -> Result<(), PlaceError> {
        let out = resolved(&self.out).ok_or_else(|| PlaceError::NoName { path: self.out.clone() })?;
        // What cannot be resolved is not there; whoever reads it will say so.
        let there = reads.iter().filter_map(|read| Some((read, read.canonicalize().ok()?)));
        there.flat_map(|(read, real)| behind(&real).into_iter().map(move |real| (read, real))).try_for_each(
            |(read, real)| {
                let (path, replaced) = (self.out.clone(), self.kind.is_replaced_whole());
                if real == out {
                    Err(PlaceError::IsRead { path, model: real.is_dir() })
                } else if replaced && real.starts_with(&out) {
                    Err(PlaceError::HoldsRead { path, read: read.clone() })
                } else if self.kind.is_folder() && real.is_dir() && out.starts_with(&real) {
                    Err(PlaceError::InModel { path, model: read.clone() })
                } else {
                    Ok(())
                }
            },
        )
    }
}

/// What is read with a file or folder: itself, and of a folder what its links lead to.
fn behind(read: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(read).into_iter().flatten().flatten();
    let links = entries.filter(|e| e.file_type().is_ok_and(|t| t.is_symlink()));
    let real = links.filter_map(|link| link.path().canonicalize().ok()).filter(|real| real.is_file());
    std::iter::once(read.to_owned()).chain(real).collect()
}

/// The path without links and `..`; of what is not there yet, that of the nearest folder around it.
fn resolved(path: &Path) -> Option<PathBuf> {
    match path.canonicalize() {
        Ok(real) => real.file_name().is_some().then_some(real),
        Err(_) => {
            let (name, around) = (path.file_name()?, path.parent()?);
            let around = if around.as_os_str().is_empty() { Path::new(".") } else { around };
            Some(resolved_folder(around)?.join(name))
        }
    }
}

fn resolved_folder(path: &Path) -> Option<PathBuf> {
    // Here the root is as good as any other folder.
    path.canonicalize().ok().or_else(|| resolved(path))
}
