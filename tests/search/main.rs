//! Sizes that are searched for: divergences against their definition in f64, nested removals against pruning to each
//! count, a search that goes on where it was interrupted, rounds, and climbs from what it found.

mod climb;
mod halves;
mod rounds;
#[path = "../support/mod.rs"]
mod support;

use burn::tensor::Tensor;
use pollster::block_on;
use serde_json::json;
use slimgpt::activations::Placement;
use slimgpt::allocate::Target;
use slimgpt::checkpoint::Checkpoint;
use slimgpt::device::Device;
use slimgpt::device::panels::Panels;
use slimgpt::eval::Expected;
use slimgpt::model::{Decoder, Head, Outer, token_tensor};
use slimgpt::obs::{
    ChannelSteps, CpuExecutor, HeadCut, HeadLayout, HeadUnit, Hessian, Options, mixed_cuts, nested_channels,
    nested_heads, prune_channels, prune_heads,
};
use slimgpt::pipeline::Flow;
use slimgpt::search::{Bounds, Cut, Event, Map, Search, SearchError, search, sizes};
use support::checkpoint::Model;
use support::{activations, assert_says, doubles, matrix, random, shipped, software_gpu, tokens};

/// Σ p (log p − log q) of rows of logits, in f64.
fn divergence(p: &[f64], q: &[f64], vocabulary: usize) -> f64 {
    let log = |row: &[f64]| -> Vec<f64> {
        let largest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let sum = row.iter().map(|z| (z - largest).exp()).sum::<f64>().ln() + largest;
        row.iter().map(|z| z - sum).collect()
    };
    let of_row = |(p, q): (&[f64], &[f64])| -> f64 { log(p).iter().zip(log(q)).map(|(p, q)| p.exp() * (p - q)).sum() };
    p.chunks(vocabulary).zip(q.chunks(vocabulary)).map(of_row).sum()
}

#[test]
fn the_divergence_is_what_its_formula_says() {
    let checkpoint = Model::llama(json!({ "tie_word_embeddings": false })).open();
    let (config, n) = (checkpoint.config(), 37);
    let d = config.hidden_size;
    let outer = checkpoint.outer().unwrap();
    let (before, after) = (random(n * d, 1), random(n * d, 2));
    for device in [Device::cpu(), software_gpu()] {
        let on = device.tensor_device();
        let hidden = |values: &[f32]| matrix(values, [n, d], &device);
        let whole = Outer::load(&outer, config, on);
        let logits = |values: &[f32]| doubles(whole.logits(hidden(values).reshape([1, n, d])));
        let want = divergence(&logits(&before), &logits(&after), config.vocab_size);
        // The vocabulary at once, whose log p is kept, and in chunks, where it is computed again.
        for chunk in [usize::MAX, 5 * d * size_of::<f32>()] {
            let head = Head::load(&outer, config, on).in_chunks_of(chunk);
            let expected = Expected::new(&head, hidden(&before));
            let got = block_on(expected.divergence(&head, hidden(&after))).unwrap();
            assert!((got / want - 1.0).abs() < 1e-4, "{got} for {want}");
            let none = block_on(expected.divergence(&head, hidden(&before))).unwrap();
            assert!(none.abs() < 1e-4, "a model diverges from itself by {none}");
        }
    }
}

/// Both models through their layers, windows of several lengths in pieces.
#[test]
fn the_divergence_of_two_checkpoints_is_that_of_their_logits() {
    let dense = Checkpoint::open(&shipped()).unwrap();
    let config = dense.config();
    let mut windows = windows(3, 30, 1);
    windows.extend(self::windows(2, 12, 9));
    for device in [Device::cpu(), software_gpu()] {
        let on = device.tensor_device();
        let other = Model::random(dense.raw_config().clone(), safetensors::Dtype::F32, 4).open();
        let (mut sum, mut tokens) = (0.0, 0);
        for window in &windows {
            let inputs = [window[..window.len() - 1].to_vec()];
            let logits = |checkpoint: &Checkpoint| {
                doubles(Decoder::load(checkpoint, on).unwrap().forward(token_tensor(&inputs, on), config))
            };
            sum += divergence(&logits(&dense), &logits(&other), config.vocab_size);
            tokens += inputs[0].len();
        }
        let got = block_on(slimgpt::eval::divergence(&other, &dense, &windows, &device, &mut |_, _| {})).unwrap();
        assert!((got / (sum / tokens as f64) - 1.0).abs() < 1e-4, "{got} for {}", sum / tokens as f64);
    }
}

