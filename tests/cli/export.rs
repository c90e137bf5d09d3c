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
fn blocks_that_do_not_fit_are_told_before_they_are_written() {
    let folder = temporary();
    let out = path(&folder.path().join("model.gguf"));
    let said = run(&["export", "gguf", &shipped(), "--out", &out, "--dtype", "q4_k_m", "--json"]).with(0);
    assert_eq!((&said.json()["dtype"], said.json()["bytes"].is_u64()), (&"q4_k_m".into(), true));
    // The shipped model is 128 wide; its channels can be chosen, its own width cannot.
    for words in
        ["128 wide, no multiple of 256", "q5_0 instead of q4_k", "which pruning leaves", "--channel-multiple 256"]
    {
        assert!(said.err.contains(words), "\"{words}\" is not in: {}", said.err);
    }
    let said = run(&["export", "gguf", &shipped(), "--out", &out, "--dtype", "q8_0", "--overwrite"]).with(0);
    assert!(said.out.contains(" in q8_0") && !said.err.contains("instead of"), "{}", said.err);
    run(&["export", "gguf", &shipped(), "--out", &out, "--dtype", "q3_x"]).with(2).saying(&["q4_k_m", "q8_0"]);
}

#[test]
fn a_plan_tells_how_large_the_file_will_be_and_what_does_not_fit() {
    let model = shipped();
    let plan = |dtype: &str| run(&["plan", &model, "--target", "0.3", "--gguf-dtype", dtype]).with(0).err;
    let (four, eight) = (plan("q4_k_m"), plan("q8_0"));
    assert!(four.contains("of type q4_k_m") && four.contains("--channel-multiple 256"), "{four}");
    assert!(eight.contains("of type q8_0") && !eight.contains("instead of"), "{eight}");
}

#[test]
fn a_pruning_may_end_in_one_file() {
    let folder = temporary();
    let at = |name: &str| path(&folder.path().join(name));
    pruned(&at("slim"), &[]);
    run(&["export", "gguf", &at("slim"), "--out", &at("exported.gguf"), "--dtype", "q8_0"]).with(0);
    let file = at("file/slim.gguf");
    std::fs::create_dir(at("file")).unwrap();
    let said = pruned(&file, &["--gguf-dtype", "q8_0"]);
    assert!(said.out.contains("slim.gguf: architecture deci") && said.out.contains("slim.html"), "{}", said.out);
    assert!(std::fs::read(&file).unwrap() == std::fs::read(at("exported.gguf")).unwrap(), "it is the folder's export");
    let mut names: Vec<_> = std::fs::read_dir(at("file")).unwrap().map(|f| f.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["slim.gguf", "slim.html"], "the folder that it was made of is gone");
    let again = |more: &[&str]| {
        let model = shipped();
        run(&[&["prune", &model, "--out", &file, "--target", "0.3", "--device", "cpu"], more].concat())
    };
    again(&[]).with(2).saying(&["slim.gguf", "--overwrite"]);
    std::fs::write(at("file/slim.html"), "a letter").unwrap();
    again(&["--overwrite"]).with(2).saying(&["slim.html", "choose another --out"]);
    assert_eq!(std::fs::read_to_string(at("file/slim.html")).unwrap(), "a letter");
    let model = shipped();
    run(&["prune", &model, "--out", &at("other"), "--target", "0.3", "--gguf-dtype", "q8_0"])
        .with(2)
        .saying(&["--gguf-dtype", ".gguf"]);
    assert!(!exists(&at("other"), "config.json"));
}

#[test]
fn who_opens_a_folder_is_a_table_or_an_object() {
    let table = run(&["inspect", "--compat", &shipped()]).with(0).out;
    for program in
        ["transformers", "llama.cpp", "mlx-lm", "vLLM", "rtp-llm", "candle", "mistral.rs", "SGLang", "Ollama"]
    {
        assert!(table.contains(program), "{program}");
    }
    let object = run(&["inspect", "--compat", &shipped(), "--json"]).with(0).json();
    assert_eq!(object["clients"][0]["opens"], "folder");
}

#[test]
fn a_modelfile_stands_beside_its_file() {
    let folder = temporary();
    let out = path(&folder.path().join("tiny.gguf"));
    let export = ["export", "gguf", &shipped(), "--out", &out, "--modelfile"];
    let said = run(&export).with(0).out;
    assert!(said.contains("tiny.Modelfile") && said.contains("ollama create"), "{said}");
    let modelfile = folder.path().join("tiny.Modelfile");
    assert!(std::fs::read_to_string(&modelfile).unwrap().ends_with("\nFROM ./tiny.gguf\n"));
    // Somebody's own is told before anything is written.
    std::fs::write(&modelfile, "FROM llama3").unwrap();
    std::fs::remove_file(&out).unwrap();
    run(&export).with(2).saying(&["--modelfile", "tiny.Modelfile", "not made by slimgpt"]);
    assert!(!std::path::Path::new(&out).exists());
}
