//! Builds the smoke page: cargo compiles the module, wasm-bindgen writes the JavaScript beside it.
//! wasm-bindgen is a library here, pinned by `Cargo.lock` to the version the module was compiled
//! with, so no tool has to be installed.

use std::path::{Path, PathBuf};
use std::process::Command;

const TARGET: &str = "wasm32-unknown-unknown";

/// Builds everything and returns the folder with the module; the page itself lies beside this file.
pub fn site() -> Result<PathBuf, String> {
    // `CARGO_TARGET_TMPDIR` is `tmp` in the target folder of the cargo that runs this test. The
    // page is built in the same folder and as tests/run builds it, so that nothing is compiled twice.
    let tmp = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let target = tmp.parent().ok_or("the target folder has no parent")?;
    compile(target)?;
    let module = target.join(TARGET).join("release/examples/web_smoke.wasm");
    let site = tmp.join("web_smoke");
    wasm_bindgen_cli_support::Bindgen::new()
        .input_path(&module)
        .out_name("web_smoke")
        .typescript(false)
        // The page then finds the module beside the script.
        .omit_default_module_path(false)
        .web(true)
        .and_then(|bindgen| bindgen.generate(&site))
        .map_err(|e| format!("wasm-bindgen could not read {}: {e:#}", module.display()))?;
    Ok(site)
}

fn compile(target: &Path) -> Result<(), String> {
    let status = Command::new(env!("CARGO"))
        .args(["browser-whole", "--example", "web_smoke", "--example", "window"])
        .arg("--target-dir")
        .arg(target)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        // These would hide the flags that .cargo/config.toml sets for this target.
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        // Where tests/run has clippy compile our packages: what a page must not call.
        .env("CLIPPY_CONF_DIR", ".clippy/wasm")
        .status()
        .map_err(|e| format!("cargo did not start: {e}"))?;
    let advice = format!("if `std` is what is missing: rustup target add {TARGET}");
    status.success().then_some(()).ok_or(format!("the page's module did not compile ({status}); {advice}"))
}
