//! Which programs open a folder, how, and why not otherwise.
//!
//! What is said here of other programs was tried or read in their source; where it was not tried,
//! it says so.

use std::path::Path;

use serde::Serialize;

use super::gguf::{self, Arch};
use super::{ExportError, mlx, padded};
use crate::beside;
use crate::checkpoint::{Classes, ModelClass};
use crate::shape::ModelConfig;

/// How a program opens a model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Client {
    /// Name of the program, or of several that open the same.
    pub program: &'static str,
    /// Whether it opens this model at all.
    pub opens: Opens,
    /// What to type or call; empty where it does not open the model.
    pub how: String,
    /// Why it does not open it as it stands; empty where it does.
    pub why_not: String,
}

/// Whether a program opens a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Opens {
    /// The folder, or the GGUF file, as it stands.
    Folder,
    /// What an export makes of it.
    Export,
    /// It should, but this was never tried.
    Untried,
    /// It opens neither the folder nor an export.
    No,
}

/// Every program we know of, for one model, and for its tokenizer where it has a folder.
pub fn clients(config: &ModelConfig, folder: Option<&Path>) -> Vec<Client> {
    let mut all = vec![transformers(config)];
    all.extend(through_gguf(config, folder));
    all.extend([mlx_lm(config), vllm(config), rtp_llm(config)]);
    all.extend(plain_only(config));
    match folder.is_some_and(beside::is_file) {
        true => all.into_iter().map(of_file).collect(),
        false => all,
    }
}

/// The same for a model that is a GGUF file already, of which a folder can be made.
fn of_file(client: Client) -> Client {
    match client.opens {
        opens if [LLAMA_CPP, OLLAMA].contains(&client.program) => {
            let opens = if opens == Opens::Untried { opens } else { Opens::Folder };
            Client { opens, how: "the file as it stands".into(), why_not: String::new(), ..client }
        }
        Opens::Folder => {
            let how = format!("slimgpt export padded PATH --out DIR, then {}", client.how.replace("PATH", "DIR"));
            Client { opens: Opens::Export, how, ..client }
        }
        Opens::Export | Opens::Untried | Opens::No => client,
    }
}

const LLAMA_CPP: &str = "llama.cpp, LM Studio, llama-cpp-python, koboldcpp";
const OLLAMA: &str = "Ollama";
const DIFFER: &str = "its layers differ in size";
const HALVES: &str = "it builds both halves of every layer, and some layers lack attention or their feed-forward part";

fn is_plain(config: &ModelConfig) -> bool {
    ModelClass::of(config) != ModelClass::Custom
}

fn transformers(config: &ModelConfig) -> Client {
    let (how, why_not) = match ModelClass::of(config) {
        ModelClass::OfSource => ("from_pretrained(PATH), as its source".to_owned(), ""),
        ModelClass::BuiltIn { class, .. } => (format!("from_pretrained(PATH), as {class}"), ""),
        ModelClass::Custom => (
            match Classes::of(config.family) {
                None => "from_pretrained(PATH, trust_remote_code=True), 4.46 and later".to_owned(),
                Some(own) => {
                    format!("from_pretrained(PATH, trust_remote_code=True), with a release that has {}", own.causal)
                }
            },
            "without trust_remote_code it fails: no class of its own holds layers that differ, or these heads",
        ),
    };
    Client { program: "transformers", opens: Opens::Folder, how, why_not: why_not.into() }
}

fn through_gguf(config: &ModelConfig, folder: Option<&Path>) -> [Client; 2] {
    const EXPORT: &str = "slimgpt export gguf PATH --out model.gguf";
    let client = |program, opens, how: String, why_not: String| Client { program, opens, how, why_not };
    // As the exporter reads it: what it would refuse after the work is told before.
    if let Some(Err(error)) = folder.map(|folder| gguf::check_tokenizer(folder, config)) {
        let why_not = reason(&error);
        return [LLAMA_CPP, OLLAMA].map(|program| client(program, Opens::No, String::new(), why_not.clone()));
    }
    match Arch::of(config) {
        Ok(arch) => {
            let plain = !matches!(arch, Arch::Deci | Arch::OpenElm);
            let doubt = if plain { "" } else { "older releases fail on sizes that differ from layer to layer" };
            // Ollama crashed on lists of sizes (its issue 9911); whether it still does was not tried.
            let ollama = if plain { Opens::Export } else { Opens::Untried };
            let how = format!("{EXPORT}: architecture {}", arch.name());
            [client(LLAMA_CPP, Opens::Export, how.clone(), String::new()), client(OLLAMA, ollama, how, doubt.into())]
        }
        Err(error) => [LLAMA_CPP, OLLAMA].map(|program| by_padding(program, config, reason(&error))),
    }
}

