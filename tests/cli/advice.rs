//! The advice of errors is followed: each command fails, what its error says to type is typed, and it works.

use std::path::Path;

use crate::{Ended, another_model, data, ended, path, program, run, shipped, temporary};

/// What to make of a command after an error: each flag with its value, if it takes one.
type Followed<'a> = &'a [(&'a str, Option<&'a str>)];

const SMALL: [&str; 6] = ["--device", "cpu", "--samples", "4", "--seq-len", "64"];

/// The value that an error says to give to a flag; the flag must be in it.
#[track_caller]
fn advised(error: &str, flag: &str) -> Option<String> {
    // "--target" is not "--target-params".
    let is_whole = |at: &usize| !error[at + flag.len()..].starts_with(|c: char| c == '-' || c.is_alphanumeric());
    let at = error.rmatch_indices(flag).map(|(at, _)| at).find(is_whole);
    let after = &error[at.unwrap_or_else(|| panic!("{flag} is not in: {error}")) + flag.len()..];
    let word = after.split_whitespace().next()?.trim_end_matches([',', ';', '.', ')']);
    let is_value = after.starts_with(' ')
        && !word.starts_with("--")
        && !["or", "and", "for", "FILE", "so", "file"].contains(&word);
    is_value.then(|| word.to_owned())
}

/// The arguments with a flag set, in the place of an earlier value.
fn with(mut arguments: Vec<String>, flag: &str, value: Option<String>) -> Vec<String> {
    if let Some(i) = arguments.iter().position(|word| word == flag) {
        let end = if value.is_some() { i + 2 } else { i + 1 };
        arguments.drain(i..end);
    }
    arguments.push(flag.to_owned());
    arguments.extend(value);
    arguments
}

/// Runs a command that fails, follows its advice and runs it again. A value of `None` is the one that
/// the error says, if it says one.
#[track_caller]
fn follow(arguments: &[&str], code: i32, advice: Followed<'_>) -> Ended {
    let refused = run(arguments).with(code);
    let line = refused.err[refused.err.find("error: ").expect("an error")..].to_owned();
    let mut typed: Vec<String> = arguments.iter().map(|word| (*word).to_owned()).collect();
    for (flag, value) in advice {
        let said = advised(&line, flag);
        typed = with(typed, flag, value.map(str::to_owned).or(said));
    }
    run(&typed.iter().map(String::as_str).collect::<Vec<_>>()).with(0)
}

fn write(folder: &Path, name: &str, text: &str) -> String {
    std::fs::write(folder.join(name), text).unwrap();
    path(&folder.join(name))
}

/// The shipped model with other settings.
fn with_config(folder: &tempfile::TempDir, change: impl Fn(&mut serde_json::Value)) -> String {
    let model = another_model(folder);
    let file = Path::new(&model).join("config.json");
    let mut config = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    change(&mut config);
    std::fs::write(&file, config.to_string()).unwrap();
    model
}

