//! What a model is called: by its folder, where that has a name.

use std::path::{Component, Path};

use serde_json::Value;

/// The name of the model in `folder` with this config.json: that of the repository where the folder
/// lies in a cache of downloads, else the folder's own. A commit's number is no name; then
/// config.json may have one.
pub fn name(folder: &Path, config: &Value) -> String {
    // As it was given and not where a link leads, unless that says nothing (`.`, `..`).
    let given = match folder.components().next_back() {
        Some(Component::Normal(_)) => folder.to_owned(),
        _ => folder.canonicalize().unwrap_or_else(|_| folder.to_owned()),
    };
    let parts: Vec<String> = given.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    let of_config = || config["_name_or_path"].as_str().and_then(|path| path.rsplit('/').find(|part| is_name(part)));
    if let Some(repository) = in_cache(&parts) {
        return repository.to_owned();
    }
    let own = parts.last().map(|part| part.strip_suffix(".gguf").unwrap_or(part)).filter(|part| is_name(part));
    own.or_else(of_config).unwrap_or("model").to_owned()
}

/// `…/models--ORG--NAME/snapshots/COMMIT`, as huggingface_hub keeps downloads.
fn in_cache(parts: &[String]) -> Option<&str> {
    let [.., repository, snapshots, _] = parts else { return None };
    let repository = repository.strip_prefix("models--").filter(|_| snapshots == "snapshots")?;
    repository.rsplit("--").next()
}

fn is_name(part: &str) -> bool {
    let is_commit = part.len() == 40 && part.chars().all(|c| c.is_ascii_hexdigit());
    !is_commit && !["", ".", "..", "/"].contains(&part)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_commit_is_no_name() {
        let commit = "f09bf1f4d4c7e9bfd2f6f1cf6a0d4d3e2c1b0a99";
        let config = json!({ "_name_or_path": "meta-llama/Llama-2-7b-hf/" });
        let named = |path: &str| name(Path::new(path), &config);
        assert_eq!(named("/models/slim/"), "slim");
        assert_eq!(named("/models/SmolLM2-135M.Q4_1.gguf"), "SmolLM2-135M.Q4_1");
        assert_eq!(named(&format!("/hub/models--org--Tiny-Model/snapshots/{commit}")), "Tiny-Model");
        assert_eq!(named(&format!("/downloads/{commit}")), "Llama-2-7b-hf");
        assert_eq!(name(Path::new("/"), &Value::Null), "model");
        let here = std::env::current_dir().unwrap();
        assert_eq!(named("."), here.file_name().unwrap().to_string_lossy());
    }
}
