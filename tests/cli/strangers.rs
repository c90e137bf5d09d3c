//! Folders and files of strangers: what stands in them is shown, and not obeyed.

use crate::{another_model, path, run, temporary};

/// The shipped model in a folder of its own, with one more file or another one.
fn model_with(file: &str, content: &[u8]) -> (tempfile::TempDir, String) {
    let folder = temporary();
    let model = another_model(&folder);
    std::fs::write(std::path::Path::new(&model).join(file), content).unwrap();
    (folder, model)
}

#[test]
fn a_model_folder_sends_no_commands_to_the_terminal() {
    let (_folder, model) = model_with("config.json", br#"{"model_type": "\u001b[2Jx\u009b2J"}"#);
    let ended = run(&["inspect", &model]).with(1);
    assert!(!ended.err.contains(['\u{1b}', '\u{9b}']), "{:?}", ended.err);
    ended.saying(&["\\u{1b}[2Jx"]);
    let template = b"{{ raise_exception('\x1b]0;pwned\x07') }}";
    let (_folder, model) = model_with("chat_template.jinja", template);
    let chat = ["generate", &model, "--chat", "--prompt", "hi", "--device", "cpu"];
    let ended = run(&chat).with(1);
    assert!(!ended.err.contains('\u{1b}'), "{:?}", ended.err);
    ended.saying(&["refuses", "\\u{1b}]0;pwned"]);
}
