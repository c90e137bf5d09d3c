//! Allocations: which sizes come out, and how near they are to what was asked.

use slimgpt::allocate::{
    AllocateError, Allocated, Allocation, Curve, FinalShape, LayerRatio, Rounding, Schedule, SiteRatio, Target,
    allocate,
};
use slimgpt::names::Named;
use slimgpt::obs::HeadUnit;
use slimgpt::shape::{LayerShape, ModelConfig};

use crate::sizes::{config, llama_7b, smollm2_135m, stories};

fn to(target: f64) -> Allocation {
    Allocation::to(Target::Ratio(target))
}

fn allocated(asked: &Allocation, config: &ModelConfig) -> Allocated {
    allocate(asked, config, config).unwrap_or_else(|error| panic!("{asked:?}: {error}"))
}

fn refused(asked: &Allocation, config: &ModelConfig) -> AllocateError {
    allocate(asked, config, config).unwrap_err()
}

fn parameters_after(found: &Allocated) -> usize {
    found.layers.iter().map(|l| l.parameters_after).sum()
}

/// The share of the decoder layers that goes.
fn share(found: &Allocated, config: &ModelConfig) -> f64 {
    1.0 - parameters_after(found) as f64 / config.decoder_parameters() as f64
}

/// Parameters of the coarsest channel step: gcd(width, 32) channels by default.
fn step(config: &ModelConfig, multiple: usize) -> f64 {
    (3 * config.hidden_size * multiple) as f64
}

#[test]
fn any_target_is_met_to_half_a_channel_step() {
    for (config, multiple) in [(smollm2_135m(), 32), (stories(), 4), (llama_7b(), 32)] {
        for &curve in Curve::all() {
            for target in [0.03, 0.1, 0.2, 0.35, 0.5, 0.6] {
                let asked = Allocation { schedule: Schedule::Curve(curve), ..to(target) };
                // A steep schedule of a small model may leave its range; that is another test's subject.
                let Ok(found) = allocate(&asked, &config, &config) else { continue };
                let wanted = (1.0 - target) * config.decoder_parameters() as f64;
                let off = (parameters_after(&found) as f64 - wanted).abs();
                assert!(off <= step(&config, multiple) / 2.0 + 1.0, "{curve:?} {target}: off by {off}");
            }
        }
    }
}

#[test]
fn counts_are_within_one_step_of_the_schedules_ratios() {
    let config = smollm2_135m();
    let found = allocated(&to(0.2), &config);
    let ideal: f64 = found.layers.iter().map(|l| 3.0 * l.ratio.heads).sum();
    let heads: usize = found.layers.iter().map(|l| l.head_units_removed()).sum();
    assert_eq!(heads as f64, ideal.round_ties_even(), "the heads' total is the rounded total");
    for layer in &found.layers {
        assert!((layer.head_units_removed() as f64 - 3.0 * layer.ratio.heads).abs() < 1.0, "{layer:?}");
    }
}

#[test]
fn rounding_by_layer_misses_what_rounding_by_model_meets() {
    let config = smollm2_135m();
    for target in [0.1, 0.2] {
        let by_layer = Allocation { rounding: Some(Rounding::Layer), ..to(target) };
        let (layer, model) = (allocated(&by_layer, &config), allocated(&to(target), &config));
        assert!((share(&layer, &config) - target).abs() > 0.01, "{target}: {}", share(&layer, &config));
        assert!((share(&model, &config) - target).abs() < 0.0005, "{target}: {}", share(&model, &config));
    }
}

#[test]
fn many_heads_are_rounded_layer_by_layer_either_way() {
    let heads = |rounding| {
        let found = allocated(&Allocation { rounding: Some(rounding), ..to(0.2) }, &llama_7b());
        found.layers.iter().map(|l| l.after.heads).collect::<Vec<_>>()
    };
    assert_eq!(heads(Rounding::Model), heads(Rounding::Layer));
}

#[test]
fn a_site_that_is_left_alone_keeps_everything_and_the_other_makes_up() {
    let config = smollm2_135m();
    let found = allocated(&Allocation { head_ratio: SiteRatio::Factor(0.0), ..to(0.2) }, &config);
    assert!(found.layers.iter().all(|l| l.after.heads == 9));
    assert!((share(&found, &config) - 0.2).abs() < 0.0005);
    let list = SiteRatio::List(vec![0.0; 30]);
    assert_eq!(allocated(&Allocation { head_ratio: list, ..to(0.2) }, &config).layers, found.layers);
}

#[test]
fn kept_layers_lose_nothing_and_the_target_is_met() {
    let config = smollm2_135m();
    for rounding in [Rounding::Model, Rounding::Layer] {
        let asked = Allocation { keep_layers: vec![0, 1, 29], rounding: Some(rounding), ..to(0.2) };
        let found = allocated(&asked, &config);
        assert!([0, 1, 29].iter().all(|&i| found.layers[i].after == config.dense));
        assert!((share(&found, &config) - 0.2).abs() < 0.015, "{rounding:?}: {}", share(&found, &config));
    }
    let error = refused(&Allocation { keep_layers: vec![30], ..to(0.2) }, &config);
    assert_eq!(error, AllocateError::NoSuchLayer { layer: 30, layers: 30 });
}

