//! GGUF files, read by the crate `gguf`: keys, types, shapes and values.

use std::collections::HashMap;
use std::path::Path;

use gguf::{GGMLType, GGUFFile, GGUFMetadataValue as Found};
use serde_json::{Value, json};
use slimgpt::checkpoint::{Checkpoint, HostTensor, WriteError};
use slimgpt::export::ExportError;
use slimgpt::export::gguf::{Arch, FileType, Options, export, uneven_rows};
use slimgpt::place::PlaceError;
use slimgpt::shape::{Norm, Part, Projection};

use crate::support::assert_says;
use crate::{DIFFERENT, folder, names, nothing, pruned};

/// A file as the other reader sees it.
pub struct File {
    pub keys: HashMap<String, Found>,
    tensors: HashMap<String, (Vec<u64>, GGMLType, usize)>,
    bytes: Vec<u8>,
    data: usize,
}

/// Values of a block, and its bytes, as ggml's documentation has them.
fn block(kind: GGMLType) -> (u64, u64) {
    match kind {
        GGMLType::F32 => (1, 4),
        GGMLType::F16 => (1, 2),
        GGMLType::Q4_0 => (32, 18),
        GGMLType::Q5_0 => (32, 22),
        GGMLType::Q5_1 => (32, 24),
        GGMLType::Q8_0 => (32, 34),
        GGMLType::Q4K => (256, 144),
        GGMLType::Q5K => (256, 176),
        GGMLType::Q6K => (256, 210),
        other => panic!("no test writes {other:?}"),
    }
}

fn bytes_of(kind: GGMLType, shape: &[u64]) -> u64 {
    let (values, bytes) = block(kind);
    assert_eq!(shape[0] % values, 0, "rows are whole blocks");
    shape.iter().product::<u64>() / values * bytes
}

impl File {
    pub fn read(path: &Path) -> Self {
        let bytes = std::fs::read(path).unwrap();
        let file = GGUFFile::read(&bytes).unwrap().expect("a whole file");
        assert_eq!(file.header.version, 3);
        let ends = file.tensors.iter().map(|t| t.offset + bytes_of(t.tensor_type, &t.dimensions));
        // The file ends where its last tensor, filled up to a multiple of 32, does.
        let data = bytes.len() - ends.max().unwrap().next_multiple_of(32) as usize;
        assert_eq!(data % 32, 0);
        let tensors = file.tensors.into_iter().map(|t| (t.name, (t.dimensions, t.tensor_type, t.offset as usize)));
        let tensors: HashMap<_, _> = tensors.collect();
        let keys = file.header.metadata.into_iter().map(|m| (m.key, m.value)).collect();
        Self { keys, tensors, data, bytes }
    }

    #[track_caller]
    pub fn key(&self, key: &str) -> &Found {
        self.keys.get(key).unwrap_or_else(|| panic!("{key} is not there"))
    }

    pub fn text(&self, key: &str) -> String {
        format!("{:?}", self.key(key))
    }

    pub fn numbers(&self, key: &str) -> Vec<i32> {
        let Found::Array(all) = self.key(key) else { panic!("{key} is no list") };
        let number = |v: &Found| if let Found::Int32(n) = v { *n } else { panic!("{key} is no list of i32") };
        all.value.iter().map(number).collect()
    }

    /// Names and kinds of all tensors, sorted.
    pub fn kinds(&self) -> Vec<(&str, GGMLType)> {
        let mut kinds: Vec<_> = self.tensors.iter().map(|(name, (_, kind, _))| (name.as_str(), *kind)).collect();
        kinds.sort_by_key(|&(name, _)| name);
        kinds
    }

    /// Bytes from the first tensor to the end.
    pub fn data_bytes(&self) -> u64 {
        (self.bytes.len() - self.data) as u64
    }

    /// The bytes of a tensor as they are stored.
    #[track_caller]
    pub fn stored(&self, name: &str) -> &[u8] {
        let (shape, kind, offset) = self.tensors.get(name).unwrap_or_else(|| panic!("{name} is not there"));
        &self.bytes[self.data + offset..][..bytes_of(*kind, shape) as usize]
    }

