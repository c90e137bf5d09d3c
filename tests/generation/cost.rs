//! Costs counted by hand, and a stopwatch that ticks.

use std::cell::Cell;

use pollster::block_on;
use serde_json::json;
use slimgpt::device::Device;
use slimgpt::eval::cost::{MultiplyAdds, cache_bytes_per_token, multiply_adds, weight_bytes};
use slimgpt::eval::{Timed, speed};
use slimgpt::model::Decoder;

use crate::support::checkpoint::Model;
use crate::support::software_gpu;

/// Hidden size 16, 4 query heads of 4 on 2 K/V heads, 40 channels, 2 layers, 32 embeddings, tied.
#[test]
fn a_small_llama_counted_by_hand() {
    let checkpoint = Model::llama(json!({})).open();
    let config = checkpoint.config();
    // q and o 16 × 16, k and v 16 × 8, gate, up and down 16 × 40.
    let layer = 2 * 256 + 2 * 128 + 3 * 640;
    let want = MultiplyAdds { projections: 2 * layer, attention: 2 * 2 * 16 * 10, head: 32 * 16 };
    assert_eq!(multiply_adds(config, 10), want);
    assert_eq!(want.total(), 5376 + 640 + 512);
    assert_eq!(multiply_adds(config, 0).attention, 0);
    // Keys and values of 8 singles in 2 layers.
    assert_eq!(cache_bytes_per_token(config), 2 * 2 * 8 * 4);
}

#[test]
fn pruned_layers_count_as_they_are() {
    let layer = |heads, kv_heads, channels| json!({ "num_attention_heads": heads, "num_key_value_heads": kv_heads, "intermediate_size": channels });
    let model = Model::llama(json!({
        "model_type": "slim_llama", "slimgpt_family": "llama", "head_dim": 4,
        "per_layer_config": { "0": layer(4, 2, 40), "1": layer(2, 1, 7) }, "tie_word_embeddings": false,
    }));
    let checkpoint = model.open();
    let config = checkpoint.config();
    let second = 2 * 16 * 8 + 2 * 16 * 4 + 3 * 16 * 7;
    let want = MultiplyAdds { projections: 2688 + second, attention: 2 * (16 + 8) * 5, head: 512 };
    assert_eq!(multiply_adds(config, 5), want);
    assert_eq!(cache_bytes_per_token(config), 2 * (8 + 4) * 4);
    let elements: usize = model.tensors.iter().map(|t| t.values.len()).sum();
    assert_eq!(weight_bytes(config), 4 * elements as u64);
}

/// Measures by a clock that gains a second whenever it is read.
fn measured(device: &Device, timed: Timed, stop_at: usize) -> (Option<slimgpt::eval::Speed>, Vec<(usize, usize)>) {
    let checkpoint = Model::llama(json!({})).open();
    let decoder = Decoder::load(&checkpoint, device.tensor_device()).unwrap();
    let (ticks, mut steps) = (Cell::new(0.0), Vec::new());
    let clock = || ticks.replace(ticks.get() + 1.0);
    let found = block_on(speed(&decoder, checkpoint.config(), timed, &clock, &mut |done, all| {
        steps.push((done, all));
        done < stop_at
    }));
    (found.unwrap(), steps)
}

#[test]
fn every_repeat_is_timed_once_and_every_step_told() {
    let timed = Timed { prompt_tokens: 33, new_tokens: 64, repeats: 2 };
    for device in [Device::cpu(), software_gpu()] {
        let (found, steps) = measured(&device, timed, usize::MAX);
        let found = found.unwrap();
        // From one reading of the clock to the next; the warm-up is left out.
        assert_eq!((found.prefill.each.clone(), found.latency.each.clone()), (vec![1.0; 2], vec![1.0; 2]));
        assert_eq!((found.prefill_rate(), found.decode_rate()), (33.0, 64.0));
        assert_eq!(found.latency.standard_deviation, 0.0);
        assert_eq!(steps.len(), timed.steps());
        assert_eq!(steps.last(), Some(&(3 * 65, 3 * 65)));
    }
}

#[test]
fn a_measurement_stops_when_it_is_told_to() {
    let timed = Timed { prompt_tokens: 2, new_tokens: 5, repeats: 3 };
    for stop_at in [1, 3, 7, 24] {
        let (found, steps) = measured(&Device::cpu(), timed, stop_at);
        assert!(found.is_none());
        assert_eq!(steps.len(), stop_at);
    }
}
