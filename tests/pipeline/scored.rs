//! Sizes that follow from scores of all units: one threshold, the target, and what is refused.

use slimgpt::allocate::{AllocateError, Allocated, Allocation, Schedule, SiteRatio, Target, by_scores};
use slimgpt::obs::HeadUnit;
use slimgpt::shape::{LayerShape, ModelConfig};

use crate::sizes::{config, llama_7b, smollm2_135m, stories};
use crate::support::random;

/// Of each layer, of units of attention and of channels.
type Scores = Vec<[Vec<f64>; 2]>;

fn asked(target: f64, multiple: usize) -> Allocation {
    let channel_multiple = Some(multiple);
    Allocation { schedule: Schedule::Scores, channel_multiple, ..Allocation::to(Target::Ratio(target)) }
}

/// Every layer about another level, so that layers differ.
fn scores(config: &ModelConfig, unit: HeadUnit, seed: u64) -> Scores {
    let of = |count: usize, seed: u64, level: f32| random(count, seed).iter().map(|s| f64::from(s + level)).collect();
    let layer = |(i, layer): (usize, &LayerShape)| {
        let heads = if unit == HeadUnit::Query { layer.heads } else { layer.kv_heads };
        let seed = 1000 * seed + 2 * i as u64;
        [of(heads, seed, 0.0), of(layer.channels, seed + 1, 0.1 * (i % 5) as f32)]
    };
    config.layers.iter().enumerate().map(layer).collect()
}

fn found(asked: &Allocation, config: &ModelConfig, scores: &Scores) -> Allocated {
    by_scores(asked, config, config, scores).unwrap_or_else(|error| panic!("{asked:?}: {error}"))
}

fn left(found: &Allocated) -> usize {
    found.layers.iter().map(|l| l.parameters_after).sum()
}

/// What goes and what stays of sorted scores of which so many go.
fn split(scores: &[f64], goes: usize) -> (Vec<f64>, Vec<f64>) {
    let mut sorted = scores.to_vec();
    sorted.sort_by(f64::total_cmp);
    let stays = sorted.split_off(goes);
    (sorted, stays)
}

#[test]
fn two_layers_by_hand() {
    // A head is 4 · 4 · 8 = 128 parameters, a channel 24: with them in the order of their scores
    //   1: channel of layer 1   2: channel of layer 0   3: head of layer 0   4: channel of layer 1
    let shape = LayerShape { heads: 2, kv_heads: 2, channels: 40 };
    let config = config(2, shape, 8);
    let mut scores: Scores = vec![[vec![3.0, 9.0], vec![10.0; 40]], [vec![8.0, 9.0], vec![10.0; 40]]];
    (scores[1][1][7], scores[0][1][3], scores[1][1][0]) = (1.0, 2.0, 4.0);
    let check = |gone: usize, heads: [usize; 2], channels: [usize; 2]| {
        let target = 1.0 - (config.decoder_parameters() - gone) as f64 / config.decoder_parameters() as f64;
        let found = found(&asked(target, 1), &config, &scores);
        let kept = |of: fn(&LayerShape) -> usize| [0, 1].map(|i| of(&shape) - of(&found.layers[i].after));
        assert_eq!((kept(|s| s.heads), kept(|s| s.channels)), (heads, channels), "{gone}");
    };
    check(24, [0, 0], [0, 1]);
    check(48, [0, 0], [1, 1]);
    // Nearer to the threshold below the head: then channels make up for it, that of the score 4 first.
    check(72, [0, 0], [1, 2]);
    check(176, [1, 0], [1, 1]);
    // Nearer to the one above it: the dearest channel comes back.
    check(150, [1, 0], [0, 1]);
    check(200, [1, 0], [1, 2]);
}

