//! Folders and safetensors files that are missing, damaged, or belong to something else.

use std::path::Path;

use safetensors::Dtype;
use serde_json::{Value, json};
use slimgpt::checkpoint::{Checkpoint, ReadError, WriteError, assemble, decode_layer};
use slimgpt::disk::DiskError;
use tempfile::TempDir;

use crate::support::assert_says;
use crate::support::checkpoint::{Model, Stored, config, file};

const SINGLE: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";

fn llama() -> Model {
    Model::llama(json!({}))
}

/// A folder whose only weights are these bytes.
fn holding(bytes: &[u8]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("config.json"), llama().config_json()).unwrap();
    std::fs::write(folder.path().join(SINGLE), bytes).unwrap();
    folder
}

#[track_caller]
fn refused(folder: &TempDir, words: &[&str]) {
    assert_says(Checkpoint::open(folder.path()), words);
}

/// Why a folder's only file is not read.
#[track_caller]
fn damage(bytes: &[u8]) {
    match Checkpoint::open(holding(bytes).path()) {
        Err(ReadError::Damaged { file, .. }) => assert!(file.ends_with(SINGLE), "{file}"),
        Err(other) => panic!("not damaged, but: {other}"),
        Ok(_) => panic!("accepted"),
    }
}

#[track_caller]
fn refusal(model: &Model) -> ReadError {
    match Checkpoint::from_bytes(&model.config_json(), model.safetensors()).map(drop).unwrap_err() {
        ReadError::Several { first, .. } => *first,
        error => error,
    }
}

/// A file with this header before eight bytes of data.
fn with_header(header: &Value) -> Vec<u8> {
    let header = header.to_string().into_bytes();
    [&(header.len() as u64).to_le_bytes()[..], &header, &[0; 8]].concat()
}

#[test]
fn a_folder_without_weights_says_what_belongs_there() {
    let folder = holding(&[]);
    std::fs::remove_file(folder.path().join(SINGLE)).unwrap();
    refused(&folder, &[SINGLE, "Hugging Face", &folder.path().display().to_string()]);
    std::fs::remove_file(folder.path().join("config.json")).unwrap();
    refused(&folder, &["config.json", "check the path"]);
}

#[test]
fn a_pickle_is_not_read() {
    let folder = holding(&[]);
    std::fs::rename(folder.path().join(SINGLE), folder.path().join("pytorch_model.bin")).unwrap();
    refused(&folder, &["pytorch_model.bin", "pickle", "save_pretrained"]);
}

#[test]
fn a_file_that_ends_early_is_damaged() {
    let whole = llama().safetensors();
    for length in [0, 7, 8, 100, whole.len() / 2, whole.len() - 1] {
        damage(&whole[..length]);
    }
    let mut longer = whole;
    longer.push(0);
    damage(&longer);
    refused(&holding(&longer), &[SINGLE, "not a whole safetensors file", "download it again"]);
}

#[test]
fn what_we_stored_ourselves_is_not_to_be_downloaded_again() {
    let (model, folder) = (llama().open(), holding(b"short"));
    let layer = decode_layer(1, b"short".to_vec(), model.config(), model.config().layers[1]);
    assert!(matches!(layer, Err(ReadError::StoredLayer { layer: 1, .. })));
    let part = folder.path().join(SINGLE);
    let whole = assemble(std::slice::from_ref(&part), &folder.path().join("out"), usize::MAX);
    assert!(matches!(whole, Err(WriteError::StoredPart { path, .. }) if path == part));
    let nowhere = assemble(&[], &folder.path().join("no folder"), usize::MAX).unwrap_err();
    let WriteError::Disk(DiskError { path, .. }) = nowhere else { panic!("{nowhere}") };
    assert!(path.ends_with(SINGLE), "{}", path.display());
}

#[test]
fn a_wrong_length_of_the_header_is_damage() {
    let mut bytes = llama().safetensors();
    for length in [0, 3, u64::MAX, 1 << 40, 1 << 27] {
        bytes[..8].copy_from_slice(&u64::to_le_bytes(length));
        damage(&bytes);
    }
}

