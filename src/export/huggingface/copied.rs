//! What a source has besides its weights that holds for what is made of it too. A folder from elsewhere
//! may hold links to anything that its reader may read, and outputs are given away.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// By name.
const COPIED: [&str; 9] = [
    TOKENIZER,
    "tokenizer.model",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "chat_template.jinja",
    "generation_config.json",
];
const TOKENIZER: &str = "tokenizer.json";

/// The files of a source that go along with what is made of it, by name.
pub fn copied(source: &Path) -> Vec<(&'static str, PathBuf)> {
    present(source).filter(|(name, path)| belongs(source, name, path)).collect()
}

/// Those that stay behind, because they are links to something that is not part of the model.
pub fn left_behind(source: &Path) -> Vec<&'static str> {
    present(source).filter(|(name, path)| !belongs(source, name, path)).map(|(name, _)| name).collect()
}

fn present(source: &Path) -> impl Iterator<Item = (&'static str, PathBuf)> {
    COPIED.iter().map(move |&name| (name, source.join(name))).filter(|(_, path)| path.is_file())
}

/// Whether a file is the model's own: it lies in the folder, or where the model's configuration lies that
/// was read as one. There the links of a download cache lead, and those of a folder made of links.
fn belongs(source: &Path, name: &str, path: &Path) -> bool {
    let around = |path: &Path| path.canonicalize().ok().and_then(|real| Some(real.parent()?.to_owned()));
    let Ok(real) = path.canonicalize() else { return false };
    source.canonicalize().is_ok_and(|folder| real.starts_with(folder))
        || real.parent() == around(&source.join("config.json")).as_deref()
        || name == TOKENIZER && is_tokenizer(&real)
}

/// Nothing else looks like one: it may be another model's, and is given away as what it is.
fn is_tokenizer(path: &Path) -> bool {
    let json = File::open(path).ok().and_then(|file| serde_json::from_reader::<_, Value>(BufReader::new(file)).ok());
    json.is_some_and(|json| json["model"].is_object() && json["added_tokens"].is_array())
}
