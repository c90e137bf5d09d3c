//! The desktop: work runs on threads, folders are chosen in the system's dialogs.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use crate::mail::{Mail, Message, Pick};

/// Runs `work` on a thread of its own. A panic becomes a message; the window stays.
pub fn spawn<F: Future<Output = ()>>(mail: &Mail, work: impl FnOnce() -> F + Send + 'static) {
    let mail = mail.clone();
    std::thread::spawn(move || {
        // The window shares channels, models that nobody changes, and locks that are taken over when poisoned.
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| pollster::block_on(work()))) {
            mail.send(Message::Panicked(words_of(&*panic)));
        }
    });
}

fn words_of(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    let text = text.or_else(|| panic.downcast_ref::<&str>().map(|&s| s.to_owned()));
    text.unwrap_or_else(|| "a part of the program stopped without a word".into())
}

/// Opens a dialog; what it is closed with arrives as a message.
pub fn pick(mail: &Mail, what: Pick) {
    // Asynchronous: a dialog that blocks would stop the window behind it.
    let dialog = rfd::AsyncFileDialog::new();
    let texts =
        dialog.clone().add_filter("Text", &["txt", "md", "raw", "jsonl", "json", "csv", "tsv", "parquet", "gz", "zst"]);
    let mail_back = mail.clone();
    // Some systems want a dialog to be made on the thread of the window.
    match what {
        Pick::Calibration | Pick::Lessons => {
            let chosen = texts.set_title(title(what)).pick_files();
            spawn(mail, move || async move {
                let files = chosen.await.unwrap_or_default();
                mail_back.send(Message::Picked(what, files.iter().map(|f| f.path().to_owned()).collect()));
            });
        }
        Pick::Evaluation => {
            let chosen = texts.set_title("A text to judge by").pick_file();
            spawn(mail, move || async move {
                mail_back.send(Message::Picked(what, chosen.await.iter().map(|f| f.path().to_owned()).collect()));
            });
        }
        Pick::Model | Pick::Out | Pick::Inspect | Pick::Compare | Pick::Recover | Pick::Teacher => {
            let chosen = dialog.set_title(title(what)).pick_folder();
            spawn(mail, move || async move {
                mail_back.send(Message::Picked(what, chosen.await.iter().map(|f| f.path().to_owned()).collect()));
            });
        }
    }
}

fn title(what: Pick) -> &'static str {
    match what {
        Pick::Out => "Where the pruned model is made",
        Pick::Inspect | Pick::Compare | Pick::Recover => "A pruned model's folder",
        Pick::Calibration => "Calibration texts",
        Pick::Lessons => "What it learns from",
        _ => "A checkpoint's folder",
    }
}

/// Where the program keeps what is its own.
pub fn data_dir() -> Option<PathBuf> {
    eframe::storage_dir(crate::APP_ID)
}

/// Shows a file in the program that the system opens it with.
pub fn show_file(ctx: &eframe::egui::Context, file: &Path) {
    // A file's URL has forward slashes, one of them before a drive's letter.
    let path = file.to_string_lossy().replace('\\', "/");
    let slash = if path.starts_with('/') { "" } else { "/" };
    ctx.open_url(eframe::egui::OpenUrl::new_tab(format!("file://{slash}{path}")));
}