#[test]
fn nested_removals_are_those_of_every_count() {
    let (device, executor) = (Device::cpu(), CpuExecutor::<f64>::new());
    let (tokens, out, n) = (200, 12, 24);
    let x = matrix(&activations(tokens, n, 3), [tokens, n], &device);
    let weight = matrix(&random(out * n, 4), [out, n], &device);
    let mut hessian = Hessian::new(&executor, n);
    block_on(hessian.accumulate(&executor, &x)).unwrap();
    let options = Options::default();
    let counts = [3, 11, 17];
    let steps = ChannelSteps::OneByOne;
    let nested = block_on(nested_channels(&executor, &weight, &hessian, steps, &counts, &options)).unwrap();
    for (stage, count) in nested.stages.iter().zip(counts) {
        let alone = block_on(prune_channels(&executor, &weight, &hessian, count, steps, &options)).unwrap();
        assert_eq!(stage.kept_columns, alone.kept_columns, "{count} channels");
        assert_eq!(doubles(stage.weight.clone()), doubles(alone.weight));
        assert!((nested.signal / alone.signal - 1.0).abs() < 1e-12);
    }
    let layout = HeadLayout { heads: 8, kv_heads: 4, head_dim: 3 };
    for (unit, counts) in [(HeadUnit::KeyValue, vec![1, 2, 3]), (HeadUnit::Query, vec![1])] {
        let nested = block_on(nested_heads(&executor, &weight, &hessian, layout, unit, &counts, &options)).unwrap();
        for (stage, &count) in nested.stages.iter().zip(&counts) {
            let alone = block_on(prune_heads(&executor, &weight, &hessian, layout, HeadCut::of(unit, count), &options))
                .unwrap();
            assert_eq!(stage.kept_columns, alone.kept_columns, "{count} of {unit:?}");
            assert_eq!(doubles(stage.weight.clone()), doubles(alone.weight));
        }
    }
}

#[test]
fn a_mixed_cut_costs_what_its_removals_cost() {
    let (device, executor) = (Device::cpu(), CpuExecutor::<f64>::new());
    let (tokens, out, layout) = (300, 10, HeadLayout { heads: 9, kv_heads: 3, head_dim: 2 });
    let n = layout.heads * layout.head_dim;
    let x = matrix(&activations(tokens, n, 5), [tokens, n], &device);
    let weight = matrix(&random(out * n, 6), [out, n], &device);
    let mut hessian = Hessian::new(&executor, n);
    block_on(hessian.accumulate(&executor, &x)).unwrap();
    let options = Options::default();
    let mixed = block_on(mixed_cuts(&executor, &weight, &hessian, layout, &options)).unwrap();
    let cuts: Vec<(usize, usize)> = mixed.iter().map(|(cut, _)| (cut.kv_heads, cut.per_group)).collect();
    assert_eq!(cuts, [(1, 1), (1, 2), (2, 1), (2, 2)]);
    for (cut, error) in mixed {
        let alone = block_on(prune_heads(&executor, &weight, &hessian, layout, cut, &options)).unwrap();
        // Costs with the damping, as those that curves are made of.
        let cost: f64 = alone.removed.iter().map(|removal| removal.cost).sum();
        assert!((error * alone.signal / cost - 1.0).abs() < 1e-9, "{cut:?}: {error}");
    }
}

/// Windows of the shipped model's kind of text.
fn windows(count: usize, length: usize, seed: u64) -> Vec<Vec<u32>> {
    (0..count).map(|i| tokens(length, 512, seed + i as u64)).collect()
}

