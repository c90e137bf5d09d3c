//! A family with biases, from its checkpoint to the folder that comes out and back in again.

use std::path::Path;

use pollster::block_on;
use safetensors::Dtype;
use serde_json::json;
use slimgpt::allocate::Allocation;
use slimgpt::checkpoint::{Checkpoint, HostTensor};
use slimgpt::device::Device;
use slimgpt::eval::perplexity;
use slimgpt::model::{Decoder, token_tensor};
use slimgpt::obs::HeadUnit;
use slimgpt::pipeline::{Report, Request};
use slimgpt::shape::{Family, Part, Projection};

use crate::support::checkpoint::{Model, config};
use crate::support::oracle::Oracle;
use crate::support::pruned::{job, rounded_by_layer, to_folder};
use crate::support::rounding::assert_within;
use crate::support::{doubles, software_gpu};
use crate::tiny::{planned, request, windows};

const HEAD_DIM: usize = 4;

/// Eight query heads on four K/V heads, stored as `dtype`.
fn qwen2(dtype: Dtype) -> Model {
    let changes = json!({
        "architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "rope_theta": 1e6, "hidden_size": 32,
        "intermediate_size": 96, "num_attention_heads": 8, "num_key_value_heads": 4, "num_hidden_layers": 3,
        "tie_word_embeddings": false, "use_sliding_window": false, "sliding_window": 64,
    });
    Model::random(config(changes), dtype, 11)
}

/// Prunes into `out`.
pub fn pruned(checkpoint: &Checkpoint, request: &Request, device: &Device, out: &Path) -> Report {
    let (windows, plan) = (windows(), planned(checkpoint, request));
    to_folder(&job(checkpoint, &windows, &plan, device), out)
}

/// The rows of the heads that stay, of a matrix or a vector.
fn rows_of(heads: &[usize], tensor: &HostTensor) -> Vec<f32> {
    let width: usize = tensor.shape[1..].iter().product::<usize>() * HEAD_DIM;
    heads.iter().flat_map(|&h| tensor.values[h * width..(h + 1) * width].to_vec()).collect()
}

/// Every bias goes and stays with the rows it is added to.
fn assert_cut_together(dense: &Checkpoint, small: &Checkpoint, report: &Report) {
    for (i, record) in report.layers.iter().enumerate() {
        let (dense, small) = (dense.layer(i).unwrap(), small.layer(i).unwrap());
        let parts = [
            (&record.kept_heads, Projection::Q),
            (&record.kept_kv_heads, Projection::K),
            (&record.kept_kv_heads, Projection::V),
        ];
        for (kept, of) in parts {
            for part in [Part::Weight(of), Part::Bias(of)] {
                assert_eq!(rows_of(kept, &dense[part]), small[part].values);
            }
        }
        assert!(small.bias(Projection::O).is_none() && small.bias(Projection::Down).is_none());
    }
}

/// The folder computes what the f64 oracle makes of the same files.
pub fn assert_runs_as_its_files_say(folder: &Path, device: &Device) {
    let (small, oracle) = (Checkpoint::open(folder).unwrap(), Oracle::open(folder));
    let decoder = Decoder::load(&small, device.tensor_device()).unwrap();
    let window = windows().remove(0);
    let want = oracle.logits(&window);
    let logits = decoder.forward(token_tensor(std::slice::from_ref(&window), device.tensor_device()), small.config());
    let tolerance = oracle.tolerance(window.len(), &want);
    assert_within(&doubles(logits), &want, |_| tolerance, device.name());
    let found = block_on(perplexity(&small, std::slice::from_ref(&window), device, &mut |_, _| {})).unwrap();
    assert!((found.nll / oracle.nll(&window) - 1.0).abs() < 1e-5, "{} {}", found.nll, oracle.nll(&window));
}

#[test]
fn biases_go_with_their_rows_and_the_result_runs_as_its_files_say() {
    let place = tempfile::tempdir().unwrap();
    let third = Request { allocation: rounded_by_layer(0.3), ..request() };
    for (name, device) in [("cpu", Device::cpu()), ("gpu", software_gpu())] {
        for (head_unit, dtype) in [(HeadUnit::KeyValue, Dtype::F32), (HeadUnit::Query, Dtype::BF16)] {
            let (dense, out) = (qwen2(dtype).open(), place.path().join(format!("{name}-{head_unit:?}")));
            let report = pruned(
                &dense,
                &{
                    let allocation = Allocation { head_unit, ..third.allocation.clone() };
                    Request { allocation, ..third.clone() }
                },
                &device,
                &out,
            );
            let small = Checkpoint::open(&out).unwrap();
            assert_eq!((small.config().family, small.config().qkv_bias), (Family::Qwen2, true));
            assert_eq!(small.config().parameters(), report.parameters_after);
            assert!(small.config().layers.iter().any(|l| l.heads < 8) && !small.config().is_uniform());
            assert_cut_together(&dense, &small, &report);
            assert_runs_as_its_files_say(&out, &device);
            // Rounding to half the digits is part of what is measured, not of what is predicted.
            let agree = if dtype == Dtype::F32 { 1e-3 } else { 3e-2 };
            for site in report.layers.iter().flat_map(|l| [&l.heads, &l.channels]) {
                let off = (site.predicted_loss - site.measured_loss).abs();
                assert!(off <= agree * site.measured_loss, "{name}: {} {}", site.predicted_loss, site.measured_loss);
            }
        }
    }
}
