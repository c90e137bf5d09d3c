//! Several processes as one run, started by Open MPI's launcher: what comes out is what as many devices of one process
//! make, and whatever ends one ends all.
#![cfg(target_os = "linux")]

mod ends;
#[path = "../support/folders.rs"]
mod folders;
mod inside;
mod same;

use std::path::Path;
use std::process::{Command, Output, Stdio};

/// A program that is started so many times. As a user would, but for what a container does not allow: root, more
/// processes than cores, being bound to a core, and reading each other's memory.
fn mpirun(count: usize, program: &Path) -> Command {
    let mut command = Command::new("mpirun");
    command.args(["-n", &count.to_string(), "--oversubscribe", "--bind-to", "none"]).arg(program);
    command.envs([
        ("OMPI_ALLOW_RUN_AS_ROOT", "1"),
        ("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1"),
        ("OMPI_MCA_btl_vader_single_copy_mechanism", "none"),
        ("HF_HUB_OFFLINE", "1"),
    ]);
    command.stdin(Stdio::null());
    command
}

/// The program, as so many processes.
fn processes(count: usize, arguments: &[&str]) -> Command {
    let mut command = mpirun(count, Path::new(env!("CARGO_BIN_EXE_slimgpt")));
    command.args(arguments);
    command
}

/// The program alone.
fn alone(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_slimgpt"));
    command.args(arguments).stdin(Stdio::null()).env("HF_HUB_OFFLINE", "1");
    command
}

/// What it printed, once it ended with `code`.
#[track_caller]
fn ended(mut command: Command, code: i32) -> (String, String) {
    let Output { status, stdout, stderr } = command.output().expect("the program starts");
    let [out, err] = [stdout, stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    assert_eq!(status.code(), Some(code), "\nstdout: {out}\nstderr: {err}");
    (out, err)
}

/// The folder of the model that ships with the program.
fn shipped() -> String {
    text(&Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/tiny_model"))
}

fn text(path: &Path) -> String {
    path.to_str().expect("a path in UTF-8").to_owned()
}

/// Three devices of one process, and the one of each of three.
const THREE: [&str; 6] = ["--device", "cpu", "--device", "cpu", "--device", "cpu"];
const EACH: [&str; 2] = ["--device", "cpu"];
