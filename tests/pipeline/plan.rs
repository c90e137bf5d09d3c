//! What a request means for a model.

use slimgpt::activations::Placement;
use slimgpt::allocate::{AllocateError, Allocation, Curve, CurveError, LayerRatio, Rounding, Schedule, Target};
use slimgpt::device::{Device, adapters};
use slimgpt::obs::HeadUnit;
use slimgpt::pipeline::{
    Limits, Measure, MemoryError, Operations, Plan, PlanError, Request, WouldFit, operations_per_token, plan,
};
use slimgpt::remedy::{Remedied, Remedy};
use slimgpt::shape::{LayerShape, ModelConfig};

use crate::sizes::{config, llama_7b, stories};
use crate::support::pruned::rounded_by_layer;
use crate::support::software_gpu;

fn asked(allocation: Allocation) -> Request {
    Request { allocation, windows: 128, window_tokens: 256, ..Request::default() }
}

/// Any ratio, rounded layer by layer, with channels in the default multiples.
fn ratio(target: f64) -> Request {
    asked(Allocation { channel_multiple: None, ..rounded_by_layer(target) })
}

/// The request with its allocation changed.
fn with(request: Request, change: impl FnOnce(&mut Allocation)) -> Request {
    let mut request = request;
    change(&mut request.allocation);
    request
}

fn refused_sizes(request: &Request, config: &ModelConfig) -> AllocateError {
    match planned(request, config) {
        Err(PlanError::Allocate(error)) => error,
        other => panic!("not refused: {:?}", other.map(|p| p.layers)),
    }
}

fn planned(request: &Request, config: &ModelConfig) -> Result<Plan, PlanError> {
    plan(request, config, &Limits::default())
}

fn kept(plan: &Plan, of: fn(&LayerShape) -> usize) -> Vec<usize> {
    plan.layers.iter().map(|l| of(&l.after)).collect()
}

#[test]
fn the_published_counts_of_the_small_model() {
    let plan = planned(&asked(rounded_by_layer(0.2)), &stories()).unwrap();
    assert_eq!(kept(&plan, |l| l.kv_heads), [4, 3, 3, 3, 3]);
    assert_eq!(kept(&plan, |l| l.heads), [8, 6, 6, 6, 6]);
    assert_eq!(kept(&plan, |l| l.channels), [161, 144, 134, 127, 121]);
    assert!((plan.layers[0].ratio.heads - 0.0625).abs() < 1e-12);
}

#[test]
fn the_papers_fifth_of_llama_7b_has_its_size() {
    let request = with(ratio(0.2004), |a| a.first_ratio = Some(0.0625)).as_in_the_paper();
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
        let request = with(ratio(0.0), |a| a.target = Some(Target::Parameters(wanted)));
        let plan = planned(&request, &llama_7b()).unwrap();
        let off = plan.parameters_after.abs_diff(wanted) as f64 / wanted as f64;
        assert!(off < 2e-3, "{wanted}: {}", plan.parameters_after);
    }
}

#[test]
fn a_wanted_size_is_met_with_a_first_ratio_too() {
    let target = Some(Target::Parameters(6_500_000_000));
    let request = with(ratio(0.0), |a| (a.target, a.first_ratio) = (target, Some(0.1)));
    let plan = planned(&request, &llama_7b()).unwrap();
    assert!(plan.parameters_after.abs_diff(6_500_000_000) < 30_000_000, "{}", plan.parameters_after);
}

#[test]
fn sizes_that_cannot_be_are_refused_with_the_numbers() {
    for rounding in [Rounding::Layer, Rounding::Model] {
        let of =
            |wanted| with(ratio(0.0), |a| (a.target, a.rounding) = (Some(Target::Parameters(wanted)), Some(rounding)));
        let error = refused_sizes(&of(7_000_000_000), &llama_7b());
        assert!(matches!(error, AllocateError::TargetTooLarge { dense: 6_738_415_616, .. }), "{error}");
        let error = refused_sizes(&of(100_000_000), &llama_7b());
        assert!(matches!(error, AllocateError::TargetTooSmall { wanted: 100_000_000, .. }), "{error}");
        assert_eq!(error.remedy(), Some(Remedy::ShareEvenly));
    }
}

