//! GGUF files in blocks: which matrix gets which, by another reader, and that the blocks hold the weights.

use gguf::{GGMLType, GGUFMetadataValue as Found};
use serde_json::{Value, json};
use slimgpt::checkpoint::{HostTensor, parse_config};
use slimgpt::export::gguf::{FileType, data_bytes, fallbacks};
use slimgpt::names::Named;
use slimgpt::quant::{BlockType, dequantise};
use slimgpt::shape::{Axis, Projection};

use crate::gguf::{turned, written};
use crate::{pruned, support};

/// Query heads, K/V heads (of 4 dimensions) and channels of eight layers: rows of o_proj and down_proj that
/// divide by 256, by 32 and by neither.
const LAYERS: [[usize; 3]; 8] = [
    [64, 64, 256],
    [64, 32, 256],
    [64, 64, 512],
    [64, 64, 256],
    [32, 32, 288],
    [24, 24, 96],
    [64, 64, 100],
    [64, 64, 256],
];

/// A model as wide as a block of the k-quants.
fn wide(changes: Value) -> Value {
    let mut all = json!({ "hidden_size": 256, "num_attention_heads": 64, "num_key_value_heads": 64 });
    changes.as_object().into_iter().flatten().for_each(|(key, value)| all[key] = value.clone());
    pruned("llama", &LAYERS, &all)
}

/// Kinds of a matrix in all layers.
fn kinds(file: &crate::gguf::File, name: &str) -> Vec<GGMLType> {
    let all = file.kinds();
    let of = |i: usize| all.iter().find(|(found, _)| *found == format!("blk.{i}.{name}.weight")).unwrap().1;
    (0..LAYERS.len()).map(of).collect()
}

fn kind(file: &crate::gguf::File, name: &str) -> GGMLType {
    file.kinds().into_iter().find(|(found, _)| *found == name).unwrap().1
}

#[test]
fn a_mixture_gives_more_bits_to_what_matters_most() {
    use GGMLType::{F16, Q4K, Q5_0, Q6K, Q8_0};
    let untied = json!({ "tie_word_embeddings": false });
    let (_, file, _) = written(wide(untied), Some(FileType::Q4KM));
    assert!(*file.key("general.file_type") == Found::Uint32(15));
    assert!(*file.key("general.quantization_version") == Found::Uint32(2));
    // The first eighth, every third from the second on, and the last eighth: layers 0, 3, 6 and 7.
    assert_eq!(kinds(&file, "attn_v"), [Q6K, Q4K, Q4K, Q6K, Q4K, Q4K, Q6K, Q6K]);
    assert_eq!(kinds(&file, "ffn_down"), [Q6K, Q4K, Q4K, Q6K, Q5_0, Q5_0, F16, Q6K]);
    assert_eq!(kinds(&file, "attn_output"), [Q4K, Q4K, Q4K, Q4K, Q5_0, Q5_0, Q4K, Q4K]);
    for name in ["attn_q", "attn_k", "ffn_gate", "ffn_up"] {
        assert_eq!(kinds(&file, name), [Q4K; 8], "{name}");
    }
    assert_eq!((kind(&file, "output.weight"), kind(&file, "token_embd.weight")), (Q6K, Q4K));
    for name in ["output_norm.weight", "blk.0.attn_norm.weight", "blk.7.ffn_norm.weight"] {
        assert_eq!(kind(&file, name), GGMLType::F32, "{name}");
    }
    // Where it is the head too, the embedding gets the head's.
    let (_, file, _) = written(wide(json!({})), Some(FileType::Q4KM));
    assert_eq!(kind(&file, "token_embd.weight"), Q6K);
    let (_, file, _) = written(wide(json!({})), Some(FileType::Q8_0));
    assert!(*file.key("general.file_type") == Found::Uint32(7));
    assert_eq!(kind(&file, "token_embd.weight"), Q8_0);
    assert_eq!(kinds(&file, "ffn_down"), [Q8_0, Q8_0, Q8_0, Q8_0, Q8_0, Q8_0, F16, Q8_0]);
}

#[test]
fn the_other_types_are_llama_cpps_too() {
    use GGMLType::{F16, Q4_0, Q5_1, Q5K, Q6K, Q8_0};
    for (file_type, number, down) in [
        (FileType::Q6K, 18, [Q6K, Q6K, Q6K, Q6K, Q8_0, Q8_0, F16, Q6K]),
        (FileType::Q5KM, 17, [Q6K, Q5K, Q5K, Q6K, Q5_1, Q5_1, F16, Q6K]),
        (FileType::Q4_0, 2, [Q4_0, Q4_0, Q4_0, Q4_0, Q4_0, Q4_0, F16, Q4_0]),
    ] {
        let (_, file, _) = written(wide(json!({})), Some(file_type));
        assert!(*file.key("general.file_type") == Found::Uint32(number), "{file_type}");
        assert_eq!(kinds(&file, "ffn_down"), down, "{file_type}");
        assert_eq!(kind(&file, "token_embd.weight"), Q6K, "{file_type}");
    }
    let (_, file, _) = written(wide(json!({})), None);
    assert!(!file.keys.contains_key("general.quantization_version"), "nothing is quantised");
}

