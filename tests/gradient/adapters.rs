//! Low-rank factors, and what they drop.

use burn::tensor::TensorData;
use slimgpt::model::{Dropout, LowRank};

use super::*;

/// Some numbers without a pattern, `(rows, columns)`.
fn matrix(rows: usize, columns: usize, seed: usize, device: &Device) -> Tensor<2> {
    let value = |i: usize| ((i * 7919 + seed * 104_729) % 1009) as f32 / 5045.0 - 0.1;
    Tensor::from_data(
        TensorData::new((0..rows * columns).map(value).collect::<Vec<f32>>(), [rows, columns]),
        device.tensor_device(),
    )
}

/// Adapters on every projection of a frozen layer.
fn adapted(device: &Device) -> impl Fn(usize, Block) -> Block {
    let device = device.clone();
    move |layer, block| {
        let block = block.no_grad();
        let of = |(i, projection): (usize, Projection)| {
            let [out, input] = block.linear(projection).unwrap().weight.val().dims();
            let seed = 10 * layer + i;
            (projection, LowRank::new(matrix(3, input, seed, &device), matrix(out, 3, seed + 5, &device), 2.0))
        };
        let adapters: Vec<_> = Projection::ALL.into_iter().enumerate().map(of).collect();
        block.with_adapters(adapters)
    }
}

#[test]
fn factors_have_the_gradients_of_the_whole_model() {
    let model = Checkpoint::open(&shipped()).unwrap();
    for (device, lengths) in [(Device::cpu(), [24, 9]), (software_gpu(), [7, 5])] {
        check(&model, lengths, &device, adapted(&device));
    }
}

/// The input is dropped alike forward and on the way back, and otherwise for another seed.
#[test]
fn what_is_dropped_is_dropped_both_ways() {
    let checkpoint = Checkpoint::open(&shipped()).unwrap();
    let device = Device::cpu();
    let blocks = layers(&checkpoint, &device, adapted(&device));
    let of = |dropout: Option<Dropout>, keep| {
        let batches = batches(512, [8, 6]).into_iter().map(|batch| Batch { dropout, ..batch });
        let (loss, all, _) = one_at_a_time(&checkpoint, &blocks, &batches.collect::<Vec<_>>(), &device, keep);
        (loss, all)
    };
    let drop = |seed| Some(Dropout { share: 0.2, seed });
    let kept = of(drop(3), Keep::Graphs);
    assert!(kept == of(drop(3), Keep::Inputs(Placement::Host)), "what is computed again is what was computed");
    let (other, none) = (of(drop(4), Keep::Graphs), of(None, Keep::Graphs));
    assert!(kept.0 != other.0 && kept.0 != none.0 && other.0 != none.0);
    assert!(of(Some(Dropout { share: 0.0, seed: 3 }), Keep::Graphs) == none);
}
