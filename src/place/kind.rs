//! What the program's own results look like. What cannot be read as one is none.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use super::keys::{Keys, Sort};
use crate::disk;

/// What is to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A folder that was pruned, with its report.
    Pruned,
    /// A folder that was trained, with its record.
    Recovered,
    /// A folder with an adapter as peft keeps it.
    Adapter,
    /// A checkpoint's folder.
    Checkpoint,
    /// A folder of results to which others are added.
    Results,
    /// A GGUF file.
    Gguf,
    /// What Ollama takes a GGUF file in by.
    Modelfile,
    /// A page about pruned folders.
    Page,
    /// A figure as SVG.
    Figure,
    /// A comparison as JSON.
    Comparison,
    /// A comparison as comma-separated values.
    Table,
    /// One result of a comparison, with what it was made of.
    Row,
    /// What came of every item of a task, a JSON object a line.
    Items,
    /// Sizes that were searched for, with what cutting costs.
    Search,
    /// What layers of a model take on a device.
    Times,
}

/// How much of a file tells what it is.
const BEGINNING: u64 = 1 << 16;
/// How the header of a comparison's table begins.
const COLUMNS: &str = "method,target,schedule,calibration,samples,seq_len,";

impl Kind {
    /// Whether it is a folder.
    pub(super) fn is_folder(self) -> bool {
        matches!(self, Self::Pruned | Self::Recovered | Self::Adapter | Self::Checkpoint | Self::Results)
    }

    /// Whether a new one takes the place of everything in the older.
    pub(super) fn is_replaced_whole(self) -> bool {
        self != Self::Results
    }

    /// Whether an earlier one is replaced only when somebody says so; others are made again at will.
    pub(super) fn is_kept(self) -> bool {
        matches!(self, Self::Pruned | Self::Recovered | Self::Adapter | Self::Checkpoint | Self::Gguf | Self::Search)
    }

    /// What somebody else's is told to be.
    pub(super) fn is_not(self) -> &'static str {
        match self {
            Self::Pruned | Self::Recovered | Self::Modelfile => "was not made by slimgpt",
            Self::Adapter => "is no adapter",
            Self::Checkpoint => "is not a checkpoint folder",
            Self::Results => "is not a folder",
            Self::Gguf => "is not a GGUF file",
            Self::Page => "is no page of slimgpt",
            Self::Figure => "is no figure of slimgpt",
            Self::Comparison | Self::Table | Self::Row => "is no comparison of slimgpt",
            Self::Items => "does not hold the items of an evaluation",
            Self::Search => "is no plan of a search",
            Self::Times => "is no table of times",
        }
    }

    /// Whether what stands at `path` is of this kind, by what is in it and not by its name.
    pub(super) fn is_marked(self, path: &Path) -> bool {
        match self {
            Self::Pruned => json(&path.join("slimgpt-report.json")).is_some_and(|report| is_report(&report)),
            Self::Recovered => has_keys(
                json(&path.join("slimgpt-recovery.json")).as_ref(),
                &["version", "settings", "steps", "held_out"],
            ),
            Self::Adapter => path.join("adapter_config.json").is_file(),
            Self::Checkpoint => path.join("config.json").is_file(),
            // Others are added to it, and nothing in it is taken away.
            Self::Results => true,
            Self::Gguf => begins(path, b"GGUF"),
            Self::Modelfile => begins(path, b"# Made by slimgpt"),
            Self::Page => beginning(path).is_some_and(|b| holds(&b, b"<meta name=\"generator\" content=\"slimgpt")),
            Self::Figure => beginning(path)
                .is_some_and(|b| holds(&b, b"<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"figure\" role=\"img\"")),
            Self::Comparison => has_keys(json(path).as_ref(), &["version", "model", "protocol", "dense", "rows"]),
            Self::Table => begins(path, COLUMNS.as_bytes()),
            Self::Row => has_keys(json(path).as_ref(), &["identity", "result"]),
            Self::Search => has_keys(json(path).as_ref(), &["version", "model", "targets", "map"]),
            Self::Times => has_keys(json(path).as_ref(), &["version", "device", "model", "context_tokens", "points"]),
            Self::Items => has_keys(first_line(path).as_ref(), &["task", "file", "line"]),
        }
    }
}