fn asked<'a>(
    checkpoint: &'a Checkpoint,
    calibration: &'a [Vec<u32>],
    probe: &'a [Vec<u32>],
    device: &'a Device,
) -> Search<'a> {
    Search {
        checkpoint,
        calibration,
        probe,
        options: Options::default(),
        channel_steps: ChannelSteps::OneByOne,
        channel_multiple: None,
        whole_sites: false,
        batch_windows: 3,
        place: Placement::Host,
        device,
    }
}

fn found(asked: &Search<'_>, known: Map, flow: &mut dyn FnMut(Event) -> Flow) -> (Result<Map, SearchError>, Map) {
    let mut kept = known.clone();
    let mut keep = |map: &Map| {
        kept = map.clone();
        Ok(())
    };
    let map = block_on(search(asked, &CpuExecutor::<f32>::new(), known, &mut keep, flow));
    (map, kept)
}

fn go_on(_: Event) -> Flow {
    Flow::Continue
}

#[test]
fn a_probe_is_the_divergence_of_the_model_with_that_site_cut() {
    let checkpoint = Checkpoint::open(&shipped()).unwrap();
    let (calibration, probe, device) = (windows(6, 40, 1), windows(2, 32, 100), Device::cpu());
    let asked = asked(&checkpoint, &calibration, &probe, &device);
    let (map, _) = found(&asked, Map::default(), &mut go_on);
    let map = map.unwrap();
    assert_eq!(map.probed(), checkpoint.config().layers.len());
    for curve in &map.curves {
        assert!(curve.errors.windows(2).all(|e| e[0] <= e[1]), "errors grow: {curve:?}");
        assert!(curve.probed.iter().all(|&(_, kl)| kl.is_finite() && kl >= 0.0), "{curve:?}");
    }
    // The middle layer without its dearest stage of channels, by a forward pass of the whole model: the cheapest channels
    // are set to zero and the rest refitted, as a pruning of that site alone does.
    let layer = 2;
    let config = checkpoint.config();
    let on = device.tensor_device();
    let curve = map.of_layer(layer).find(|curve| curve.cut == Cut::Channels).unwrap();
    let &(removed, kl) = curve.probed.last().unwrap();
    let executor = CpuExecutor::<f32>::new();
    let dense = Decoder::load(&checkpoint, on).unwrap();
    let positions = |length| slimgpt::model::Positions::new(config, 0, length, on);
    let mut hidden = dense.outer.embed(token_tensor(&calibration, on));
    for block in &dense.blocks[..layer] {
        hidden = block.forward(hidden, &positions(40));
    }
    let block = &dense.blocks[layer];
    let context = block.context(hidden.clone(), &positions(40));
    let inner = block.inner(block.add_attention(hidden, context)).unwrap();
    let [b, t, width] = inner.dims();
    let mut hessian = Hessian::new(&executor, width);
    block_on(hessian.accumulate(&executor, &inner.reshape([b * t, width]))).unwrap();
    let weight = block.feed_forward.as_ref().unwrap().down.weight.val().whole();
    let steps = ChannelSteps::OneByOne;
    let pruned = block_on(prune_channels(&executor, &weight, &hessian, removed, steps, &asked.options)).unwrap();
    let narrow = doubles(pruned.weight);
    let mut wide = vec![0.0f32; config.hidden_size * width];
    for (row, values) in narrow.chunks(pruned.kept_columns.len()).enumerate() {
        pruned.kept_columns.iter().zip(values).for_each(|(&j, &value)| wide[row * width + j] = value as f32);
    }
    let mut cut = dense.clone();
    let wide = Tensor::<1>::from_floats(&wide[..], on).reshape(weight.dims());
    cut.blocks[layer].feed_forward.as_mut().unwrap().down.weight = Panels::from(wide).into();
    let logits = |model: &Decoder| doubles(model.forward(token_tensor(&probe, on), config));
    let want = divergence(&logits(&dense), &logits(&cut), config.vocab_size) / (2 * 32) as f64;
    // The probe's calibration sums come in batches, which moves last bits of the weights.
    assert!((kl / want - 1.0).abs() < 1e-2, "{kl} for {want}");
}

