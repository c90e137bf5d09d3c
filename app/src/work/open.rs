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
    let back = mail.clone();
    platform::spawn(mail, move || async move { back.send(Message::Opened(read(&origin, data).map(Arc::new))) });
}

/// Opens the folder of the Inspect screen.
pub fn inspect(mail: &Mail, folder: PathBuf) {
    let back = mail.clone();
    platform::spawn(mail, move || async move {
        back.send(Message::Inspected(read(&Origin::Folder(folder), None).map(Arc::new)));
    });
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
    let back = mail.clone();
    platform::spawn(mail, move || async move { back.send(Message::Devices(adapters().await)) });
}

/// Opens the device that was chosen.
///
/// # Errors
/// In the words of the library.
pub async fn device(choice: &DeviceChoice) -> Result<Device, String> {
    Device::open(choice).await.map_err(told)
}
