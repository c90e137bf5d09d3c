//! Opening checkpoints and listing devices.

#[cfg(not(target_arch = "wasm32"))]
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

#[cfg(not(target_arch = "wasm32"))]
use slimgpt::checkpoint::{Located, locate, unpacked, unpacked_here};
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
        (Origin::Folder(path), _) => Model::open(&found(path)?),
        (Origin::Shipped, Some(data)) => Model::shipped(&data),
        (Origin::Shipped, None) => Model::shipped_in_memory(),
    }
}

/// What is opened for a path: an archive is unpacked for that.
#[cfg(not(target_arch = "wasm32"))]
fn found(path: &Path) -> Result<PathBuf, String> {
    match locate(path).map_err(told)? {
        Located::Model(path) => Ok(path),
        Located::Packed(zip) => unpacked(&zip, &unpacked_here(), &mut |_, _| {}).map_err(told),
        Located::Adapter { folder, base } => {
            let folder = folder.display();
            Err(format!(
                "{folder} holds low-rank factors for {base} and no model: `slimgpt export padded {folder} --out DIR` makes one of both"
            ))
        }
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
