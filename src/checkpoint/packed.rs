//! A model's folder in one zip archive, as people send it. Weights are mapped, so it is unpacked, once: into a folder
//! whose name follows from the archive, which later commands find again.

use std::env;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::ReadError;
use super::folder::CONFIG;
use crate::device::room;
use crate::disk::{self, DiskError, Entry, NewFile, NewFolder, Zip};
use crate::format;

/// What a Mac adds to archives: files of its own under the names of others.
const OF_MACS: &str = "__MACOSX/";
/// Letters of the digest in a folder's name.
const LETTERS: usize = 12;

/// How far it is: bytes that are unpacked, of how many.
pub type OnBytes<'a> = dyn FnMut(u64, u64) + 'a;

/// The folder of the model in the archive `zip`, which is unpacked into a folder of its own in `into` if it is not
/// there yet. Only what lies directly beside its config.json is taken.
///
/// # Errors
/// When it is no archive, has no config.json or several, is damaged, or the disk has too little room.
pub fn unpacked(zip: &Path, into: &Path, on_bytes: &mut OnBytes<'_>) -> Result<PathBuf, ReadError> {
    let folder = into.join(name_of(zip)?);
    // It got its name when it was whole.
    if folder.join(CONFIG).is_file() {
        return Ok(folder);
    }
    let mut archive = Zip::open(zip)?;
    let refused = |reason: String| ReadError::Packed { file: zip.to_owned(), reason };
    let files = files(archive.entries()).map_err(refused)?;
    let total = files.iter().try_fold(0u64, |sum, (_, entry)| sum.checked_add(entry.size));
    let total = total.ok_or_else(|| refused("it tells of more bytes than there can be".into()))?;
    if let Some(free) = room::disk_bytes(into).filter(|&free| free < total) {
        let (total, free) = (format::bytes(total), format::bytes(free));
        let reason = format!("unpacked it takes {total}, and {free} are free in {}", into.display());
        return Err(refused(reason));
    }
    disk::make_folder(into)?;
    let new = NewFolder::begin(&folder)?;
    let mut done = 0;
    for (name, entry) in &files {
        let mut file = NewFile::begin(&new.path().join(name))?;
        archive.unpack(entry, &mut |bytes| {
            done += bytes.len() as u64;
            on_bytes(done, total);
            file.write(bytes)
        })?;
        file.finish()?;
    }
    new.finish(|_| Ok::<(), DiskError>(()))?;
    Ok(folder)
}

/// Where archives are unpacked: in a folder of this program's in the user's cache.
pub fn unpacked_here() -> PathBuf {
    let path = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let usual = if cfg!(windows) { path("LOCALAPPDATA") } else { path("HOME").map(|home| home.join(".cache")) };
    let caches = path("XDG_CACHE_HOME").or(usual).unwrap_or_else(env::temp_dir);
    caches.join("slimgpt").join("unpacked")
}

/// The name of the folder that an archive is unpacked into: another for another archive, or the same one changed.
fn name_of(zip: &Path) -> Result<String, ReadError> {
    let looked = || -> std::io::Result<_> {
        let (path, data) = (zip.canonicalize()?, zip.metadata()?);
        Ok((path, data.len(), data.modified()?))
    };
    let (path, length, changed) = looked().map_err(DiskError::at("looked at", zip))?;
    let told = format!("{} {length} {changed:?}", path.display());
    let digest = format::hex(&Sha256::digest(told));
    let stem = zip.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    Ok(format!("{stem}-{}", &digest[..LETTERS]))
}

/// The files of the model, with the names that they get.
fn files(entries: &[Entry]) -> Result<Vec<(String, Entry)>, String> {
    let beside = |entry: &&Entry| !entry.name.starts_with(OF_MACS);
    let folder_of =
        |name: &str| name.strip_suffix(CONFIG).filter(|f| f.is_empty() || f.ends_with('/')).map(str::to_owned);
    let mut folders: Vec<String> = entries.iter().filter(beside).filter_map(|entry| folder_of(&entry.name)).collect();
    // The outermost is the model's: what lies deeper belongs to something else, as in repositories with other formats.
    folders.sort_by_key(|folder| folder.matches('/').count());
    let depth = |folder: &String| folder.matches('/').count();
    let folder = match folders.as_slice() {
        [] => return Err("there is no config.json in it; pack the whole folder of a model".into()),
        [one, other, ..] if depth(one) == depth(other) => {
            return Err(format!("there are several models in it ({one} and {other}); unpack it and give one of them"));
        }
        [folder, ..] => folder.clone(),
    };
    let mut files: Vec<(String, Entry)> = Vec::new();
    for entry in entries {
        let Some(name) = entry.name.strip_prefix(&folder).filter(|name| is_plain(name)) else { continue };
        if files.iter().any(|(other, _)| other == name) {
            return Err(format!("{} is in it twice", entry.name));
        }
        files.push((name.to_owned(), entry.clone()));
    }
    Ok(files)
}

/// Whether a name is that of a file and leads nowhere: no part of a path, of a drive, or of a device.
fn is_plain(name: &str) -> bool {
    let is_known = |c: char| c.is_alphanumeric() || "-_.+ ()".contains(c);
    name.starts_with(char::is_alphanumeric) && name.chars().all(is_known) && !name.ends_with(['.', ' '])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_lead_elsewhere_are_no_files() {
        for plain in ["config.json", "model-00001-of-00002.safetensors", "Größe (2).txt"] {
            assert!(is_plain(plain), "{plain}");
        }
        for other in ["", "..", "../a", "a/b", "a\\b", "/a", "C:a", ".hidden", "a.", "a\0", "a\n"] {
            assert!(!is_plain(other), "{other}");
        }
    }
}
