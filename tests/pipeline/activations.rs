//! Activations that wait in half precision: the same wherever they lie and however often a run is stopped, in half of the
//! memory, and refused where they do not fit.

use std::path::Path;

use burn::tensor::Tensor;
use half::f16;
use pollster::block_on;
use serde_json::json;
use slimgpt::activations::{Cache, CacheError, Elements, FolderSpill, Placement, SharedSpill};
use slimgpt::checkpoint::Checkpoint;
use slimgpt::device::Device;
use slimgpt::device::readback::floats;
use slimgpt::obs::Options;
use slimgpt::pipeline::{Event, Flow, FolderError, Limits, MemorySink, PipelineError, Plan, Report, Request, plan};
use slimgpt::remedy::{Remedied, Remedy};
use slimgpt::session::{SessionError, prune_to_folder};

use crate::support::checkpoint::Model;
use crate::support::pruned::job;
use crate::support::{random, software_gpu};
use crate::tiny::{LAYERS, go_on, in_memory, on_disk, planned, request, run, windows};

const PLACES: [Placement; 3] = [Placement::Device, Placement::Host, Placement::Disk];

fn asked(activations: Elements) -> Request {
    Request { activations, ..request() }
}

fn tensor(values: &[f32], shape: [usize; 3], device: &Device) -> Tensor<3> {
    Tensor::<1>::from_floats(values, device.tensor_device()).reshape(shape)
}

#[test]
fn what_comes_back_is_the_nearest_half_wherever_it_lay() {
    let place = tempfile::tempdir().unwrap();
    // An odd number, some of which are subnormal halves.
    let shape = [3, 7, 11];
    let values: Vec<f32> =
        random(3 * 7 * 11, 5).iter().enumerate().map(|(i, v)| v * 10f32.powi(i as i32 % 9 - 5)).collect();
    let want: Vec<f32> = values.iter().map(|&value| f16::from_f32(value).to_f32()).collect();
    for device in [Device::cpu(), software_gpu()] {
        let spill: SharedSpill = Some(std::sync::Arc::new(FolderSpill::new(place.path().join("spill"))));
        for (lies, what) in PLACES.into_iter().zip(["device", "host", "disk"]) {
            let cache = Cache::new(what, 2, lies, &spill, device.tensor_device());
            let mut cache = cache.keeping(Elements::F16);
            let kept = block_on(cache.as_kept(tensor(&values, shape, &device))).unwrap();
            assert_eq!(block_on(floats(kept)).unwrap(), want, "{what}");
            block_on(cache.put(1, tensor(&values, shape, &device))).unwrap();
            for _ in 0..2 {
                let got = cache.get(1).unwrap().expect("kept");
                assert_eq!((got.dims(), block_on(floats(got)).unwrap()), (shape, want.clone()), "{what}");
            }
            assert_eq!(block_on(floats(cache.take(1).unwrap().expect("kept"))).unwrap(), want, "{what}");
            assert!(cache.take(0).unwrap().is_none() && cache.take(1).unwrap().is_none(), "{what}: it was taken");
        }
    }
}

#[test]
fn what_does_not_fit_is_refused_wherever_it_is_to_lie() {
    for device in [Device::cpu(), software_gpu()] {
        for lies in [Placement::Device, Placement::Host] {
            let mut cache = Cache::new("any", 1, lies, &None, device.tensor_device()).keeping(Elements::F16);
            let of = |value: f32| tensor(&[1.0, value, -2.0], [1, 1, 3], &device);
            for fits in [65_504.0, -65_519.0] {
                block_on(cache.put(0, of(fits))).unwrap();
            }
            for beyond in [65_520.0, -70_000.0, f32::INFINITY] {
                let refused = block_on(cache.put(0, of(beyond))).unwrap_err();
                assert!(matches!(refused, CacheError::Overflow { value } if value.abs() == beyond.abs()), "{refused}");
            }
        }
    }
}

fn pruned(
    checkpoint: &Checkpoint,
    plan: &Plan,
    device: &Device,
    out: &Path,
    on_event: &mut dyn FnMut(Event) -> Flow,
) -> Result<Report, SessionError> {
    block_on(prune_to_folder(&job(checkpoint, &windows(), plan, device), out, false, on_event)).map(|done| done.report)
}

fn weights(out: &Path) -> Vec<u8> {
    std::fs::read(out.join("model.safetensors")).unwrap()
}