/// How far the values of a tensor of the file are from these, as a share of them.
fn error(file: &crate::gguf::File, name: &str, want: &HostTensor) -> f64 {
    let id = kind(file, name) as u32;
    let values = dequantise(BlockType::of_id(id).unwrap(), file.stored(name));
    assert_eq!(values.len(), want.values.len(), "{name}");
    let sum = |f: &dyn Fn(usize) -> f32| (0..values.len()).map(|i| f64::from(f(i)).powi(2)).sum::<f64>();
    (sum(&|i| values[i] - want.values[i]) / sum(&|i| want.values[i])).sqrt()
}

#[test]
fn the_blocks_hold_the_weights_in_llama_cpps_order() {
    for &file_type in FileType::all() {
        // The other reader knows no bf16.
        if file_type == FileType::Bf16 {
            continue;
        }
        let (_, file, model) = written(wide(json!({ "tie_word_embeddings": false })), Some(file_type));
        // Uniform numbers lose less in a grid than normal ones: 0.076 of their size in sixteen steps.
        let most = if matches!(file_type, FileType::Q4_0 | FileType::Q4KM) { 0.08 } else { 0.05 };
        let outer = model.outer().unwrap();
        let mut all = vec![
            ("token_embd.weight".to_owned(), outer.embedding.clone()),
            ("output.weight".to_owned(), outer.head.clone().unwrap()),
            ("output_norm.weight".to_owned(), outer.final_norm.clone()),
        ];
        for i in 0..LAYERS.len() {
            let layer = model.layer(i).unwrap();
            all.push((format!("blk.{i}.attn_q.weight"), turned(layer.weight(Projection::Q))));
            all.push((format!("blk.{i}.attn_v.weight"), layer.weight(Projection::V).clone()));
            all.push((format!("blk.{i}.ffn_down.weight"), layer.weight(Projection::Down).clone()));
        }
        for (name, want) in &all {
            let error = error(&file, name, want);
            assert!(error <= most, "{file_type}: {name} is off by {error}");
        }
    }
}

#[test]
fn rows_that_do_not_divide_are_told_before_anything_is_written() {
    let config = parse_config(&wide(json!({}))).unwrap();
    let told = fallbacks(&config, FileType::Q4KM).unwrap();
    let mut seen: Vec<_> =
        told.iter().map(|f| (f.name.as_str(), f.wanted.name(), f.stored.name(), &f.widths[..], f.along)).collect();
    seen.sort_by_key(|&(name, wanted, ..)| (name, wanted));
    let want: [(_, _, _, &[usize], _); 3] = [
        ("attn_output", "q4_k", "q5_0", &[128, 96], Axis::Heads),
        ("ffn_down", "q4_k", "q5_0", &[288, 96], Axis::Channels),
        ("ffn_down", "q6_k", "f16", &[100], Axis::Channels),
    ];
    assert_eq!(seen, want);
    let eight: Vec<_> = fallbacks(&config, FileType::Q8_0).unwrap().into_iter().map(|f| (f.name, f.widths)).collect();
    assert_eq!(eight, [("ffn_down".to_owned(), vec![100])]);
    assert!(fallbacks(&config, FileType::F16).unwrap().is_empty());
    // A model that is narrower than a block falls back everywhere.
    let narrow = parse_config(&pruned("llama", &crate::DIFFERENT, &json!({}))).unwrap();
    let names: Vec<String> = fallbacks(&narrow, FileType::Q6K).unwrap().into_iter().map(|f| f.name).collect();
    assert!(names.contains(&"token_embd".into()) && names.contains(&"attn_q".into()), "{names:?}");
}

#[test]
fn the_bytes_that_are_foretold_are_those_of_the_data() {
    for &dtype in FileType::all().iter().filter(|&&dtype| dtype != FileType::Bf16) {
        let (_, file, model) = written(wide(json!({})), Some(dtype));
        assert_eq!(data_bytes(model.config(), dtype).unwrap(), file.data_bytes(), "{dtype}");
    }
}

#[test]
fn fused_projections_get_the_bits_of_their_values() {
    use GGMLType::{Q4K, Q6K};
    let layers = [[64, 64, 256], [32, 32, 256], [64, 64, 256]];
    let changes = json!({ "hidden_size": 256, "num_attention_heads": 64, "num_key_value_heads": 64 });
    let (arch, file, _) = written(pruned("qwen3", &layers, &changes), Some(FileType::Q4KM));
    assert_eq!(arch.name(), "openelm");
    let of = |i: usize| kind(&file, &format!("blk.{i}.attn_qkv.weight"));
    assert_eq!([of(0), of(1), of(2)], [Q4K, Q4K, Q6K]);
}

#[test]
fn a_weight_beyond_every_scale_is_refused_by_name() {
    let place = tempfile::tempdir().unwrap();
    let mut model = crate::Model::random(wide(json!({})), safetensors::Dtype::F32, 3);
    model.tensor("2.mlp.up_proj.weight").values[5] = 1e38;
    let path = place.path().join("model");
    model.write(&path);
    std::fs::write(path.join("tokenizer.json"), crate::tokenizer::byte_level().to_string()).unwrap();
    let checkpoint = slimgpt::checkpoint::Checkpoint::open(&path).unwrap();
    let options = slimgpt::export::gguf::Options { dtype: Some(FileType::Q4KM), overwrite: false };
    let out = place.path().join("model.gguf");
    let result = slimgpt::export::gguf::export(&checkpoint, &out, options, &mut crate::nothing);
    support::assert_says(result, &["blk.2.ffn_up.weight", "too large for q4_k"]);
    assert_eq!(crate::names(place.path()), ["model"], "nothing is half-written");
}
