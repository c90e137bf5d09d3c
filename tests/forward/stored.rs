//! Matrices that are stored in two bytes an element go to a GPU as they are stored, and are the same there.

use slimgpt::checkpoint::{Adapter, HostTensor};
use slimgpt::device::DeviceChoice;
use slimgpt::gpu::launched;
use slimgpt::model::Block;
use slimgpt::shape::{Part, Projection};

use super::*;
use crate::support::assert_says;

/// Every part of a layer, bit for bit.
fn bits(block: &Block) -> Vec<(Part, Vec<usize>, Vec<u32>)> {
    let host = block_on(block.to_host()).unwrap();
    let of = |(part, tensor): (Part, &HostTensor)| {
        (part, tensor.shape.clone(), tensor.values.iter().map(|value| value.to_bits()).collect())
    };
    host.iter().map(of).collect()
}

/// Brings the last layer to a device as it is stored, and in singles; the launches of the first.
#[track_caller]
fn check_read(checkpoint: &Checkpoint, device: &Device, what: &str) -> u64 {
    let (config, on) = (checkpoint.config(), device.tensor_device());
    let last = config.layers.len() - 1;
    let before = launched().launches;
    let read = Block::read(last, checkpoint, on).unwrap();
    let launches = launched().launches - before;
    let singles = Block::load(last, &checkpoint.layer(last).unwrap(), config.layers[last], config, on);
    assert_eq!(bits(&read), bits(&singles), "{what}");
    launches
}

/// A model whose matrices have an odd number of elements.
fn odd() -> Value {
    config(json!({ "hidden_size": 15, "intermediate_size": 41, "head_dim": 4 }))
}

#[test]
fn a_layer_of_halves_is_the_same_widened_on_the_device() {
    let gpu = software_gpu();
    for dtype in [Dtype::F16, Dtype::BF16] {
        let checkpoint = Model::random(odd(), dtype, 3).open();
        // A launch for each matrix: that many were not widened by the host.
        assert_eq!(check_read(&checkpoint, &gpu, "llama"), 7, "{dtype:?}");
        assert_eq!(check_read(&checkpoint, &Device::cpu(), "on the CPU"), 0);
        let phi3 = config(json!({ "model_type": "phi3", "tie_word_embeddings": false, "sliding_window": null }));
        assert_eq!(check_read(&Model::random(phi3, dtype, 3).open(), &gpu, "fused"), 7, "{dtype:?}");
    }
    assert_eq!(check_read(&Model::random(odd(), Dtype::F32, 3).open(), &gpu, "singles"), 0);
}

#[test]
fn some_matrices_may_be_halves_and_others_not() {
    let model = Model::random(odd(), Dtype::F32, 3);
    let of = |name: &str| if name.contains("mlp") { Dtype::BF16 } else { Dtype::F32 };
    let checkpoint = Checkpoint::from_bytes(&model.config_json(), model.mixed(of)).unwrap();
    assert_eq!(check_read(&checkpoint, &software_gpu(), "mixed"), 3);
}

#[test]
fn halves_are_in_blocks_where_singles_are() {
    let narrow = block_on(Device::open_binding(&DeviceChoice::Named("llvmpipe".into()), 1 << 20)).unwrap();
    let wide = config(json!({ "hidden_size": 257, "intermediate_size": 1101, "head_dim": 4 }));
    let checkpoint = Model::random(wide, Dtype::BF16, 3).open();
    let matrix = checkpoint.halves(0).weight(Projection::Down).shape;
    assert_eq!(matrix, [257, 1101]);
    // gate and up of 1101 rows in blocks of 512, down of 257 in blocks of 128.
    assert_eq!(check_read(&checkpoint, &narrow, "in blocks"), 4 + 3 + 3 + 3);
}

#[test]
fn what_is_added_to_is_not_left_as_it_is_stored() {
    let checkpoint = Model::random(odd(), Dtype::F16, 3).open();
    let number =
        |shape: [usize; 2], value: f32| HostTensor { shape: shape.to_vec(), values: vec![value; shape[0] * shape[1]] };
    let factors = [('A', number([1, 15], 0.5)), ('B', number([16, 1], 0.25))];
    let factors = factors.map(|(letter, factor)| (Adapter::name(1, Projection::Q, letter), factor));
    let adapter = Adapter::of(factors.into_iter().collect(), 1, 1.0, checkpoint.config()).unwrap();
    let with = checkpoint.clone().with(adapter);
    assert_ne!(with.layer(1).unwrap(), checkpoint.layer(1).unwrap());
    assert_eq!(check_read(&with, &software_gpu(), "with an adapter"), 0);
}

#[test]
fn a_half_that_is_no_number_is_named() {
    let mut model = Model::random(odd(), Dtype::F16, 3);
    model.tensor("layers.1.mlp.up_proj.weight").values[17] = f32::INFINITY;
    let refused = Block::read(1, &model.open(), software_gpu().tensor_device());
    assert_says(refused.map(drop), &["model.layers.1.mlp.up_proj.weight", "17"]);
}
