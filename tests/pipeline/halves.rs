//! Layers that lose their whole attention or feed-forward part, and layers that lose both and leave the model.

use std::path::Path;

use serde_json::{Value, json};
use slimgpt::allocate::{AllocateError, Allocation, Schedule, Target};
use slimgpt::checkpoint::Checkpoint;
use slimgpt::device::Device;
use slimgpt::model::{Decoder, Positions, token_tensor};
use slimgpt::obs::HeadUnit;
use slimgpt::pipeline::{
    Event, Flow, Limits, MemorySink, Method, Opened, OutputFolder, PipelineError, Plan, PlanError, Report, Request,
    plan,
};
use slimgpt::remedy::{Remedied, Remedy};
use slimgpt::shape::{LayerShape, Part, Projection, Site};

use crate::support::checkpoint::Model;
use crate::support::oracle::Oracle;
use crate::support::{doubles, tokens};
use crate::tiny::{go_on, model, on_disk, planned, request, run, windows, with_job};

const DENSE: LayerShape = LayerShape { heads: 4, kv_heads: 2, channels: 100 };

/// These very sizes, of which some may be zero.
fn to(layers: [LayerShape; 3]) -> Request {
    let schedule = Schedule::Shapes(layers.to_vec());
    Request { allocation: Allocation { schedule, whole_sites: true, ..Allocation::default() }, ..request() }
}

fn pruned(checkpoint: &Checkpoint, plan: &Plan) -> (Report, Checkpoint) {
    let mut sink = MemorySink::default();
    let report = run(checkpoint, plan, &mut sink, go_on).unwrap();
    let mut files = sink.files(checkpoint).unwrap();
    let mut take = |name: &str| {
        let at = files.iter().position(|(file, _)| file == name).unwrap();
        files.swap_remove(at).1
    };
    let (config, weights) = (take("config.json"), take("model.safetensors"));
    (report, Checkpoint::from_bytes(&config, weights).unwrap())
}

fn folder(
    checkpoint: &Checkpoint,
    plan: &Plan,
    out: &Path,
    on_event: impl FnMut(Event) -> Flow,
) -> Result<Report, PipelineError> {
    let opened = with_job(checkpoint, plan, |job| OutputFolder::open(out, job, false)).unwrap();
    let Opened::Work(mut folder) = opened else { panic!("{} is finished already", out.display()) };
    run(checkpoint, plan, &mut folder, on_event)
}

#[test]
fn nothing_else_changes_and_the_rest_computes_as_beside_zeros() {
    let (first, last) = (Site::Heads, Site::Channels);
    let layers = [LayerShape::EMPTY, DENSE.without(first), DENSE.without(last)];
    let dense = model().open();
    let (report, small) = pruned(&dense, &planned(&dense, &to(layers)));
    assert_eq!(small.config().layers, layers[1..]);
    assert_eq!(report.places(), [None, Some(0), Some(1)]);
    for layer in 0..2 {
        let (small, dense) = (small.layer(layer).unwrap(), dense.layer(layer + 1).unwrap());
        assert!(small.iter().all(|(part, tensor)| *tensor == dense[part]));
    }
    assert!(small.layer(0).unwrap().get(Part::Weight(Projection::Q)).is_none());
    let halves = [(0, first), (0, last), (1, first), (2, last)];
    let silenced = model().silenced(&halves);
    let oracle = Oracle::new(&silenced.config_json(), &silenced.safetensors());
    let (window, device) = (tokens(21, 32, 4), Device::cpu());
    let want = oracle.logits(&window);
    let decoder = Decoder::load(&small, device.tensor_device()).unwrap();
    let got =
        doubles(decoder.forward(token_tensor(std::slice::from_ref(&window), device.tensor_device()), small.config()));
    let worst = got.iter().zip(&want).map(|(g, w)| (g - w).abs()).fold(0.0, f64::max);
    assert!(worst <= oracle.tolerance(window.len(), &want), "{worst}");
}

