//! Cutting calibration text into windows.

use std::sync::Arc;

use slimgpt::shipped;
use slimgpt::text::{Bos, Sampling, Tokenizer, Windows, windows};

use crate::findings::{Calibration, Key};
use crate::mail::{Mail, Message};
use crate::model::{Model, Origin};
use crate::platform;
use crate::remedy::told;

/// Windows that are shown.
const SHOWN: usize = 3;
/// Characters of a window that are shown.
const SHOWN_CHARS: usize = 420;

/// How the windows of a setting are cut.
pub fn which(count: usize, length: usize, seed: u64, each_begins: bool) -> Windows {
    let bos = if each_begins { Bos::Each } else { Bos::None };
    // At random starts, as in the paper.
    Windows { count: Some(count), length, sampling: Sampling::Random, bos, seed }
}

/// Cuts the windows of a key; they arrive as a message.
pub fn start(mail: &Mail, model: Arc<Model>, key: Key) {
    let of = key.clone();
    platform::spawn(mail, move |cut| Message::Calibrated(of, cut), move || async move { cut(&model, &key) });
}

/// The windows of a key.
///
/// # Errors
/// When the model has no tokenizer, or a text cannot be read or is too short.
pub fn windows_of(model: &Model, key: &Key) -> Result<Vec<Vec<u32>>, String> {
    let documents = documents(model, key)?;
    windows(model.tokenizer()?, &documents, model.checkpoint.config().bos_token, &key.which).map_err(told)
}

fn cut(model: &Model, key: &Key) -> Result<Calibration, String> {
    let (tokenizer, windows) = (model.tokenizer()?, windows_of(model, key)?);
    let preview = windows.iter().take(SHOWN).map(|w| shown(tokenizer, w)).collect();
    Ok(Calibration { windows: Arc::new(windows), preview })
}

fn shown(tokenizer: &Tokenizer, window: &[u32]) -> String {
    match tokenizer.decode(window) {
        Ok(text) => {
            // Characters, because a cut at a byte may go through the middle of one.
            let head: String = text.trim().chars().take(SHOWN_CHARS).collect();
            if head.len() < text.trim().len() { format!("{head} …") } else { head }
        }
        Err(error) => error.to_string(),
    }
}

fn documents(model: &Model, key: &Key) -> Result<Vec<String>, String> {
    match (key.files.is_empty(), &model.origin) {
        (true, Origin::Shipped) => Ok(vec![shipped::CALIBRATION.to_owned()]),
        // Without files any other model has no text, and no windows are cut: see `Settings::has_text`.
        _ => files(key),
    }
}

#[cfg(not(target_arch = "wasm32"))]
fn files(key: &Key) -> Result<Vec<String>, String> {
    let mut documents = Vec::new();
    for file in &key.files {
        documents.extend(slimgpt::text::read_documents(file, &key.text_key).map_err(told)?);
    }
    Ok(documents)
}

#[cfg(target_arch = "wasm32")]
fn files(_: &Key) -> Result<Vec<String>, String> {
    Err("a page cannot open files; the desktop program can".into())
}
