//! Opening checkpoints and listing devices.

#[cfg(not(target_arch = "wasm32"))]
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use slimgpt::checkpoint::Checkpoint;
#[cfg(not(target_arch = "wasm32"))]
use slimgpt::checkpoint::{locate, unpacked_here};
use slimgpt::device::{Device, DeviceChoice, adapters};
use slimgpt::pipeline::Report;
#[cfg(not(target_arch = "wasm32"))]
use slimgpt::session::{self, Found};

use crate::mail::{Mail, Message};
use crate::model::{Model, Origin};
use crate::places::Places;
use crate::platform;
use crate::remedy::told;

/// Opens the model of the Start screen.
pub fn open(mail: &Mail, origin: Origin, places: Places) {
    let of = origin.clone();
    let ended = move |opened| Message::Opened(of, opened);
    platform::spawn(mail, ended, move || async move { read(&origin, &places).map(Arc::new) });
}

/// Opens the folder of another screen, whose message `opened` is.
pub fn folder(
    mail: &Mail,
    folder: PathBuf,
    places: Places,
    opened: fn(PathBuf, Result<Arc<Model>, String>) -> Message,
) {
    let of = folder.clone();
    let ended = move |model| opened(of, model);
    platform::spawn(mail, ended, move || async move { read(&Origin::Folder(folder), &places).map(Arc::new) });
}

/// Reads a model wherever it is.
#[cfg(not(target_arch = "wasm32"))]
fn read(origin: &Origin, places: &Places) -> Result<Model, String> {
    match (origin, &places.data) {
        (Origin::Folder(path), _) => Model::open(&found(path, places)?),
        (Origin::Shipped, Some(data)) => Model::shipped(data),
        (Origin::Shipped, None) => Model::shipped_in_memory(),
    }
}

/// What is opened for a path.
///
/// # Errors
/// When it stands for no model, or for factors whose model is not here.
#[cfg(not(target_arch = "wasm32"))]
pub fn found(path: &Path, places: &Places) -> Result<Found, String> {
    let located = locate(path).map_err(told)?;
    let into = places.unpacked.clone().unwrap_or_else(unpacked_here);
    session::found(located, &places.hub(), &into, &mut |_, _| {}).map_err(told)
}

/// What a model was pruned from, by its report.
///
/// # Errors
/// When it is not there any more.
#[cfg(not(target_arch = "wasm32"))]
pub fn source(report: &Report) -> Result<Checkpoint, String> {
    let dense = Found::source_of(report).ok_or("its report does not say what it was pruned from")?;
    dense.open().map_err(told)
}

/// What is said on a page.
#[cfg(target_arch = "wasm32")]
const NO_FOLDERS: &str = "a page cannot open folders; the desktop program can";

/// Reads a model wherever it is.
#[cfg(target_arch = "wasm32")]
fn read(origin: &Origin, _: &Places) -> Result<Model, String> {
    match origin {
        Origin::Shipped => Model::shipped_in_memory(),
        Origin::Folder(_) => Err(NO_FOLDERS.into()),
    }
}

/// What a model was pruned from.
///
/// # Errors
/// A page opens no folders.
#[cfg(target_arch = "wasm32")]
pub fn source(_: &Report) -> Result<Checkpoint, String> {
    Err(NO_FOLDERS.into())
}

/// Asks for the devices of this machine.
pub fn devices(mail: &Mail) {
    platform::spawn(mail, Message::Devices, || async { Ok(adapters().await) });
}

/// Opens the device that was chosen.
///
/// # Errors
/// In the words of the library.
pub async fn device(choice: &DeviceChoice) -> Result<Device, String> {
    Device::open(choice).await.map_err(told)
}
