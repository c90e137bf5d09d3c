//! GGUF files: every type that is read, the order of rows, and what is damaged or not supported.

use serde_json::{Value, json};
use slimgpt::checkpoint::{Checkpoint, Dtype, HostTensor, ReadError};
use slimgpt::gguf::{Header, Texts};
use slimgpt::quant::{BlockType, dequantise};
use slimgpt::shape::{Family, LayerShape, Projection};
use slimgpt::text::{Before, ChatTemplate, Tokenizer, TokenizerSettings};
use strum::VariantArray;

use crate::support::assert_says;
use crate::support::gguf::{File, Tensor};

const KEY: &str = "llama.attention.head_count";

fn plain() -> File {
    File::llama(BlockType::F32)
}

fn open(file: &File) -> Result<Checkpoint, ReadError> {
    Checkpoint::from_gguf(file.bytes())
}

#[track_caller]
fn refused(file: &File, words: &[&str]) {
    assert_says(open(file), words);
}

/// The rows of heads of 64, each pair that llama.cpp has side by side a half of a head apart.
fn halves(tensor: HostTensor) -> HostTensor {
    let width = tensor.shape[1];
    let rows: Vec<&[f32]> = tensor.values.chunks(width).collect();
    let half = |head: &[&[f32]], half: usize| (0..32).flat_map(|j| head[2 * j + half].to_vec()).collect::<Vec<f32>>();
    let values: Vec<f32> = rows.chunks(64).flat_map(|head| [half(head, 0), half(head, 1)].concat()).collect();
    HostTensor { values, ..tensor }
}

#[test]
fn matrices_of_every_type_are_what_their_blocks_say() {
    for &kind in BlockType::VARIANTS {
        let mut file = File::llama(kind);
        let opened = open(&file).unwrap();
        let mut values = |name: &str| {
            let tensor = file.tensor(name);
            let shape: Vec<usize> = tensor.sizes.iter().rev().map(|&n| n as usize).collect();
            HostTensor { shape, values: dequantise(kind, &tensor.data) }
        };
        let layer = opened.layer(1).unwrap();
        for (projection, name, turns) in [
            (Projection::Q, "attn_q", true),
            (Projection::K, "attn_k", true),
            (Projection::V, "attn_v", false),
            (Projection::Down, "ffn_down", false),
        ] {
            let stored = values(&format!("blk.1.{name}.weight"));
            let want = if turns { halves(stored) } else { stored };
            assert_eq!(*layer.weight(projection), want, "{kind}, {name}");
        }
        assert_eq!(opened.outer().unwrap().embedding, values("token_embd.weight"), "{kind}");
        // What is made of a quantised model is written in half precision, and of another as it is.
        let plain = [(BlockType::F32, Dtype::F32), (BlockType::F16, Dtype::F16), (BlockType::Bf16, Dtype::Bf16)];
        let own = plain.iter().find(|(of, _)| *of == kind).map(|(_, dtype)| *dtype);
        assert_eq!(opened.dtype(), own.unwrap_or(Dtype::F16), "{kind}");
        assert_eq!(opened.types(None).final_norm(), Dtype::F32);
        assert_eq!(opened.quantisation().is_some(), own.is_none());
        let stored: usize = file.tensors.iter().map(|t| t.data.len()).sum();
        assert_eq!(opened.bytes(), stored as u64, "{kind}");
    }
}

#[test]
fn the_types_of_a_mixture_are_told_by_their_shares() {
    let mut file = File::llama(BlockType::Q4K);
    let other = File::llama(BlockType::Q6K);
    *file.tensor("token_embd.weight") = other.clone().tensor("token_embd.weight").clone();
    let opened = open(&file).unwrap();
    let shares = opened.stored_in();
    let names: Vec<&str> = shares.iter().map(|share| share.name.as_str()).collect();
    assert_eq!(names, ["q4_k", "q6_k", "f32"]);
    assert_eq!((shares[1].tensors, shares[1].elements, shares[1].bytes), (1, 32 * 256, 32 * 210));
    assert_eq!(shares[2].tensors, 5);
    let told = opened.quantisation().unwrap();
    assert!(told.starts_with("q4_k (99.") && told.contains("q6_k (0.") && told.contains("f32 (0."), "{told}");
}