#[test]
fn a_target_that_empties_a_layer_names_it() {
    let uniform = with(ratio(0.9), |a| a.schedule = Schedule::Curve(Curve::Uniform));
    let error = refused_sizes(&uniform, &stories());
    assert!(
        matches!(error, AllocateError::Emptied { layer: 0, what: "K/V heads", left: 0, present: 4, .. }),
        "{error}"
    );
    let wide = config(4, LayerShape { heads: 64, kv_heads: 64, channels: 172 }, 128);
    let error = refused_sizes(&uniform, &wide);
    assert!(matches!(error, AllocateError::Emptied { layer: 0, what: "channels", least: 32, .. }), "{error}");
}

#[test]
fn ratios_outside_their_range_are_refused() {
    for target in [0.0, 1.0, -0.5, f64::NAN] {
        let error = refused_sizes(&ratio(target), &stories());
        assert!(matches!(error, AllocateError::Curve(CurveError::Target(_))), "{error}");
    }
}

#[test]
fn query_heads_go_evenly_from_every_group() {
    let dense = LayerShape { heads: 32, kv_heads: 8, channels: 1024 };
    let request = with(ratio(0.5), |a| {
        (a.head_unit, a.schedule, a.target) = (HeadUnit::Query, Schedule::even(&[0.5; 2]), None);
    });
    let plan = planned(&request, &config(2, dense, 512)).unwrap();
    assert_eq!(kept(&plan, |l| l.kv_heads), [8, 8]);
    assert_eq!(kept(&plan, |l| l.heads), [16, 16]);
    let uniform = with(request, |a| {
        (a.schedule, a.target) = (Schedule::Curve(Curve::Uniform), Some(Target::Ratio(0.5)));
    });
    let error = refused_sizes(&uniform, &llama_7b());
    assert_eq!((error.remedy(), error), (Some(Remedy::WholeGroups), AllocateError::NoGroups { layer: 0 }));
}

#[test]
fn the_decoder_layers_lose_the_share_that_was_asked_for_whatever_the_unit() {
    let dense = LayerShape { heads: 32, kv_heads: 8, channels: 14336 };
    let llama_31 = config(32, dense, 4096);
    for target in [0.1, 0.2, 0.5] {
        let plan = planned(&with(ratio(target), |a| a.head_unit = HeadUnit::Query), &llama_31).unwrap();
        assert!((plan.decoder_ratio() - target).abs() < 0.002, "{target}: {}", plan.decoder_ratio());
        assert!(plan.ratio > target, "{}", plan.ratio);
    }
    for target in [0.0, 1.0, f64::NAN] {
        let error = refused_sizes(&with(ratio(target), |a| a.head_unit = HeadUnit::Query), &llama_31);
        assert!(matches!(error, AllocateError::Curve(CurveError::Target(_))), "{error}");
    }
}

#[test]
fn a_list_is_used_as_it_stands_or_scaled_to_a_target() {
    let list = [0.0, 0.1, 0.2, 0.3, 0.4];
    let request = with(ratio(0.0), |a| (a.schedule, a.target) = (Schedule::even(&list), None));
    let plan = planned(&request, &stories()).unwrap();
    assert_eq!(plan.layers.iter().map(|l| l.ratio).collect::<Vec<_>>(), list.map(LayerRatio::both));
    assert_eq!(plan.layers[0].after, stories().dense);
    let scaled = with(request.clone(), |a| a.target = Some(Target::Ratio(0.1)));
    let plan = planned(&scaled, &stories()).unwrap();
    assert!((plan.layers[4].ratio.channels - 0.2).abs() < 1e-12);
    let error = refused_sizes(&request, &llama_7b());
    assert_eq!(error, AllocateError::ListLength { given: 5, layers: 32 });
}

#[test]
fn more_text_than_can_be_counted_is_refused_with_both_numbers() {
    for (windows, window_tokens) in [(usize::MAX, 256), (1 << 40, 1 << 40), (1 << 24, 256)] {
        let error = planned(&Request { windows, window_tokens, ..ratio(0.2) }, &stories()).unwrap_err();
        assert!(matches!(error, PlanError::TooMuchText { .. }), "{error}");
        assert_eq!(error.remedy(), Some(Remedy::Windows(256)));
    }
}

