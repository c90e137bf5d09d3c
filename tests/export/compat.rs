//! Which program opens what.

use serde_json::{Value, json};
use slimgpt::checkpoint::parse_config;
use slimgpt::export::compat::{Client, Opens, clients};
use slimgpt::export::gguf::{Options, export};

use crate::support::checkpoint::config;
use crate::{DIFFERENT, folder, pruned};

fn of(raw: &Value, program: &str) -> Client {
    let all = clients(&parse_config(raw).unwrap(), None);
    all.into_iter().find(|c| c.program.contains(program)).unwrap()
}

#[test]
fn a_plain_model_opens_everywhere_as_it_stands() {
    let dense = config(json!({}));
    for client in clients(&parse_config(&dense).unwrap(), None) {
        assert!(matches!(client.opens, Opens::Folder | Opens::Export), "{client:?}");
        assert!(client.why_not.is_empty(), "{client:?}");
    }
    assert!(of(&dense, "llama.cpp").how.ends_with("architecture llama"));
}

#[test]
fn layers_that_differ_open_with_code_or_after_an_export() {
    let raw = pruned("llama", &DIFFERENT, &json!({}));
    let transformers = of(&raw, "transformers");
    assert_eq!(transformers.opens, Opens::Folder);
    assert!(transformers.how.contains("trust_remote_code=True") && transformers.why_not.contains("without"));
    assert!(of(&raw, "llama.cpp").how.ends_with("architecture deci"));
    assert!(of(&raw, "mlx").how.contains("export mlx"));
    assert!(of(&raw, "candle").how.contains("export padded"));
    assert_eq!(of(&raw, "vLLM").opens, Opens::Untried);
}

#[test]
fn what_a_program_lacks_is_said_with_the_way_round_it() {
    let untied = pruned("qwen3", &DIFFERENT, &json!({ "tie_word_embeddings": false }));
    let client = of(&untied, "llama.cpp");
    assert!(client.how.contains("export padded") && client.why_not.contains("openelm"), "{client:?}");
    let biased = pruned("qwen2", &[[2, 1, 9], [1, 1, 4]], &json!({}));
    let client = of(&biased, "candle");
    assert_eq!((client.opens, client.how.as_str()), (Opens::No, ""));
    assert!(client.why_not.contains("Qwen2"), "{client:?}");
}

#[test]
fn a_tokenizer_that_the_exporter_refuses_is_told_here() {
    let place = tempfile::tempdir().unwrap();
    let checkpoint = folder(place.path(), pruned("llama", &DIFFERENT, &json!({})));
    let says = || clients(checkpoint.config(), checkpoint.folder()).swap_remove(1);
    assert_eq!(says().opens, Opens::Export);
    let file = place.path().join("tokenizer.json");
    let mut tokenizer = crate::tokenizer::byte_level();
    tokenizer["pre_tokenizer"] = json!({ "type": "Whitespace" });
    std::fs::write(&file, tokenizer.to_string()).unwrap();
    let out = place.path().join("model.gguf");
    let refused = export(&checkpoint, &out, Options::default(), &mut crate::nothing).unwrap_err().to_string();
    assert_eq!((says().opens, says().why_not), (Opens::No, refused));
    std::fs::rename(&file, place.path().join("tokenizer.model")).unwrap();
    assert_eq!(says().opens, Opens::No);
    assert!(says().why_not.contains("tokenizer.json"), "{}", says().why_not);
}

#[test]
fn a_family_with_classes_of_its_own_opens_in_them() {
    let alike = pruned("gemma2", &[[2, 1, 20]; 2], &json!({ "query_pre_attn_scalar": 4 }));
    assert!(of(&alike, "transformers").how.ends_with("as Gemma2ForCausalLM"));
    assert!(of(&alike, "llama.cpp").how.ends_with("architecture gemma2"));
    let differing = pruned("gemma2", &DIFFERENT, &json!({ "query_pre_attn_scalar": 4 }));
    assert!(of(&differing, "transformers").how.ends_with("a release that has Gemma2ForCausalLM"));
    let client = of(&differing, "llama.cpp");
    assert!(client.how.contains("export padded") && client.why_not.contains("one size for all"), "{client:?}");
    assert!(of(&differing, "mlx").why_not.contains("does not compute what a Gemma2 does"));
    // Phi-3 is a LLaMA but for its names.
    assert!(of(&pruned("phi3", &DIFFERENT, &json!({})), "llama.cpp").how.ends_with("architecture deci"));
    // Heads of zeros would count in a norm over all heads.
    let bound = pruned("olmo2", &DIFFERENT, &json!({ "tie_word_embeddings": false }));
    assert_eq!(of(&bound, "llama.cpp").opens, Opens::No);
}