    /// Sizes, innermost first, and the values.
    #[track_caller]
    fn tensor(&self, name: &str) -> (&[u64], GGMLType, Vec<f32>) {
        let (shape, kind, offset) = self.tensors.get(name).unwrap_or_else(|| panic!("{name} is not there"));
        assert_eq!(offset % 32, 0, "{name}");
        let count: u64 = shape.iter().product();
        let bytes = &self.bytes[self.data + offset..];
        let values = match kind {
            GGMLType::F32 => {
                bytes.chunks(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).take(count as usize).collect()
            }
            GGMLType::F16 => bytes
                .chunks(2)
                .map(|b| half::f16::from_le_bytes(b.try_into().unwrap()).into())
                .take(count as usize)
                .collect(),
            other => panic!("no test writes {other:?}"),
        };
        (shape, *kind, values)
    }

    #[track_caller]
    pub fn assert_is(&self, name: &str, want: &HostTensor) {
        let (shape, _, values) = self.tensor(name);
        let reversed: Vec<u64> = want.shape.iter().rev().map(|&n| n as u64).collect();
        assert_eq!((shape, &values), (&reversed[..], &want.values), "{name}");
    }
}

/// The file made of a folder with this config.
pub fn written(config: Value, dtype: Option<FileType>) -> (Arch, File, Checkpoint) {
    let place = tempfile::tempdir().unwrap();
    let checkpoint = folder(&place.path().join("model"), config);
    let out = place.path().join("model.gguf");
    let (mut last, options) = ((0, 0), Options { dtype, overwrite: false });
    let report = export(&checkpoint, &out, options, &mut |done, all| last = (done, all)).unwrap();
    let file = File::read(&out);
    assert_eq!((report.bytes, report.tensors), (file.bytes.len() as u64, file.tensors.len()));
    assert_eq!(last, (report.tensors, report.tensors), "progress ends at the end");
    assert_eq!(names(place.path()), ["model", "model.gguf"], "nothing unfinished is left");
    (report.arch, file, checkpoint)
}

/// The rows of heads of four dimensions, each as dimensions 0, 2, 1, 3: (0, 2) and (1, 3) are the
/// pairs that turn together, and llama.cpp wants them side by side.
pub fn turned(tensor: &HostTensor) -> HostTensor {
    let width: usize = tensor.shape[1..].iter().product();
    let rows: Vec<&[f32]> = tensor.values.chunks(width).collect();
    let values = rows.chunks(4).flat_map(|head| [head[0], head[2], head[1], head[3]].concat()).collect();
    HostTensor { shape: tensor.shape.clone(), values }
}

#[test]
fn layers_that_differ_become_deci_with_a_number_for_each() {
    let (arch, file, _) = written(pruned("llama", &DIFFERENT, &json!({ "tie_word_embeddings": false })), None);
    assert_eq!((arch, &*file.text("general.architecture")), (Arch::Deci, "deci"));
    assert_eq!(file.numbers("deci.attention.head_count"), [4, 2, 2]);
    assert_eq!(file.numbers("deci.attention.head_count_kv"), [2, 1, 2]);
    assert_eq!(file.numbers("deci.feed_forward_length"), [40, 33, 7]);
    for (key, want) in [
        ("block_count", 3),
        ("context_length", 64),
        ("embedding_length", 16),
        ("vocab_size", 32),
        ("attention.key_length", 4),
        ("attention.value_length", 4),
        ("rope.dimension_count", 4),
    ] {
        assert!(*file.key(&format!("deci.{key}")) == Found::Uint32(want), "{key}");
    }
    assert!(*file.key("deci.rope.freq_base") == Found::Float32(10000.0));
    assert!(*file.key("deci.attention.layer_norm_rms_epsilon") == Found::Float32(1e-5));
    assert!(*file.key("general.file_type") == Found::Uint32(0));
}

#[test]
fn tensors_are_those_of_the_model_with_q_and_k_turned() {
    for (family, biased) in [("llama", false), ("llama", true), ("qwen2", false)] {
        let changes = json!({ "attention_bias": biased, "mlp_bias": biased, "tie_word_embeddings": false });
        let (arch, file, model) = written(pruned(family, &DIFFERENT, &changes), None);
        assert_eq!(arch, Arch::Deci);
        let outer = model.outer().unwrap();
        file.assert_is("token_embd.weight", &outer.embedding);
        file.assert_is("output_norm.weight", &outer.final_norm);
        file.assert_is("output.weight", outer.head.as_ref().unwrap());
        for i in 0..3 {
            let layer = model.layer(i).unwrap();
            file.assert_is(&format!("blk.{i}.attn_norm.weight"), &layer[Part::Norm(Norm::Input)]);
            file.assert_is(&format!("blk.{i}.ffn_norm.weight"), &layer[Part::Norm(Norm::PostAttention)]);
            for (name, projection, turns) in [
                ("attn_q", Projection::Q, true),
                ("attn_k", Projection::K, true),
                ("attn_v", Projection::V, false),
                ("attn_output", Projection::O, false),
                ("ffn_gate", Projection::Gate, false),
                ("ffn_up", Projection::Up, false),
                ("ffn_down", Projection::Down, false),
            ] {
                let want = |t: &HostTensor| if turns { turned(t) } else { t.clone() };
                file.assert_is(&format!("blk.{i}.{name}.weight"), &want(layer.weight(projection)));
                match layer.bias(projection) {
                    Some(bias) => file.assert_is(&format!("blk.{i}.{name}.bias"), &want(bias)),
                    None => assert!(!file.tensors.contains_key(&format!("blk.{i}.{name}.bias"))),
                }
            }
        }
    }
}

