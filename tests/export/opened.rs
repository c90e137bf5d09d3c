//! GGUF files that are opened again: the weights, the numbers, the tokens and the figures of their source.

use std::path::Path;

use pollster::block_on;
use safetensors::Dtype as Stored;
use serde_json::{Value, json};
use slimgpt::checkpoint::{Checkpoint, Dtype, generation_ends};
use slimgpt::device::Device;
use slimgpt::eval::perplexity;
use slimgpt::export::compat::{Opens, clients};
use slimgpt::export::gguf::{Arch, Options, export};
use slimgpt::pipeline::{Limits, Report, Request, plan};
use slimgpt::shape::{Family, ModelConfig};
use slimgpt::text::{ChatTemplate, Message, Tokenizer, TokenizerSettings};
use tempfile::TempDir;

use crate::support::checkpoint::Model;
use crate::support::gguf::File;
use crate::support::pruned::{job, rounded_by_layer, to_folder};
use crate::support::{assert_says, shipped, tokens};
use crate::{DIFFERENT, nothing, pruned, tokenizer};

/// A folder, the GGUF that is made of it, and both opened.
struct Both {
    _place: TempDir,
    source: Checkpoint,
    file: Checkpoint,
    arch: Arch,
}

fn both(config: Value, stored: Stored) -> Both {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("model");
    Model::random(config, stored, 3).write(&folder);
    std::fs::write(folder.join("tokenizer.json"), tokenizer::byte_level().to_string()).unwrap();
    let source = Checkpoint::open(&folder).unwrap();
    let out = place.path().join("model.gguf");
    let arch = export(&source, &out, Options::default(), &mut nothing).unwrap().arch;
    Both { file: Checkpoint::open(&out).unwrap(), _place: place, source, arch }
}

#[track_caller]
fn assert_same_weights(a: &Checkpoint, b: &Checkpoint) {
    assert!(a.outer().unwrap() == b.outer().unwrap(), "what is outside the layers");
    for i in 0..a.config().layers.len() {
        assert!(a.layer(i).unwrap() == b.layer(i).unwrap(), "layer {i}");
    }
}

/// What a GGUF does not say: a LLaMA and a Mistral without windows are one to it, and of layers that
/// differ it has not what they were.
fn said(config: &ModelConfig) -> ModelConfig {
    let family = if config.family == Family::Mistral { Family::Llama } else { config.family };
    ModelConfig { family, dense: config.layers[0], eos_tokens: vec![], bos_token: None, ..config.clone() }
}

#[test]
fn weights_and_numbers_come_back_bit_for_bit() {
    let untied = json!({ "tie_word_embeddings": false, "rope_theta": 5e5, "rms_norm_eps": 1e-6 });
    let biased = json!({ "attention_bias": true });
    let scaled = json!({ "rope_scaling": {
        "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 100,
    } });
    let factors = json!({
        "embedding_multiplier": 12.0, "residual_multiplier": 0.25, "attention_multiplier": 0.75,
        "logits_scaling": 6.0,
    });
    let whole = [[4, 2, 40]; 2];
    let cases = [
        (Arch::Llama, pruned("llama", &whole, &untied)),
        (Arch::Llama, pruned("mistral", &[[2, 1, 20]; 2], &json!({}))),
        (Arch::Llama, pruned("llama", &whole, &json!({ "hidden_size": 24 }))),
        (Arch::Qwen2, pruned("qwen2", &whole, &json!({}))),
        (Arch::Qwen3, pruned("qwen3", &whole, &untied)),
        (Arch::Deci, pruned("llama", &DIFFERENT, &untied)),
        (Arch::Deci, pruned("llama", &DIFFERENT, &biased)),
        (Arch::Deci, pruned("qwen2", &DIFFERENT, &json!({}))),
        (Arch::OpenElm, pruned("qwen3", &DIFFERENT, &json!({}))),
        (Arch::Llama, pruned("llama", &whole, &scaled)),
        (Arch::Deci, pruned("llama", &DIFFERENT, &scaled)),
        (Arch::SmolLm3, pruned("smollm3", &[[4, 2, 40]; 5], &untied)),
        (Arch::Granite, pruned("granite", &whole, &factors)),
        (Arch::Granite, pruned("granite", &whole, &biased)),
        (Arch::Olmo2, pruned("olmo2", &whole, &untied)),
    ];
    for (arch, config) in cases {
        for stored in [Stored::F32, Stored::F16, Stored::BF16] {
            let both = both(config.clone(), stored);
            assert_eq!(both.arch, arch, "{config}");
            assert_same_weights(&both.source, &both.file);
            let (source, file) = (said(both.source.config()), said(both.file.config()));
            match source.rope.scaling {
                // With few frequencies many scalings are one, which the test of the divisors knows.
                Some(_) => assert!(file.rope.scaling.is_some() && ModelConfig { rope: source.rope, ..file } == source),
                None => assert_eq!(file, source, "{config}"),
            }
            assert_eq!(both.file.dtype(), both.source.dtype());
            assert!(both.file.quantisation().is_none());
        }
    }
}

