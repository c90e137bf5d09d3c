//! Which files of a repository are needed.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use super::name::is_inside;
use crate::disk;

pub(super) const CONFIG: &str = "config.json";
pub(super) const TOKENIZER: &str = "tokenizer.json";
const SINGLE: &str = "model.safetensors";
pub(super) const INDEX: &str = "model.safetensors.index.json";
const WEIGHTS: &str = ".safetensors";

/// How much of a model is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Its sizes: config.json alone.
    Config,
    /// All that it takes to run it.
    Whole,
}

/// What a snapshot lacks of a model, in words; nothing where it is whole.
pub(super) fn lacking(snapshot: &Path, need: Need) -> Vec<&'static str> {
    // Also of a link whose blob was removed.
    let has = |name: &str| snapshot.join(name).is_file();
    let mut lacking = Vec::new();
    if !has(CONFIG) {
        lacking.push(CONFIG);
    }
    if need == Need::Whole {
        if !has(TOKENIZER) {
            lacking.push(TOKENIZER);
        }
        if !has(SINGLE) && !has_others(snapshot) {
            lacking.push("weights");
        }
    }
    lacking
}

/// Whether a snapshot has config.json and all weights, so that it can be opened.
pub fn is_whole(snapshot: &Path) -> bool {
    lacking(snapshot, Need::Whole).iter().all(|lacks| *lacks == TOKENIZER)
}

/// Whether a snapshot has all files that its index names or, without an index, weights of which no part is missing.
fn has_others(snapshot: &Path) -> bool {
    let has = |name: &String| snapshot.join(name).is_file();
    match disk::read(&snapshot.join(INDEX)) {
        Ok(index) => shards(&index).is_some_and(|shards| shards.iter().all(has)),
        Err(_) => {
            let names = disk::names(snapshot).unwrap_or_default();
            let weights: Vec<&String> = names.iter().filter(|&name| name.ends_with(WEIGHTS) && has(name)).collect();
            // Whoever was interrupted may have left some of several files, and not yet the index that names all.
            let are_all = |of: usize| weights.iter().filter(|name| parts(name) == Some(of)).count() >= of;
            !weights.is_empty() && weights.iter().all(|name| parts(name).is_none_or(are_all))
        }
    }
}

/// Of how many files one is, as `model-00001-of-00002.safetensors` tells.
fn parts(name: &str) -> Option<usize> {
    name.strip_suffix(WEIGHTS)?.rsplit_once("-of-")?.1.parse().ok()
}

/// The files that an index names; `None` where it is none, or names files elsewhere.
pub(super) fn shards(index: &[u8]) -> Option<BTreeSet<String>> {
    let index: Value = serde_json::from_slice(index).ok()?;
    let map = index["weight_map"].as_object()?;
    map.values().map(|file| file.as_str().filter(|file| is_inside(file)).map(str::to_owned)).collect()
}

/// The weights of a model among the files of its repository. `index` reads the index that the repository has.
/// `model.safetensors` goes before an index, as in transformers; other formats are not taken.
pub(super) fn weights<E>(
    files: &[String],
    index: impl FnOnce() -> Result<Option<BTreeSet<String>>, E>,
) -> Result<Vec<String>, E> {
    let has = |name: &str| files.iter().any(|file| file == name);
    // The whole file goes before an index, as in transformers.
    if has(SINGLE) {
        return Ok(vec![SINGLE.into()]);
    }
    if has(INDEX)
        && let Some(shards) = index()?
    {
        return Ok(shards.into_iter().collect());
    }
    // In folders lie other things, such as the model in its makers' own form.
    Ok(files.iter().filter(|file| file.ends_with(WEIGHTS) && !file.contains('/')).cloned().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(files: &[&str], index: Option<&str>) -> Vec<String> {
        let files: Vec<String> = files.iter().map(|&file| file.to_owned()).collect();
        weights::<()>(&files, || Ok(index.and_then(|index| shards(index.as_bytes())))).unwrap()
    }

    #[test]
    fn weights_are_taken_once_and_in_one_format() {
        let single = ["config.json", SINGLE, INDEX, "model-00001-of-00002.safetensors", "pytorch_model.bin", "m.gguf"];
        assert_eq!(chosen(&single, None), [SINGLE]);
        let index =
            r#"{"weight_map": {"a": "model-2.safetensors", "b": "model-1.safetensors", "c": "model-2.safetensors"}}"#;
        let sharded = [INDEX, "model-1.safetensors", "model-2.safetensors", "consolidated.safetensors"];
        assert_eq!(chosen(&sharded, Some(index)), ["model-1.safetensors", "model-2.safetensors"]);
        assert_eq!(chosen(&["a.safetensors", "onnx/b.safetensors", "c.bin"], None), ["a.safetensors"]);
        assert_eq!(chosen(&["pytorch_model.bin", "model.gguf", "model.onnx"], None), [] as [&str; 0]);
    }

    #[test]
    fn an_index_that_leads_elsewhere_is_none() {
        assert_eq!(shards(br#"{"weight_map": {"a": "../b.safetensors"}}"#), None);
        assert_eq!(shards(br#"{"weight_map": {"a": 1}}"#), None);
        assert_eq!(shards(b"[]"), None);
    }

    #[test]
    fn a_snapshot_is_whole_with_all_its_shards() {
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        let lacks = |need| lacking(folder.path(), need);
        assert_eq!(lacks(Need::Config), [CONFIG]);
        put(CONFIG, "{}");
        assert_eq!(lacks(Need::Config), [] as [&str; 0]);
        put(TOKENIZER, "{}");
        put(INDEX, r#"{"weight_map": {"a": "1.safetensors", "b": "2.safetensors"}}"#);
        put("1.safetensors", "");
        assert_eq!(lacks(Need::Whole), ["weights"]);
        put("2.safetensors", "");
        assert_eq!(lacks(Need::Whole), [] as [&str; 0]);
    }

    #[test]
    fn some_of_several_files_are_no_weights() {
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str| std::fs::write(folder.path().join(name), "{}").unwrap();
        [CONFIG, TOKENIZER].into_iter().for_each(put);
        // As an interrupted download leaves them, before the index came.
        put("model-00002-of-00002.safetensors");
        assert_eq!(lacking(folder.path(), Need::Whole), ["weights"]);
        put("model-00001-of-00002.safetensors");
        assert_eq!(lacking(folder.path(), Need::Whole), [] as [&str; 0]);
        // One of another set is still missing.
        put("other-00001-of-00003.safetensors");
        assert_eq!(lacking(folder.path(), Need::Whole), ["weights"]);
    }
}