#[test]
fn a_pair_of_ratios_is_used_as_it_stands() {
    let pair = LayerRatio { heads: 1.0 / 3.0, channels: 0.5 };
    let asked = Allocation { schedule: Schedule::Ratios(vec![pair; 30]), ..Allocation::default() };
    let found = allocated(&asked, &smollm2_135m());
    let after = LayerShape { heads: 6, kv_heads: 2, channels: 768 };
    assert!(found.layers.iter().all(|l| l.after == after), "{:?}", found.layers[0]);
    assert!((found.ratio - pair.mean()).abs() < 1e-12);
}

#[test]
fn exact_sizes_come_out_exactly_and_tell_their_unit() {
    let config = config(3, LayerShape { heads: 8, kv_heads: 4, channels: 172 }, 64);
    let shapes = [(6, 3, 100), (4, 4, 171), (8, 4, 172)];
    let shapes = shapes.map(|(heads, kv_heads, channels)| LayerShape { heads, kv_heads, channels }).to_vec();
    let asked = Allocation { schedule: Schedule::Shapes(shapes.clone()), ..Allocation::default() };
    let found = allocated(&asked, &config);
    assert_eq!(found.layers.iter().map(|l| l.after).collect::<Vec<_>>(), shapes);
    let units: Vec<HeadUnit> = found.layers.iter().map(|l| l.unit).collect();
    assert_eq!(units, [HeadUnit::KeyValue, HeadUnit::Query, HeadUnit::KeyValue]);
    assert_eq!(found.layers[2].parameters_after, config.layer_parameters(config.dense));
    let both = Allocation { target: Some(Target::Ratio(0.2)), ..asked };
    assert_eq!(refused(&both, &config), AllocateError::TargetBesideShapes);
}

#[test]
fn sizes_that_cannot_come_about_name_the_layer_and_the_rule() {
    let config = config(1, LayerShape { heads: 8, kv_heads: 4, channels: 172 }, 64);
    for ((heads, kv_heads, channels), rule) in
        [((9, 4, 172), "grow"), ((8, 4, 173), "grow"), ((7, 4, 172), "multiple"), ((6, 2, 172), "more query heads")]
    {
        let shapes = vec![LayerShape { heads, kv_heads, channels }];
        let asked = Allocation { schedule: Schedule::Shapes(shapes), ..Allocation::default() };
        match refused(&asked, &config) {
            AllocateError::Shape { layer: 0, why, .. } => assert!(why.contains(rule), "{why}"),
            other => panic!("{other}"),
        }
    }
    let few = Schedule::Shapes(vec![LayerShape { heads: 8, kv_heads: 4, channels: 31 }]);
    let error = refused(&Allocation { schedule: few, ..Allocation::default() }, &config);
    assert!(matches!(error, AllocateError::Emptied { what: "channels", left: 31, least: 32, .. }), "{error}");
}

#[test]
fn a_uniform_shape_is_the_same_everywhere() {
    let shape = FinalShape { kv_heads: Some(2), channels: Some(1024), heads: None };
    let asked = Allocation { schedule: Schedule::Shape(shape), ..Allocation::default() };
    let found = allocated(&asked, &smollm2_135m());
    assert!(found.layers.iter().all(|l| l.after == LayerShape { heads: 6, kv_heads: 2, channels: 1024 }));
}

#[test]
fn query_heads_meet_the_target_too() {
    let dense = LayerShape { heads: 32, kv_heads: 8, channels: 14336 };
    let llama_31 = config(32, dense, 4096);
    for target in [0.1, 0.2, 0.5] {
        let found = allocated(&Allocation { head_unit: HeadUnit::Query, ..to(target) }, &llama_31);
        assert!(found.layers.iter().all(|l| l.after.kv_heads == 8));
        assert!((share(&found, &llama_31) - target).abs() < 1e-4, "{target}: {}", share(&found, &llama_31));
    }
}

#[test]
fn numbers_that_mean_nothing_are_refused() {
    let config = stories();
    assert_eq!(refused(&Allocation { channel_multiple: Some(0), ..to(0.2) }, &config), AllocateError::ZeroMultiple);
    let short = SiteRatio::List(vec![0.1; 4]);
    let error = refused(&Allocation { channel_ratio: short, ..to(0.2) }, &config);
    assert_eq!(error, AllocateError::ListLength { given: 4, layers: 5 });
    let nan = SiteRatio::Factor(f64::NAN);
    assert!(matches!(refused(&Allocation { head_ratio: nan, ..to(0.2) }, &config), AllocateError::Factor(_)));
    let zeros = Allocation { schedule: Schedule::even(&[0.0; 5]), ..to(0.2) };
    assert_eq!(refused(&zeros, &config), AllocateError::EmptyList);
}
