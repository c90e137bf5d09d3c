//! Pipes, devices, folders, sockets and files of gigabytes where a file of settings or a text is meant.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use slimgpt::checkpoint::Checkpoint;
use slimgpt::eval::EvalRecord;
use slimgpt::report::Folder;
use slimgpt::text::{Tokenizer, TokenizerSettings, read_documents};

use crate::support::{assert_says, shipped};

/// Reads every file that a model's folder may have, and is told which one is wrong.
fn read(folder: &Path) -> Vec<(&'static str, Result<(), String>)> {
    fn told<T, E: std::fmt::Display>(result: Result<T, E>) -> Result<(), String> {
        result.map(drop).map_err(|e| e.to_string())
    }
    vec![
        ("config.json", told(Checkpoint::open(folder))),
        ("model.safetensors", told(Checkpoint::open(folder))),
        ("tokenizer.json", told(Tokenizer::open(folder, 4096))),
        ("tokenizer_config.json", told(TokenizerSettings::open(folder))),
        ("special_tokens_map.json", told(TokenizerSettings::open(folder))),
        ("added_tokens.json", told(TokenizerSettings::open(folder))),
        ("slimgpt-eval.json", told(EvalRecord::read(folder))),
        ("text.jsonl", told(read_documents(&folder.join("text.jsonl"), "text"))),
        ("text.txt.gz", told(read_documents(&folder.join("text.txt.gz"), "text"))),
    ]
}

/// A copy of the shipped model in which something else has the name of one file.
fn with(name: &str, make: impl Fn(&Path)) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("model");
    std::fs::create_dir(&model).unwrap();
    for file in ["config.json", "model.safetensors", "tokenizer.json"] {
        std::fs::copy(shipped().join(file), model.join(file)).unwrap();
    }
    std::fs::write(model.join("text.jsonl"), "{\"text\": \"a\"}").unwrap();
    let _ = std::fs::remove_file(model.join(name));
    make(&model.join(name));
    (folder, model)
}

/// Fails unless the file is refused by name with these words, in less than a second.
fn refused(name: &str, make: impl Fn(&Path), word: &str) {
    let (_folder, model) = with(name, make);
    let started = Instant::now();
    let all = read(&model);
    assert!(started.elapsed() < Duration::from_secs(2), "{name} as {word} took {:?}", started.elapsed());
    let found = all.into_iter().find(|(file, _)| *file == name).unwrap().1;
    assert_says(found, &[name, word]);
}

const NAMES: [&str; 8] = [
    "config.json",
    "model.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "slimgpt-eval.json",
    "text.jsonl",
];

#[test]
fn a_folder_in_the_place_of_a_file_is_refused() {
    for name in NAMES {
        refused(name, |path| std::fs::create_dir(path).unwrap(), if cfg!(unix) { "a folder" } else { name });
    }
}

#[cfg(unix)]
#[test]
fn pipes_devices_and_sockets_are_refused_and_nothing_waits() {
    let pipe = |path: &Path| {
        assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
    };
    let device = |path: &Path| std::os::unix::fs::symlink("/dev/zero", path).unwrap();
    let socket = |path: &Path| drop(std::os::unix::net::UnixListener::bind(path).unwrap());
    for name in NAMES {
        refused(name, pipe, "a pipe");
        refused(name, device, "a device");
        refused(name, socket, "a socket");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_pipe_that_a_shell_hands_over_is_a_text_of_its_kind() {
    use std::io::Write as _;
    use std::os::fd::AsRawFd as _;
    let through = |content: Vec<u8>| {
        let (from, mut to) = std::io::pipe().unwrap();
        let writer = std::thread::spawn(move || {
            // The first byte alone, which does not tell yet how a text is packed.
            to.write_all(&content[..1])?;
            std::thread::sleep(std::time::Duration::from_millis(50));
            to.write_all(&content[1..])
        });
        let read = read_documents(&PathBuf::from(format!("/proc/self/fd/{}", from.as_raw_fd())), "text");
        writer.join().unwrap().unwrap();
        read.unwrap()
    };
    let rows = "{\"text\": \"one\"}\n".repeat(9000);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(rows.as_bytes()).unwrap();
    assert_eq!(through(b" a text".to_vec()), [" a text"]);
    assert_eq!(through(rows.clone().into_bytes()).len(), 9000);
    assert_eq!(through(gzip.finish().unwrap()).len(), 9000);
    assert_eq!(through(b"\n[{\"text\": \"two\"}]".to_vec()), ["two"]);
}

#[test]
fn settings_of_gigabytes_are_refused_with_their_size() {
    let sparse = |path: &Path| std::fs::File::create(path).unwrap().set_len(40 << 30).unwrap();
    for name in NAMES.iter().filter(|name| name.ends_with(".json")) {
        refused(name, sparse, "42949672960 bytes");
    }
}

#[test]
fn a_report_is_read_only_as_far_as_reports_are_long() {
    let sparse = |path: &Path| std::fs::File::create(path).unwrap().set_len(40 << 30).unwrap();
    let (_folder, model) = with("slimgpt-report.json", sparse);
    assert_says(Folder::open(&model), &["slimgpt-report.json", "42949672960 bytes"]);
}
