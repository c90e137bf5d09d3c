//! FLAP's own allocation: scores standardised by hand, one threshold over a real model's layers, and a run that goes on.

use std::path::Path;

use pollster::block_on;
use slimgpt::checkpoint::Checkpoint;
use slimgpt::device::Device;
use slimgpt::obs::{Fluctuation, HeadLayout, ObsError};
use slimgpt::pipeline::{Event, Flow, Limits, MemorySink, Method, PipelineError, Plan, Report, Request, plan};
use slimgpt::session::{SessionError, execute, prune_to_folder};
use slimgpt::shape::Site;

use crate::model::{cut, opened};
use crate::support::{matrix, pruned, random, software_gpu};

/// Weights and inputs of `selection.rs`: Var · ‖W‖² of the columns is 0, 0.05, 8 and 0.3.
const W: [f32; 8] = [1.0, -2.0, 0.5, 3.0, 2.0, 1.0, 0.5, -1.0];
const X: [f32; 12] = [1.0, 0.1, 4.0, 0.5, 1.0, -0.1, -4.0, 0.5, 1.0, 0.0, 0.0, 0.8];

fn close(got: &[f64], want: &[f64]) {
    assert_eq!(got.len(), want.len());
    assert!(got.iter().zip(want).all(|(g, w)| (g - w).abs() < 1e-5), "{got:?} {want:?}");
}

#[test]
fn scores_are_standardised_over_the_columns_of_a_site() {
    for device in [Device::cpu(), software_gpu()] {
        let mut seen = Fluctuation::new(4);
        // In two batches: where they are cut does not matter.
        block_on(seen.accumulate(&matrix(&X[..8], [2, 4], &device))).unwrap();
        block_on(seen.accumulate(&matrix(&X[8..], [1, 4], &device))).unwrap();
        let weight = matrix(&W, [2, 4], &device);
        // Mean 2.0875, sample deviation 3.943851.
        close(&block_on(seen.of_channels(&weight)).unwrap(), &[-0.529305, -0.516627, 1.499169, -0.453237]);
        // Of 0, 0.0025, 64 and 0.09: mean 16.023125, deviation 31.984611; then the means over the heads.
        let layout = HeadLayout { heads: 2, kv_heads: 1, head_dim: 2 };
        let [heads, groups] = block_on(seen.of_heads(&weight, layout)).unwrap();
        close(&heads, &[-0.500924, 0.500924]);
        close(&groups, &[0.0]);
    }
}

#[test]
fn inputs_that_hardly_vary_about_a_large_mean_keep_their_digits() {
    let (tokens, features) = (96, 5);
    let x: Vec<f32> = random(tokens * features, 3).iter().map(|v| 300.0 + 0.01 * v).collect();
    let weight = random(2 * features, 4);
    let mut seen = Fluctuation::new(features);
    for batch in x.chunks(32 * features) {
        block_on(seen.accumulate(&matrix(batch, [32, features], &Device::cpu()))).unwrap();
    }
    let v = |j: usize| {
        let column = || x.iter().skip(j).step_by(features).map(|&v| f64::from(v));
        let mean = column().sum::<f64>() / tokens as f64;
        let norm: f64 = weight.iter().skip(j).step_by(features).map(|&w| f64::from(w).powi(2)).sum();
        column().map(|x| (x - mean).powi(2)).sum::<f64>() * norm
    };
    let v: Vec<f64> = (0..features).map(v).collect();
    let mean = v.iter().sum::<f64>() / features as f64;
    let deviation = (v.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (features - 1) as f64).sqrt();
    let found = block_on(seen.of_channels(&matrix(&weight, [2, features], &Device::cpu()))).unwrap();
    for (found, v) in found.iter().zip(&v) {
        // Single precision holds 300 to 3e-5, half a percent of what these inputs vary by.
        assert!((found - (v - mean) / deviation).abs() < 5e-3, "{found} {}", (v - mean) / deviation);
    }
}

#[test]
fn what_has_no_score_is_an_error() {
    let device = Device::cpu();
    let weight = matrix(&W, [2, 4], &device);
    let mut seen = Fluctuation::new(4);
    assert_eq!(block_on(seen.of_channels(&weight)), Err(ObsError::NoTokens));
    block_on(seen.accumulate(&matrix(&X, [3, 4], &device))).unwrap();
    let narrow = block_on(seen.of_channels(&matrix(&W[..6], [2, 3], &device)));
    assert_eq!(narrow, Err(ObsError::Shape { hessian: 4, weight: 3 }));
    block_on(seen.accumulate(&matrix(&[1.0, f32::INFINITY, 0.0, 0.0], [1, 4], &device))).unwrap();
    assert!(matches!(block_on(seen.of_channels(&weight)), Err(ObsError::NotFinite { index: 1, .. })));
    // Inputs that never vary are all alike.
    let mut still = Fluctuation::new(4);
    block_on(still.accumulate(&matrix(&[0.5; 12], [3, 4], &device))).unwrap();
    assert_eq!(block_on(still.of_channels(&weight)), Ok(vec![0.0; 4]));
}

const SAMPLES: usize = 12;
const TOKENS: usize = 64;

