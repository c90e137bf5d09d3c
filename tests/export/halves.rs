//! Layers without attention or without a feed-forward part, in the forms of other programs.

use pollster::block_on;
use serde_json::{Value, json};
use slimgpt::checkpoint::{Checkpoint, parse_config};
use slimgpt::device::Device;
use slimgpt::export::compat::{Opens, clients};
use slimgpt::export::gguf::{Arch, Options, export};
use slimgpt::export::{huggingface, mlx, padded};
use slimgpt::model::{Decoder, token_tensor};

use crate::support::assert_says;
use crate::support::oracle::Oracle;
use crate::support::tokens;
use crate::{folder, nothing, pruned};

/// The middle layer without attention, which `deci` has a place for.
const ATTENTION_FREE: [[usize; 3]; 3] = [[4, 2, 40], [0, 0, 33], [2, 2, 7]];
/// And without channels, which llama.cpp computes wrongly.
const CHANNEL_FREE: [[usize; 3]; 3] = [[4, 2, 40], [2, 1, 0], [2, 2, 7]];

fn logits(checkpoint: &Checkpoint, window: &[u32]) -> Vec<f64> {
    let device = Device::cpu();
    let decoder = Decoder::load(checkpoint, device.tensor_device()).unwrap();
    let logits = decoder.forward(token_tensor(&[window.to_vec()], device.tensor_device()), checkpoint.config());
    block_on(slimgpt::device::readback::doubles(logits)).unwrap()
}

#[test]
fn a_gguf_has_no_tensors_of_attention_that_is_not_there_and_reads_back() {
    let place = tempfile::tempdir().unwrap();
    let model = folder(&place.path().join("model"), pruned("llama", &ATTENTION_FREE, &json!({})));
    let out = place.path().join("model.gguf");
    let written = export(&model, &out, Options::default(), &mut nothing).unwrap();
    // Two tensors outside of the layers, nine of each whole layer, four of the other.
    assert_eq!((written.arch, written.tensors), (Arch::Deci, 2 + 9 + 4 + 9));
    let read = Checkpoint::open(&out).unwrap();
    assert_eq!(read.config().layers, model.config().layers);
    for layer in 0..3 {
        assert_eq!(read.layer(layer).unwrap(), model.layer(layer).unwrap(), "layer {layer}");
    }
}

fn refused(family: &str, layers: &[[usize; 3]], words: &[&str]) {
    let place = tempfile::tempdir().unwrap();
    let model = folder(&place.path().join("model"), pruned(family, layers, &json!({})));
    let out = place.path().join("model.gguf");
    assert_says(export(&model, &out, Options::default(), &mut nothing), words);
    assert!(!out.exists());
}

#[test]
fn what_llama_cpp_would_compute_otherwise_is_refused() {
    refused("llama", &CHANNEL_FREE, &["layer 1 has no feed-forward part", "wrongly", "export padded"]);
    refused("llama", &[[0, 0, 40], [2, 1, 33]], &["first layer has no attention", "export padded"]);
    refused("qwen3", &ATTENTION_FREE, &["layer 1 has no attention", "openelm", "export padded"]);
}

#[test]
fn filled_up_with_zeros_it_is_a_plain_model_that_computes_the_same() {
    let both = [[4, 2, 40], [0, 0, 33], [2, 2, 0]];
    let no_attention = [[0, 0, 9], [0, 0, 5]];
    for (family, layers) in
        [("llama", &both[..]), ("qwen3", &both[..]), ("mistral", &CHANNEL_FREE[..]), ("llama", &no_attention[..])]
    {
        let place = tempfile::tempdir().unwrap();
        let at = |name: &str| place.path().join(name);
        let model = folder(&at("model"), pruned(family, layers, &json!({})));
        let summary = padded::export(&model, &at("padded"), false, &mut nothing).unwrap();
        let padded = Checkpoint::open(&at("padded")).unwrap();
        assert!(padded.config().is_uniform() && summary.layer.is_whole(), "{family}: {summary:?}");
        let (window, oracle) = (tokens(17, 32, 4), Oracle::open(&at("model")));
        let want = oracle.logits(&window);
        let off = |got: Vec<f64>| got.iter().zip(&want).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        // The f64 oracle sees the same in the padded files.
        assert!(off(Oracle::open(&at("padded")).logits(&window)) < 1e-9, "{family}");
        let worst = off(logits(&padded, &window));
        assert!(worst <= oracle.tolerance(window.len(), &want), "{family}: {worst}");
        assert_says(mlx::export(&model, &at("mlx"), false, &mut nothing), &["no attention", "export padded"]);
    }
}

#[test]
fn who_opens_a_half_is_told() {
    let of = |raw: &Value, program: &str| {
        let all = clients(&parse_config(raw).unwrap(), None);
        all.into_iter().find(|client| client.program.contains(program)).unwrap()
    };
    let attention_free = pruned("llama", &ATTENTION_FREE, &json!({}));
    assert!(of(&attention_free, "llama.cpp").how.ends_with("architecture deci"));
    let channel_free = pruned("llama", &CHANNEL_FREE, &json!({}));
    let llama_cpp = of(&channel_free, "llama.cpp");
    assert!(llama_cpp.how.contains("export padded") && llama_cpp.why_not.contains("wrongly"), "{llama_cpp:?}");
    for raw in [&attention_free, &channel_free] {
        let transformers = of(raw, "transformers");
        assert_eq!(transformers.opens, Opens::Folder);
        assert!(transformers.how.contains("trust_remote_code=True"), "{transformers:?}");
        for program in ["mlx", "vLLM", "rtp-llm", "candle", "MLC"] {
            let client = of(raw, program);
            assert_eq!(client.opens, Opens::Export, "{client:?}");
            assert!(client.how.contains("export padded") && !client.why_not.is_empty(), "{client:?}");
        }
    }
    // What needs no class of its own but for that half has the Python files that build it.
    let alike = parse_config(&pruned("llama", &[[0, 0, 9]; 2], &json!({}))).unwrap();
    assert!(huggingface::python_files(&alike).iter().any(|(_, text)| text.contains("class NoAttention")));
}
