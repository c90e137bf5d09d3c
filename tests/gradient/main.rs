//! Gradients with one layer at a time: held to autodiff over the whole model at once, and to central
//! differences of an f64 forward pass that shares no code with the library.

#[path = "../support/mod.rs"]
mod support;

mod adapters;
mod halves;
mod refused;
mod taylor;
mod teacher;
mod whole;

use std::collections::BTreeMap;

use burn::module::Module;
use burn::tensor::Tensor;
use burn::tensor::activation::log_softmax;
use pollster::block_on;
use serde_json::json;
use slimgpt::activations::Placement;
use slimgpt::checkpoint::Checkpoint;
use slimgpt::device::Device;
use slimgpt::gradient::{Batch, HeadWanted, Keep, Loss, Pass, Taps};
use slimgpt::model::{Block, Decoder, Gates, Head, Outer, token_tensor};
use slimgpt::shape::{Part, Projection};
use support::checkpoint::Model;
use support::oracle::Oracle;
use support::{doubles, shipped, software_gpu, tokens};

/// Gradients by the names of what they are at.
type All = BTreeMap<String, Vec<f64>>;

const EVERYTHING: HeadWanted = HeadWanted { norm: true, matrix: true };

/// The layers as they are in a file, with something done to each.
fn layers(checkpoint: &Checkpoint, device: &Device, with: impl Fn(usize, Block) -> Block) -> Vec<Block> {
    let config = checkpoint.config();
    let load =
        |i: usize| Block::load(i, &checkpoint.layer(i).unwrap(), config.layers[i], config, device.tensor_device());
    (0..config.layers.len()).map(|i| with(i, load(i))).collect()
}

/// The loss, every gradient and the taps of every layer, first to last.
fn one_at_a_time(
    checkpoint: &Checkpoint,
    blocks: &[Block],
    batches: &[Batch],
    device: &Device,
    keep: Keep,
) -> (f64, All, Vec<Vec<Taps>>) {
    let (config, on) = (checkpoint.config(), device.tensor_device());
    let outer = checkpoint.outer().unwrap();
    let mut pass = Pass::new(config, batches, on, keep, Placement::Host, &None).unwrap().with_taps();
    block_on(pass.embed(&outer.embedding)).unwrap();
    for (layer, block) in blocks.iter().enumerate() {
        block_on(pass.forward(layer, block)).unwrap();
    }
    let head = Head::load(&outer, config, on);
    let outcome = block_on(pass.score(&head, Loss::LABELS, None, EVERYTHING)).unwrap();
    let (mut all, mut taps) = (All::new(), Vec::new());
    all.insert("norm".into(), doubles(outcome.head.norm.unwrap()));
    all.insert("head".into(), doubles(outcome.head.matrix.unwrap()));
    for (layer, block) in blocks.iter().enumerate().rev() {
        let back = block_on(pass.backward(layer, block)).unwrap();
        taps.insert(0, back.taps);
        all.extend(back.gradients.parts.into_iter().map(|(part, g)| (format!("{layer} {part}"), doubles(g))));
        for (projection, [a, b]) in back.gradients.factors {
            all.insert(format!("{layer} {projection} A"), doubles(a));
            all.insert(format!("{layer} {projection} B"), doubles(b));
        }
    }
    let at_embedding = block_on(pass.at_embedding()).unwrap();
    all.insert("embedding".into(), at_embedding.into_iter().map(f64::from).collect());
    (outcome.loss, all, taps)
}