#[test]
fn advice_about_how_much_goes_works() {
    let folder = temporary();
    let (model, out) = (shipped(), path(&folder.path().join("out")));
    let prune = |more: &[&'static str]| [&["prune", &model, "--out", &out], &SMALL[..], more].concat();
    follow(&prune(&[]), 2, &[("--target", None)]);
    std::fs::remove_dir_all(&out).unwrap();
    follow(&prune(&[]), 2, &[("--target-params", Some("1.1M"))]);
    std::fs::remove_dir_all(&out).unwrap();
    follow(&prune(&[]), 2, &[("--shape", None)]);
    std::fs::remove_dir_all(&out).unwrap();
    let steep = ["--target", "0.75", "--rounding", "layer"];
    follow(&prune(&steep), 2, &[("--rounding", None)]);
    std::fs::remove_dir_all(&out).unwrap();
    follow(&prune(&[&steep[..], &["--head-ratio", "1.1"]].concat()), 2, &[("--schedule", None)]);
}

#[test]
fn advice_about_places_works() {
    let folder = temporary();
    let (model, out) = (shipped(), path(&folder.path().join("out")));
    let prune = |more: &[&'static str]| [&["prune", &model, "--out", &out], &SMALL[..], more].concat();
    run(&prune(&["--target", "0.2"])).with(0);
    follow(&prune(&["--target", "0.3"]), 2, &[("--overwrite", None)]);
    let elsewhere = path(&folder.path().join("elsewhere"));
    follow(&prune(&["--target", "0.4"]), 2, &[("--out", Some(&elsewhere))]);
    write(folder.path(), "thesis.txt", "mine");
    let taken = path(folder.path());
    let free = path(&folder.path().join("free"));
    let onto = [&["prune", &model, "--out", &taken, "--target", "0.2"], &SMALL[..]].concat();
    follow(&onto, 2, &[("--out", Some(&free))]);
}

#[test]
fn advice_about_memory_and_devices_works() {
    let folder = temporary();
    let (model, out) = (shipped(), path(&folder.path().join("out")));
    let prune = |device: &'static str, more: &[&'static str]| {
        let fixed = ["--target", "0.2", "--samples", "4", "--seq-len", "64", "--device", device];
        [&["prune", &model, "--out", &out, "--overwrite"], &fixed[..], more].concat()
    };
    if run(&["devices"]).out.contains("llvmpipe") {
        follow(&prune("llvmpipe", &["--memory", "1M"]), 1, &[("--memory", None)]);
        let refused = run(&prune("llvmpipe", &["--memory", "1M"])).with(1).err;
        assert!(refused.contains("leave it out and use --device cpu"), "{refused}");
        run(&prune("cpu", &[])).with(0);
    }
    let generate = |device: &str| {
        let mut command = program(&["generate", &model, "--prompt", "One", "--max-tokens", "2", "--device", device]);
        ended(command.env("VK_DRIVER_FILES", "/none.json").env("VK_ICD_FILENAMES", "/none.json"))
    };
    let refused = generate("gpu").with(1);
    let instead = advised(&refused.err, "--device").expect("a device");
    generate(&instead).with(0);
    // A word of another program is answered with one that is taken, whether or not there is such a device.
    for word in ["cuda", "cuda:1", "mps"] {
        let refused = generate(word).with(2);
        let typed = advised(&refused.err, "type").expect("what to type");
        generate(&typed).with(1);
    }
}

#[test]
fn advice_about_texts_works() {
    let (folder, model) = (temporary(), shipped());
    let text = format!("{model}/eval.txt");
    let ppl = |text: &str, more: &[&str]| -> Vec<String> {
        let all = [&["ppl", &model, "--text", text, "--device", "cpu", "--seq-len", "64"], more].concat();
        all.iter().map(|word| (*word).to_owned()).collect()
    };
    let followed = |arguments: Vec<String>, code: i32, advice: Followed<'_>| {
        follow(&arguments.iter().map(String::as_str).collect::<Vec<_>>(), code, advice)
    };
    followed(ppl(&text, &["--windows", "100000"]), 1, &[("--windows", Some("4"))]);
    followed(ppl(&text, &["--protocol", "strided", "--stride", "600", "--windows", "4"]), 2, &[("--stride", None)]);
    let story = "Once upon a time there was a dog who liked to run in the park with his friends. ".repeat(12);
    let rows = write(folder.path(), "rows.jsonl", &format!("{{\"story\": \"{story}\"}}\n"));
    followed(ppl(&rows, &[]), 1, &[("--text-key", Some("story"))]);
    let short = write(folder.path(), "short.txt", "Once upon a time.");
    let out = path(&folder.path().join("out"));
    let short = ["prune", &model, "--out", &out, "--target", "0.2", "--device", "cpu", "--calibration", &short];
    follow(
        &[&short[..], &["--samples", "4", "--seq-len", "64"]].concat(),
        1,
        &[("--samples", Some("1")), ("--seq-len", Some("3"))],
    );
    // Names of data sets are answered with a command line; its file is there now.
    let wiki = write(folder.path(), "wiki.test.raw", &format!("{story}\n{story}\n"));
    let refused = run(&["ppl", &model, "--text", "wikitext2", "--seq-len", "64", "--device", "cpu"]).with(2);
    assert_eq!(advised(&refused.err, "--text").as_deref(), Some("wiki.test.raw"), "{}", refused.err);
    let join = advised(&refused.err, "--join").expect("a join");
    run(&["ppl", &model, "--text", &wiki, "--join", &join, "--seq-len", "64", "--device", "cpu"]).with(0);
}

