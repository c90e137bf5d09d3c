//! What holds for any logits.

use std::collections::BTreeSet;

use proptest::prelude::*;
use slimgpt::model::{Sampler, SamplerOptions, likeliest, penalise, probabilities};

fn logits() -> impl Strategy<Value = Vec<f32>> {
    prop::collection::vec(-20.0f32..20.0, 1..60)
}

fn options(temperature: f64) -> SamplerOptions {
    SamplerOptions { temperature, ..SamplerOptions::default() }
}

proptest! {
    #[test]
    fn drawing_from_one_token_is_taking_the_likeliest(logits in logits(), temperature in 0.1f64..3.0, seed: u64) {
        let want = likeliest(&logits) as u32;
        let none = BTreeSet::new();
        // Of equal logits top-k keeps all, so only top-p is sure to leave one.
        let alone = logits.iter().filter(|&&l| l == logits[want as usize]).count() == 1;
        let top_k = SamplerOptions { top_k: Some(1), ..options(temperature) };
        let top_p = SamplerOptions { top_p: 1e-12, ..options(temperature) };
        for (options, holds) in [(options(0.0), true), (top_k, alone), (top_p, true)] {
            if holds {
                prop_assert_eq!(Sampler::with(options, seed).choose(logits.clone(), &none), want);
            }
        }
    }

    #[test]
    fn a_penalty_lowers_what_was_seen_and_nothing_else(
        logits in logits(),
        seen in prop::collection::btree_set(0u32..80, 0..20),
        penalty in 1.01f64..5.0,
    ) {
        let mut after = logits.clone();
        penalise(&mut after, &seen, penalty);
        for (i, (&before, &after)) in logits.iter().zip(&after).enumerate() {
            match seen.contains(&(i as u32)) && before != 0.0 {
                true => prop_assert!(after < before, "{before} {after}"),
                false => prop_assert_eq!(after, before),
            }
        }
    }

    #[test]
    fn what_is_left_keeps_its_proportions(logits in logits(), k in 1usize..70, top_p in 0.05f64..1.0) {
        let all = probabilities(&logits, &options(0.7));
        let left = probabilities(&logits, &SamplerOptions { top_k: Some(k), top_p, ..options(0.7) });
        prop_assert!((left.iter().sum::<f64>() - 1.0).abs() < 1e-9);
        let best = likeliest(&logits);
        prop_assert!(left[best] > 0.0);
        for (whole, part) in all.iter().zip(&left).filter(|(_, part)| **part > 0.0) {
            let (want, got) = (whole / all[best], part / left[best]);
            prop_assert!((got / want - 1.0).abs() < 1e-9, "{got} {want}");
        }
    }
}

#[test]
fn draws_follow_the_softmax() {
    let (logits, temperature, draws) = (vec![0.0f32, 1.0, 2.0, -1.0, 0.5], 0.8, 40_000);
    let mut counts = [0usize; 5];
    let mut sampler = Sampler::new(temperature, 11);
    for _ in 0..draws {
        counts[sampler.choose(logits.clone(), &BTreeSet::new()) as usize] += 1;
    }
    let weights: Vec<f64> = logits.iter().map(|&l| (f64::from(l) / temperature).exp()).collect();
    let sum: f64 = weights.iter().sum();
    for (count, weight) in counts.into_iter().zip(weights) {
        let p = weight / sum;
        // Five standard deviations of a binomial count.
        let most_off = 5.0 * (draws as f64 * p * (1.0 - p)).sqrt();
        assert!((count as f64 - draws as f64 * p).abs() < most_off, "{counts:?}");
    }
}

#[test]
fn a_seed_repeats_its_draws_and_another_does_not() {
    let draw = |seed| {
        let mut sampler = Sampler::new(1.0, seed);
        (0..40).map(|_| sampler.choose(vec![0.1, 0.2, 0.3], &BTreeSet::new())).collect::<Vec<_>>()
    };
    assert_eq!(draw(7), draw(7));
    assert_ne!(draw(7), draw(8));
}
