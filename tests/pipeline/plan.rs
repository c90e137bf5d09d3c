//! What a request means for a model.

use slimgpt::obs::HeadUnit;
use slimgpt::obs::schedule::Shape;
use slimgpt::pipeline::{Limits, MemoryError, Place, Plan, PlanError, Request, Schedule, Target, plan};
use slimgpt::shape::{Family, LayerShape, ModelConfig, Rope};

/// The sizes of the stories260K model, or of one like it.
fn config(layers: usize, dense: LayerShape, hidden_size: usize) -> ModelConfig {
    ModelConfig {
        family: Family::Llama,
        vocab_size: 512,
        hidden_size,
        head_dim: hidden_size / dense.heads,
        dense,
        layers: vec![dense; layers],
        max_positions: 512,
        rms_norm_eps: 1e-5,
        rope: Rope { theta: 10000.0, scaling: None },
        qkv_bias: false,
        o_bias: false,
        mlp_bias: false,
        qk_norm: false,
        tied_head: true,
        bos_token: Some(1),
        eos_tokens: vec![2],
    }
}

fn stories() -> ModelConfig {
    config(5, LayerShape { heads: 8, kv_heads: 4, channels: 172 }, 64)
}

fn llama_7b() -> ModelConfig {
    let dense = LayerShape { heads: 32, kv_heads: 32, channels: 11008 };
    ModelConfig { vocab_size: 32000, tied_head: false, ..config(32, dense, 4096) }
}

fn ratio(target: f64) -> Request {
    Request { target: Some(Target::Ratio(target)), windows: 128, window_tokens: 256, ..Request::default() }
}

fn planned(request: &Request, config: &ModelConfig) -> Result<Plan, PlanError> {
    plan(request, config, &Limits::default())
}

fn kept(plan: &Plan, of: fn(&LayerShape) -> usize) -> Vec<usize> {
    plan.layers.iter().map(|l| of(&l.after)).collect()
}

#[test]
fn the_published_counts_of_the_small_model() {
    let plan = planned(&Request { channel_multiple: Some(1), ..ratio(0.2) }, &stories()).unwrap();
    assert_eq!(kept(&plan, |l| l.kv_heads), [4, 3, 3, 3, 3]);
    assert_eq!(kept(&plan, |l| l.heads), [8, 6, 6, 6, 6]);
    assert_eq!(kept(&plan, |l| l.channels), [161, 144, 134, 127, 121]);
    assert!((plan.layers[0].ratio - 0.0625).abs() < 1e-12);
}

#[test]
fn the_papers_fifth_of_llama_7b_has_its_size() {
    let request = Request { first_ratio: Some(0.0625), ..ratio(0.2004) }.as_in_the_paper();
    let plan = planned(&request, &llama_7b()).unwrap();
    assert_eq!(plan.parameters_before, 6_738_415_616);
    assert!((5.43e9..5.45e9).contains(&(plan.parameters_after as f64)), "{}", plan.parameters_after);
    assert!((plan.decoder_ratio() - 0.2004).abs() < 2e-3);
}

#[test]
fn channels_are_kept_in_blocks_unless_told_otherwise() {
    let plan = planned(&ratio(0.37), &llama_7b()).unwrap();
    assert!(kept(&plan, |l| l.channels).iter().all(|c| c % 32 == 0));
}

#[test]
fn a_wanted_size_is_met_to_a_step() {
    for wanted in [5_000_000_000, 4_500_000_000, 3_400_000_000] {
        let request = Request { target: Some(Target::Parameters(wanted)), ..ratio(0.0) };
        let plan = planned(&request, &llama_7b()).unwrap();
        let off = plan.parameters_after.abs_diff(wanted) as f64 / wanted as f64;
        assert!(off < 2e-3, "{wanted}: {}", plan.parameters_after);
    }
}

#[test]
fn a_wanted_size_is_met_with_a_first_ratio_too() {
    let target = Some(Target::Parameters(6_500_000_000));
    let request = Request { target, first_ratio: Some(0.1), ..ratio(0.0) };
    let plan = planned(&request, &llama_7b()).unwrap();
    assert!(plan.parameters_after.abs_diff(6_500_000_000) < 30_000_000, "{}", plan.parameters_after);
}