#[test]
fn tensors_that_overlap_or_leave_the_file_are_damage() {
    let tensor = |start: u64, end: u64| json!({ "dtype": "F32", "shape": [1], "data_offsets": [start, end] });
    for (a, b) in [(tensor(0, 4), tensor(0, 4)), (tensor(0, 4), tensor(2, 6)), (tensor(0, 4), tensor(8, 12))] {
        damage(&with_header(&json!({ "a": a, "b": b })));
    }
    for wrong in [tensor(4, 0), tensor(0, u64::MAX), tensor(1 << 50, (1 << 50) + 4)] {
        damage(&with_header(&json!({ "a": wrong })));
    }
    let vast = json!({ "dtype": "F32", "shape": [u64::MAX, u64::MAX], "data_offsets": [0, 8] });
    damage(&with_header(&json!({ "a": vast })));
}

#[test]
fn a_tensor_of_another_shape_is_named_with_both() {
    let mut model = llama();
    model.config["intermediate_size"] = json!(41);
    let ReadError::Shape { file, tensor, found, expected } = refusal(&model) else { panic!("another error") };
    assert_eq!((&*file, &*tensor), (SINGLE, "model.layers.0.mlp.gate_proj.weight"));
    assert_eq!((found, expected), (vec![40, 16], vec![41, 16]));
}

#[test]
fn a_missing_tensor_is_named() {
    let mut model = llama();
    model.tensors.retain(|t| !t.name.ends_with("1.mlp.up_proj.weight"));
    let missing = |model: &Model, name: &str| {
        assert!(matches!(refusal(model), ReadError::MissingTensor { tensor } if tensor == name), "{name}");
    };
    missing(&model, "model.layers.1.mlp.up_proj.weight");
    let mut untied = llama();
    untied.config["tie_word_embeddings"] = json!(false);
    missing(&untied, "lm_head.weight");
}

#[test]
fn twenty_refused_tensors_are_one_sentence_with_a_count() {
    let mut model = llama();
    for i in 0..20 {
        model.tensors.push(Stored { name: format!("adapter.{i:02}.weight"), shape: vec![1], values: vec![0.0] });
    }
    let said = Checkpoint::from_bytes(&model.config_json(), model.safetensors()).map(drop).unwrap_err().to_string();
    assert_eq!(
        said,
        "model.safetensors: adapter.00.weight is no part of the model that config.json describes; models with it are not \
         supported (20 tensors are refused: adapter.00.weight, adapter.01.weight, adapter.02.weight and 17 more)"
    );
    // Of several kinds the first is told, in the model's order.
    model.tensors.retain(|t| !t.name.contains(".mlp."));
    let said = Checkpoint::from_bytes(&model.config_json(), model.safetensors()).map(drop).unwrap_err().to_string();
    assert!(
        said.starts_with("model.layers.0.mlp.") && said.contains("is in none of") && said.contains("26 tensors"),
        "{said}"
    );
    assert!(!said.contains('\n'), "{said}");
}

#[test]
fn a_tensor_that_would_be_left_out_is_named() {
    for part in ["self_attn.o_proj.bias", "self_attn.q_norm.weight", "mlp.gate.weight"] {
        let mut model = llama();
        let name = format!("model.layers.0.{part}");
        model.tensors.push(Stored { name: name.clone(), shape: vec![1], values: vec![0.0] });
        assert!(matches!(refusal(&model), ReadError::UnknownTensor { tensor, .. } if tensor == name));
    }
    // Old checkpoints carry a table that is computed anew.
    let mut model = llama();
    let name = "model.layers.0.self_attn.rotary_emb.inv_freq".into();
    model.tensors.push(Stored { name, shape: vec![2], values: vec![1.0, 0.01] });
    model.open();
}

#[test]
fn an_element_type_that_is_not_read_is_named() {
    let model = Model::random(config(json!({})), Dtype::I32, 1);
    let ReadError::Dtype { tensor, dtype, .. } = refusal(&model) else { panic!("another error") };
    assert_eq!((&*tensor, &*dtype), ("model.embed_tokens.weight", "I32"));
}