#[test]
fn the_target_is_met_to_half_a_channel_step() {
    for (config, multiple) in [(smollm2_135m(), 32), (smollm2_135m(), 1), (stories(), 4), (llama_7b(), 32)] {
        for target in [0.03, 0.1, 0.2, 0.35, 0.5, 0.6] {
            let found = found(&asked(target, multiple), &config, &scores(&config, HeadUnit::KeyValue, 1));
            let wanted = (1.0 - target) * config.decoder_parameters() as f64;
            let step = (3 * config.hidden_size * multiple) as f64;
            let off = (left(&found) as f64 - wanted).abs();
            assert!(off <= step / 2.0 + 1.0, "{target} by {multiple}: off by {off}");
            let is_multiple = |n: usize, of: usize| n == of || n.is_multiple_of(multiple);
            assert!(found.layers.iter().all(|l| is_multiple(l.after.channels, l.before.channels)));
        }
    }
}

#[test]
fn a_budget_in_bytes_is_not_exceeded() {
    let (multiple, mut over) = (4, 0);
    for config in [smollm2_135m(), stories()] {
        let scores = scores(&config, HeadUnit::KeyValue, 1);
        let total = |found: &Allocated| config.outer_parameters() + left(found);
        for percent in (50..95).step_by(5) {
            let parameters = config.outer_parameters() + config.decoder_parameters() * percent / 100;
            let to = |target| found(&Allocation { target: Some(target), ..asked(0.2, multiple) }, &config, &scores);
            over += usize::from(total(&to(Target::Parameters(parameters))) > parameters);
            let within = total(&to(Target::Bytes { bytes: 4 * parameters as u64, parameters }));
            assert!(within <= parameters, "{percent} %: {within} of {parameters}");
            assert!(
                parameters - within <= 2 * 3 * config.hidden_size * multiple,
                "{percent} %: {within} of {parameters}"
            );
        }
    }
    assert!(over > 0, "a number that is aimed for may be missed upwards");
}

/// The published rule, written down once more: over all units in falling order of their scores, of heads with so many
/// channels' worth, the threshold is where what stays is nearest to what is to stay.
fn published(scores: &Scores, head_weight: f64, ratio: f64) -> f64 {
    let units = |site: usize, weight: f64| scores.iter().flat_map(move |of| of[site].iter().map(move |&s| (s, weight)));
    let mut all: Vec<(f64, f64)> = units(0, head_weight).chain(units(1, 1.0)).collect();
    all.sort_by(|a, b| b.0.total_cmp(&a.0));
    let wanted = all.iter().map(|(_, weight)| weight).sum::<f64>() * (1.0 - ratio);
    let (mut sum, mut nearest) = (0.0, (f64::INFINITY, 0.0));
    for (score, weight) in all {
        sum += weight;
        if (sum - wanted).abs() < nearest.0 {
            nearest = ((sum - wanted).abs(), score);
        }
    }
    nearest.1
}

#[test]
fn heads_go_by_the_published_threshold() {
    let config = llama_7b();
    for (seed, ratio) in [(1, 0.2), (2, 0.3), (3, 0.5)] {
        let mut scores = scores(&config, HeadUnit::KeyValue, seed);
        // A head that no threshold of these reaches, so that no layer would lose its last.
        scores.iter_mut().for_each(|of| of[0][5] = 9.0);
        let threshold = published(&scores, 512.0 / 3.0, ratio);
        let found = found(&asked(ratio, 1), &config, &scores);
        for (i, (layer, of)) in found.layers.iter().zip(&scores).enumerate() {
            // The unit at the threshold itself may fall on either side: what is counted up from above and from below
            // meets there.
            let heads = of[0].iter().filter(|&&s| s < threshold).count();
            assert!(layer.head_units_removed().abs_diff(heads) <= 1, "{ratio} layer {i}");
            let channels = of[1].iter().filter(|&&s| s < threshold).count();
            // Where the target lies within a head, half of its 171 channels come or go in the 32 layers.
            assert!(layer.channels_removed().abs_diff(channels) <= 16, "{ratio} layer {i}: {channels}");
        }
        let heads = |of: &dyn Fn(usize) -> usize| (0..32).map(of).sum::<usize>();
        let by_threshold = heads(&|i| scores[i][0].iter().filter(|&&s| s < threshold).count());
        let gone = heads(&|i| found.layers[i].head_units_removed());
        assert!(gone.abs_diff(by_threshold) <= 1, "{ratio}: {gone} {by_threshold}");
    }
}