/// Whether something of this name is part of a checkpoint's folder as this program makes it.
pub(super) fn is_of_a_checkpoint(name: &str, path: &Path) -> bool {
    if path.is_dir() {
        return name == "additional_chat_templates" || name == "adapter" && is_adapter(path);
    }
    NAMES.contains(&name)
        || is_shard(name)
        || name.starts_with("slimgpt-eval.json")
        // LICENSE, License.txt and license.md all occur.
        || LEGAL.iter().any(|legal| name.to_uppercase().starts_with(legal))
        || ["configuration_", "modeling_", "tokenization_"].iter().any(|code| name.starts_with(code))
            && name.ends_with(".py")
}

/// Whether a folder holds an adapter and nothing of somebody's.
fn is_adapter(folder: &Path) -> bool {
    let is_ours = |name: &String| ["adapter_config.json", "adapter_model.safetensors"].contains(&name.as_str());
    disk::names(folder).is_ok_and(|names| names.iter().all(is_ours))
}

/// How the names of texts begin that a licence wants kept.
const LEGAL: [&str; 6] = ["LICENSE", "LICENCE", "NOTICE", "COPYING", "COPYRIGHT", "USE_POLICY"];
/// What is in a checkpoint's folder besides its weights.
const NAMES: [&str; 28] = [
    "README.md",
    "adapter_config.json",
    "adapter_model.safetensors",
    "added_tokens.json",
    "chat_template.jinja",
    "chat_template.json",
    "config.json",
    "generation_config.json",
    "merges.txt",
    "model.safetensors",
    "model.safetensors.index.json",
    "preprocessor_config.json",
    "processor_config.json",
    "sentencepiece.bpe.model",
    "slimgpt-recovery.json",
    "slimgpt-report.html",
    "slimgpt-report.json",
    "slimgpt-search.json",
    "slimgpt-tuning.json",
    "special_tokens_map.json",
    "spiece.model",
    "tekken.json",
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "video_preprocessor_config.json",
    "vocab.json",
    "vocab.txt",
];

/// `model-00001-of-00002.safetensors`.
fn is_shard(name: &str) -> bool {
    let numbers = name.strip_prefix("model-").and_then(|rest| rest.strip_suffix(".safetensors"));
    // Five digits, or more where there are more files.
    let is_number = |n: &str| n.len() >= 5 && n.bytes().all(|b| b.is_ascii_digit());
    numbers.and_then(|n| n.split_once("-of-")).is_some_and(|(i, n)| is_number(i) && is_number(n))
}

/// A report of any version of this program.
fn is_report(report: &Keys) -> bool {
    let sorts = [("version", Sort::Text), ("plan", Sort::Object), ("layers", Sort::List)];
    sorts.iter().all(|(key, sort)| report.get(*key) == Some(sort))
}

fn has_keys(object: Option<&Keys>, keys: &[&str]) -> bool {
    object.is_some_and(|object| keys.iter().all(|key| object.contains_key(*key)))
}

fn json(path: &Path) -> Option<Keys> {
    serde_json::from_reader(BufReader::new(disk::open(path).ok()?)).ok()
}

fn first_line(path: &Path) -> Option<Keys> {
    let mut line = Vec::new();
    // A context may be long, but a line without an end is no item.
    BufReader::new(disk::open(path).ok()?).take(1 << 30).read_until(b'\n', &mut line).ok()?;
    serde_json::from_slice(&line).ok()
}

fn beginning(path: &Path) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    disk::open(path).ok()?.take(BEGINNING).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

fn begins(path: &Path, with: &[u8]) -> bool {
    beginning(path).is_some_and(|bytes| bytes.starts_with(with))
}

fn holds(bytes: &[u8], mark: &[u8]) -> bool {
    bytes.windows(mark.len()).any(|window| window == mark)
}