#[test]
fn a_weight_that_is_no_number_is_named_with_its_place() {
    for wrong in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        for dtype in [Dtype::F32, Dtype::F16, Dtype::BF16] {
            let mut model = Model::random(config(json!({})), dtype, 1);
            model.tensor("layers.1.mlp.up_proj.weight").values[17] = wrong;
            let checkpoint = model.open();
            let refused = checkpoint.layer(1).unwrap_err();
            let ReadError::NotFinite { tensor, index, value } = refused else { panic!("{refused}") };
            assert_eq!((&*tensor, index), ("model.layers.1.mlp.up_proj.weight", 17));
            assert!(value.is_nan() == wrong.is_nan() && (value.is_nan() || value == wrong), "{value}");
            assert!(checkpoint.layer(0).is_ok() && checkpoint.outer().is_ok());
        }
    }
    let mut model = llama();
    model.tensor("embed_tokens.weight").values[3] = f32::NAN;
    assert_says(model.open().outer(), &["model.embed_tokens.weight", "element 3", "NaN"]);
}

/// The model in two files with an index of which `change` makes another.
fn in_shards(change: impl FnOnce(&mut Value, &Path)) -> TempDir {
    let (folder, model) = (tempfile::tempdir().unwrap(), llama());
    let names = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];
    let (first, second) = model.tensors.split_at(5);
    let mut map = serde_json::Map::new();
    for (name, part) in names.into_iter().zip([first, second]) {
        std::fs::write(folder.path().join(name), file(part, Dtype::F32)).unwrap();
        map.extend(part.iter().map(|t| (t.name.clone(), json!(name))));
    }
    std::fs::write(folder.path().join("config.json"), model.config_json()).unwrap();
    let mut index = json!({ "metadata": {}, "weight_map": map });
    change(&mut index, folder.path());
    std::fs::write(folder.path().join(INDEX), index.to_string()).unwrap();
    folder
}

#[test]
fn shards_are_one_model() {
    let folder = in_shards(|_, _| {});
    let (sharded, whole) = (Checkpoint::open(folder.path()).unwrap(), llama().open());
    for i in 0..2 {
        assert_eq!(sharded.layer(i).unwrap(), whole.layer(i).unwrap());
    }
    assert_eq!(sharded.outer().unwrap(), whole.outer().unwrap());
}

#[test]
fn an_index_fits_its_files() {
    let second = "model-00002-of-00002.safetensors";
    let missing = in_shards(|_, folder| std::fs::remove_file(folder.join(second)).unwrap());
    refused(&missing, &[INDEX, second, "not in", "download"]);
    let elsewhere = in_shards(|index, _| index["weight_map"]["model.embed_tokens.weight"] = json!(second));
    refused(&elsewhere, &[INDEX, "model.embed_tokens.weight", second, "not there"]);
    refused(&in_shards(|index, _| index["weight_map"] = Value::Null), &[INDEX, "weight_map"]);
}

#[test]
fn an_index_does_not_lead_out_of_the_folder() {
    for path in ["../x.safetensors", "/etc/passwd", "deeper/x.safetensors", "..", "", "./x.safetensors", "x/"] {
        let folder = in_shards(|index, _| index["weight_map"]["model.norm.weight"] = json!(path));
        refused(&folder, &[INDEX, "model.norm.weight", path, "not the name of a file in this folder"]);
    }
    let number = in_shards(|index, _| index["weight_map"]["model.norm.weight"] = json!(2));
    refused(&number, &[INDEX, "model.norm.weight", "2"]);
}

/// The values of a folder, and what is noted of it.
fn opened(folder: &TempDir) -> (Checkpoint, String) {
    let opened = Checkpoint::open(folder.path()).unwrap();
    assert_eq!(opened.outer().unwrap(), llama().open().outer().unwrap());
    assert_eq!(opened.layer(1).unwrap(), llama().open().layer(1).unwrap());
    let notes = opened.notes().join("; ");
    (opened, notes)
}

#[test]
fn a_whole_file_goes_before_an_index_of_another_build() {
    let map = json!({ "model.norm.weight": "model-00001-of-00009.safetensors" });
    let folder = holding(&llama().safetensors());
    std::fs::write(folder.path().join(INDEX), json!({ "weight_map": map }).to_string()).unwrap();
    let (_, note) = opened(&folder);
    assert!(note.contains(SINGLE) && note.contains("index.json is not used"), "{note}");
    // Also where both are whole.
    let both = in_shards(|_, folder| std::fs::write(folder.join(SINGLE), llama().safetensors()).unwrap());
    assert!(opened(&both).1.contains("index.json is not used"));
    // One that is not whole is no model.
    let part =
        in_shards(|_, folder| std::fs::write(folder.join(SINGLE), file(&llama().tensors[..3], Dtype::F32)).unwrap());
    assert!(opened(&part).1.contains("lacks tensors"));
    assert!(opened(&in_shards(|_, _| {})).1.is_empty());
}