#[test]
fn where_they_lie_and_where_a_run_is_stopped_changes_nothing() {
    let place = tempfile::tempdir().unwrap();
    let checkpoint = on_disk(&place.path().join("source"));
    for (device, name) in [(Device::cpu(), "cpu"), (software_gpu(), "gpu")] {
        // With a second stream of hidden states too.
        for residual in [0.0, 0.5] {
            let options = Options { residual, ..Options::default() };
            let of = |activations| planned(&checkpoint, &Request { options, ..asked(activations) });
            let at = |what: String| place.path().join(format!("{name}-{residual}-{what}"));
            let mut plan = of(Elements::F16);
            let mut whole = None;
            for (lies, keep_inner) in PLACES.into_iter().zip([true, false, false]) {
                (plan.memory.activations, plan.memory.keep_inner) = (lies, keep_inner);
                let out = at(format!("{lies:?}"));
                pruned(&checkpoint, &plan, &device, &out, &mut go_on).unwrap();
                let found = weights(&out);
                assert!(whole.get_or_insert_with(|| found.clone()) == &found, "{name}, {lies:?}, residual {residual}");
            }
            let whole = whole.unwrap();
            for stop in 0..LAYERS {
                let out = at(format!("stopped-{stop}"));
                let mut until = |event: Event| match event {
                    Event::LayerDone { record } if record.layer == stop => Flow::Stop,
                    _ => Flow::Continue,
                };
                assert!(pruned(&checkpoint, &plan, &device, &out, &mut until).is_err());
                pruned(&checkpoint, &plan, &device, &out, &mut go_on).unwrap();
                assert!(weights(&out) == whole, "{name}, stopped after layer {stop}, residual {residual}");
            }
            let singles = at("singles".into());
            pruned(&checkpoint, &of(Elements::F32), &device, &singles, &mut go_on).unwrap();
            assert!(weights(&singles) != whole, "they are not rounded");
        }
    }
}

#[test]
fn what_is_predicted_is_measured() {
    let checkpoint = in_memory();
    let plan = planned(&checkpoint, &asked(Elements::F16));
    let report = run(&checkpoint, &plan, &mut MemorySink::default(), go_on).unwrap();
    for site in report.layers.iter().flat_map(|layer| [&layer.heads, &layer.channels]) {
        let (predicted, measured) = (site.predicted_loss, site.measured_loss);
        assert!((predicted - measured).abs() <= 1e-3 * measured, "{predicted}, {measured}");
    }
}

#[test]
fn they_take_half_of_the_memory_and_are_part_of_what_a_run_is() {
    let place = tempfile::tempdir().unwrap();
    let checkpoint = on_disk(&place.path().join("source"));
    let of = |activations| plan(&asked(activations), checkpoint.config(), &Limits::default()).unwrap().memory;
    let bytes = |activations| of(activations).parts.iter().find(|part| part.what == "activations").unwrap().bytes;
    assert_eq!(bytes(Elements::F32), 2 * bytes(Elements::F16));

    let (device, out) = (Device::cpu(), place.path().join("out"));
    let mut first = |event: Event| if matches!(event, Event::LayerDone { .. }) { Flow::Stop } else { Flow::Continue };
    let [halves, singles] = [Elements::F16, Elements::F32].map(|activations| planned(&checkpoint, &asked(activations)));
    assert!(pruned(&checkpoint, &halves, &device, &out, &mut first).is_err());
    let refused = pruned(&checkpoint, &singles, &device, &out, &mut go_on).unwrap_err();
    let SessionError::Pruning(PipelineError::Folder(FolderError::OtherRun { differences, .. })) = &refused else {
        panic!("{refused}")
    };
    assert_eq!(differences, &["plan.activations"]);
}

#[test]
fn a_layer_whose_activations_do_not_fit_is_named_with_what_helps() {
    let mut model = Model::llama(json!({ "num_hidden_layers": LAYERS, "intermediate_size": 100 }));
    // What comes behind the second layer is far too large.
    model.tensor("layers.1.mlp.down_proj.weight").values.iter_mut().for_each(|value| *value *= 1e7);
    let checkpoint = model.open();
    let ended = |activations| {
        let plan = planned(&checkpoint, &asked(activations));
        run(&checkpoint, &plan, &mut MemorySink::default(), go_on)
    };
    let error = ended(Elements::F16).unwrap_err();
    assert!(matches!(error, PipelineError::Kept { layer: 1, cause: CacheError::Overflow { .. } }), "{error}");
    assert!(
        error.to_string().starts_with("layer 1: an activation of ") && error.to_string().contains("65504"),
        "{error}"
    );
    assert_eq!(error.remedy(), Some(Remedy::WiderActivations));
    ended(Elements::F32).unwrap();
}
