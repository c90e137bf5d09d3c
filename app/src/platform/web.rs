//! A page: work runs between the frames, there are no folders, and what is kept is kept in memory.

use crate::mail::{Mail, Message, Pick};

/// Runs `work` between the frames; what comes of it is sent as the message that `ended` makes of it.
pub fn spawn<T: 'static, F: Future<Output = Result<T, String>> + 'static>(
    mail: &Mail,
    ended: impl FnOnce(Result<T, String>) -> Message + 'static,
    work: impl FnOnce() -> F + 'static,
) {
    let mail = mail.clone();
    wasm_bindgen_futures::spawn_local(async move { mail.send(ended(work().await)) });
}

/// A page has no folders to choose from: the answer is always "nothing".
pub fn pick(mail: &Mail, what: Pick) {
    mail.send(Message::Picked(what, Ok(Vec::new())));
}

/// `None`: a page has no folder of its own.
pub fn data_dir() -> Option<std::path::PathBuf> {
    None
}
