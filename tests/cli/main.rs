//! The program as a user meets it: what is typed, what is printed, how it ends.

#[path = "../support/adapter.rs"]
mod adapter;
mod advice;
mod bench;
mod compare;
mod export;
#[cfg(unix)]
#[path = "../support/folders.rs"]
mod folders;
mod generate;
mod gguf;
mod halves;
mod hub;
mod located;
mod loudness;
mod measured;
mod places;
#[cfg(not(feature = "mpi"))]
mod processes;
mod progress;
#[cfg(unix)]
mod readme;
mod recover;
mod reports;
mod resume;
mod search;
mod signals;
mod strangers;
mod terminal;
mod texts;
mod times;
mod tune;
mod usage;
mod words;
mod work;
#[path = "../support/zip.rs"]
mod zip;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// How the program ended and what it printed.
struct Ended {
    code: i32,
    out: String,
    err: String,
}

impl Ended {
    /// Fails the test unless the program ended with `code`.
    #[track_caller]
    fn with(self, code: i32) -> Self {
        assert_eq!(self.code, code, "\nstdout: {}\nstderr: {}", self.out, self.err);
        assert!(!self.err.contains("panicked"), "{}", self.err);
        self
    }

    /// Fails the test unless the one error line has every one of these words.
    #[track_caller]
    fn saying(self, words: &[&str]) {
        assert_eq!(self.err.matches("error: ").count(), 1, "{}", self.err);
        for word in words {
            assert!(self.err.contains(word), "\"{word}\" is not in: {}", self.err);
        }
    }

    /// Standard output as one JSON object.
    #[track_caller]
    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e}: {}", self.out))
    }
}

/// The built program.
fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_slimgpt"));
    // No test depends on a connection; those of names have a hub of their own.
    command.args(arguments).stdin(Stdio::null()).env("HF_HUB_OFFLINE", "1");
    command
}

fn run(arguments: &[&str]) -> Ended {
    ended(&mut program(arguments))
}

fn ended(command: &mut Command) -> Ended {
    let output = command.output().expect("the program starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    Ended { code: output.status.code().expect("an exit code"), out, err }
}

/// The folder of the model that ships with the program.
fn shipped() -> String {
    path(&Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/tiny_model"))
}

/// The shipped model with one weight changed in its last bit: another model, without a text of its own.
fn another_model(folder: &TempDir) -> String {
    let to = folder.path().join("another");
    std::fs::create_dir(&to).unwrap();
    for file in ["config.json", "tokenizer.json", "model.safetensors"] {
        let mut bytes = std::fs::read(Path::new(&shipped()).join(file)).unwrap();
        if file == "model.safetensors" {
            let low_byte = bytes.len() - 2;
            bytes[low_byte] ^= 1;
        }
        std::fs::write(to.join(file), bytes).unwrap();
    }
    path(&to)
}

fn path(path: &Path) -> String {
    path.to_str().expect("a path in UTF-8").to_owned()
}

fn temporary() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

/// Models and texts that lie beside the checkout, when they do.
fn data() -> Option<PathBuf> {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    data.is_dir().then_some(data)
}
