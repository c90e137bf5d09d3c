//! The desktop: work runs on threads, folders are chosen in the system's dialogs.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use slimgpt::checkpoint::ModelFile;
use slimgpt::text::text_endings;

use crate::mail::{Mail, Message, Pick};

/// Runs `work` on a thread of its own; what comes of it is sent as the message that `ended` makes of it. A panic is
/// an error of the work it happened in, so that who waits for its end hears of it like of any other; the window stays.
pub fn spawn<T, F: Future<Output = Result<T, String>>>(
    mail: &Mail,
    ended: impl FnOnce(Result<T, String>) -> Message + Send + 'static,
    work: impl FnOnce() -> F + Send + 'static,
) {
    let mail = mail.clone();
    std::thread::spawn(move || {
        // The window shares channels, models that nobody changes, and locks that are taken over when poisoned.
        let done = catch_unwind(AssertUnwindSafe(|| pollster::block_on(work())));
        mail.send(ended(done.unwrap_or_else(|panic| Err(words_of(&*panic)))));
    });
}

fn words_of(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    format!("a part of the program failed: {}", text.unwrap_or("it stopped without a word"))
}

/// Opens a dialog; what it is closed with arrives as a message.
pub fn pick(mail: &Mail, what: Pick) {
    // Asynchronous: a dialog that blocks would stop the window behind it.
    let dialog = rfd::AsyncFileDialog::new();
    let texts = dialog.clone().add_filter("Text", &text_endings());
    let picked = move |paths| Message::Picked(what, paths);
    // Some systems want a dialog to be made on the thread of the window.
    match what {
        Pick::Calibration | Pick::Lessons => {
            let chosen = texts.set_title(title(what)).pick_files();
            spawn(mail, picked, move || async move { Ok(paths(&chosen.await.unwrap_or_default())) });
        }
        Pick::Evaluation => {
            let chosen = texts.set_title("A text to judge by").pick_file();
            spawn(mail, picked, move || async move { Ok(paths(chosen.await.as_slice())) });
        }
        Pick::ModelFile => {
            let chosen = dialog.add_filter("Model", &ModelFile::endings()).set_title(title(what)).pick_file();
            spawn(mail, picked, move || async move { Ok(paths(chosen.await.as_slice())) });
        }
        Pick::Model | Pick::Out | Pick::Inspect | Pick::Compare | Pick::Recover | Pick::Teacher => {
            let chosen = dialog.set_title(title(what)).pick_folder();
            spawn(mail, picked, move || async move { Ok(paths(chosen.await.as_slice())) });
        }
    }
}

fn paths(chosen: &[rfd::FileHandle]) -> Vec<PathBuf> {
    chosen.iter().map(|file| file.path().to_owned()).collect()
}

fn title(what: Pick) -> &'static str {
    match what {
        Pick::Out => "Where the pruned model is made",
        Pick::Inspect | Pick::Compare | Pick::Recover => "A pruned model's folder",
        Pick::Calibration => "Calibration texts",
        Pick::Lessons => "What it learns from",
        Pick::ModelFile => "A GGUF file, a file of weights or factors, or a zip of a model's folder",
        _ => "A checkpoint's folder",
    }
}

/// Where the program keeps what is its own.
pub fn data_dir() -> Option<PathBuf> {
    eframe::storage_dir(crate::APP_ID)
}

/// Shows a file in the program that the system opens it with.
pub fn show_file(ctx: &eframe::egui::Context, file: &Path) {
    // A folder may have been typed from where the program was started.
    let file = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
    ctx.open_url(eframe::egui::OpenUrl::new_tab(url(&file)));
}

/// A file's URL: forward slashes, one of them before a drive's letter, and by its number every byte that could mean
/// something there, such as `#`, `?` and `%`.
fn url(file: &Path) -> String {
    let path = file.as_os_str().as_encoded_bytes();
    let mut url = String::from(if path.starts_with(b"/") { "file://" } else { "file:///" });
    for &byte in path {
        match byte {
            // Elsewhere it is a letter of a name.
            b'\\' if cfg!(windows) => url.push('/'),
            // Unreserved in RFC 3986, section 2.3, and what separates folders and drives.
            b'/' | b':' | b'-' | b'.' | b'_' | b'~' => url.push(char::from(byte)),
            _ if byte.is_ascii_alphanumeric() => url.push(char::from(byte)),
            _ => url.push_str(&format!("%{byte:02X}")),
        }
    }
    url
}

#[cfg(test)]
mod tests {
    use slimgpt::device::Adapter;

    use super::*;

    fn wears_out() -> Result<Vec<Adapter>, String> {
        panic!("worn out")
    }

    #[test]
    fn a_panic_is_the_end_of_the_work_it_happened_in() {
        let (mail, inbox) = Mail::new(eframe::egui::Context::default());
        spawn(&mail, Message::Devices, || async { wears_out() });
        match inbox.recv().unwrap() {
            Message::Devices(Err(words)) => assert_eq!(words, "a part of the program failed: worn out"),
            _ => panic!("another message"),
        }
    }

    #[test]
    fn a_name_means_nothing_in_the_url_of_its_file() {
        assert_eq!(url(Path::new("/models/slim-30/a.html")), "file:///models/slim-30/a.html");
        assert_eq!(url(Path::new("/C# 50%/why?/\u{e9}.html")), "file:///C%23%2050%25/why%3F/%C3%A9.html");
        assert!(url(Path::new("C:/a")).starts_with("file:///C:"));
    }
}
