//! Every method on the shipped model: what it predicts holds, what it leaves runs, and the order of
//! the methods is the one they are known for.

use std::path::Path;

use pollster::block_on;
use slimgpt::checkpoint::{Checkpoint, LayerWeights};
use slimgpt::device::Device;
use slimgpt::eval::perplexity;
use slimgpt::names::Named;
use slimgpt::pipeline::{Limits, Method, PlanError, Report, Request, plan};
use slimgpt::shape::{Family, Projection, Site};
use slimgpt::text::{Bos, Sampling, Tokenizer, Windows, windows};

use crate::support::oracle::Oracle;
use crate::support::{pruned, shipped};

const SAMPLES: usize = 24;
const TOKENS: usize = 128;

pub fn cut(tokenizer: &Tokenizer, file: &str, count: usize, length: usize) -> Vec<Vec<u32>> {
    let text = std::fs::read_to_string(shipped().join(file)).unwrap();
    let which = Windows { count: Some(count), length, sampling: Sampling::Sequential, bos: Bos::Each, seed: 0 };
    windows(tokenizer, &[text], Some(1), &which).unwrap()
}

pub fn opened() -> (Checkpoint, Tokenizer) {
    let checkpoint = Checkpoint::open(&shipped()).unwrap();
    let tokenizer = Tokenizer::open(&shipped(), checkpoint.config().vocab_size).unwrap();
    (checkpoint, tokenizer)
}

fn request(method: Method, target: f64) -> Request {
    of_windows(method, target, [SAMPLES, TOKENS])
}

fn of_windows(method: Method, target: f64, [windows, window_tokens]: [usize; 2]) -> Request {
    let allocation = pruned::rounded_by_layer(target);
    method.of(Request { allocation, windows, window_tokens, ..Request::default() })
}

fn report(method: Method, target: f64) -> Report {
    let (checkpoint, tokenizer) = opened();
    let windows = cut(&tokenizer, "calibration.txt", SAMPLES, TOKENS);
    pruned::in_memory(&checkpoint, &windows, &request(method, target)).0
}

fn to_folder(request: &Request, out: &Path) -> Report {
    let (checkpoint, tokenizer) = opened();
    let windows = cut(&tokenizer, "calibration.txt", request.windows, request.window_tokens);
    let plan = plan(request, checkpoint.config(), &Limits::default()).unwrap();
    pruned::to_folder(&pruned::job(&checkpoint, &windows, &plan, &Device::cpu()), out)
}

fn total_error(report: &Report) -> f64 {
    report.layers.iter().map(|l| l.heads.measured_loss + l.channels.measured_loss).sum()
}

#[test]
fn what_every_method_predicts_is_what_the_tokens_see() {
    let mut parameters = Vec::new();
    // What training chose is removed like what other scores chose, and takes minutes.
    for &method in Method::all().iter().filter(|method| !method.trains()) {
        let report = report(method, 0.3);
        for layer in &report.layers {
            for (site, record) in [(Site::Heads, &layer.heads), (Site::Channels, &layer.channels)] {
                let (predicted, measured) = (record.predicted_loss, record.measured_loss);
                let off = (predicted - measured).abs();
                // The weights are rounded to f16 after the prediction.
                assert!(off <= 5e-3 * measured, "{method} layer {} {site}: {predicted} {measured}", layer.layer);
                assert!(measured == 0.0 || record.signal > 0.0, "{method} layer {} {site}", layer.layer);
            }
        }
        // FLAP's biases are parameters too, and others have layers that are not those of the schedule.
        if !method.shares_out() && method != Method::FlapScores {
            parameters.push(report.parameters_after);
        }
    }
    assert!(parameters.windows(2).all(|p| p[0] == p[1]), "all leave the same sizes: {parameters:?}");
}

