//! Making the page about a pruned folder.

use std::path::{Path, PathBuf};

use crate::mail::{Mail, Message};
use crate::platform;
#[cfg(not(target_arch = "wasm32"))]
use crate::remedy::told;

/// Makes it in the folder.
pub fn start(mail: &Mail, folder: PathBuf) {
    let of = folder.clone();
    platform::spawn(mail, move |done| Message::Exported(of, done), move || async move { written(&folder) });
}

#[cfg(not(target_arch = "wasm32"))]
fn written(folder: &Path) -> Result<PathBuf, String> {
    slimgpt::report::write_into(folder).map_err(told)?;
    Ok(folder.join(slimgpt::report::FILE))
}

#[cfg(target_arch = "wasm32")]
fn written(_: &Path) -> Result<PathBuf, String> {
    Err("a page cannot write files; the desktop program can".into())
}