#[test]
fn what_was_cut_is_told_by_the_width() {
    let both = both(pruned("llama", &DIFFERENT, &json!({})), Stored::F32);
    assert_eq!(both.file.config().dense, both.source.config().dense);
}

/// Strings that tokenizers trip over.
const ODD: [&str; 12] = [
    "",
    " ",
    "  two  spaces   three ",
    "\n\n\t\r\n x",
    "don't we'll I'VE 's",
    "12345 6,789.01 ½ ²³",
    "naïve café e\u{301} ﬁ",
    "北京 東京 한국어 עברית العربية",
    "😀👩‍👩‍👧 \u{0}\u{7f}\u{feff}",
    "<s>user</s><unk>",
    "a\u{a0}b\u{2028}c",
    "supercalifragilisticexpialidocious_and_snake_case.rs",
];

/// The shipped model as a GGUF.
fn shipped_file(place: &Path) -> std::path::PathBuf {
    let out = place.join("shipped.gguf");
    export(&Checkpoint::open(&shipped()).unwrap(), &out, Options::default(), &mut nothing).unwrap();
    out
}

#[test]
fn the_shipped_model_reads_and_computes_as_its_folder() {
    let place = tempfile::tempdir().unwrap();
    let file = shipped_file(place.path());
    let (folder, opened) = (Checkpoint::open(&shipped()).unwrap(), Checkpoint::open(&file).unwrap());
    assert_same_weights(&folder, &opened);
    assert_eq!(folder.config(), opened.config());
    let [own, its] = [&shipped(), &file].map(|model| Tokenizer::open(model, 512).unwrap());
    let text = std::fs::read_to_string(shipped().join("eval.txt")).unwrap();
    for line in text.lines().take(1000).chain(ODD).chain([text.get(..20_000).unwrap_or(&text)]) {
        let ids = own.encode(line).unwrap();
        assert_eq!(its.encode(line).unwrap(), ids, "{line}");
        assert_eq!(its.encode_with_specials(line).unwrap(), own.encode_with_specials(line).unwrap());
        assert_eq!(its.decode(&ids).unwrap(), own.decode(&ids).unwrap());
    }
    let settings = [&shipped(), &file].map(|model| TokenizerSettings::open(model).unwrap());
    assert_eq!(its.begin(&settings[1]).unwrap(), own.begin(&settings[0]).unwrap());
    assert_eq!(generation_ends(&file).unwrap(), [2]);
    let windows: Vec<Vec<u32>> = own.encode(&text).unwrap().chunks(64).take(8).map(<[u32]>::to_vec).collect();
    let [a, b] = [&folder, &opened]
        .map(|model| block_on(perplexity(model, &windows, &Device::cpu(), &mut nothing)).unwrap().perplexity);
    assert_eq!(a.to_bits(), b.to_bits());
}

#[test]
fn sentence_pieces_come_back() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    if !data.is_dir() {
        return;
    }
    let model = data.join("models/stories260K");
    let place = tempfile::tempdir().unwrap();
    let out = place.path().join("model.gguf");
    export(&Checkpoint::open(&model).unwrap(), &out, Options::default(), &mut nothing).unwrap();
    let [own, its] = [&model, &out].map(|model| Tokenizer::open(model, 512).unwrap());
    let text = std::fs::read_to_string(data.join("text/tinystories-eval.txt")).unwrap();
    for line in text.lines().take(1000).chain(ODD) {
        let ids = own.encode(line).unwrap();
        assert_eq!(its.encode(line).unwrap(), ids, "{line}");
        assert_eq!(its.decode(&ids).unwrap(), own.decode(&ids).unwrap(), "{line}");
    }
}

/// A quantised file in `place`.
fn quantised(place: &Path) -> std::path::PathBuf {
    let path = place.join("by-hand.Q4_K.gguf");
    std::fs::write(&path, File::llama(slimgpt::quant::BlockType::Q4K).bytes()).unwrap();
    path
}