/// What a program that knows only plain models makes of this one.
fn by_padding(program: &'static str, config: &ModelConfig, why_not: String) -> Client {
    match padded::check(config) {
        Ok(()) => {
            let mut how = "slimgpt export padded PATH --out DIR, then as any plain model".to_owned();
            if config.layers.windows(2).any(|two| two[0] != two[1]) {
                how += "; without zeros: slimgpt prune MODEL --shape SIZES, which makes all layers equal";
            }
            Client { program, opens: Opens::Export, how, why_not }
        }
        Err(error) => Client { program, opens: Opens::No, how: String::new(), why_not: reason(&error) },
    }
}

fn reason(error: &ExportError) -> String {
    match error {
        ExportError::CannotHold { reason, .. } => reason.clone(),
        other => other.to_string(),
    }
}

fn mlx_lm(config: &ModelConfig) -> Client {
    if is_plain(config) {
        let how = "mlx_lm.load(PATH)".into();
        return Client { program: "mlx-lm", opens: Opens::Folder, how, why_not: String::new() };
    }
    match mlx::check(config) {
        Ok(()) => {
            let how = "slimgpt export mlx PATH --out DIR".into();
            Client { program: "mlx-lm", opens: Opens::Export, how, why_not: DIFFER.into() }
        }
        Err(error) => by_padding("mlx-lm", config, reason(&error)),
    }
}

fn vllm(config: &ModelConfig) -> Client {
    if is_plain(config) {
        let how = "vllm serve PATH".into();
        return Client { program: "vLLM", opens: Opens::Folder, how, why_not: String::new() };
    }
    if !config.has_whole_layers() {
        return by_padding("vLLM", config, HALVES.into());
    }
    let how = "vllm serve PATH --trust-remote-code --model-impl transformers".into();
    // Its DeciLM takes key/value heads and channels by layer, but one number of query heads. GGUFs: its issue 16944.
    let why_not = "its own classes hold no query heads that differ, and it reads no GGUF of architecture deci".into();
    Client { program: "vLLM", opens: Opens::Untried, how, why_not }
}

fn rtp_llm(config: &ModelConfig) -> Client {
    use crate::shape::Family;
    let reads = matches!(config.family, Family::Qwen2 | Family::Qwen3);
    match (is_plain(config), reads) {
        _ if !config.has_whole_layers() => by_padding("rtp-llm", config, HALVES.into()),
        (false, true) => Client {
            program: "rtp-llm",
            opens: Opens::Untried,
            how: "the folder: it reads layer_head_num and layer_inter_size".into(),
            why_not: String::new(),
        },
        (false, false) => by_padding("rtp-llm", config, "it reads sizes for each layer of Qwen models only".into()),
        (true, _) => {
            let how = "the folder, as any model of its class".into();
            Client { program: "rtp-llm", opens: Opens::Folder, how, why_not: String::new() }
        }
    }
}

/// Programs with nothing for layers that differ, and why there is nothing.
const PLAIN_ONLY: [(&str, &str); 4] = [
    ("candle", "each of its models has one size for all layers"),
    (
        "mistral.rs",
        "each of its models has one size for all layers, and it knows no GGUF of architecture deci or openelm",
    ),
    // Its issue 4689.
    ("SGLang", "each of its models has one size for all layers, and DeciLM is not among them"),
    // MLC's issue 2193.
    ("MLC, WebLLM and others", "its key/value cache has one size for all layers"),
];

fn plain_only(config: &ModelConfig) -> [Client; PLAIN_ONLY.len()] {
    PLAIN_ONLY.map(|(program, reason)| {
        if is_plain(config) {
            let how = "the folder, as any model of its class".into();
            return Client { program, opens: Opens::Folder, how, why_not: String::new() };
        }
        by_padding(program, config, format!("{DIFFER}, and {reason}"))
    })
}