#[test]
fn the_keys_are_the_numbers_of_a_config_json() {
    let config = open(&plain()).unwrap().config().clone();
    assert_eq!((config.family, config.head_dim, config.hidden_size), (Family::Llama, 64, 256));
    assert_eq!((config.rms_norm_eps, config.rope.theta, config.tied_head), (1e-5, 10_000.0, true));
    assert_eq!((config.bos_token, &config.eos_tokens[..]), (Some(1), &[2][..]));
    assert_eq!(config.layers, [LayerShape { heads: 4, kv_heads: 2, channels: 512 }; 2]);
    // One number for all layers, or as many as there are; the older version; another alignment.
    let mut other = plain().wholes(KEY, &[4, 4]).whole("general.alignment", 64);
    (other.version, other.alignment) = (2, 64);
    assert_eq!(*open(&other).unwrap().config(), config);
    let windowed = plain().whole("llama.attention.sliding_window", 16);
    let windowed = open(&windowed).unwrap().config().clone();
    assert_eq!((windowed.family, windowed.max_positions), (Family::Mistral, 16));
}

#[test]
fn heads_that_do_not_divide_the_width_are_those_of_a_pruned_model() {
    let mut file = plain().whole(KEY, 3).whole("llama.attention.head_count_kv", 3);
    file = file.whole("llama.attention.key_length", 64).whole("llama.attention.value_length", 64);
    for layer in 0..2 {
        for (name, sizes) in
            [("attn_q", [256, 192]), ("attn_k", [256, 192]), ("attn_v", [256, 192]), ("attn_output", [192, 256])]
        {
            let tensor = file.tensor(&format!("blk.{layer}.{name}.weight"));
            (tensor.sizes, tensor.data) = (sizes.into(), vec![0; 192 * 256 * 4]);
        }
    }
    let config = open(&file).unwrap().config().clone();
    assert_eq!(config.dense, LayerShape { heads: 4, kv_heads: 4, channels: 512 });
    assert_eq!(config.layers[0], LayerShape { heads: 3, kv_heads: 3, channels: 512 });
}

#[test]
fn what_is_no_whole_file_is_refused() {
    assert_says(Checkpoint::from_gguf(&b"PK\x03\x04 and so on"[..]), &["does not begin as a GGUF"]);
    assert_says(Checkpoint::from_gguf(&b""[..]), &["does not begin as a GGUF"]);
    let mut other = plain();
    other.version = 1;
    refused(&other, &["version 1;", "versions 2 and 3"]);
    other.version = 3u32.swap_bytes();
    refused(&other, &["version 3 in big-endian"]);
    let whole = plain().bytes();
    // Every length within the header, and some within the data.
    let lengths = (4..4000).chain([whole.len() / 2, whole.len() - 1]);
    for length in lengths.filter(|&length| length < whole.len()) {
        assert!(Checkpoint::from_gguf(whole[..length].to_vec()).is_err(), "{length}");
    }
    assert_says(Checkpoint::from_gguf(whole[..whole.len() - 1].to_vec()), &["ends within the data of", "download"]);
}

