//! What people have in place of a model's folder or its GGUF: before a command begins, the path that is opened comes into
//! its place, and what was done for that is said.

use std::path::{Path, PathBuf};

use anyhow::Result;
use slimgpt::checkpoint::{Located, locate, unpacked_here};
use slimgpt::hub::Hub;
use slimgpt::session::{Found, found};

use super::exit::Usage;
use super::{out, progress};

/// Puts the path that is opened in the place of a model's. An adapter goes into `adapter`, where the command takes one,
/// and the model that it was trained on comes into its place.
pub fn located(model: &mut PathBuf, adapter: Option<&mut Option<PathBuf>>, hub: &Hub, json: bool) -> Result<()> {
    let located = locate(model)?;
    // Before their model is looked for, which need not be here where a command takes no factors.
    if let Located::Adapter { folder, base } = &located {
        refuse(folder, base, adapter.as_deref())?;
    }
    let found = found(located, hub, &unpacked_here(), &mut progress::bytes("unpacking", json))?;
    tell(&found);
    *model = found.model;
    if let (Some(place), Some(folder)) = (adapter, found.adapter) {
        *place = Some(folder);
    }
    Ok(())
}

/// Refuses an adapter where the command takes none, or has one already.
fn refuse(folder: &Path, base: &str, place: Option<&Option<PathBuf>>) -> Result<(), Usage> {
    let shown = folder.display();
    match place {
        None => Err(Usage(format!(
            "{shown} holds low-rank factors for {base} and no model; this command takes whole ones: make one with `slimgpt export padded {shown} --out DIR`"
        ))),
        Some(Some(other)) => Err(Usage(format!(
            "{shown} holds low-rank factors, and so does --adapter {}: give one of them",
            other.display()
        ))),
        Some(None) => Ok(()),
    }
}

/// Says which model is opened, where it is not what was typed.
fn tell(found: &Found) {
    let (given, model) = (found.given.display(), found.model.display());
    match &found.adapter {
        Some(_) => out::note(format_args!("{given}: low-rank factors, added to {model}")),
        None if found.given != found.model => out::detail(format_args!("{given}: unpacked in {model}")),
        None => {}
    }
}