#[test]
fn the_loss_is_all_that_the_site_computed() {
    let layers = [LayerShape { channels: 64, ..DENSE.without(Site::Heads) }, DENSE.without(Site::Channels), DENSE];
    let dense = model().open();
    let (report, _) = pruned(&dense, &planned(&dense, &to(layers)));
    // What attention of the first layer adds, by a forward pass of its own.
    let (device, config) = (Device::cpu(), dense.config());
    let on = device.tensor_device();
    let decoder = Decoder::load(&dense, on).unwrap();
    let of_window = |window: &Vec<u32>| -> f64 {
        let positions = Positions::new(config, 0, window.len(), on);
        let hidden = decoder.outer.embed(token_tensor(std::slice::from_ref(window), on));
        let context = decoder.blocks[0].context(hidden, &positions);
        doubles(decoder.blocks[0].attended(context).unwrap()).iter().map(|v| v * v).sum()
    };
    let energy: f64 = windows().iter().map(of_window).sum();
    let whole = &report.layers[0].heads;
    assert!((whole.measured_loss / energy - 1.0).abs() < 1e-4, "{} {energy}", whole.measured_loss);
    for record in [whole, &report.layers[1].channels] {
        assert_eq!(record.predicted_loss, record.signal);
        assert!((record.predicted_loss / record.measured_loss - 1.0).abs() < 1e-3, "{record:?}");
        assert!(record.removed.is_empty() && record.scores.is_empty());
    }
    // Beside it a site is cut as ever.
    let cut = &report.layers[0].channels;
    assert!(cut.measured_loss < cut.signal && (cut.predicted_loss / cut.measured_loss - 1.0).abs() < 1e-3, "{cut:?}");
    assert_eq!(report.layers[2].heads.measured_loss, 0.0);
    assert!(report.layers[0].kept_heads.is_empty() && report.layers[0].kept_kv_heads.is_empty());
}

#[test]
fn the_folder_has_fewer_layers_and_a_run_that_is_stopped_goes_on() {
    let place = tempfile::tempdir().unwrap();
    let checkpoint = on_disk(&place.path().join("source"));
    let first = LayerShape { heads: 2, kv_heads: 1, channels: 100 };
    let last = LayerShape { channels: 64, ..DENSE.without(Site::Heads) };
    let plan = planned(&checkpoint, &to([first, LayerShape::EMPTY, last]));
    let whole = place.path().join("whole");
    let report = folder(&checkpoint, &plan, &whole, go_on).unwrap();
    let opened = Checkpoint::open(&whole).unwrap();
    assert_eq!(opened.config().layers, [first, last]);
    assert_eq!(plan.pruned_config(checkpoint.config()).layers, opened.config().layers);
    let parameters = opened.config().parameters();
    assert_eq!((plan.parameters_after, report.parameters_after), (parameters, parameters));
    assert_eq!(report.bytes_after, opened.bytes());
    let config: Value = serde_json::from_slice(&std::fs::read(whole.join("config.json")).unwrap()).unwrap();
    assert_eq!((&config["num_hidden_layers"], &config["model_type"]), (&json!(2), &json!("slim_llama")));
    let card = std::fs::read_to_string(whole.join("README.md")).unwrap();
    assert!(card.contains("\n| 1 → – |") && card.contains("\n| 2 → 1 |"), "{card}");
    let read: Report = serde_json::from_slice(&std::fs::read(whole.join(Report::FILE)).unwrap()).unwrap();
    assert_eq!(read.places(), [Some(0), None, Some(1)]);
    for stop_after in 0..3 {
        let out = place.path().join(format!("stopped-{stop_after}"));
        let stopping = |event: Event| match event {
            Event::LayerDone { record } if record.layer == stop_after => Flow::Stop,
            _ => Flow::Continue,
        };
        let stopped = folder(&checkpoint, &plan, &out, stopping);
        assert!(matches!(stopped, Err(PipelineError::Stopped { finished, .. }) if finished == stop_after + 1));
        folder(&checkpoint, &plan, &out, go_on).unwrap();
        let weights = |folder: &Path| std::fs::read(folder.join("model.safetensors")).unwrap();
        assert!(weights(&out) == weights(&whole), "stopped after layer {stop_after}");
    }
}

#[test]
fn whole_layers_that_leave_leave_a_model_of_the_same_class() {
    let dense = model().open();
    let (_, small) = pruned(&dense, &planned(&dense, &to([DENSE, LayerShape::EMPTY, DENSE])));
    assert_eq!((small.config().layers.len(), &small.raw_config()["model_type"]), (2, &json!("llama")));
    assert_eq!(small.raw_config()["architectures"], json!(["LlamaForCausalLM"]));
    assert_eq!(small.layer(1).unwrap(), dense.layer(2).unwrap());
}