#[test]
fn a_table_that_contradicts_itself_names_the_tensor() {
    let changed = |change: &dyn Fn(&mut File)| {
        let mut file = plain();
        change(&mut file);
        file
    };
    let of = |change: &dyn Fn(&mut Tensor)| changed(&|file| change(file.tensor("blk.0.attn_q.weight")));
    refused(&of(&|t| t.sizes = vec![]), &["blk.0.attn_q.weight", "0 axes"]);
    refused(&of(&|t| t.sizes = vec![1; 5]), &["blk.0.attn_q.weight", "5 axes"]);
    refused(&of(&|t| t.sizes = vec![256, 0]), &["blk.0.attn_q.weight", "not possible"]);
    refused(&of(&|t| t.sizes = vec![u64::MAX, u64::MAX]), &["blk.0.attn_q.weight", "no file can hold"]);
    refused(&of(&|t| t.sizes = vec![1 << 40, 1 << 20]), &["blk.0.attn_q.weight", "ends within"]);
    refused(&of(&|t| t.sizes = vec![256, 255]), &["self_attn.q_proj.weight", "[255, 256]", "[256, 256]"]);
    refused(&of(&|t| t.offset = Some(7)), &["blk.0.attn_q.weight", "multiple of 32"]);
    refused(&of(&|t| t.offset = Some(0)), &["blk.0.attn_q.weight", "within the data of token_embd.weight"]);
    refused(&of(&|t| t.offset = Some(u64::MAX - 31)), &["ends within the data of blk.0.attn_q.weight"]);
    refused(&of(&|t| t.kind = 20), &["blk.0.attn_q.weight", "IQ4_NL (number 20)", "q8_0"]);
    refused(&of(&|t| t.kind = 4000), &["blk.0.attn_q.weight", "number 4000"]);
    refused(&of(&|t| (t.kind, t.sizes) = (12, vec![255, 256])), &["rows of 255", "blocks of 256", "q4_k"]);
    refused(&of(&|t| t.name = "blk.0.attn_k.weight".into()), &["blk.0.attn_k.weight is in it twice"]);
    refused(&of(&|t| t.name = "blk.0.attn_x.weight".into()), &["blk.0.attn_x.weight", "self_attn.q_proj.weight"]);
    refused(&changed(&|file| file.tensors.clear()), &["token_embd.weight is missing"]);
    refused(&changed(&|file| file.keys.push(file.keys[0].clone())), &["general.architecture is in it twice"]);
    refused(&plain().whole("general.alignment", 24), &["general.alignment", "24"]);
    refused(&plain().whole("general.alignment", 0), &["general.alignment"]);
}

#[test]
fn a_weight_that_is_no_number_is_found_where_it_stands() {
    let mut file = plain();
    file.tensor("blk.1.ffn_up.weight").data[4 * 300..4 * 301].copy_from_slice(&f32::NAN.to_le_bytes());
    let opened = open(&file).unwrap();
    assert_says(opened.layer(1), &["model.layers.1.mlp.up_proj.weight", "element 300", "NaN"]);
    assert_says(opened.scan::<slimgpt::error::Error>(None), &["model.layers.1.mlp.up_proj.weight", "element 300"]);
    // A scale beyond half precision's numbers, of which all weights of its block are multiples.
    let mut file = File::llama(BlockType::Q8_0);
    file.tensor("blk.0.ffn_up.weight").data[..3].copy_from_slice(&[0xff, 0x7b, 100]);
    let opened = open(&file).unwrap();
    assert_says(opened.scan::<slimgpt::error::Error>(None), &["model.layers.0.mlp.up_proj.weight", "does not fit f16"]);
    opened.scan::<slimgpt::error::Error>(Some(Dtype::F32)).unwrap();
}