#[test]
fn layers_all_alike_become_what_more_programs_know() {
    let alike = [[2, 1, 20]; 2];
    let (arch, file, _) = written(pruned("mistral", &alike, &json!({})), None);
    assert_eq!(arch, Arch::Llama);
    assert!(*file.key("llama.attention.head_count") == Found::Uint32(2));
    assert!(*file.key("llama.attention.head_count_kv") == Found::Uint32(1));
    assert!(*file.key("llama.attention.key_length") == Found::Uint32(4));
    assert!(!file.tensors.contains_key("output.weight"), "a tied head is not written twice");
    let biased = json!({ "attention_bias": true });
    assert_eq!(written(pruned("llama", &alike, &biased), None).0, Arch::Deci);
    assert_eq!(written(pruned("qwen2", &alike, &json!({})), None).0, Arch::Deci);
    let (arch, file, model) = written(pruned("qwen2", &[[4, 2, 20]; 2], &json!({})), None);
    assert_eq!(arch, Arch::Qwen2);
    file.assert_is("blk.1.attn_q.weight", model.layer(1).unwrap().weight(Projection::Q));
}

#[test]
fn qwen3_becomes_openelm_where_layers_differ_and_qwen3_where_not() {
    let (arch, file, model) = written(pruned("qwen3", &DIFFERENT, &json!({})), None);
    assert_eq!(arch, Arch::OpenElm);
    assert_eq!(file.numbers("openelm.attention.head_count"), [4, 2, 2]);
    let layer = model.layer(1).unwrap();
    let values = [Projection::Q, Projection::K, Projection::V].map(|p| layer.weight(p).values.clone()).concat();
    file.assert_is("blk.1.attn_qkv.weight", &HostTensor { shape: vec![8 + 4 + 4, 16], values });
    file.assert_is("blk.1.attn_q_norm.weight", &layer[Part::Norm(Norm::Query)]);
    file.assert_is("blk.1.attn_k_norm.weight", &layer[Part::Norm(Norm::Key)]);
    let untied = json!({ "tie_word_embeddings": false });
    let (arch, file, model) = written(pruned("qwen3", &[[2, 1, 20]; 2], &untied), None);
    assert_eq!(arch, Arch::Qwen3);
    file.assert_is("blk.0.attn_k.weight", model.layer(0).unwrap().weight(Projection::K));
}

#[test]
fn vectors_stay_f32_whatever_the_matrices_are() {
    let (_, file, model) = written(pruned("qwen2", &DIFFERENT, &json!({})), Some(FileType::F16));
    assert!(*file.key("general.file_type") == Found::Uint32(1));
    for name in ["blk.0.attn_norm.weight", "blk.0.attn_q.bias", "output_norm.weight"] {
        assert_eq!(file.tensor(name).1, GGMLType::F32, "{name}");
    }
    let (_, kind, values) = file.tensor("blk.2.ffn_down.weight");
    assert_eq!(kind, GGMLType::F16);
    let rounded = |v: &f32| f32::from(half::f16::from_f32(*v));
    let want: Vec<f32> = model.layer(2).unwrap().weight(Projection::Down).values.iter().map(rounded).collect();
    assert_eq!(values, want);
}

#[test]
fn scaled_positions_are_a_tensor() {
    let scaling = json!({
        "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 64,
    });
    let (_, file, _) =
        written(pruned("llama", &DIFFERENT, &json!({ "rope_scaling": scaling, "rope_theta": 1e4 })), None);
    let (shape, _, values) = file.tensor("rope_freqs.weight");
    // Wavelengths 2π and 2π·100: the first turns more than 4 times in 64 positions, the second less than once.
    assert_eq!((shape, &values[..]), (&[2][..], &[1.0, 8.0][..]));
}