#[test]
fn without_a_target_nothing_is_planned() {
    for rounding in [Rounding::Layer, Rounding::Model] {
        let nothing = with(ratio(0.0), |a| (a.target, a.rounding) = (None, Some(rounding)));
        assert_eq!(refused_sizes(&nothing, &stories()), AllocateError::NoTarget);
    }
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
    assert_eq!(error.remedy(), Some(Remedy::Cpu));
    assert!(plan(&ratio(0.2), &llama_7b(), &gpu(1 << 30)).is_ok());
}

#[test]
fn a_budget_that_is_too_small_is_told_with_what_would_be_enough() {
    let error = refused(&ratio(0.2), &llama_7b(), &gpu(1 << 30).within(Some(1 << 30)));
    assert!(matches!(error, MemoryError::Device { budget, .. } if budget == 1 << 30), "{error}");
    let Some(Remedy::AllowMemory(enough)) = error.remedy() else { panic!("{error}") };
    assert!(plan(&ratio(0.2), &llama_7b(), &gpu(1 << 30).within(Some(enough))).is_ok());
}

#[test]
fn on_the_cpu_fewer_samples_make_it_fit() {
    let limits = Limits::default().within(Some(64 << 30));
    let request = Request { windows: 4096, window_tokens: 2048, ..ratio(0.2) };
    let error = refused(&request, &llama_7b(), &limits);
    let Some(Remedy::Windows(samples)) = error.remedy() else { panic!("{error}") };
    assert!(samples < 4096);
    assert!(plan(&Request { windows: samples as usize, ..request }, &llama_7b(), &limits).is_ok());
}

#[test]
fn activations_move_to_the_host_before_anything_is_refused() {
    let place = |gib: u64| {
        let request = Request { windows: 256, window_tokens: 2048, ..ratio(0.2) };
        let memory = plan(&request, &llama_7b(), &gpu(1 << 30).within(Some(gib << 30))).unwrap().memory;
        (memory.activations, memory.keep_inner)
    };
    assert_eq!(place(70), (Placement::Device, true));
    // The inner activations of the windows that are measured are 2.7 GiB.
    assert_eq!(place(26), (Placement::Device, true));
    assert_eq!(place(20), (Placement::Device, false));
    assert_eq!(place(12), (Placement::Host, false));
}

fn llama_70b() -> ModelConfig {
    let dense = LayerShape { heads: 64, kv_heads: 8, channels: 28672 };
    ModelConfig { vocab_size: 32000, tied_head: false, ..config(80, dense, 8192) }
}

/// Blocks of rows cost what is put together of them, and nothing where the device binds all of H.
#[test]
fn seventy_billion_parameters_are_planned_where_two_gigabytes_are_bound() {
    let request = Request { windows: 256, window_tokens: 2048, ..ratio(0.5) };
    let [cut, whole] = [(2 << 30) - 1, 4 << 30].map(|limit| {
        let limits = gpu(limit).within(Some(40 << 30));
        plan(&request, &llama_70b(), &limits).unwrap().memory.device_bytes
    });
    assert_eq!(cut, whole + (128 << 20));
}

/// At 256 windows of 2048 tokens, with nothing known of the device but its memory.
#[test]
fn six_gigabytes_are_enough_for_seven_billion_parameters_and_24_for_seventy() {
    for (model, gigabytes) in [(llama_7b(), 6), (llama_70b(), 24)] {
        let request = Request { windows: 256, window_tokens: 2048, ..ratio(0.5) };
        let limits = Limits { is_gpu: true, ..Limits::default() }.within(Some(gigabytes * 1_000_000_000));
        let memory = plan(&request, &model, &limits).unwrap().memory;
        assert_eq!(memory.activations, Placement::Host, "{gigabytes} GB");
        // The Hessian and two more of its size, and no room for a fourth twice over.
        let square = (model.dense.channels as u64).pow(2) * 4;
        assert!(memory.device_bytes > 3 * square && memory.device_bytes < 8 * square, "{:?}", memory.parts);
    }
}

