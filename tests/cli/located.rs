//! Models that are given by one of their files, in an archive, or as an adapter.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::adapter::write_adapter;
use crate::zip::zip;
use crate::{ended, path, program, run, shipped, temporary};

/// The shipped model in `folder`.
fn copied(folder: &Path) -> PathBuf {
    let to = folder.join("base");
    fs::create_dir(&to).unwrap();
    for file in ["config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors"] {
        fs::copy(Path::new(&shipped()).join(file), to.join(file)).unwrap();
    }
    to
}

/// What `ppl` tells of a model, but for names and times.
fn measured(model: &str, more: &[&str]) -> Value {
    let text = path(&Path::new(&shipped()).join("eval.txt"));
    let arguments = ["ppl", model, "--text", &text, "--windows", "2", "--seq-len", "32", "--device", "cpu", "--json"];
    let mut json = run(&[&arguments[..], more].concat()).with(0).json();
    for differs in ["seconds", "model"] {
        json[differs] = Value::Null;
    }
    json
}

#[test]
fn a_file_of_weights_is_its_model() {
    let folder = temporary();
    let weights = path(&copied(folder.path()).join("model.safetensors"));
    assert_eq!(measured(&weights, &[]), measured(&shipped(), &[]));
}

#[test]
fn an_archive_is_its_model() {
    let folder = temporary();
    let base = copied(folder.path());
    let files: Vec<(String, Vec<u8>)> = fs::read_dir(&base)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|file| (format!("base/{}", file.file_name().unwrap().to_str().unwrap()), fs::read(&file).unwrap()))
        .collect();
    let files: Vec<(&str, &[u8])> = files.iter().map(|(name, bytes)| (name.as_str(), &bytes[..])).collect();
    let archive = folder.path().join("base.zip");
    fs::write(&archive, zip(&files, true)).unwrap();
    let caches = folder.path().join("caches");
    let inspect = |model: &str| {
        let mut command = program(&["inspect", model]);
        ended(command.env("XDG_CACHE_HOME", &caches)).with(0).out
    };
    assert_eq!(inspect(&path(&archive)), inspect(&path(&base)));
    assert_eq!(fs::read_dir(caches.join("slimgpt/unpacked")).unwrap().count(), 1);
}

/// A folder of factors for the shipped model, which name it by `base`.
fn adapter(folder: &Path, base: &str) -> String {
    let to = folder.join("adapter");
    write_adapter(&to, base);
    path(&to)
}

#[test]
fn an_adapter_is_added_to_the_model_beside_it() {
    let folder = temporary();
    let base = path(&copied(folder.path()));
    let adapter = adapter(folder.path(), "somewhere/else/base");
    let with = measured(&base, &["--adapter", &adapter]);
    assert_eq!(measured(&adapter, &[]), with);
    assert_ne!(measured(&base, &[]), with);
    run(&["inspect", &adapter]).with(2).saying(&["low-rank factors", "export padded"]);
    let twice = run(&["ppl", &adapter, "--adapter", &adapter, "--text", "x.txt"]).with(2);
    twice.saying(&["low-rank factors", "one of them"]);
}

#[test]
fn an_adapter_without_its_model_says_which_it_wants() {
    let folder = temporary();
    let adapter = adapter(folder.path(), "org/base");
    let refused = run(&["export", "padded", &adapter, "--out", &path(&folder.path().join("out"))]).with(1);
    refused.saying(&["org/base", "neither beside it nor in the cache", "slimgpt inspect", "--adapter"]);
}