#[track_caller]
fn refused(config: Value, words: &[&str]) {
    let place = tempfile::tempdir().unwrap();
    let checkpoint = folder(&place.path().join("model"), config);
    let out = place.path().join("model.gguf");
    assert_says(export(&checkpoint, &out, Options::default(), &mut nothing), words);
    assert_eq!(names(place.path()), ["model"], "nothing is half-written");
}

#[test]
fn what_no_architecture_holds_is_refused_with_a_way_out() {
    let untied = json!({ "tie_word_embeddings": false });
    refused(pruned("qwen3", &DIFFERENT, &untied), &["GGUF", "openelm", "head of its own", "slimgpt export padded"]);
    refused(pruned("qwen3", &DIFFERENT, &json!({ "attention_bias": true })), &["GGUF", "norms", "biases"]);
    let scaling = json!({ "rope_scaling": {
        "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 64,
    } });
    refused(pruned("qwen3", &DIFFERENT, &scaling), &["LLaMA 3.1", "openelm"]);
}

#[test]
fn what_stands_there_is_replaced_only_when_asked() {
    let place = tempfile::tempdir().unwrap();
    let checkpoint = folder(&place.path().join("model"), pruned("llama", &DIFFERENT, &json!({})));
    let out = place.path().join("model.gguf");
    std::fs::write(&out, "a letter").unwrap();
    let options = |overwrite| Options { dtype: None, overwrite };
    // Whatever is asked, a letter is no earlier export.
    for overwrite in [false, true] {
        assert_says(export(&checkpoint, &out, options(overwrite), &mut nothing), &["is not a GGUF file"]);
    }
    assert_eq!(std::fs::read(&out).unwrap(), b"a letter");
    std::fs::write(&out, "GGUF of an older run").unwrap();
    let stands = export(&checkpoint, &out, options(false), &mut nothing);
    assert!(matches!(&stands, Err(ExportError::Place(PlaceError::Exists { path })) if *path == out));
    assert_eq!(std::fs::read(&out).unwrap(), b"GGUF of an older run");
    export(&checkpoint, &out, options(true), &mut nothing).unwrap();
    assert_eq!(File::read(&out).text("general.architecture"), "deci");
    let folder = place.path().join("model");
    assert_says(export(&checkpoint, &folder, options(true), &mut nothing), &["folder of the model itself"]);
    assert_says(export(&checkpoint, place.path(), options(true), &mut nothing), &["still read"]);
    let weights = folder.join("model.safetensors");
    assert_says(
        export(&checkpoint, &weights, options(true), &mut nothing),
        &["model.safetensors", "is not a GGUF file"],
    );
    // Beside the model's own files there is room for a new one.
    export(&checkpoint, &folder.join("model.gguf"), options(false), &mut nothing).unwrap();
}

#[test]
fn a_failure_in_the_middle_leaves_nothing() {
    let place = tempfile::tempdir().unwrap();
    let mut model = crate::Model::random(pruned("llama", &DIFFERENT, &json!({})), safetensors::Dtype::F32, 3);
    model.tensor("2.mlp.up_proj.weight").values[5] = 1e6;
    let path = place.path().join("model");
    model.write(&path);
    std::fs::write(path.join("tokenizer.json"), crate::tokenizer::byte_level().to_string()).unwrap();
    let options = Options { dtype: Some(FileType::F16), overwrite: false };
    let result = export(&Checkpoint::open(&path).unwrap(), &place.path().join("model.gguf"), options, &mut nothing);
    let Err(ExportError::Write(WriteError::Overflow { tensor, value, .. })) = result else { panic!("{result:?}") };
    assert_eq!((&*tensor, value), ("blk.2.ffn_up.weight", 1e6));
    assert_eq!(names(place.path()), ["model"]);
}

#[test]
fn widths_that_cost_bits_are_named() {
    let config = slimgpt::checkpoint::parse_config(&pruned("llama", &[[4, 2, 64], [2, 2, 33]], &json!({}))).unwrap();
    let by_32: Vec<_> = uneven_rows(&config, 32);
    let want = [("blk.0.attn_output.weight", 16), ("blk.1.attn_output.weight", 8), ("blk.1.ffn_down.weight", 33)];
    assert_eq!(by_32, want.map(|(name, width)| (name.to_owned(), width)));
    assert_eq!(uneven_rows(&config, 256).len(), 4);
}
