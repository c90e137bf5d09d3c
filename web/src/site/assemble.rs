//! From sources to a folder: everything is put beside its final place and moves there when it is whole.

use std::path::Path;

use anyhow::Result;
use slimgpt::disk::{self, NewFolder};

use super::compile::{self, Wanted};
use super::folder::{self, LIST, List};
use super::sizes::Sizes;
use super::{document, kept};

/// The repository's folder of this package.
const HERE: &str = env!("CARGO_MANIFEST_DIR");
/// The model that lessons prune, as files: the worker reads them, and so may anybody.
const MODEL: [&str; 7] = [
    "config.json",
    "model.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
    "generation_config.json",
    "calibration.txt",
    "eval.txt",
];

/// Builds the folder `dir`; an older one is replaced once the new one is whole.
///
/// # Errors
/// When `dir` holds something else, something does not compile, a part is too large or the disk refuses.
pub fn build(dir: &Path, wanted: Wanted) -> Result<Sizes> {
    let dir = disk::real(dir);
    // Asked before minutes of compiling, and again when the folder gets its name.
    folder::may_go(&dir, &dir)?;
    if let Some(parent) = dir.parent() {
        disk::make_folder(parent)?;
    }
    let new = NewFolder::begin(&dir)?;
    compile::modules(wanted, new.path())?;
    assets(wanted, new.path())?;
    documents(wanted, new.path())?;
    // After all else: the list names every file, and the service worker's script has their digest.
    let sizes = list(new.path())?;
    sizes.check()?;
    new.finish(|at| folder::may_go(at, &dir))?;
    Ok(sizes)
}

/// Copies what is served as it stands: web/assets looks like the folder that it goes to.
fn assets(wanted: Wanted, out: &Path) -> Result<()> {
    let from = Path::new(HERE).join("assets");
    for name in folder::names(&from)?.into_iter().filter(|name| belongs(name, wanted)) {
        copy(&from.join(&name), &out.join(&name))?;
    }
    // The figures that the report draws too look here as they do there.
    disk::write(&out.join("charts.css"), slimgpt::report::figures::STYLE.as_bytes())?;
    let model = Path::new(HERE).join("../examples/tiny_model");
    for name in MODEL.iter().filter(|_| wanted.worker) {
        copy(&model.join(name), &out.join("model").join(name))?;
    }
    Ok(())
}

fn belongs(name: &str, wanted: Wanted) -> bool {
    match name {
        // Written last, when it is known what there is to keep.
        "sw.js" => false,
        "worker.js" => wanted.worker,
        _ => wanted.window || !name.starts_with("app/"),
    }
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    if let Some(folder) = to.parent() {
        disk::make_folder(folder)?;
    }
    Ok(disk::copy(from, to)?)
}

fn documents(wanted: Wanted, out: &Path) -> Result<()> {
    disk::put(&out.join("index.html"), document::lessons().as_bytes())?;
    if wanted.window {
        disk::put(&out.join("app/index.html"), document::window().as_bytes())?;
    }
    Ok(())
}

/// Adds what names all the rest: the service worker and the list by which the folder is known.
fn list(out: &Path) -> Result<Sizes> {
    let (script, build) = kept::service_worker(&folder::files(out)?)?;
    disk::put(&out.join("sw.js"), script.as_bytes())?;
    let made_by = document::GENERATOR.into();
    let list = List { made_by, build, files: folder::names(out)? };
    disk::put(&out.join(LIST), &serde_json::to_vec_pretty(&list)?)?;
    Sizes::of(&folder::files(out)?)
}