#[test]
fn advice_about_tokens_and_templates_works() {
    let folder = temporary();
    let model = with_config(&folder, |config| {
        let config = config.as_object_mut().unwrap();
        ["bos_token_id", "eos_token_id"].iter().for_each(|key| drop(config.remove(*key)));
    });
    let text = format!("{}/eval.txt", shipped());
    let ppl = ["ppl", &model, "--text", &text, "--device", "cpu", "--seq-len", "64"];
    follow(&[&ppl[..], &["--windows", "2", "--bos", "each"]].concat(), 2, &[("--bos", None)]);
    follow(&[&ppl[..], &["--protocol", "rolling"]].concat(), 1, &[("--protocol", None)]);
    let chat = ["generate", &model, "--prompt", "Once", "--max-tokens", "2", "--device", "cpu", "--chat"];
    run(&chat).with(2).saying(&["leave --chat away"]);
    run(&chat[..chat.len() - 1]).with(0);
}

#[test]
fn advice_about_rows_works() {
    let (folder, model) = (temporary(), shipped());
    let good = r#"{"goal": "to eat", "sol1": "a spoon", "sol2": "a boat", "label": 0}"#;
    write(folder.path(), "piqa.jsonl", &format!("{good}\n{{\"goal\": \"\"}}\n"));
    let tasks = path(folder.path());
    follow(
        &["eval", &model, "--tasks", "piqa", "--task-dir", &tasks, "--device", "cpu"],
        1,
        &[("--skip-bad-rows", None)],
    );
}

#[test]
fn advice_about_types_works() {
    let folder = temporary();
    let model = with_config(&folder, |_| {});
    // A weight beyond f16, in a file of f32: the first norm, whose values follow the header.
    large_norm(Path::new(&model));
    let out = path(&folder.path().join("out"));
    let text = format!("{}/calibration.txt", shipped());
    let prune = ["prune", &model, "--out", &out, "--target", "0.2", "--calibration", &text, "--dtype", "f16"];
    follow(&[&prune[..], &SMALL[..]].concat(), 1, &[("--dtype", Some("bf16"))]);
}

/// Stores the model in f32, with one weight that f16 cannot hold.
fn large_norm(model: &Path) {
    let file = model.join("model.safetensors");
    let bytes = std::fs::read(&file).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let widened: Vec<(String, Vec<usize>, Vec<u8>)> = tensors
        .iter()
        .map(|(name, view)| {
            let halves = view.data().chunks_exact(2).map(|b| half::f16::from_le_bytes([b[0], b[1]]).to_f32());
            let mut values: Vec<f32> = halves.collect();
            if name == "model.norm.weight" {
                values[0] = 1e5;
            }
            (name.to_owned(), view.shape().to_vec(), values.iter().flat_map(|v| v.to_le_bytes()).collect())
        })
        .collect();
    let views = widened.iter().map(|(name, shape, bytes)| {
        let view = safetensors::tensor::TensorView::new(safetensors::Dtype::F32, shape.clone(), bytes).unwrap();
        (name.as_str(), view)
    });
    std::fs::write(&file, safetensors::serialize(views, None).unwrap()).unwrap();
}

#[test]
fn advice_about_heads_works() {
    // Its two key/value groups have more than one query head.
    let Some(data) = data() else { return };
    let (folder, model) = (temporary(), path(&data.join("models/stories260K")));
    let (out, text) = (path(&folder.path().join("out")), path(&data.join("text/tinystories-eval.txt")));
    let prune = ["prune", &model, "--out", &out, "--target", "0.7", "--heads", "query", "--calibration", &text];
    let refused = run(&[&prune[..], &SMALL[..]].concat());
    if refused.code == 2 && refused.err.contains("--heads kv") {
        follow(&[&prune[..], &SMALL[..]].concat(), 2, &[("--heads", None)]);
    }
}
