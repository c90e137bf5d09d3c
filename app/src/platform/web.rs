//! A page: work runs between the frames, there are no folders, and what is kept is kept in memory.

use crate::mail::{Mail, Message, Pick};

/// Runs `work` between the frames.
pub fn spawn<F: Future<Output = ()> + 'static>(_: &Mail, work: impl FnOnce() -> F + 'static) {
    wasm_bindgen_futures::spawn_local(work());
}

/// A page has no folders to choose from: the answer is always "nothing".
pub fn pick(mail: &Mail, what: Pick) {
    mail.send(Message::Picked(what, Vec::new()));
}

/// `None`: a page has no folder of its own.
pub fn data_dir() -> Option<std::path::PathBuf> {
    None
}