#[test]
fn the_careful_methods_lose_less_than_the_blunt_ones() {
    let error = |method| total_error(&report(method, 0.2));
    let [exact, slimgpt, wanda, flap, magnitude, random] =
        [Method::Exact, Method::Slimgpt, Method::WandaSp, Method::FlapScores, Method::Magnitude, Method::Random]
            .map(error);
    println!(
        "exact {exact:.1} slimgpt {slimgpt:.1} flap {flap:.1} wanda-sp {wanda:.1} magnitude {magnitude:.1} random {random:.1}"
    );
    // Each removal of exact is the cheapest; the way they add up over the layers need not be.
    assert!(exact <= 1.02 * slimgpt, "{exact} {slimgpt}");
    assert!(slimgpt < wanda, "{slimgpt} {wanda}");
    assert!(slimgpt < flap && flap < random, "{slimgpt} {flap} {random}");
    assert!(wanda < magnitude && magnitude < random, "{wanda} {magnitude} {random}");
}

#[test]
fn swaps_lower_the_error_of_a_site_and_keep_what_is_predicted() {
    let (checkpoint, tokenizer) = opened();
    let windows = cut(&tokenizer, "calibration.txt", SAMPLES, TOKENS);
    let of = |swaps| {
        let mut request = request(Method::Exact, 0.3);
        request.options.swaps = swaps;
        pruned::in_memory(&checkpoint, &windows, &request).0
    };
    let (greedy, swapped) = (of(0), of(20));
    assert_eq!(swapped.plan.request.options.swaps, 20);
    for record in swapped.layers.iter().flat_map(|l| [&l.heads, &l.channels]) {
        let (predicted, measured) = (record.predicted_loss, record.measured_loss);
        assert!((predicted - measured).abs() <= 5e-3 * measured, "{predicted} {measured}");
    }
    // Sites behind the first see what was changed before them. What falls is the damped error.
    let first = |report: &Report| report.layers[0].heads.predicted_loss;
    assert!(first(&swapped) <= 1.001 * first(&greedy), "{} {}", first(&swapped), first(&greedy));
    let kept = |report: &Report| report.layers.iter().map(|l| l.kept_channels.clone()).collect::<Vec<_>>();
    assert_ne!(kept(&swapped), kept(&greedy), "among so many channels some are worth a swap");
    println!("error {:.3} without swaps, {:.3} with", total_error(&greedy), total_error(&swapped));
}

#[test]
fn a_flap_folder_is_a_llama_with_biases_and_runs_as_its_files_say() {
    let place = tempfile::tempdir().unwrap();
    let out = place.path().join("out");
    let report = to_folder(&request(Method::Flap, 0.3), &out);
    let pruned = Checkpoint::open(&out).unwrap();
    let raw = pruned.raw_config();
    assert_eq!((&raw["attention_bias"], &raw["mlp_bias"]), (&true.into(), &true.into()));
    assert_eq!(pruned.config().parameters(), report.parameters_after);
    let layers: Vec<LayerWeights> = (0..6).map(|i| pruned.layer(i).unwrap()).collect();
    let is_zero = |layer: &LayerWeights, of| layer.bias(of).unwrap().values.iter().all(|&v| v == 0.0);
    let inner = [Projection::Q, Projection::K, Projection::V, Projection::Gate, Projection::Up];
    assert!(layers.iter().all(|layer| inner.into_iter().all(|of| is_zero(layer, of))));
    // By its own threshold a layer may lose nothing of a site, whose bias is then zero.
    for (of, site) in [(Projection::O, Site::Heads), (Projection::Down, Site::Channels)] {
        let shifted: Vec<bool> = layers.iter().map(|layer| !is_zero(layer, of)).collect();
        let loses = |layer: &slimgpt::pipeline::LayerRecord| match site {
            Site::Heads => layer.after.heads < layer.before.heads,
            Site::Channels => layer.after.channels < layer.before.channels,
        };
        assert_eq!(shifted, report.layers.iter().map(loses).collect::<Vec<_>>(), "{of}");
        assert!(shifted.contains(&true), "{of}");
    }
    let (_, tokenizer) = opened();
    let windows = cut(&tokenizer, "eval.txt", 2, 48);
    let found = block_on(perplexity(&pruned, &windows, &Device::cpu(), &mut |_, _| {})).unwrap();
    let oracle = Oracle::open(&out);
    let want: f64 = windows.iter().map(|w| oracle.nll(w)).sum();
    assert!((found.nll / want - 1.0).abs() < 1e-4, "{} {want}", found.nll);
}