#[test]
fn shards_that_hold_the_whole_model_serve_without_their_index() {
    let without = in_shards(|_, _| {});
    std::fs::remove_file(without.path().join(INDEX)).unwrap();
    let note = opened(&without).1;
    assert!(note.contains("neither") && note.contains("model-00002-of-00002.safetensors"), "{note}");
    let other = in_shards(|index, _| {
        let map = index["weight_map"].as_object_mut().unwrap();
        map.values_mut().for_each(|file| *file = json!("model-00001-of-00007.safetensors"));
    });
    assert!(opened(&other).1.contains("names files that are not there"));
    let renamed = in_shards(|_, folder| {
        std::fs::rename(folder.join("model-00002-of-00002.safetensors"), folder.join("second.safetensors")).unwrap();
    });
    assert!(opened(&renamed).1.contains("second.safetensors"));
    // What is beside a whole set does no harm.
    std::fs::write(without.path().join("adapter_model.safetensors"), file(&llama().tensors[..1], Dtype::F32)).unwrap();
    assert!(!opened(&without).1.contains("adapter"));
    let single = holding(&llama().safetensors());
    std::fs::rename(single.path().join(SINGLE), single.path().join("llama.safetensors")).unwrap();
    assert!(opened(&single).1.contains("llama.safetensors"));
}

#[test]
fn a_model_that_was_saved_without_its_head_has_shorter_names() {
    let mut model = llama();
    for tensor in &mut model.tensors {
        tensor.name = tensor.name.trim_start_matches("model.").to_owned();
    }
    opened(&holding(&model.safetensors()));
    let shards = in_shards(|index, folder| {
        let map = index["weight_map"].as_object().unwrap().clone();
        index["weight_map"] = map
            .into_iter()
            .map(|(name, _)| (name.trim_start_matches("model.").to_owned(), json!("a.safetensors")))
            .collect();
        std::fs::write(folder.join("a.safetensors"), model.safetensors()).unwrap();
    });
    opened(&shards);
}

#[test]
fn a_pointer_in_place_of_the_weights_is_told_as_such() {
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 15\n";
    refused(&holding(pointer.as_bytes()), &[SINGLE, "git lfs pull"]);
}

#[test]
fn a_tensor_with_two_values_is_named_with_both_files() {
    let second = "model-00002-of-00002.safetensors";
    let twice = |change: f32| {
        in_shards(|_, folder| {
            let mut model = llama();
            let mut again = model.tensors.remove(0);
            again.values[0] += change;
            model.tensors.drain(..4);
            model.tensors.push(again);
            std::fs::write(folder.join(second), file(&model.tensors, Dtype::F32)).unwrap();
        })
    };
    opened(&twice(0.0));
    refused(&twice(1.0), &["model.embed_tokens.weight", "model-00001-of-00002", second, "one download"]);
}

#[test]
fn a_quantisation_that_is_left_over_is_noted_and_one_that_is_there_refused() {
    let with = |dtype| Model::random(config(json!({ "quantization_config": { "bits": 4 } })), dtype, 1);
    let plain = with(Dtype::BF16).open();
    assert!(plain.notes()[0].contains("quantization_config"), "{:?}", plain.notes());
    let written = slimgpt::checkpoint::output_config(plain.raw_config(), plain.config(), plain.dtype());
    assert!(written["quantization_config"].is_null());
    let stored = refusal(&with(Dtype::I32));
    assert!(matches!(&stored, ReadError::Quantised(_)) && stored.to_string().contains("I32"), "{stored}");
    let mut packed = with(Dtype::BF16);
    packed.tensor("1.mlp.up_proj.weight").name = "model.layers.1.mlp.up_proj.qweight".into();
    assert!(matches!(refusal(&packed), ReadError::Quantised(_)));
}
