//! Which program opens what.

use serde_json::{Value, json};
use slimgpt::checkpoint::parse_config;
use slimgpt::export::compat::{Client, Opens, clients};

use crate::support::checkpoint::config;
use crate::{DIFFERENT, pruned};

fn of(raw: &Value, program: &str) -> Client {
    let all = clients(&parse_config(raw).unwrap());
    all.into_iter().find(|c| c.program.contains(program)).unwrap()
}

#[test]
fn a_plain_model_opens_everywhere_as_it_stands() {
    let dense = config(json!({}));
    for client in clients(&parse_config(&dense).unwrap()) {
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