#[test]
fn what_goes_scores_lower_than_what_stays_in_whichever_layer() {
    let (config, mut lost) = (smollm2_135m(), Vec::new());
    let scores = scores(&config, HeadUnit::KeyValue, 4);
    let found = found(&asked(0.25, 1), &config, &scores);
    let (mut gone, mut stays) = (f64::NEG_INFINITY, f64::INFINITY);
    for (layer, of) in found.layers.iter().zip(&scores) {
        let (goes, rest) = split(&of[1], layer.channels_removed());
        gone = goes.into_iter().fold(gone, f64::max);
        stays = rest.into_iter().fold(stays, f64::min);
        lost.push(layer.channels_removed());
    }
    assert!(gone <= stays, "{gone} {stays}");
    // The levels of five layers differ, so their losses do.
    assert!(lost[0] > 2 * lost[4], "{lost:?}");
}

#[test]
fn every_group_loses_as_many_query_heads() {
    let config = smollm2_135m();
    let asked = Allocation { head_unit: HeadUnit::Query, ..asked(0.3, 1) };
    let found = found(&asked, &config, &scores(&config, HeadUnit::Query, 5));
    assert!(found.layers.iter().any(|l| l.after.heads < l.before.heads));
    assert!(found.layers.iter().all(|l| l.after.kv_heads == 3 && l.after.heads % 3 == 0 && l.after.heads > 0));
    let wanted = 0.7 * config.decoder_parameters() as f64;
    assert!((left(&found) as f64 - wanted).abs() <= 1.5 * config.hidden_size as f64 + 1.0);
}

#[test]
fn something_stays_of_every_site_and_all_of_what_is_kept() {
    let config = stories();
    let mut scores = scores(&config, HeadUnit::KeyValue, 6);
    // All of the first layer is worth less than anything else.
    scores[0] = scores[0].clone().map(|site| site.iter().map(|s| s - 100.0).collect());
    let asked = Allocation { keep_layers: vec![3], ..asked(0.4, 1) };
    let found = found(&asked, &config, &scores);
    let after: Vec<LayerShape> = found.layers.iter().map(|l| l.after).collect();
    assert_eq!(after[0], LayerShape { heads: 2, kv_heads: 1, channels: 32 });
    assert_eq!(after[3], config.layers[3]);
}

#[test]
fn what_cannot_be_is_refused() {
    let config = stories();
    let good = scores(&config, HeadUnit::KeyValue, 7);
    let refused = |asked: &Allocation, scores: &Scores| by_scores(asked, &config, &config, scores).unwrap_err();
    assert_eq!(refused(&Allocation { target: None, ..asked(0.2, 1) }, &good), AllocateError::NoTarget);
    let mut short = good.clone();
    short[2][0].pop();
    assert_eq!(refused(&asked(0.2, 1), &short), AllocateError::Scores { layer: 2 });
    assert_eq!(refused(&asked(0.2, 1), &good[..4].to_vec()), AllocateError::Scores { layer: 4 });
    let dense = config.parameters();
    let all = Allocation { target: Some(Target::Parameters(dense)), ..asked(0.2, 1) };
    assert_eq!(refused(&all, &good), AllocateError::TargetTooLarge { wanted: dense, dense });
    assert!(matches!(refused(&asked(0.95, 1), &good), AllocateError::TargetTooSmall { .. }));
    for ratios in [
        Allocation { first_ratio: Some(0.1), ..asked(0.2, 1) },
        Allocation { head_ratio: SiteRatio::Factor(0.0), ..asked(0.2, 1) },
        Allocation { channel_ratio: SiteRatio::List(vec![0.1; 5]), ..asked(0.2, 1) },
    ] {
        assert_eq!(refused(&ratios, &good), AllocateError::RatioBesideScores);
        // Before any text is read, too.
        assert_eq!(slimgpt::allocate::allocate(&ratios, &config, &config), Err(AllocateError::RatioBesideScores));
    }
}
