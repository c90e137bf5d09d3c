//! Modules for the browser: cargo compiles them, wasm-bindgen writes the JavaScript beside them.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// What is compiled besides the lessons. Both take minutes the first time, as they need everything
/// that drives a GPU.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// What the lessons on a model compute in a worker.
    pub worker: bool,
    /// The window, under `app/`.
    pub window: bool,
}

/// Compiles the modules that are `wanted` and writes each into its folder under `out`.
///
/// # Errors
/// When cargo or wasm-bindgen fails.
pub fn modules(wanted: Wanted, out: &Path) -> Result<()> {
    let lessons = cargo(&["browser-lessons"])?;
    bind(&lessons, "slimgpt_page", &out.join("page"), "page")?;
    if !(wanted.worker || wanted.window) {
        return Ok(());
    }
    let window: &[&str] = if wanted.window { &["--example", "window"] } else { &[] };
    // One call for both: the packages that drive a GPU are compiled once.
    let whole = cargo(&[&["browser-whole"], window].concat())?;
    if wanted.worker {
        bind(&whole, "slimgpt_worker", &out.join("worker"), "worker")?;
    }
    if wanted.window {
        bind(&whole, "window", &out.join("app"), "window")?;
    }
    Ok(())
}

/// Builds for the browser, by an alias of `.cargo/config.toml`, and returns the modules that came of it.
fn cargo(words: &[&str]) -> Result<Vec<PathBuf>> {
    // The cargo that runs this program, where one does: another on the path could be of another toolchain.
    let built = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(words)
        .args(["--message-format", "json-render-diagnostics"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        // These would hide the flags that .cargo/config.toml sets for this target.
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        // Where tests/run has clippy compile our packages: what a page must not call.
        .env("CLIPPY_CONF_DIR", ".clippy/wasm")
        .stderr(Stdio::inherit())
        .output()
        .context("cargo did not start")?;
    ensure!(
        built.status.success(),
        "the page's modules did not compile ({}); if `core` is what is missing: rustup target add wasm32-unknown-unknown",
        built.status
    );
    let told = String::from_utf8_lossy(&built.stdout);
    Ok(told.lines().filter_map(|line| serde_json::from_str(line).ok()).flat_map(modules_of).collect())
}

/// The modules that one of cargo's messages tells of.
fn modules_of(message: Value) -> Vec<PathBuf> {
    let files = message["filenames"].as_array().cloned().unwrap_or_default();
    let paths = files.iter().filter_map(|file| file.as_str()).map(PathBuf::from);
    paths.filter(|path| path.extension().is_some_and(|e| e == "wasm")).collect()
}

/// Writes the module called `stem` and its JavaScript into `folder` as `name`.
fn bind(built: &[PathBuf], stem: &str, folder: &Path, name: &str) -> Result<()> {
    let module = built.iter().find(|path| path.file_stem().is_some_and(|s| s == stem));
    let module = module.with_context(|| format!("cargo built no module {stem}"))?;
    wasm_bindgen_cli_support::Bindgen::new()
        .input_path(module)
        .out_name(name)
        .typescript(false)
        // A quarter of the lessons' bytes; a panic still tells its file and line.
        .remove_name_section(true)
        .remove_producers_section(true)
        // The script then finds the module beside itself.
        .omit_default_module_path(false)
        .web(true)
        .and_then(|bindgen| bindgen.generate(folder))
        .with_context(|| format!("wasm-bindgen could not read {}", module.display()))
}

#[test]
fn modules_are_found_in_what_cargo_tells() {
    let message = r#"{"reason":"compiler-artifact","filenames":["/t/libx.rlib","/t/slimgpt_page.wasm"]}"#;
    let found = modules_of(serde_json::from_str(message).expect("JSON"));
    assert_eq!(found, [PathBuf::from("/t/slimgpt_page.wasm")]);
    assert!(modules_of(serde_json::json!({"reason": "build-finished"})).is_empty());
}
