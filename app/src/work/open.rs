//! Opening checkpoints and listing devices.

use std::path::PathBuf;
use std::sync::Arc;

use slimgpt::device::{Device, DeviceChoice, adapters};

use crate::mail::{Mail, Message};
use crate::model::{Model, Origin};
use crate::platform;
use crate::remedy::told;

/// Opens the model of the Start screen.
pub fn open(mail: &Mail, origin: Origin, data: Option<PathBuf>) {
    let of = origin.clone();
    let ended = move |opened| Message::Opened(of, opened);
    platform::spawn(mail, ended, move || async move { read(&origin, data).map(Arc::new) });
}

/// Opens the folder of another screen, whose message `opened` is.
pub fn folder(mail: &Mail, folder: PathBuf, opened: fn(PathBuf, Result<Arc<Model>, String>) -> Message) {
    let of = folder.clone();
    let ended = move |model| opened(of, model);
    platform::spawn(mail, ended, move || async move { read(&Origin::Folder(folder), None).map(Arc::new) });
}

/// Reads a model wherever it is.
///
/// # Errors
/// What is wrong with it.
#[cfg(not(target_arch = "wasm32"))]
pub fn read(origin: &Origin, data: Option<PathBuf>) -> Result<Model, String> {
    match (origin, data) {
        (Origin::Folder(folder), _) => Model::open(folder),
        (Origin::Shipped, Some(data)) => Model::shipped(&data),
        (Origin::Shipped, None) => Model::shipped_in_memory(),
    }
}

/// Reads a model wherever it is.
///
/// # Errors
/// A page opens no folders.
#[cfg(target_arch = "wasm32")]
pub fn read(origin: &Origin, _: Option<PathBuf>) -> Result<Model, String> {
    match origin {
        Origin::Shipped => Model::shipped_in_memory(),
        Origin::Folder(_) => Err("a page cannot open folders; the desktop program can".into()),
    }
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
