//! What learning holds on a device does not grow with the layers. A binary of its own: the adapter's memory is that
//! of all tests of a process together.

mod support;

use pollster::block_on;
use serde_json::json;
use slimgpt::activations::Placement;
use slimgpt::gradient::{Batch, Head, HeadWanted, Keep, Loss, Pass};
use slimgpt::model::Block;
use support::checkpoint::Model;
use support::{software_gpu, tokens};

/// The most bytes in use between two layers, forward and back, with inputs on the host.
fn most(layers: usize) -> u64 {
    let sizes = json!({ "num_hidden_layers": layers, "hidden_size": 128, "intermediate_size": 512,
        "num_attention_heads": 8, "num_key_value_heads": 4, "head_dim": 16 });
    let checkpoint = Model::llama(sizes).open();
    let (config, device) = (checkpoint.config(), software_gpu());
    let on = device.tensor_device();
    let held = || {
        // What is kept for reuse is not in use.
        device.release_unused();
        device.bytes_held().expect("the adapter tells")
    };
    let load = |i: usize| Block::load(&checkpoint.layer(i).unwrap(), config.layers[i], config, on);
    let batches: Vec<Batch> =
        (0..3).map(|b| Batch::whole((0..4).map(|row| tokens(64, 32, 4 * b + row)).collect())).collect();
    let before = held();
    let keep = Keep::Inputs(Placement::Host);
    let mut pass = Pass::new(config, &batches, on, keep, Placement::Host, &None).unwrap();
    let outer = checkpoint.outer().unwrap();
    block_on(pass.embed(&outer.embedding)).unwrap();
    let mut most = 0;
    for layer in 0..layers {
        block_on(pass.forward(layer, &load(layer))).unwrap();
        most = most.max(held());
    }
    block_on(pass.score(&Head::load(&outer, config, on), Loss::LABELS, None, HeadWanted::default())).unwrap();
    for layer in (0..layers).rev() {
        let back = block_on(pass.backward(layer, &load(layer))).unwrap();
        most = most.max(held());
        drop(back);
    }
    most - before
}

#[test]
fn layers_cost_the_device_nothing() {
    let (few, many) = (most(2), most(10));
    // A layer has 0.9 MB of weights and as much of inputs; eight more of either would show.
    assert!(many <= few + (1 << 20), "{few} bytes with 2 layers, {many} with 10");
    assert!(few > 0);
}