#[test]
fn what_is_not_supported_is_refused_by_its_key() {
    refused(&plain().text("general.architecture", "gemma2"), &["\"gemma2\"", "llama, qwen2, qwen3, deci, openelm"]);
    refused(&plain().without("general.architecture"), &["(missing)"]);
    refused(&plain().whole("general.architecture", 3), &["general.architecture is not a text"]);
    refused(&plain().whole("split.count", 3), &["one of 3 files", "llama-gguf-split", "-of-00003.gguf"]);
    refused(&plain().whole("llama.expert_count", 8), &["llama.expert_count is 8"]);
    refused(&plain().float("llama.attention.scale", 0.1), &["llama.attention.scale is 0.1"]);
    refused(&plain().flag("llama.attention.causal", false), &["llama.attention.causal is false"]);
    refused(&plain().whole("llama.attention.causal", 0), &["llama.attention.causal is not true or false"]);
    assert!(open(&plain().flag("llama.attention.causal", true)).is_ok());
    refused(&plain().float("llama.rope.scaling.attn_factor", 1.2), &["llama.rope.scaling.attn_factor is 1.2"]);
    assert!(open(&plain().float("llama.rope.scaling.attn_factor", 1.0)).is_ok());
    refused(&plain().whole("llama.rope.dimension_count", 32), &["partial_rotary_factor 0.5"]);
    refused(&plain().whole("llama.attention.value_length", 32), &["value_length is 32", "64"]);
    let linear = plain().text("llama.rope.scaling.type", "linear").float("llama.rope.scaling.factor", 4.0);
    refused(&linear, &["rope_scaling", "\"linear\""]);
    refused(&plain().float("llama.rope.scale_linear", 4.0), &["rope_scaling", "\"linear\""]);
    assert!(open(&linear.text("llama.rope.scaling.type", "none")).is_ok());
    refused(&plain().wholes(KEY, &[4, 2]), &[KEY, "differs from layer to layer"]);
    refused(&plain().wholes(KEY, &[4, 4, 4]), &[KEY, "list of 2"]);
    refused(&plain().wholes(KEY, &[4, -4]), &[KEY, "list of 2"]);
    refused(&plain().whole(KEY, 0), &[KEY, "is 0"]);
    refused(&plain().whole(KEY, u32::MAX), &[KEY, "more than any model has"]);
    for key in ["block_count", "embedding_length", "context_length", "attention.head_count", "feed_forward_length"] {
        let key = format!("llama.{key}");
        refused(&plain().without(&key), &[&key, "is missing"]);
    }
    refused(&plain().without("llama.attention.layer_norm_rms_epsilon"), &["layer_norm_rms_epsilon is missing"]);
    refused(&plain().whole("llama.block_count", 1 << 20), &["llama.block_count"]);
}

#[test]
fn divisors_of_the_frequencies_are_a_scaling_or_refused() {
    let with = |divisors: &[f32]| {
        let mut file = plain();
        let data = divisors.iter().flat_map(|d| d.to_le_bytes()).collect();
        let sizes = vec![divisors.len() as u64];
        file.tensors.push(Tensor { name: "rope_freqs.weight".into(), sizes, kind: 0, offset: None, data });
        file
    };
    assert_eq!(open(&with(&[1.0; 32])).unwrap().config().rope.scaling, None);
    let steps: Vec<f32> = (0..32).map(|j| if j < 16 { 1.0 } else { 8.0 }).collect();
    let scaling = open(&with(&steps)).unwrap().config().rope.scaling.unwrap();
    assert_eq!((scaling.factor, scaling.low_freq_factor), (8.0, 1.0));
    let rising: Vec<f32> = (0..32).map(|j| 1.0 + j as f32).collect();
    refused(&with(&rising), &["rope_freqs.weight", "LLaMA 3.1"]);
    refused(&with(&[f32::NAN; 32]), &["rope_freqs.weight"]);
    refused(&with(&[1.0; 16]), &["rope_freqs.weight", "16 numbers", "64"]);
    refused(&with(&[1.0; 64]), &["rope_freqs.weight", "64 numbers", "64"]);
}

/// The files that the keys stand for.
fn texts(file: &File) -> Texts {
    let bytes = file.bytes();
    Header::read(&bytes[..], bytes.len() as u64).unwrap().into()
}

#[track_caller]
fn no_tokenizer(file: &File, words: &[&str]) {
    assert_says(texts(file).get("tokenizer.json"), words);
}

fn tokenizer(file: &File) -> Tokenizer {
    Tokenizer::from_bytes(texts(file).get("tokenizer.json").unwrap().unwrap().as_bytes(), 32).unwrap()
}

fn settings(file: &File) -> TokenizerSettings {
    let json: Value = serde_json::from_str(&texts(file).get("tokenizer_config.json").unwrap().unwrap()).unwrap();
    TokenizerSettings::new(json, Value::Null, &Value::Null)
}

#[test]
fn a_byte_level_tokenizer_joins_by_its_merges() {
    let tokenizer = tokenizer(&plain());
    assert_eq!(tokenizer.encode("abcab[user]bc").unwrap(), [30, 29, 31, 4, 5]);
    assert_eq!(tokenizer.encode_with_specials("ab").unwrap(), [1, 29]);
    assert_eq!(
        (tokenizer.before(), tokenizer.decode(&[1, 30, 31, 2]).unwrap()),
        (Before::Token(1), "abc[user]".into())
    );
    let settings = settings(&plain());
    assert_eq!((settings.token("eos_token"), settings.add_bos()), (Some("</s>"), Some(true)));
    let template = ChatTemplate::new(settings.json(), None, None).unwrap();
    assert_eq!(template.origin(), ("default", "tokenizer_config.json"));
}

