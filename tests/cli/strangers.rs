//! Folders and files of strangers: what stands in them is shown, and not obeyed.

use crate::{another_model, run, temporary};

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

/// A path that is no UTF-8, as disks of other times have them.
#[cfg(target_os = "linux")]
#[test]
fn json_is_printed_of_paths_that_are_no_utf_8() {
    use std::os::unix::ffi::OsStrExt;

    let folder = temporary();
    let strange = |name: &[u8]| folder.path().join(std::ffi::OsStr::from_bytes(name));
    let model = strange(b"m\xff\xfe");
    std::fs::rename(another_model(&folder), &model).unwrap();
    let text = strange(b"t\xff.txt");
    std::fs::write(&text, "Once upon a time there was a dog. ".repeat(40)).unwrap();
    let printed = |arguments: &[&std::ffi::OsStr]| {
        let mut command = crate::program(&[]);
        crate::ended(command.args(arguments).arg("--json")).with(0).json()
    };
    let (gguf, padded, mlx) = (strange(b"g\xff.gguf"), strange(b"p\xff"), strange(b"x\xff"));
    for (kind, out) in [("gguf", &gguf), ("padded", &padded), ("mlx", &mlx)] {
        let found = printed(&["export".as_ref(), kind.as_ref(), model.as_os_str(), "--out".as_ref(), out.as_os_str()]);
        assert!(found["out"].as_str().unwrap().contains('\u{fffd}'), "{found}");
    }
    let found = printed(&["inspect".as_ref(), model.as_os_str(), "--compat".as_ref()]);
    assert!(found["model"].as_str().unwrap().ends_with("m\u{fffd}\u{fffd}"), "{found}");
    let few = ["--seq-len", "32", "--windows", "1", "--device", "cpu", "--save"].map(std::ffi::OsStr::new);
    let measure = ["ppl".as_ref(), model.as_os_str(), "--text".as_ref(), text.as_os_str()];
    let found = printed(&[&measure[..], &few].concat());
    assert!(found["text"].as_str().unwrap().ends_with("t\u{fffd}.txt"), "{found}");
    assert!(model.join("slimgpt-eval.json").is_file());
    // Nor does what was typed wrong beside it end in a panic.
    let mut wrong = crate::program(&["inspect"]);
    let wrong = crate::ended(wrong.arg(&model).args(["--compact"])).with(2);
    wrong.saying(&["--compact", "--compat"]);
}
