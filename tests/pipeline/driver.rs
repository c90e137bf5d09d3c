//! The driver's order, its losses and what it leaves of a layer.

use slimgpt::allocate::{Allocation, Curve, Schedule};
use slimgpt::checkpoint::{Dtype, Types};
use slimgpt::obs::{ChannelSteps, HeadUnit, Options, Score};
use slimgpt::pipeline::{Event, Flow, MemorySink, PipelineError, Propagate, Report, Request};
use slimgpt::shape::{Projection, Site};

use crate::support::pruned::rounded_by_layer;
use crate::tiny::{go_on, in_memory, planned, request, run, windows};

fn pruned(request: &Request) -> (MemorySink, Report) {
    let (checkpoint, mut sink) = (in_memory(), MemorySink::default());
    let report = run(&checkpoint, &planned(&checkpoint, request), &mut sink, go_on).unwrap();
    (sink, report)
}

#[test]
fn the_sites_are_pruned_in_order_and_measured_behind_the_new_weights() {
    let (checkpoint, mut seen) = (in_memory(), Vec::new());
    let spy = |event| {
        seen.push(match event {
            Event::LayerStarted { layer, .. } => format!("layer {layer}"),
            Event::Batch { pass, done, total, .. } if done == total => format!("{pass:?}"),
            Event::Pruned { site, .. } => format!("prune {site}"),
            Event::Measured { site, .. } => format!("measure {site}"),
            Event::LayerDone { .. } => "store".into(),
            _ => return Flow::Continue,
        });
        Flow::Continue
    };
    run(&checkpoint, &planned(&checkpoint, &request()), &mut MemorySink::default(), spy).unwrap();
    let layer = [
        "Attention",
        "prune heads",
        "Feedforward",
        "measure heads",
        "prune channels",
        "Output",
        "measure channels",
        "store",
    ];
    assert_eq!(seen.len(), 3 * (1 + layer.len()));
    for (i, told) in seen.chunks(1 + layer.len()).enumerate() {
        assert_eq!(told[0], format!("layer {i}"));
        assert_eq!(told[1..], layer);
    }
}

#[test]
fn predicted_and_measured_loss_agree() {
    let steps = [ChannelSteps::OneByOne, ChannelSteps::Dynamic { floor: 4 }];
    let requests = steps.into_iter().flat_map(|channel_steps| {
        [Score::Exact, Score::GroupedCholesky, Score::Diagonal].map(|score| Request {
            channel_steps,
            options: Options::scored(score),
            ..request()
        })
    });
    for request in requests.chain([Request { propagate: Propagate::Dense, ..request() }]) {
        let (_, report) = pruned(&request);
        for layer in &report.layers {
            for (site, record) in [(Site::Heads, &layer.heads), (Site::Channels, &layer.channels)] {
                let (predicted, measured) = (record.predicted_loss, record.measured_loss);
                let off = (predicted - measured).abs();
                assert!(off <= 1e-3 * measured, "{request:?} layer {} {site}: {predicted} {measured}", layer.layer);
            }
        }
        assert!(report.layers[2].heads.measured_loss > 0.0 && report.layers[2].channels.measured_loss > 0.0);
    }
}

#[test]
fn the_cut_layers_have_the_planned_sizes() {
    for head_unit in [HeadUnit::KeyValue, HeadUnit::Query] {
        let request = Request {
            allocation: Allocation { head_unit, schedule: Schedule::Curve(Curve::Uniform), ..rounded_by_layer(0.5) },
            ..request()
        };
        let (sink, report) = pruned(&request);
        for (layer, record) in sink.layers.iter().zip(&report.layers) {
            let after = record.after;
            let shape = |projection| layer.weights.weight(projection).shape.clone();
            assert_eq!(shape(Projection::Q), [4 * after.heads, 16]);
            assert_eq!(shape(Projection::K), [4 * after.kv_heads, 16]);
            assert_eq!(shape(Projection::V), [4 * after.kv_heads, 16]);
            assert_eq!(shape(Projection::O), [16, 4 * after.heads]);
            assert_eq!(shape(Projection::Gate), [after.channels, 16]);
            assert_eq!(shape(Projection::Down), [16, after.channels]);
            let kept = [record.kept_heads.len(), record.kept_kv_heads.len(), record.kept_channels.len()];
            assert_eq!(kept, [after.heads, after.kv_heads, after.channels]);
        }
    }
}