#[test]
fn a_quantised_file_is_pruned_into_a_folder_that_is_whole() {
    let place = tempfile::tempdir().unwrap();
    let source = Checkpoint::open(&quantised(place.path())).unwrap();
    let request = Request { allocation: rounded_by_layer(0.25), windows: 4, window_tokens: 32, ..Request::default() };
    let plan = plan(&request, source.config(), &Limits::default()).unwrap();
    let windows: Vec<Vec<u32>> = (0..4).map(|seed| tokens(32, 32, seed)).collect();
    let out = place.path().join("slim");
    let report = to_folder(&job(&source, &windows, &plan, &Device::cpu()), &out);
    assert!(report.quantisation.as_ref().unwrap().starts_with("q4_k (9"), "{report:?}");
    assert_eq!((report.dtype, report.bytes_before), (Dtype::F16, source.bytes()));
    let read = |name: &str| std::fs::read_to_string(out.join(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
    assert!(read("README.md").contains("quantised, q4_k") && read("README.md").contains("by-hand.Q4_K"));
    let kept: Report = serde_json::from_str(&read(Report::FILE)).unwrap();
    assert_eq!(kept.quantisation, report.quantisation);
    let config: Value = serde_json::from_str(&read("config.json")).unwrap();
    assert_eq!((&config["torch_dtype"], &config["vocab_size"]), (&json!("float16"), &json!(32)));
    assert_eq!(serde_json::from_str::<Value>(&read("generation_config.json")).unwrap()["eos_token_id"], json!([2]));
    let slim = Checkpoint::open(&out).unwrap();
    assert_eq!((slim.dtype(), slim.types(None).final_norm()), (Dtype::F16, Dtype::F32));
    assert!(slim.config().layers.iter().all(|layer| layer.channels < 512));
    assert_eq!(Tokenizer::open(&out, 32).unwrap().encode_with_specials("abc").unwrap(), [1, 30]);
    let settings = TokenizerSettings::open(&out).unwrap();
    let template = ChatTemplate::open(&out, &settings, None).unwrap();
    let message = Message { role: "user", content: "cab".into() };
    assert_eq!(template.render(&[message]).unwrap(), "cab");
    // And back into a file, with a size for each layer where they differ.
    let again = place.path().join("slim.gguf");
    export(&slim, &again, Options::default(), &mut nothing).unwrap();
    assert_same_weights(&slim, &Checkpoint::open(&again).unwrap());
}

#[test]
fn a_tokenizer_that_cannot_be_made_is_told_where_it_is_opened() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("odd.gguf");
    let file = File::llama(slimgpt::quant::BlockType::Q8_0).text("tokenizer.ggml.pre", "unheard-of");
    std::fs::write(&path, file.bytes()).unwrap();
    assert!(Checkpoint::open(&path).is_ok(), "its weights can be used");
    assert_says(Tokenizer::open(&path, 32).map(drop), &["odd.gguf", "\"unheard-of\"", "llama-bpe"]);
    let file = file.without("tokenizer.chat_template").without("tokenizer.ggml.eos_token_id");
    std::fs::write(&path, file.bytes()).unwrap();
    assert_eq!(generation_ends(&path).unwrap(), [] as [u32; 0]);
    let settings = TokenizerSettings::open(&path).unwrap();
    assert!(settings.json()["chat_template"].is_null());
}

#[test]
fn a_gguf_is_exported_like_a_folder() {
    let place = tempfile::tempdir().unwrap();
    let source = Checkpoint::open(&shipped_file(place.path())).unwrap();
    let out = place.path().join("padded");
    slimgpt::export::padded::export(&source, &out, false, &mut nothing).unwrap();
    let [own, its] = [&shipped(), &out].map(|model| Tokenizer::open(model, 512).unwrap().encode("Once upon a time"));
    assert_eq!(own.unwrap(), its.unwrap());
    let twice = place.path().join("twice.gguf");
    export(&source, &twice, Options::default(), &mut nothing).unwrap();
    assert_same_weights(&source, &Checkpoint::open(&twice).unwrap());
    let itself = source.folder().unwrap();
    let options = Options { dtype: None, overwrite: true };
    assert_says(export(&source, itself, options, &mut nothing), &["shipped.gguf"]);
}

#[test]
fn llama_cpp_opens_the_file_and_others_a_folder_that_is_made_of_it() {
    let place = tempfile::tempdir().unwrap();
    let source = Checkpoint::open(&shipped_file(place.path())).unwrap();
    let clients = clients(source.config(), source.folder());
    let of = |name: &str| clients.iter().find(|client| client.program.starts_with(name)).unwrap();
    assert_eq!((of("llama.cpp").opens, of("Ollama").opens), (Opens::Folder, Opens::Folder));
    assert!(of("llama.cpp").how.contains("as it stands"));
    let transformers = of("transformers");
    assert_eq!(transformers.opens, Opens::Export);
    assert!(transformers.how.starts_with("slimgpt export padded PATH --out DIR, then from_pretrained(DIR)"));
}

#[test]
fn sentence_pieces_cut_as_llama_cpp_says() {
    let vectors = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/tokenizers/llama-spm-vectors");
    if !vectors.is_dir() {
        return;
    }
    let read =
        |ending: &str| std::fs::read_to_string(vectors.join(format!("ggml-vocab-llama-spm.gguf{ending}"))).unwrap();
    let tokenizer = Tokenizer::open(&vectors.join("ggml-vocab-llama-spm.gguf"), 32_000).unwrap();
    let (texts, wanted) = (read(".inp"), read(".out"));
    let mut texts: Vec<&str> = texts.split("\n__ggml_vocab_test__\n").collect();
    // The file ends as it began, with a separator.
    texts.truncate(wanted.lines().count());
    assert!(texts.len() > 40);
    for (text, wanted) in texts.into_iter().zip(wanted.lines()) {
        let wanted: Vec<u32> = wanted.split_whitespace().map(|id| id.parse().unwrap()).collect();
        assert_eq!(tokenizer.encode(text).unwrap(), wanted, "{text:?}");
    }
}