#[test]
fn a_sentence_piece_tokenizer_joins_by_scores() {
    let with = |space: bool| {
        let mut tokens = vec!["<unk>", "<s>", "</s>", "<0x0A>", "▁", "a", "b", "c", "ab", "bc", "▁a", "▁abc"];
        let mut scores = vec![0.0, 0.0, 0.0, 0.0, -9.0, -9.0, -9.0, -9.0, -1.0, -0.5, -3.0, -4.0];
        let more: Vec<String> = (12..32).map(|i| format!("[PAD{i}]")).collect();
        tokens.extend(more.iter().map(String::as_str));
        scores.resize(32, -1000.0);
        let mut kinds = vec![1; 32];
        kinds[..4].copy_from_slice(&[2, 3, 3, 6]);
        kinds[12..].fill(5);
        let file = plain().text("tokenizer.ggml.model", "llama").texts("tokenizer.ggml.tokens", &tokens);
        let file = file.wholes("tokenizer.ggml.token_type", &kinds).floats("tokenizer.ggml.scores", &scores);
        file.flag("tokenizer.ggml.add_space_prefix", space).without("tokenizer.ggml.add_bos_token")
    };
    let spaced = tokenizer(&with(true));
    // "bc" has the highest score, so that "▁a" is left, and the two are joined.
    assert_eq!(spaced.encode("abc").unwrap(), [11]);
    assert_eq!(spaced.encode("ab\nab").unwrap(), [4, 8, 3, 8], "{:?}", spaced.encode("ab\nab"));
    assert_eq!(spaced.encode_with_specials("a").unwrap(), [1, 10], "SentencePiece's kind begins a text by itself");
    assert_eq!(spaced.decode(&[1, 11, 10]).unwrap(), "abc a");
    let bare = tokenizer(&with(false));
    assert_eq!(bare.encode("abc").unwrap(), [5, 9]);
    assert_eq!(bare.decode(&[4, 5]).unwrap(), " a");
    no_tokenizer(&with(true).floats("tokenizer.ggml.scores", &[0.0]), &["tokenizer.ggml.scores"]);
}

#[test]
fn tokenizers_that_cut_otherwise_are_refused_by_name() {
    no_tokenizer(&plain().text("tokenizer.ggml.pre", "made-up"), &["\"made-up\"", "llama-bpe", "tekken"]);
    no_tokenizer(&plain().without("tokenizer.ggml.pre"), &["tokenizer.ggml.pre", "known are"]);
    no_tokenizer(&plain().text("tokenizer.ggml.model", "t5"), &["\"t5\"", "llama and gpt2"]);
    no_tokenizer(&plain().without("tokenizer.ggml.model"), &["tokenizer.ggml.model"]);
    no_tokenizer(&plain().without("tokenizer.ggml.tokens"), &["tokenizer.ggml.tokens is missing"]);
    no_tokenizer(&plain().without("tokenizer.ggml.merges"), &["tokenizer.ggml.merges is missing"]);
    no_tokenizer(&plain().wholes("tokenizer.ggml.token_type", &[1; 31]), &["tokenizer.ggml.token_type"]);
    no_tokenizer(&plain().wholes("tokenizer.ggml.token_type", &[7; 32]), &["tokenizer.ggml.token_type", "kind 7"]);
    // Weights alone are a model that can be looked at.
    let bare = plain().without("tokenizer.ggml.tokens");
    assert_eq!(open(&bare).unwrap().config().eos_tokens, [] as [u32; 0]);
}