/// The same by autodiff over all layers at once, one batch after the other. A tied matrix has one gradient, of
/// which both shares are told as one under "head".
fn at_once(checkpoint: &Checkpoint, blocks: &[Block], batches: &[Batch], device: &Device) -> (f64, All) {
    let (config, on) = (checkpoint.config(), device.tensor_device());
    let outer = Outer::load(&checkpoint.outer().unwrap(), config, on);
    let model = Decoder { outer, blocks: blocks.to_vec() };
    let (mut loss, mut all) = (0.0, All::new());
    for batch in batches {
        let model = model.clone().train();
        let inputs: Vec<Vec<u32>> = batch.tokens.iter().map(|row| row[..row.len() - 1].to_vec()).collect();
        let next: Vec<u32> = batch.tokens.iter().flat_map(|row| row[1..].iter().copied()).collect();
        let count = next.len();
        let next = token_tensor(&[next], on).reshape([count, 1]);
        let weights = Tensor::<1>::from_floats(&batch.weights.concat()[..], on);
        let log_p = log_softmax(model.forward(token_tensor(&inputs, on), config), 1).gather(1, next.autodiff());
        let each = (log_p.reshape([count]) * weights.autodiff()).neg().sum();
        loss += doubles(each.clone().inner())[0];
        let grads = each.backward();
        let mut add = |name: String, gradient: Option<Vec<f64>>| {
            let Some(gradient) = gradient else { return };
            let sum = all.entry(name).or_insert_with(|| vec![0.0; gradient.len()]);
            sum.iter_mut().zip(gradient).for_each(|(sum, more)| *sum += more);
        };
        for (layer, block) in model.blocks.iter().enumerate() {
            for part in Part::ALL {
                let gradient = match part {
                    Part::Weight(p) => block.linear(p).and_then(|l| l.weight.val().whole().grad(&grads)).map(doubles),
                    Part::Bias(p) => block
                        .linear(p)
                        .and_then(|linear| linear.bias.as_ref())
                        .and_then(|bias| bias.val().grad(&grads))
                        .map(doubles),
                    Part::Norm(n) => block.norm(n).and_then(|n| n.scale.val().grad(&grads)).map(doubles),
                };
                add(format!("{layer} {part}"), gradient);
            }
            for projection in Projection::ALL {
                let Some(adapter) = block.linear(projection).and_then(|l| l.low_rank.as_ref()) else { continue };
                add(format!("{layer} {projection} A"), adapter.a.val().grad(&grads).map(doubles));
                add(format!("{layer} {projection} B"), adapter.b.val().grad(&grads).map(doubles));
            }
        }
        add("norm".into(), model.outer.norm.scale.val().grad(&grads).map(doubles));
        add("embedding".into(), model.outer.embedding.val().whole().grad(&grads).map(doubles));
        add("head".into(), model.outer.head.as_ref().and_then(|h| h.val().whole().grad(&grads)).map(doubles));
    }
    (loss, all)
}

#[track_caller]
fn assert_near(got: &[f64], want: &[f64], tolerance: f64, what: &str) {
    assert_eq!(got.len(), want.len(), "{what}");
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>().sqrt();
    let apart = norm(&mut got.iter().zip(want).map(|(g, w)| g - w)) / norm(&mut want.iter().copied());
    assert!(apart <= tolerance, "{what}: {apart:e} apart");
}

/// Two batches of two sequences whose first tokens count nothing, as a prompt's.
fn batches(vocab: usize, lengths: [usize; 2]) -> Vec<Batch> {
    let batch = |length: usize, seed: u64| {
        let mut batch = Batch::whole((0..2).map(|row| tokens(length, vocab, 2 * seed + row)).collect());
        batch.weights[0][..length / 3].fill(0.0);
        batch.weights[1][length - 2] = 0.25;
        batch
    };
    vec![batch(lengths[0], 0), batch(lengths[1], 1)]
}

/// Every gradient is that of the whole model, to 1e-5.
#[track_caller]
fn check(checkpoint: &Checkpoint, lengths: [usize; 2], device: &Device, with: impl Fn(usize, Block) -> Block) {
    check_to(1e-5, checkpoint, lengths, device, with);
}

/// Every gradient is that of the whole model, to this tolerance.
#[track_caller]
fn check_to(
    tolerance: f64,
    checkpoint: &Checkpoint,
    lengths: [usize; 2],
    device: &Device,
    with: impl Fn(usize, Block) -> Block,
) {
    let blocks = layers(checkpoint, device, with);
    let batches = batches(checkpoint.config().vocab_size, lengths);
    let kept = Keep::Inputs(Placement::Host);
    let (loss, mut got, _) = one_at_a_time(checkpoint, &blocks, &batches, device, kept);
    let (want_loss, want) = at_once(checkpoint, &blocks, &batches, device);
    assert!((loss / want_loss - 1.0).abs() < 1e-5, "{loss} {want_loss}");
    if checkpoint.config().tied_head {
        let head = got.remove("head").unwrap();
        got.get_mut("embedding").unwrap().iter_mut().zip(head).for_each(|(sum, more)| *sum += more);
    }
    assert_eq!(got.keys().collect::<Vec<_>>(), want.keys().collect::<Vec<_>>());
    for (name, gradient) in &got {
        assert_near(gradient, &want[name], tolerance, name);
    }
}
