//! Padded folders: of one size, plain, and computing what the pruned model does.

use pollster::block_on;
use serde_json::{Value, json};
use slimgpt::checkpoint::Checkpoint;
use slimgpt::device::Device;
use slimgpt::export::ExportError;
use slimgpt::export::padded::export;
use slimgpt::model::{Decoder, token_tensor};
use slimgpt::place::PlaceError;

use crate::support::oracle::Oracle;
use crate::support::{assert_says, tokens};
use crate::{DIFFERENT, folder, names, nothing, pruned};

fn logits(checkpoint: &Checkpoint, window: &[u32]) -> Vec<f32> {
    let device = Device::cpu();
    let decoder = Decoder::load(checkpoint, device.tensor_device()).unwrap();
    let logits = decoder.forward(token_tensor(&[window.to_vec()], device.tensor_device()), checkpoint.config());
    block_on(logits.into_data_async()).unwrap().try_to_vec().unwrap()
}

#[cfg(unix)]
fn mode(path: &std::path::Path) -> u32 {
    std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(path).unwrap().permissions())
}

/// Pads a model; the class it is written in.
fn check(family: &str, layers: &[[usize; 3]], changes: &Value) -> String {
    let place = tempfile::tempdir().unwrap();
    let out = place.path().join("padded");
    let model = folder(&place.path().join("model"), pruned(family, layers, changes));
    let report = export(&model, &out, false, &mut nothing).unwrap();
    let padded = Checkpoint::open(&out).unwrap();
    assert!(padded.config().is_uniform() && padded.config().layers[0] == report.layer);
    assert_eq!(padded.config().parameters(), report.parameters_after);
    assert!(padded.raw_config()["per_layer_config"].is_null() && padded.raw_config()["auto_map"].is_null());
    assert!(names(&out).contains(&"tokenizer.json".into()) && !names(&out).contains(&"parts".into()));
    assert_eq!(names(place.path()), ["model", "padded"]);
    #[cfg(unix)]
    assert_eq!(mode(&out.join("model.safetensors")), mode(&out.join("config.json")));
    let window = tokens(21, 32, 4);
    let oracle = Oracle::open(&place.path().join("model"));
    let want = oracle.logits(&window);
    let tolerance = oracle.tolerance(window.len(), &want) as f32;
    let (before, after) = (logits(&model, &window), logits(&padded, &window));
    let worst = before.iter().zip(&after).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(worst <= tolerance, "{family}: {worst} > {tolerance}");
    // The f64 oracle sees the same in the padded files.
    let off = Oracle::open(&out).logits(&window).iter().zip(&want).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(off < 1e-9, "{family}: {off}");
    padded.raw_config()["architectures"][0].as_str().unwrap().to_owned()
}

#[test]
fn zeros_change_nothing() {
    let groups_of_three = [[3, 1, 9], [4, 2, 12], [2, 2, 5]];
    for changes in [json!({}), json!({ "attention_bias": true, "mlp_bias": true, "hidden_size": 24 })] {
        assert_eq!(check("llama", &DIFFERENT, &changes), "LlamaForCausalLM");
        // The widest group and the most groups are in different layers: 2 groups of 3.
        let wider = json!({ "hidden_size": 24, "tie_word_embeddings": false });
        assert_eq!(check("llama", &groups_of_three, &wider), "LlamaForCausalLM");
    }
    assert_eq!(check("mistral", &DIFFERENT, &json!({})), "MistralForCausalLM");
    assert_eq!(check("qwen2", &DIFFERENT, &json!({})), "Qwen2ForCausalLM");
    assert_eq!(check("qwen3", &DIFFERENT, &json!({ "tie_word_embeddings": false })), "Qwen3ForCausalLM");
}

#[test]
fn where_no_plain_class_fits_nothing_is_written() {
    let place = tempfile::tempdir().unwrap();
    let model = folder(&place.path().join("model"), pruned("qwen2", &[[2, 1, 9], [1, 1, 4]], &json!({})));
    assert_says(export(&model, &place.path().join("out"), false, &mut nothing), &["Qwen2", "2 query heads", "GGUF"]);
    assert_eq!(names(place.path()), ["model"]);
}

#[test]
fn a_folder_that_is_no_checkpoint_is_not_replaced() {
    let place = tempfile::tempdir().unwrap();
    let model = folder(&place.path().join("model"), pruned("llama", &DIFFERENT, &json!({})));
    let out = place.path().join("out");
    std::fs::create_dir(&out).unwrap();
    std::fs::write(out.join("letter.txt"), "dear").unwrap();
    assert_says(export(&model, &out, true, &mut nothing), &["out", "not a checkpoint folder"]);
    assert_eq!(names(&out), ["letter.txt"]);
    let source = place.path().join("model");
    assert!(matches!(export(&model, &source, false, &mut nothing), Err(ExportError::Place(PlaceError::IsRead { .. }))));
}

#[test]
fn two_do_not_make_the_same_folder() {
    let place = tempfile::tempdir().unwrap();
    let model = folder(&place.path().join("model"), pruned("llama", &DIFFERENT, &json!({})));
    let out = place.path().join("out");
    let mut refused = 0;
    export(&model, &out, false, &mut |_, _| {
        let second = export(&model, &out, true, &mut nothing);
        assert!(matches!(second, Err(ExportError::Place(PlaceError::Busy { .. }))), "{second:?}");
        refused += 1;
    })
    .unwrap();
    assert_eq!(refused, DIFFERENT.len());
    assert_eq!(names(place.path()), ["model", "out"], "no lock is left");
    export(&model, &out, true, &mut nothing).unwrap();
}