#[test]
fn sizes_that_cannot_be_are_refused_with_the_numbers() {
    let with = |wanted| Request { target: Some(Target::Parameters(wanted)), ..ratio(0.0) };
    let error = planned(&with(7_000_000_000), &llama_7b()).unwrap_err();
    assert!(matches!(error, PlanError::TargetTooLarge { dense: 6_738_415_616, .. }), "{error}");
    let error = planned(&with(100_000_000), &llama_7b()).unwrap_err();
    assert!(matches!(error, PlanError::TargetTooSmall { wanted: 100_000_000, .. }), "{error}");
}

#[test]
fn a_target_that_empties_a_layer_names_it() {
    let uniform = Request { schedule: Schedule::Shape(Shape::Uniform), ..ratio(0.9) };
    let error = planned(&uniform, &stories()).unwrap_err();
    assert!(matches!(error, PlanError::Emptied { layer: 0, what: "K/V heads", left: 0, present: 4, .. }), "{error}");
    assert!(error.to_string().starts_with("layer "), "{error}");
    let wide = config(4, LayerShape { heads: 64, kv_heads: 64, channels: 172 }, 128);
    let error = planned(&uniform, &wide).unwrap_err();
    assert!(matches!(error, PlanError::Emptied { layer: 0, what: "channels", least: 32, .. }), "{error}");
}

#[test]
fn ratios_outside_their_range_are_refused() {
    for target in [0.0, 1.0, -0.5, f64::NAN] {
        let error = planned(&ratio(target), &stories()).unwrap_err();
        assert!(error.to_string().contains("between 0 and 1"), "{error}");
    }
}

#[test]
fn query_heads_go_evenly_from_every_group() {
    let dense = LayerShape { heads: 32, kv_heads: 8, channels: 1024 };
    let list = Schedule::List(vec![0.5; 2]);
    let request = Request { head_unit: HeadUnit::Query, schedule: list, target: None, ..ratio(0.5) };
    let plan = planned(&request, &config(2, dense, 512)).unwrap();
    assert_eq!(kept(&plan, |l| l.kv_heads), [8, 8]);
    assert_eq!(kept(&plan, |l| l.heads), [16, 16]);
    let request = Request { schedule: Schedule::Shape(Shape::Uniform), ..request };
    let request = Request { target: Some(Target::Ratio(0.5)), ..request };
    let error = planned(&request, &llama_7b()).unwrap_err();
    assert!(matches!(error, PlanError::NoGroups { layer: 0 }), "{error}");
}

#[test]
fn the_decoder_layers_lose_the_share_that_was_asked_for_whatever_the_unit() {
    let dense = LayerShape { heads: 32, kv_heads: 8, channels: 14336 };
    let llama_31 = config(32, dense, 4096);
    for target in [0.1, 0.2, 0.5] {
        let plan = planned(&Request { head_unit: HeadUnit::Query, ..ratio(target) }, &llama_31).unwrap();
        assert!((plan.decoder_ratio() - target).abs() < 0.002, "{target}: {}", plan.decoder_ratio());
        assert!(plan.ratio > target, "{}", plan.ratio);
    }
    for target in [0.0, 1.0, f64::NAN] {
        let error = planned(&Request { head_unit: HeadUnit::Query, ..ratio(target) }, &llama_31).unwrap_err();
        assert!(error.to_string().contains("between 0 and 1"), "{error}");
    }
}

#[test]
fn a_list_is_used_as_it_stands_or_scaled_to_a_target() {
    let list = Schedule::List(vec![0.0, 0.1, 0.2, 0.3, 0.4]);
    let request = Request { schedule: list, target: None, ..ratio(0.0) };
    let plan = planned(&request, &stories()).unwrap();
    assert_eq!(plan.layers.iter().map(|l| l.ratio).collect::<Vec<_>>(), [0.0, 0.1, 0.2, 0.3, 0.4]);
    assert_eq!(plan.layers[0].after, stories().dense);
    let plan = planned(&Request { target: Some(Target::Ratio(0.1)), ..request.clone() }, &stories()).unwrap();
    assert!((plan.layers[4].ratio - 0.2).abs() < 1e-12);
    let error = planned(&request, &llama_7b()).unwrap_err();
    assert!(matches!(error, PlanError::ListLength { given: 5, layers: 32 }), "{error}");
}

#[test]
fn more_text_than_can_be_counted_is_refused_with_both_numbers() {
    for (windows, window_tokens) in [(usize::MAX, 256), (1 << 40, 1 << 40), (1 << 24, 256)] {
        let error = planned(&Request { windows, window_tokens, ..ratio(0.2) }, &stories()).unwrap_err();
        assert!(matches!(error, PlanError::TooMuchText { .. }), "{error}");
        assert!(error.to_string().contains(&format!("--samples {windows}")), "{error}");
    }
}