#[test]
fn a_model_with_halves_is_pruned_again_by_ratios_and_by_scores() {
    let half = model().without(&[(0, Site::Channels), (1, Site::Heads)]).open();
    for (method, unit) in
        [(None, HeadUnit::KeyValue), (None, HeadUnit::Query), (Some(Method::Flap), HeadUnit::KeyValue)]
    {
        let allocation = Allocation { head_unit: unit, ..Allocation::to(Target::Ratio(0.3)) };
        let asked = Request { allocation, ..request() };
        let asked = method.map_or_else(|| asked.clone(), |method| method.of(asked.clone()));
        let plan = planned(&half, &asked);
        let (report, small) = pruned(&half, &plan);
        assert!(report.layers.iter().all(|layer| layer.ratio.heads.is_finite() && layer.ratio.channels.is_finite()));
        let after = &small.config().layers;
        assert!(!after[0].has(Site::Channels) && !after[1].has(Site::Heads) && after[2].is_whole(), "{after:?}");
        // By scores a layer may keep all it has.
        assert!(method.is_some() || after[1].channels < 100, "{after:?}");
        assert!(small.config().parameters() < half.config().parameters());
        // A number that is none would be written as null, which does not read back.
        let json = serde_json::to_string(&report).unwrap();
        serde_json::from_str::<Report>(&json).unwrap();
    }
}

fn refused(asked: &Request, checkpoint: &Checkpoint) -> PlanError {
    plan(asked, checkpoint.config(), &Limits::default()).unwrap_err()
}

#[test]
fn a_half_goes_only_where_it_may_and_leaves_nothing() {
    let dense = model().open();
    for (layer, site) in [(0, Site::Heads), (2, Site::Channels)] {
        let mut layers = [DENSE; 3];
        layers[layer] = DENSE.without(site);
        let mut asked = to(layers);
        asked.allocation.whole_sites = false;
        let error = refused(&asked, &dense);
        assert!(error.to_string().contains(&format!("layer {layer} would lose its whole {}", site.half())), "{error}");
        assert_eq!(error.remedy(), Some(Remedy::WholeSites));
        // A bias that is added whatever goes in would be left of it.
        let key = if site == Site::Heads { "attention_bias" } else { "mlp_bias" };
        let biased = Model::llama(json!({ "num_hidden_layers": 3, "intermediate_size": 100, key: true })).open();
        let error = refused(&to(layers), &biased);
        assert!(matches!(error, PlanError::Allocate(AllocateError::WholeWithBias { .. })), "{error}");
    }
    let error = refused(&to([LayerShape::EMPTY; 3]), &dense);
    assert!(matches!(error, PlanError::Allocate(AllocateError::NoLayers)), "{error}");
    let error = refused(&to([DENSE, LayerShape { heads: 0, ..DENSE }, DENSE]), &dense);
    assert!(error.to_string().contains("go together"), "{error}");
}

#[test]
fn a_method_with_gates_at_every_site_is_refused_where_a_site_is_not_there() {
    let half = model().without(&[(1, Site::Heads)]).open();
    for method in [Method::Loraprune, Method::Compresso] {
        let error = refused(&method.of(Request { allocation: Allocation::to(Target::Ratio(0.2)), ..request() }), &half);
        assert!(error.to_string().contains("layer 1 has no attention"), "{error}");
        assert_eq!(error.remedy(), Some(Remedy::OtherMethod));
    }
}

/// Its classes build both, and tell layers of two kinds apart by their numbers.
#[test]
fn a_family_with_classes_of_its_own_keeps_its_halves() {
    for (family, named) in [("smollm3", "SmolLm3"), ("phi3", "Phi3"), ("gemma2", "Gemma2")] {
        let dense = Model::llama(json!({ "model_type": family, "head_dim": 4 })).open();
        let whole = dense.config().layers.clone();
        for less in [whole[0].without(Site::Heads), whole[0].without(Site::Channels), LayerShape::EMPTY] {
            let layers = std::iter::once(less).chain(whole[1..].iter().copied()).collect();
            let allocation =
                Allocation { schedule: Schedule::Shapes(layers), whole_sites: true, ..Allocation::default() };
            let refused = plan(&Request { allocation, ..request() }, dense.config(), &Limits::default());
            crate::support::assert_says(refused, &[named, "both halves"]);
        }
    }
}