#[test]
fn every_rule_makes_a_tokenizer_that_cuts_so() {
    let cut = |rule: &str| {
        let file = plain().text("tokenizer.ggml.pre", rule).texts("tokenizer.ggml.merges", &["a b", "ab c"]);
        tokenizer(&file).encode("abc").unwrap()
    };
    for rule in &slimgpt::gguf::RULES {
        assert_eq!(cut(rule.name), [30], "{}", rule.name);
    }
    // A token that the merges never make is taken whole where merges are ignored.
    let whole = |rule: &str| {
        let file = plain().text("tokenizer.ggml.pre", rule).texts("tokenizer.ggml.merges", &["a b"]);
        tokenizer(&file).encode("abc").unwrap()
    };
    assert_eq!((whole("llama-bpe"), whole("qwen2")), (vec![30], vec![29, 5]));
}

#[test]
fn several_templates_and_ends_keep_their_names() {
    let file = plain().text("tokenizer.chat_template.tool_use", "{{ 1 }}").whole("tokenizer.ggml.eot_token_id", 31);
    let settings = settings(&file);
    let named = ChatTemplate::new(settings.json(), None, Some("tool_use")).unwrap();
    assert_eq!(named.origin().0, "tool_use");
    let generation = texts(&file).get("generation_config.json").unwrap().unwrap();
    let generation: Value = serde_json::from_str(&generation).unwrap();
    assert_eq!(generation, json!({ "eos_token_id": [2, 31], "bos_token_id": 1 }));
    assert_eq!(texts(&file).get("vocab.json").unwrap(), None);
    // Numbers of no token say nothing.
    let file = file.whole("tokenizer.ggml.bos_token_id", 32).with("tokenizer.ggml.eos_token_id", 5, vec![0xff; 4]);
    let config = open(&file).unwrap().config().clone();
    assert_eq!((config.bos_token, config.eos_tokens), (None, vec![]));
}

/// The files of a model in two, with their names: all keys in the first, tensors in both.
fn in_two() -> [(&'static str, File); 2] {
    let whole = plain();
    let (first, second) = whole.tensors.split_at(5);
    let numbered = |file: File, number: u32, tensors: &[Tensor]| {
        let mut file = file.whole("split.no", number).whole("split.count", 2);
        file.tensors = tensors.to_vec();
        file
    };
    let all = whole.tensors.len() as u32;
    [
        ("m-00001-of-00002.gguf", numbered(plain().whole("split.tensors.count", all), 0, first)),
        ("m-00002-of-00002.gguf", numbered(File::empty(), 1, second)),
    ]
}

/// The first of these files, opened in a folder of their own.
fn open_first(files: &[(&str, File)]) -> Result<Checkpoint, ReadError> {
    let folder = tempfile::tempdir().unwrap();
    for (name, file) in files {
        std::fs::write(folder.path().join(name), file.bytes()).unwrap();
    }
    Checkpoint::open(&folder.path().join(files[0].0))
}

#[test]
fn a_model_in_several_files_is_the_model() {
    let (parts, whole) = (open_first(&in_two()).unwrap(), open(&plain()).unwrap());
    assert_eq!(parts.config(), whole.config());
    assert_eq!(parts.bytes(), whole.bytes());
    assert_eq!(parts.outer().unwrap().embedding, whole.outer().unwrap().embedding);
    for i in 0..2 {
        for projection in Projection::ALL {
            assert_eq!(parts.layer(i).unwrap().weight(projection), whole.layer(i).unwrap().weight(projection));
        }
    }
}

#[test]
fn files_that_are_not_those_of_one_model_are_refused() {
    let [first, second] = in_two();
    assert_says(open_first(std::slice::from_ref(&first)), &["00002-of-00002.gguf", "check the path"]);
    assert_says(open_first(&[("m.gguf", first.1.clone())]), &["one of 2 files", "llama-gguf-split"]);
    let of = |second: File| open_first(&[first.clone(), ("m-00002-of-00002.gguf", second)]);
    assert_says(of(first.1.clone()), &["split.no is 0 of 2", "file 1 of 2"]);
    assert_says(of(second.1.clone().whole("split.count", 3)), &["split.no is 1 of 3"]);
    let mut fewer = second.1.clone();
    fewer.tensors.pop();
    assert_says(of(fewer), &["split.tensors.count", "two models"]);
    let mut twice = second.1.clone();
    twice.tensors[0].name = first.1.tensors[0].name.clone();
    assert_says(of(twice), &["the tensor", "twice"]);
}
