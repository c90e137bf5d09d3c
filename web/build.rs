//! Turns the texts of the page, and the lines of source they show, into Rust before it is compiled.

#![allow(
    clippy::disallowed_methods,
    reason = "what a page must not call is for the page: this runs where there are files"
)]

#[path = "build/mod.rs"]
mod texts;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

fn main() -> ExitCode {
    let place = |name: &str| std::env::var_os(name).map(PathBuf::from).unwrap_or_default();
    // The texts name files of the whole repository, whose folder `web` is.
    let package = place("CARGO_MANIFEST_DIR");
    let root = package.parent().unwrap_or(Path::new("."));
    println!("cargo::rerun-if-changed=build");
    println!("cargo::rerun-if-changed=texts");
    match texts::generate(root, "en") {
        Ok(generated) => {
            generated.read.iter().for_each(|file| println!("cargo::rerun-if-changed={}", root.join(file).display()));
            write(&place("OUT_DIR").join("text.rs"), &generated.rust)
        }
        Err(wrong) => refused(&wrong),
    }
}

fn write(path: &Path, rust: &str) -> ExitCode {
    match std::fs::write(path, rust) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => refused(&format_args!("{}: {error}", path.display())),
    }
}

fn refused(why: &dyn std::fmt::Display) -> ExitCode {
    println!("cargo::error={why}");
    ExitCode::FAILURE
}