#[test]
fn an_interrupted_search_goes_on() {
    let checkpoint = Checkpoint::open(&shipped()).unwrap();
    let (calibration, probe, device) = (windows(4, 32, 1), windows(2, 24, 100), Device::cpu());
    let asked = asked(&checkpoint, &calibration, &probe, &device);
    let whole = found(&asked, Map::default(), &mut go_on).0.unwrap();
    // What is known already is not worked for.
    let mut watched = Vec::new();
    let mut watch = |event: Event| {
        watched.push(event);
        Flow::Continue
    };
    assert_eq!(found(&asked, whole.clone(), &mut watch).0.unwrap(), whole);
    assert!(watched.is_empty(), "{watched:?}");
    for stop_after in 0..3 {
        let mut stopping = |event: Event| match event {
            Event::LayerDone { layer, .. } if layer == stop_after => Flow::Stop,
            _ => Flow::Continue,
        };
        let (stopped, kept) = found(&asked, Map::default(), &mut stopping);
        assert_says(stopped, &["stopped with", "goes on from there"]);
        assert_eq!(kept.probed(), stop_after + 1);
        assert_eq!(found(&asked, kept, &mut go_on).0.unwrap(), whole, "the same bits");
    }
}

#[test]
fn sizes_meet_their_target_and_cost_less_than_even_ones() {
    let checkpoint = Checkpoint::open(&shipped()).unwrap();
    let config = checkpoint.config();
    let (calibration, probe, device) = (windows(6, 48, 1), windows(2, 48, 100), Device::cpu());
    let map = found(&asked(&checkpoint, &calibration, &probe, &device), Map::default(), &mut go_on).0.unwrap();
    let mut before = 0.0;
    for ratio in [0.1, 0.2, 0.3, 0.5] {
        let found = sizes(&map, config, &Bounds::default(), Target::Ratio(ratio)).unwrap();
        assert!(found.ratio >= ratio - 1e-9, "{} for {ratio}", found.ratio);
        // A step of channels of one layer.
        assert!(found.ratio < ratio + 0.012, "{} for {ratio}", found.ratio);
        assert!(found.predicted_divergence >= before, "more costs more");
        before = found.predicted_divergence;
    }
    let kept = sizes(&map, config, &Bounds { keep_layers: vec![0], ..Bounds::default() }, Target::Ratio(0.2)).unwrap();
    assert_eq!(kept.layers[0], config.layers[0]);
    for ratio in [0.1, 0.3] {
        let of = |uniform| sizes(&map, config, &Bounds { uniform, ..Bounds::default() }, Target::Ratio(ratio)).unwrap();
        let (one, own) = (of(true), of(false));
        assert!(one.layers.iter().all(|shape| *shape == one.layers[0]), "{:?}", one.layers);
        assert!(one.ratio >= ratio - 1e-9 && one.predicted_divergence >= 0.99 * own.predicted_divergence, "{one:?}");
    }
    assert_says(sizes(&map, config, &Bounds::default(), Target::Ratio(0.97)), &["the largest cuts that were probed"]);
    assert_says(sizes(&map, config, &Bounds::default(), Target::Ratio(1.5)), &["1.5"]);
}

#[test]
fn texts_that_prove_nothing_are_refused() {
    let checkpoint = Checkpoint::open(&shipped()).unwrap();
    let (calibration, device) = (windows(2, 16, 1), Device::cpu());
    let refused = |probe: &[Vec<u32>], word: &str| {
        let asked = asked(&checkpoint, &calibration, probe, &device);
        assert_says(found(&asked, Map::default(), &mut go_on).0, &[word]);
    };
    refused(&calibration, "calibration text itself");
    refused(&[], "no text for the probe");
}
