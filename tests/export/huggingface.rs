//! What stands beside the weights of a pruned folder. That transformers opens it is seen by
//! tests/clients/run.

use std::path::Path;

use serde_json::json;
use slimgpt::checkpoint::{Checkpoint, ReadError, parse_config};
use slimgpt::export::huggingface::{Card, carry, name, python_files, tokenizer_has_code};

use crate::support::assert_says;
use crate::support::checkpoint::{Model, config};
use crate::{DIFFERENT, pruned};

fn card(raw: &serde_json::Value) -> String {
    card_with(raw, false)
}

fn card_with(raw: &serde_json::Value, tokenizer_has_code: bool) -> String {
    let pruned = parse_config(raw).unwrap();
    let card = Card {
        quantisation: None,
        source: Some(name(Path::new("/models/Llama-2-7b-hf/"), &json!({}))),
        config: &pruned,
        tokenizer_has_code,
        version: "1.2.3",
        parameters: [1000, 750],
        bytes: [4000, 1500],
        decoder_ratio: 0.375,
        calibration_tokens: 4096,
        layers: pruned.layers.iter().map(|&layer| [pruned.dense, layer]).collect(),
        errors: vec![0.5; pruned.layers.len()],
    };
    card.to_markdown()
}

#[test]
fn the_card_has_the_figures_and_the_line_that_loads() {
    let text = card(&pruned("llama", &DIFFERENT, &json!({})));
    for words in [
        "# Llama-2-7b-hf, pruned by 25.0 %",
        "slimgpt 1.2.3",
        "4096 calibration tokens",
        "| parameters | 1000 | 750 | 25.0 % less |",
        "| bytes of weights | 4000 | 1500 | 62.5 % less |",
        "37.5 % less",
        "AutoModelForCausalLM.from_pretrained(\"PATH\", trust_remote_code=True)",
        "| 1 | 1 of 2 | 2 of 4 | 33 of 40 | 5.0000e-1 |",
        "slimgpt export gguf PATH",
    ] {
        assert!(text.contains(words), "\"{words}\" is not in:\n{text}");
    }
    assert!(text.starts_with("---\nlibrary_name: transformers\n"));
    assert!(!text.contains("/models/"), "a path of this machine means nothing to a reader");
}

#[test]
fn code_stands_only_where_it_is_needed() {
    let different = parse_config(&pruned("qwen3", &DIFFERENT, &json!({}))).unwrap();
    let files: Vec<String> = python_files(&different).into_iter().map(|(name, _)| name).collect();
    assert_eq!(files, ["configuration_slimllama.py", "modeling_slimllama.py"]);
    let alike = config(
        json!({ "slimgpt_dense": { "num_attention_heads": 8, "num_key_value_heads": 4, "intermediate_size": 99 } }),
    );
    assert!(python_files(&parse_config(&alike).unwrap()).is_empty());
    assert!(!card(&alike).contains("trust_remote_code"));
    assert!(card(&alike).contains("4 of 8"));
}

#[test]
fn a_family_with_classes_of_its_own_has_code_of_its_own() {
    for (family, module, layer) in
        [("phi3", "phi3", "Phi3DecoderLayer"), ("gemma3_text", "gemma3", "Gemma3DecoderLayer")]
    {
        let raw = pruned(family, &DIFFERENT, &json!({}));
        let files = python_files(&parse_config(&raw).unwrap());
        let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, [format!("configuration_slim{module}.py"), format!("modeling_slim{module}.py")]);
        assert!(files[1].1.contains(&format!("from transformers.models.{module}.modeling_{module} import {layer}")));
        // No name in braces is left, and no other braces are in what is only classes.
        assert!(!files[1].1.contains('{') && !files[0].1.contains("{MODULE}") && !files[0].1.contains("{CONFIG}"));
    }
}

#[test]
fn sizes_that_do_not_match_the_tensors_are_refused_by_name() {
    let mut model = Model::random(pruned("llama", &DIFFERENT, &json!({})), safetensors::Dtype::F32, 3);
    model.config["per_layer_config"]["1"]["intermediate_size"] = json!(34);
    let result = Checkpoint::from_bytes(&model.config_json(), model.safetensors());
    let Err(ReadError::Several { first, tensors }) = &result else { panic!("another error") };
    assert!(matches!(**first, ReadError::Shape { .. }) && tensors.len() == 3, "{tensors:?}");
    assert_says(result.map(drop), &["model.layers.1.mlp.gate_proj.weight", "33", "34"]);
}

#[test]
fn what_belongs_to_the_model_comes_along() {
    let place = tempfile::tempdir().unwrap();
    let (source, whole) = (place.path().join("source"), place.path().join("whole"));
    let write = |folder: &Path, name: &str, text: &str| {
        std::fs::create_dir_all(folder.join(name).parent().unwrap()).unwrap();
        std::fs::write(folder.join(name), text).unwrap();
    };
    let settings = json!({ "auto_map": { "AutoTokenizer": [null, "tokenization_tiny.Tiny"] } });
    write(&source, "tokenizer_config.json", &settings.to_string());
    write(&source, "tokenization_tiny.py", "from .tiny_words import words\nimport os\n");
    let named =
        ["tiny_words.py", "additional_chat_templates/tool_use.jinja", "LICENSE.txt", "Notice", "processor_config.json"];
    named.iter().for_each(|name| write(&source, name, name));
    // What does not belong to it, or is written anew.
    let others =
        ["train.py", "optimizer.pt", "README.md", "configuration_slimllama.py", "additional_chat_templates/x.txt"];
    others.iter().for_each(|name| write(&source, name, name));
    let auto_map = json!({ "AutoConfig": "configuration_slimllama.SlimLlamaConfig" });
    write(&whole, "config.json", &json!({ "auto_map": auto_map }).to_string());
    write(&whole, "configuration_slimllama.py", "ours");
    carry(&source, &whole).unwrap();
    for name in named.iter().chain(&["tokenization_tiny.py", "tokenizer_config.json"]) {
        assert_eq!(std::fs::read(whole.join(name)).unwrap(), std::fs::read(source.join(name)).unwrap(), "{name}");
    }
    assert_eq!(std::fs::read_to_string(whole.join("configuration_slimllama.py")).unwrap(), "ours");
    let absent = ["train.py", "optimizer.pt", "README.md", "additional_chat_templates/x.txt"];
    assert!(absent.iter().all(|name| !whole.join(name).exists()));
    assert!(tokenizer_has_code(&whole));
    let text = card_with(&pruned("llama", &DIFFERENT, &json!({})), true);
    assert!(text.contains("AutoTokenizer.from_pretrained(\"PATH\", trust_remote_code=True)"), "{text}");
}
