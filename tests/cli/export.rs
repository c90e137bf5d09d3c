//! `export` and `inspect --compat`, on the shipped model.

use crate::{Ended, path, run, shipped, temporary};

/// The shipped model pruned into `out`, with layers that differ.
fn pruned(out: &str, arguments: &[&str]) -> Ended {
    let model = shipped();
    let fixed =
        ["prune", &model, "--out", out, "--device", "cpu", "--samples", "8", "--seq-len", "64", "--target", "0.3"];
    run(&[&fixed, arguments].concat()).with(0)
}

fn exists(folder: &str, name: &str) -> bool {
    std::path::Path::new(folder).join(name).is_file()
}

#[test]
fn a_pruned_folder_is_ready_for_transformers_and_goes_into_every_form() {
    let folder = temporary();
    let at = |name: &str| path(&folder.path().join(name));
    let said = pruned(&at("slim"), &[]);
    assert!(said.err.contains("multiple of 256") && said.err.contains("--channel-multiple"), "{}", said.err);
    for name in ["README.md", "configuration_slimllama.py", "modeling_slimllama.py"] {
        assert!(exists(&at("slim"), name), "{name}");
    }
    let gguf = run(&["export", "gguf", &at("slim"), "--out", &at("slim.gguf"), "--json"]).with(0).json();
    assert_eq!((&gguf["architecture"], &gguf["dtype"]), (&"deci".into(), &"f16".into()));
    assert_eq!(gguf["bytes"], std::fs::metadata(at("slim.gguf")).unwrap().len());
    run(&["export", "mlx", &at("slim"), "--out", &at("mlx")]).with(0);
    assert!(exists(&at("mlx"), "config.json") && exists(&at("mlx"), "tokenizer.json"));
    let padded = run(&["export", "padded", &at("slim"), "--out", &at("padded")]).with(0).out;
    assert!(padded.contains("the zeros cost") && padded.contains("→"), "{padded}");
    assert!(!exists(&at("padded"), "modeling_slimllama.py"));
    run(&["inspect", &at("padded")]).with(0);
}

#[test]
fn layers_pruned_alike_need_no_code() {
    let folder = temporary();
    let out = path(&folder.path().join("slim"));
    pruned(&out, &["--schedule", "uniform", "--rounding", "layer"]);
    assert!(exists(&out, "README.md") && !exists(&out, "modeling_slimllama.py"));
    let seen = run(&["inspect", &out, "--json"]).with(0).json();
    assert_eq!((&seen["family"], &seen["dense"]["num_attention_heads"]), (&"llama".into(), &8.into()));
}

#[test]
fn an_export_that_stands_is_replaced_only_when_asked() {
    let (folder, model) = (temporary(), shipped());
    let out = path(&folder.path().join("model.gguf"));
    run(&["export", "gguf", &model, "--out", &out]).with(0);
    run(&["export", "gguf", &model, "--out", &out]).with(2).saying(&["model.gguf", "--overwrite"]);
    run(&["export", "gguf", &model, "--out", &out, "--overwrite"]).with(0);
}

#[test]
fn who_opens_a_folder_is_a_table_or_an_object() {
    let table = run(&["inspect", "--compat", &shipped()]).with(0).out;
    for program in ["transformers", "llama.cpp", "mlx-lm", "vLLM", "rtp-llm", "candle", "Ollama"] {
        assert!(table.contains(program), "{program}");
    }
    let object = run(&["inspect", "--compat", &shipped(), "--json"]).with(0).json();
    assert_eq!(object["clients"][0]["opens"], "folder");
}
