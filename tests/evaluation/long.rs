//! LongBench's datasets on the shipped model: what is generated, what is cut out, what it is worth.

use pollster::block_on;
use serde_json::json;
use slimgpt::device::Device;
use slimgpt::eval::longbench::{DATASETS, Dataset, Reply, reply};
use slimgpt::eval::tasks::Row;
use slimgpt::model::Decoder;

use crate::Model;
use crate::support::oracle::Oracle;

fn named(name: &str) -> Dataset {
    DATASETS.into_iter().find(|d| d.name == name).unwrap()
}

fn said(model: &Model, dataset: &Dataset, context: &str, answers: &[&str]) -> Reply {
    let row = json!({ "input": "Tom has a", "context": context, "answers": answers, "all_classes": ["ball", "kite"] });
    let example = dataset.example(&Row(&row)).unwrap();
    let decoder = Decoder::load(&model.checkpoint, Device::cpu().tensor_device()).unwrap();
    block_on(reply(&decoder, model.checkpoint.config(), &model.tokenizer, dataset, &example)).unwrap()
}

#[test]
fn an_answer_is_what_the_oracle_continues_the_prompt_with() {
    let model = Model::shipped();
    let dataset = Dataset { max_new_tokens: 12, ..named("triviaqa") };
    let context = "One day Tom had a red ball. Tom and Ann went to the park.";
    let row = json!({ "input": "Tom has a", "context": context, "answers": ["x"] });
    let prompt = dataset.example(&Row(&row)).unwrap().prompt;
    let tokenizer = tokenizers::Tokenizer::from_file(model.folder.join("tokenizer.json")).unwrap();
    let mut ids = tokenizer.encode(prompt, true).unwrap().get_ids().to_vec();
    let (oracle, start) = (Oracle::open(&model.folder), ids.len());
    for _ in 0..12 {
        let logits = oracle.logits(&ids);
        let last = &logits[logits.len() - 512..];
        let best = (0..512).max_by(|&a, &b| last[a].total_cmp(&last[b])).unwrap() as u32;
        if best == 2 {
            break;
        }
        ids.push(best);
    }
    let text = tokenizer.decode(&ids[start..], true).unwrap();
    let want = text.trim_start_matches('\n').lines().next().unwrap_or_default().trim().to_owned();
    let found = said(&model, &dataset, context, &["x"]);
    assert_eq!((found.text.as_str(), found.cut_out), (want.as_str(), 0));
    assert!(!want.is_empty());
    let right = said(&model, &dataset, context, &["nothing", &want]);
    assert!((right.score - 1.0).abs() < 1e-12, "{right:?}");
}

#[test]
fn a_long_prompt_loses_its_middle() {
    let model = Model::shipped();
    let dataset = Dataset { max_new_tokens: 4, ..named("trec") };
    let context = "One day Tom had a red ball. ".repeat(200);
    let found = said(&model, &dataset, &context, &["ball"]);
    assert!(found.cut_out > 512, "{found:?}");
}
