//! What belongs to a model besides its weights and comes along: the tokenizer with the code it
//! needs, chat templates, settings of processors, and the texts its licence wants kept.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::links;
use crate::beside;
use crate::disk::{self, DiskError};

/// Files that hold for what is made of a model too.
const BY_NAME: [&str; 17] = [
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "vocab.txt",
    "merges.txt",
    "spiece.model",
    "sentencepiece.bpe.model",
    "tekken.json",
    "chat_template.jinja",
    "chat_template.json",
    "generation_config.json",
    "preprocessor_config.json",
    "processor_config.json",
    "video_preprocessor_config.json",
];
/// Further chat templates, one a file, by name.
const TEMPLATES: &str = "additional_chat_templates";
/// How the names of texts begin that a licence wants kept.
const LEGAL: [&str; 6] = ["LICENSE", "LICENCE", "NOTICE", "COPYING", "COPYRIGHT", "USE_POLICY"];
/// Settings that may name classes of their own.
const NAME_CODE: [&str; 3] = ["tokenizer_config.json", "preprocessor_config.json", "processor_config.json"];

/// Copies what belongs to the model of `source` beside the weights in `whole`, whose config.json
/// is written already; of a GGUF file, writes what its keys say of it.
///
/// # Errors
/// When a file cannot be read, or the disk refuses.
pub fn carry(source: &Path, whole: &Path) -> Result<(), DiskError> {
    if beside::is_file(source) {
        return beside::made(source)?.iter().try_for_each(|(name, text)| disk::put(&whole.join(name), text.as_bytes()));
    }
    for name in belongings(source, whole)? {
        let to = whole.join(&name);
        to.parent().map_or(Ok(()), disk::make_folder)?;
        disk::copy(&source.join(name), &to)?;
    }
    Ok(())
}

/// Whether the tokenizer of a folder is a class of its own, which runs only where code is trusted.
pub fn tokenizer_has_code(folder: &Path) -> bool {
    !json(&folder.join("tokenizer_config.json"))["auto_map"]["AutoTokenizer"].is_null()
}

/// Files that would come along, but are links to something that is not part of the model.
pub fn left_behind(source: &Path) -> Vec<PathBuf> {
    let mut all = named(source).unwrap_or_default();
    all.retain(|name| source.join(name).is_file() && !links::belongs(source, name));
    all
}

/// The files that come along, by their names within the folder.
fn belongings(source: &Path, whole: &Path) -> Result<Vec<PathBuf>, DiskError> {
    let mut all = named(source)?;
    all.extend(code(source, whole));
    all.retain(|name| source.join(name).is_file() && links::belongs(source, name));
    Ok(all)
}

/// Whether the file `name` of a repository, with `/` between its parts, may be what comes along with a model: by its
/// name, or as code that settings may refer to.
pub fn may_belong(name: &str) -> bool {
    match name.split_once('/') {
        Some((folder, inside)) => folder == TEMPLATES && is_template(inside),
        None => is_named(name) || name.ends_with(".py"),
    }
}

/// Whether the name of a file says that it belongs to the model, whatever it is.
fn is_named(name: &str) -> bool {
    let upper = name.to_uppercase();
    BY_NAME.contains(&name) || LEGAL.iter().any(|legal| upper.starts_with(legal))
}

fn is_template(name: &str) -> bool {
    name.ends_with(".jinja")
}

/// Files whose names say that they belong to the model, whatever they are.
fn named(source: &Path) -> Result<Vec<PathBuf>, DiskError> {
    let names = disk::names(source)?;
    let mut all: Vec<PathBuf> = names.iter().filter(|name| is_named(name)).map(PathBuf::from).collect();
    let templates = disk::names(&source.join(TEMPLATES)).unwrap_or_default();
    all.extend(templates.iter().filter(|name| is_template(name)).map(|name| Path::new(TEMPLATES).join(name)));
    Ok(all)
}

/// The Python files that the written settings refer to, with those that these import; what is
/// written for the model itself stays as it is. They are copied and never run.
fn code(source: &Path, whole: &Path) -> BTreeSet<PathBuf> {
    let settings = NAME_CODE.map(|name| source.join(name)).into_iter().chain([whole.join("config.json")]);
    let mut wanted: Vec<String> = settings.flat_map(|path| modules(&json(&path)["auto_map"])).collect();
    let mut found = BTreeSet::new();
    // Modules import others, perhaps each other.
    while let Some(module) = wanted.pop() {
        let file = PathBuf::from(format!("{module}.py"));
        // What was written for the pruned model goes before what its source has under the name.
        if whole.join(&file).exists() || found.contains(&file) {
            continue;
        }
        if let Some(text) = disk::read(&source.join(&file)).ok().and_then(|bytes| String::from_utf8(bytes).ok()) {
            wanted.extend(imports(&text));
            found.insert(file);
        }
    }
    found
}

/// The modules of an `auto_map`: `"module.Class"`, or a list of such and nulls.
fn modules(auto_map: &Value) -> Vec<String> {
    let references = auto_map.as_object().into_iter().flatten().flat_map(|(_, value)| match value {
        Value::Array(all) => all.iter().collect(),
        one => vec![one],
    });
    // A reference to another repository has a path in its name, and its file is not here.
    references.filter_map(|r| r.as_str()?.rsplit_once('.')).filter_map(|(module, _)| plain(module)).collect()
}

/// The modules beside it that a Python file imports.
fn imports(text: &str) -> Vec<String> {
    let name = |line: &str| {
        let rest = line.trim_start().strip_prefix("from .").or(line.trim_start().strip_prefix("import ."))?;
        plain(rest.split_whitespace().next()?)
    };
    text.lines().filter_map(name).collect()
}

/// A name that leads to a file in the folder and nowhere else.
fn plain(module: &str) -> Option<String> {
    let is_plain = !module.is_empty() && module.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    is_plain.then(|| module.to_owned())
}

/// A JSON file; null where there is none that can be read.
fn json(path: &Path) -> Value {
    disk::read(path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or(Value::Null)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_comes_along_is_known_by_its_name() {
        for name in ["tokenizer.json", "LICENSE.txt", "modeling_x.py", "additional_chat_templates/rag.jinja"] {
            assert!(may_belong(name), "{name}");
        }
        for name in
            ["pytorch_model.bin", "model.gguf", "README.md", "onnx/tokenizer.json", "onnx/model.py", "optimizer.pt"]
        {
            assert!(!may_belong(name), "{name}");
        }
    }

    #[test]
    fn references_lead_to_files_of_the_folder_only() {
        let map = json!({
            "AutoTokenizer": [null, "tokenization_x.Fast"], "AutoConfig": "org/repo--configuration_x.Config",
            "AutoModel": "../up.Model", "AutoProcessor": "deep/er.Processor", "AutoOther": 3,
        });
        assert_eq!(modules(&map), ["tokenization_x"]);
        assert_eq!(
            imports("import os\nfrom .a import b\n    from .c.d import e\nimport .f\nfrom x import y"),
            ["a", "f"]
        );
    }
}