fn asked(target: f64) -> Request {
    let allocation = pruned::rounded_by_layer(target);
    Method::Flap.of(Request { allocation, windows: SAMPLES, window_tokens: TOKENS, ..Request::default() })
}

fn subject() -> (Checkpoint, Vec<Vec<u32>>) {
    let (checkpoint, tokenizer) = opened();
    let windows = cut(&tokenizer, "calibration.txt", SAMPLES, TOKENS);
    (checkpoint, windows)
}

/// The highest score of what goes from a kind of site, and the lowest of what stays.
fn ends(pruned: &[(Site, Vec<f64>, Vec<usize>)], of: Site) -> (f64, f64) {
    let (mut gone, mut stays) = (f64::NEG_INFINITY, f64::INFINITY);
    // The last unit of a layer stays whatever it scores.
    for (_, scores, kept) in pruned.iter().filter(|(site, _, kept)| *site == of && kept.len() > 1) {
        for (unit, &score) in scores.iter().enumerate() {
            match kept.contains(&unit) {
                true => stays = stays.min(score),
                false => gone = gone.max(score),
            }
        }
    }
    (gone, stays)
}

#[test]
fn one_threshold_serves_all_layers_of_a_model() {
    let (checkpoint, windows) = subject();
    let device = Device::cpu();
    for target in [0.2, 0.4] {
        let open = plan(&asked(target), checkpoint.config(), &Limits::default()).unwrap();
        assert!(open.is_open());
        let (mut pruned, mut sink, mut passed) = (Vec::new(), MemorySink::default(), 0);
        let report = block_on(execute(&pruned::job(&checkpoint, &windows, &open, &device), &mut sink, &mut |event| {
            match event {
                Event::Choosing { done, .. } => {
                    assert!(pruned.is_empty(), "the pass comes before the first layer");
                    passed = done;
                }
                Event::Pruned { site, scores, kept, .. } => pruned.push((site, scores, kept)),
                _ => {}
            }
            Flow::Continue
        }))
        .unwrap();
        assert!(passed > 0);
        // Scores are told only of sites that lose something; of the others all stay.
        let (heads, channels) = (ends(&pruned, Site::Heads), ends(&pruned, Site::Channels));
        assert!(heads.0 <= heads.1, "{target} heads: {heads:?}");
        assert!(channels.0 <= channels.1, "{target} channels: {channels:?}");
        let (config, step) = (checkpoint.config(), 3 * checkpoint.config().hidden_size + 2);
        let wanted = (1.0 - target) * config.decoder_parameters() as f64 + config.outer_parameters() as f64;
        assert!((report.parameters_after as f64 - wanted).abs() <= step as f64 / 2.0 + 1.0, "{target}");
        let after = |plan: &Plan| plan.layers.iter().map(|l| l.after).collect::<Vec<_>>();
        assert_eq!(after(&report.plan), report.layers.iter().map(|l| l.after).collect::<Vec<_>>());
        assert_ne!(after(&report.plan), after(&open), "layers differ from what was planned before the text was read");
        assert_eq!(Method::of_plan(&report.plan), Some(Method::Flap));
    }
}

#[test]
fn a_run_that_was_interrupted_does_not_look_at_the_model_again() {
    let (checkpoint, windows) = subject();
    let (device, place) = (Device::cpu(), tempfile::tempdir().unwrap());
    let plan = plan(&asked(0.3), checkpoint.config(), &Limits::default()).unwrap();
    let job = pruned::job(&checkpoint, &windows, &plan, &device);
    let run = |out: &Path, on_event: &mut dyn FnMut(Event) -> Flow| -> Result<Report, SessionError> {
        block_on(prune_to_folder(&job, out, false, on_event)).map(|pruned| pruned.report)
    };
    let (whole, stopped) = (place.path().join("whole"), place.path().join("stopped"));
    let report = run(&whole, &mut |_| Flow::Continue).unwrap();
    let until = |last: fn(&Event) -> bool| move |event: Event| if last(&event) { Flow::Stop } else { Flow::Continue };
    let stops: [fn(&Event) -> bool; 2] = [
        |event| matches!(event, Event::Choosing { done: 4.., .. }),
        |event| matches!(event, Event::LayerDone { record } if record.layer == 1),
    ];
    for last in stops {
        let ended = run(&stopped, &mut until(last));
        assert!(matches!(ended, Err(SessionError::Pruning(PipelineError::Stopped { .. }))));
    }
    let (mut looked, mut resumed) = (false, 0);
    let again = run(&stopped, &mut |event| {
        looked |= matches!(event, Event::Choosing { .. });
        if let Event::Resumed { finished, .. } = event {
            resumed = finished;
        }
        Flow::Continue
    })
    .unwrap();
    assert!(!looked && resumed == 2, "{resumed}");
    assert_eq!((&again.plan, &again.layers), (&report.plan, &report.layers));
    let weights = |folder: &Path| std::fs::read(folder.join("model.safetensors")).unwrap();
    assert_eq!(weights(&stopped), weights(&whole));
    // Finished, it is this very run's.
    assert_eq!(run(&whole, &mut |_| Flow::Continue).unwrap().layers, report.layers);
}