#[test]
fn without_a_target_nothing_is_planned() {
    let error = planned(&Request { target: None, ..ratio(0.0) }, &stories()).unwrap_err();
    assert!(matches!(error, PlanError::NoTarget), "{error}");
}

fn gpu(max_binding_bytes: u64) -> Limits {
    Limits { is_gpu: true, max_binding_bytes: Some(max_binding_bytes), ..Limits::default() }
}

fn refused(request: &Request, config: &ModelConfig, limits: &Limits) -> MemoryError {
    match plan(request, config, limits) {
        Err(PlanError::Memory(error)) => error,
        other => panic!("not refused: {:?}", other.map(|p| p.memory)),
    }
}

#[test]
fn a_matrix_that_cannot_be_bound_names_the_limit_and_the_way_out() {
    let limit = 128 << 20;
    let error = refused(&ratio(0.2), &llama_7b(), &gpu(limit));
    assert!(matches!(error, MemoryError::Binding { limit: l, .. } if l == limit), "{error}");
    assert!(error.to_string().contains("134217728") && error.to_string().contains("--device cpu"), "{error}");
    assert!(plan(&ratio(0.2), &llama_7b(), &gpu(1 << 30)).is_ok());
}

#[test]
fn a_budget_that_is_too_small_is_told_with_what_would_be_enough() {
    let request = Request { memory: Some(1 << 30), ..ratio(0.2) };
    let error = refused(&request, &llama_7b(), &gpu(1 << 30)).to_string();
    assert!(error.contains("1.00 GiB") && error.contains("--memory"), "{error}");
    // What is told to be enough is enough.
    let enough: u64 = error.split("--memory ").nth(1).unwrap().split("MiB").next().unwrap().parse().unwrap();
    assert!(plan(&Request { memory: Some(enough << 20), ..request.clone() }, &llama_7b(), &gpu(1 << 30)).is_ok());
}

#[test]
fn on_the_cpu_fewer_samples_make_it_fit() {
    let request = Request { windows: 4096, window_tokens: 2048, memory: Some(64 << 30), ..ratio(0.2) };
    let error = refused(&request, &llama_7b(), &Limits::default()).to_string();
    let samples = error.split("--samples ").nth(1).unwrap().parse().unwrap();
    assert!(samples < 4096);
    assert!(planned(&Request { windows: samples, ..request }, &llama_7b()).is_ok());
}

#[test]
fn activations_move_to_the_host_before_anything_is_refused() {
    let place = |gib: u64| {
        let request = Request { windows: 256, window_tokens: 2048, memory: Some(gib << 30), ..ratio(0.2) };
        let memory = plan(&request, &llama_7b(), &gpu(1 << 30)).unwrap().memory;
        (memory.activations, memory.keep_inner)
    };
    assert_eq!(place(70), (Place::Device, true));
    assert_eq!(place(26), (Place::Device, false));
    assert_eq!(place(12), (Place::Host, false));
}

#[test]
fn activations_that_no_memory_holds_go_to_disk_if_there_is_room() {
    let request = Request { windows: 256, window_tokens: 2048, memory: Some(12 << 30), ..ratio(0.2) };
    let with = |is_gpu: bool, host_gib: u64, disk: Option<u64>| {
        let limits = Limits { host_bytes: Some(host_gib << 30), disk_bytes: disk, is_gpu, ..gpu(1 << 30) };
        plan(&request, &llama_7b(), &limits).map(|p| (p.memory.activations, p.memory.disk_bytes >> 30))
    };
    // N (D + q) · 4 = 2¹⁹ · 8192 · 4 bytes are 16 GiB.
    for is_gpu in [true, false] {
        assert_eq!(with(is_gpu, 12, Some(100 << 30)).unwrap(), (Place::Disk, 16));
        let error = with(is_gpu, 12, Some(15 << 30)).unwrap_err().to_string();
        assert!(error.contains("16.00 GiB") && error.contains("--samples 240"), "{error}");
        assert!(matches!(with(is_gpu, 12, None), Err(PlanError::Memory(MemoryError::Host { .. }))));
    }
    assert_eq!(with(true, 64, Some(100 << 30)).unwrap(), (Place::Host, 0));
}