/// Half of everything at 256 windows of 2048 tokens. With losses on every token (124 million), attention on all pairs (34)
/// and all of gate and up for the output once more (90 too many) it was 819 million operations for a token and layer.
#[test]
fn a_token_costs_a_layer_of_llama_7b_six_hundred_million_operations() {
    let half = with(ratio(0.5), |a| (a.schedule, a.channel_multiple) = (Schedule::Curve(Curve::Uniform), Some(1)));
    let request = Request { windows: 256, window_tokens: 2048, ..half };
    let count = |request: &Request, gigabytes: u64| -> Operations {
        let limits = Limits { is_gpu: true, ..Limits::default() }.within(Some(gigabytes * 1_000_000_000));
        let layers = operations_per_token(&plan(request, &llama_7b(), &limits).unwrap(), &llama_7b());
        assert!(layers.iter().all(|layer| layer == &layers[0]));
        layers[0]
    };
    let millions = |operations: f64| operations / 1e6;
    let sampled = count(&request, 6);
    let total = millions(sampled.total());
    assert!((600.0..625.0).contains(&total), "{total}: {sampled:?}");
    // An eighth of what it is on all tokens; more than half of the attention is left out.
    assert!((15.0..16.0).contains(&millions(sampled.losses)), "{sampled:?}");
    assert!((17.0..18.0).contains(&millions(sampled.attention)), "{sampled:?}");
    let all = count(&Request { measure: Measure::All, ..request.clone() }, 6);
    assert!((800.0..804.0).contains(&millions(all.total())), "{all:?}");
    // Where there is room, what is measured need not be computed again.
    let roomy = count(&request, 100);
    assert!((588.0..595.0).contains(&millions(roomy.total())), "{roomy:?}");
}

#[test]
fn a_device_that_tells_its_memory_sets_the_budget() {
    let (gpu, there) = (software_gpu(), pollster::block_on(adapters()));
    let software = there.iter().find(|adapter| adapter.name == gpu.name()).expect("listed");
    let all = software.memory_bytes.expect("the software adapter tells");
    let of = Limits::of(&gpu, None);
    assert!(of.device_bytes.is_some_and(|bytes| 0 < bytes && bytes <= all / 5 * 4), "{of:?} of {all}");
    assert!(software.usable_bytes().is_some_and(|bytes| 0 < bytes && bytes <= all / 5 * 4), "{software:?}");
    assert_eq!(of.within(Some(5 << 30)).device_bytes, Some(5 << 30));
    assert_eq!(Limits::of(&Device::cpu(), None).device_bytes, None);
}

#[test]
fn activations_that_no_memory_holds_go_to_disk_if_there_is_room() {
    let request = Request { windows: 256, window_tokens: 2048, ..ratio(0.2) };
    let on = |is_gpu: bool, host_gib: u64, disk: Option<u64>| {
        let limits = Limits { host_bytes: Some(host_gib << 30), disk_bytes: disk, is_gpu, ..gpu(1 << 30) };
        plan(&request, &llama_7b(), &limits.within(Some(12 << 30)))
            .map(|p| (p.memory.activations, p.memory.disk_bytes >> 30))
    };
    // N (D + q) · 4 = 2¹⁹ · 8192 · 4 bytes are 16 GiB.
    for is_gpu in [true, false] {
        assert_eq!(on(is_gpu, 12, Some(100 << 30)).unwrap(), (Placement::Disk, 16));
        let error = on(is_gpu, 12, Some(15 << 30)).unwrap_err();
        let would_fit = WouldFit::Windows(240);
        let want = MemoryError::Disk { needed: 16 << 30, budget: 15 << 30, would_fit };
        assert!(matches!(&error, PlanError::Memory(error) if *error == want), "{error}");
        assert!(matches!(on(is_gpu, 12, None), Err(PlanError::Memory(MemoryError::Host { .. }))));
    }
    assert_eq!(on(true, 64, Some(100 << 30)).unwrap(), (Placement::Host, 0));
}
