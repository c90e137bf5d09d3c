//! Names on the hub: what is asked of whom, what lies in the cache afterwards, and what is said.

mod breaks;
mod refused;
#[path = "../../support/hub.rs"]
mod server;
mod texts;
mod whole;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{program, shipped};
use server::{COMMIT, Server};

/// What is sent to the hub, and to nobody else.
const TOKEN: &str = "hf_secret";

/// The files of the shipped model, as a repository with much that is not needed.
fn tiny() -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for file in
        ["config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"]
    {
        files.insert(format!("models/org/tiny/{file}"), std::fs::read(Path::new(&shipped()).join(file)).unwrap());
    }
    for file in
        ["README.md", "pytorch_model.bin", "onnx/model.onnx", "onnx/config.json", "model.gguf", "training_args.bin"]
    {
        files.insert(format!("models/org/tiny/{file}"), file.as_bytes().to_vec());
    }
    files
}

fn weights() -> Vec<u8> {
    std::fs::read(Path::new(&shipped()).join("model.safetensors")).unwrap()
}

/// The program with a hub and a folder for what it downloads.
fn asking(server: &Server, home: &Path, arguments: &[&str]) -> Command {
    let mut command = program(arguments);
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"] {
        command.env_remove(name);
    }
    for name in ["HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "TRANSFORMERS_OFFLINE", "HF_HUB_DISABLE_SYMLINKS"] {
        command.env_remove(name);
    }
    command.env("HF_HUB_OFFLINE", "0").env("HF_ENDPOINT", server.address()).env("HF_HOME", home).env("HF_TOKEN", TOKEN);
    command
}

/// The folder of the model's repository in a cache.
fn repository(home: &Path) -> PathBuf {
    home.join("hub/models--org--tiny")
}

fn snapshot(home: &Path) -> PathBuf {
    repository(home).join("snapshots").join(COMMIT)
}

/// The names in a folder, sorted.
fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.map(|entry| entry.file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
