//! Which files of a folder are the model's own. A folder from elsewhere may hold links to anything that
//! its reader may read, and outputs are given away.

use std::path::Path;

use serde_json::Value;

use crate::disk;

/// Whether the file `name` of `source` is the model's own: it lies in the folder, or where the model's
/// configuration lies that was read as one. There the links of a download cache lead, and those of a
/// folder made of links.
pub(super) fn belongs(source: &Path, name: &Path) -> bool {
    let around = |path: &Path| path.canonicalize().ok().and_then(|real| Some(real.parent()?.to_owned()));
    let Ok(real) = source.join(name).canonicalize() else { return false };
    source.canonicalize().is_ok_and(|folder| real.starts_with(folder))
        || real.parent() == around(&source.join("config.json")).as_deref()
        || name == Path::new("tokenizer.json") && is_tokenizer(&real)
}

/// Nothing else looks like one: it may be another model's, and is given away as what it is.
fn is_tokenizer(path: &Path) -> bool {
    let bytes = disk::read_within(path, disk::TOKENIZER).ok();
    let json = bytes.and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
    json.is_some_and(|json| json["model"].is_object() && json["added_tokens"].is_array())
}