#[test]
fn a_flap_folder_is_pruned_again_by_another_method() {
    let place = tempfile::tempdir().unwrap();
    let out = place.path().join("out");
    to_folder(&request(Method::Flap, 0.2), &out);
    let once = Checkpoint::open(&out).unwrap();
    let (_, tokenizer) = opened();
    let windows = cut(&tokenizer, "calibration.txt", SAMPLES, TOKENS);
    let (report, sink) = pruned::in_memory(&once, &windows, &request(Method::Exact, 0.2));
    for record in report.layers.iter().flat_map(|l| [&l.heads, &l.channels]) {
        assert!((record.predicted_loss - record.measured_loss).abs() <= 5e-3 * record.measured_loss);
    }
    let has_bias = |layer: &LayerWeights, of| layer.bias(of).is_some();
    let both = |layer: &LayerWeights| has_bias(layer, Projection::O) && has_bias(layer, Projection::Down);
    assert!(sink.layers.iter().all(|l| both(&l.weights)));
}

#[test]
fn a_family_without_room_for_biases_refuses_flap_by_name() {
    let config = slimgpt::shape::ModelConfig { family: Family::Qwen2, ..opened().0.config().clone() };
    let error = plan(&request(Method::Flap, 0.2), &config, &Limits::default()).unwrap_err();
    assert!(matches!(error, PlanError::NoBiases { family: Family::Qwen2 }), "{error}");
    assert!(plan(&request(Method::WandaSp, 0.2), &config, &Limits::default()).is_ok());
}

#[test]
fn a_plan_knows_its_method_by_name() {
    for &method in Method::all() {
        let plan = plan(&request(method, 0.2), opened().0.config(), &Limits::default()).unwrap();
        assert_eq!(Method::of_plan(&plan), Some(method));
    }
}

/// Scores by gradients choose better than chance, and the ends of a deep model stay whole.
#[test]
fn importance_by_gradients_keeps_more_than_chance_does() {
    let perplexity_of = |method, windows| {
        let place = tempfile::tempdir().unwrap();
        let out = place.path().join("out");
        to_folder(&of_windows(method, 0.3, windows), &out);
        let (_, tokenizer) = opened();
        let windows = cut(&tokenizer, "eval.txt", 8, 64);
        let pruned = Checkpoint::open(&out).unwrap();
        block_on(perplexity(&pruned, &windows, &Device::cpu(), &mut |_, _| {})).unwrap().perplexity
    };
    let [element, vector, random] = [Method::LlmPruner, Method::LlmPrunerVector, Method::Random]
        .map(|method| perplexity_of(method, [SAMPLES, TOKENS]));
    assert!(element < random && vector < random, "{element} {vector} {random}");
    // Those that train keep what they learnt, too; on fewer tokens, because they go over all of them 200 times.
    let [loraprune, compresso] = [Method::Loraprune, Method::Compresso].map(|method| perplexity_of(method, [4, 64]));
    println!(
        "element {element:.3} vector {vector:.3} loraprune {loraprune:.3} compresso {compresso:.3} random {random:.3}"
    );
    assert!(loraprune < random && compresso < random, "{loraprune} {compresso} {random}");
}

#[test]
fn llm_pruner_leaves_the_first_eighth_and_the_last_sixteenth_of_the_layers_alone() {
    let config = serde_json::json!({
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 4096, "intermediate_size": 11008,
        "num_hidden_layers": 32, "num_attention_heads": 32, "vocab_size": 32000, "max_position_embeddings": 2048,
        "rms_norm_eps": 1e-6,
    });
    let config = slimgpt::checkpoint::parse_config(&config).unwrap();
    let of = |method: Method| {
        let request = method.of(slimgpt::pipeline::Request::to(slimgpt::allocate::Target::Ratio(0.2)));
        plan(&request, &config, &Limits::default()).unwrap()
    };
    let (pruner, exact) = (of(Method::LlmPruner), of(Method::Exact));
    let whole: Vec<usize> = (0..32).filter(|&i| pruner.layers[i].after == pruner.layers[i].before).collect();
    assert_eq!(whole, [0, 1, 2, 3, 30, 31]);
    let apart = pruner.parameters_after as f64 / exact.parameters_after as f64 - 1.0;
    assert!(apart.abs() < 1e-4, "as much goes as by the other methods: {apart}");
}