#[test]
fn the_rows_that_stay_are_those_that_were() {
    let (sink, report) = pruned(&request());
    let dense = in_memory().layer(2).unwrap();
    let (cut, record) = (&sink.layers[2].weights, &report.layers[2]);
    let row = |t: &slimgpt::checkpoint::HostTensor, r: usize| t.values[16 * r..16 * (r + 1)].to_vec();
    for (new, &old) in record.kept_channels.iter().enumerate() {
        assert_eq!(row(cut.weight(Projection::Gate), new), row(dense.weight(Projection::Gate), old));
        assert_eq!(row(cut.weight(Projection::Up), new), row(dense.weight(Projection::Up), old));
    }
    for (new, &old) in record.kept_heads.iter().enumerate() {
        assert_eq!(row(cut.weight(Projection::Q), 4 * new + 3), row(dense.weight(Projection::Q), 4 * old + 3));
    }
    for (new, &old) in record.kept_kv_heads.iter().enumerate() {
        assert_eq!(row(cut.weight(Projection::V), 4 * new + 1), row(dense.weight(Projection::V), 4 * old + 1));
    }
}

#[test]
fn the_batches_and_the_kept_activations_do_not_change_what_goes() {
    let checkpoint = in_memory();
    let plan = planned(&checkpoint, &request());
    let mut reports = Vec::new();
    for (batch_windows, keep_inner) in [(3, false), (3, true), (1, false), (9, true)] {
        let mut plan = plan.clone();
        plan.batch_windows = batch_windows;
        plan.memory.keep_inner = keep_inner;
        reports.push(run(&checkpoint, &plan, &mut MemorySink::default(), go_on).unwrap());
    }
    assert_eq!(reports[0].layers, reports[1].layers);
    for report in &reports {
        let kept =
            |r: &Report| r.layers.iter().map(|l| (l.kept_heads.clone(), l.kept_channels.clone())).collect::<Vec<_>>();
        assert_eq!(kept(report), kept(&reports[0]));
    }
}

#[test]
fn half_precision_weights_are_saved_as_they_ran() {
    let (sink, report) = pruned(&Request { dtype: Some(Dtype::F16), ..request() });
    assert_eq!(report.bytes_after as usize, 2 * report.parameters_after);
    for (i, layer) in sink.layers.iter().enumerate() {
        let mut rounded = layer.weights.clone();
        slimgpt::checkpoint::round_layer(i, &mut rounded, &Types::all(Dtype::F16)).unwrap();
        assert_eq!(rounded, layer.weights);
    }
}

#[test]
fn what_does_not_belong_together_is_refused() {
    let checkpoint = in_memory();
    let plan = planned(&checkpoint, &request());
    let mut other = plan.clone();
    other.layers.pop();
    let error = run(&checkpoint, &other, &mut MemorySink::default(), go_on).unwrap_err();
    assert!(matches!(error, PipelineError::OtherModel { planned: 2, layers: 3 }), "{error}");
    let mut fewer = plan;
    fewer.request.windows = 4;
    let error = run(&checkpoint, &fewer, &mut MemorySink::default(), go_on).unwrap_err();
    assert!(matches!(error, PipelineError::Windows { planned: 4, given: 9, .. }), "{error}");
}

#[test]
fn the_report_counts_all_tokens() {
    let (_, report) = pruned(&request());
    assert_eq!(report.calibration_tokens, windows().iter().map(Vec::len).sum::<usize>());
}
