//! Units that come back: the way of elimination in reverse, and swaps that never make a selection worse.

use pollster::block_on;
use slimgpt::device::Device;
use slimgpt::obs::subsets::{costs_at_once, subsets};
use slimgpt::obs::toy::ToyLayer;
use slimgpt::obs::trace::{TraceTarget, trace_at_once};
use slimgpt::obs::{
    ChannelSteps, CpuExecutor, Executor, HeadCut, HeadUnit, Inspect, Options, Pruned, SmallLayer, WgpuExecutor,
    prune_channels, prune_heads,
};

use crate::support::{matrix, software_gpu};
use crate::{Case, GROUPED, sum_of};

const SWAPS: usize = 30;

fn options(swaps: usize) -> Options {
    Options { swaps, ..Options::default() }
}

fn channels<E: Executor>(case: &Case, executor: &E, device: &Device, remove: usize, swaps: usize) -> Pruned {
    let w = matrix(&case.w, [case.out, case.features], device);
    let (hessian, steps) = (case.hessian(executor, device), ChannelSteps::OneByOne);
    block_on(prune_channels(executor, &w, &hessian, remove, steps, &options(swaps))).unwrap()
}

fn heads<E: Executor>(case: &Case, executor: &E, device: &Device, unit: HeadUnit, swaps: usize) -> Pruned {
    let w = matrix(&case.w, [case.out, case.features], device);
    let hessian = case.hessian(executor, device);
    block_on(prune_heads(executor, &w, &hessian, GROUPED, HeadCut::of(unit, 1), &options(swaps))).unwrap()
}

/// What elimination minimises: the error on the tokens and λ for every change.
fn damped_error(case: &Case, pruned: &Pruned) -> f64 {
    let squares: f64 = case.x.iter().map(|&x| f64::from(x).powi(2)).sum();
    let lambda = Options::default().damping * squares / case.features as f64;
    case.measured(pruned) + lambda * case.change(pruned).iter().map(|d| d * d).sum::<f64>()
}

/// A group that comes back leaves what would be there if it had never gone.
fn comes_back<E: Inspect>(executor: &E, device: &Device, tolerance: f64) {
    let case = Case::new(7, 24, 90);
    let w = matrix(&case.w, [case.out, case.features], device);
    let sum = sum_of(&case, executor, device);
    let problem = || block_on(executor.factor(&sum, &w, 0.5, &[])).unwrap();
    for (early, late) in [(vec![3], vec![9]), (vec![0, 5, 23], vec![1, 2, 8]), (vec![20, 4], vec![6])] {
        let (mut with, mut without) = (problem(), problem());
        let eliminate = |problem: &mut E::Problem, columns: &[usize]| block_on(executor.eliminate(problem, columns));
        let first = eliminate(&mut with, &early).unwrap();
        let second = eliminate(&mut with, &late).unwrap();
        let alone = eliminate(&mut without, &late).unwrap();
        let gains = block_on(executor.gains(&with, &[early.clone(), late.clone()].map(|g| g[..1].to_vec()))).unwrap();
        let whole = block_on(executor.gains(&with, std::slice::from_ref(&early))).unwrap()[0];
        let gain = block_on(executor.restore(&mut with, &early)).unwrap();
        let want = first + second - alone;
        let close = |a: f64, b: f64, of: f64| assert!((a - b).abs() <= tolerance * of, "{early:?}: {a} {b}");
        close(gain, want, first + second);
        close(whole, want, first + second);
        assert!(gains.iter().all(|&gain| gain > 0.0), "{gains:?}");
        if early.len() == 1 {
            close(gains[0], want, first + second);
        }
        let there: Vec<usize> = (0..case.features).filter(|j| !late.contains(j)).collect();
        let compare = |a: Vec<f64>, b: Vec<f64>, rows: &[usize]| {
            let size = b.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
            for &i in rows {
                there.iter().for_each(|&j| close(a[i * case.features + j], b[i * case.features + j], size));
            }
        };
        let weight = |problem| block_on(executor.eliminated_weight(problem)).unwrap();
        compare(weight(&with), weight(&without), &(0..case.out).collect::<Vec<_>>());
        let inverse = |problem| block_on(executor.inverse(problem)).unwrap();
        compare(inverse(&with), inverse(&without), &there);
        // It may go again, as if nothing had been.
        let again = eliminate(&mut with, &early).unwrap();
        close(again, want, first + second);
    }
}

#[test]
fn what_comes_back_is_as_if_it_had_never_gone() {
    comes_back(&CpuExecutor::<f64>::new(), &Device::cpu(), 1e-6);
    let gpu = software_gpu();
    comes_back(&WgpuExecutor::new(gpu.tensor_device()), &gpu, 1e-3);
}

fn check<E: Executor>(executor: &E, device: &Device, tolerance: f64, outs: &[usize], swaps: usize) {
    let (mut swapped, features) = (0, 30);
    for &out in outs {
        let case = Case::new(out, features, 4 * features);
        let pairs = [
            [0, swaps].map(|swaps| channels(&case, executor, device, 15, swaps)),
            [0, swaps].map(|swaps| heads(&case, executor, device, HeadUnit::KeyValue, swaps)),
            [0, swaps].map(|swaps| heads(&case, executor, device, HeadUnit::Query, swaps)),
        ];
        for [greedy, better] in &pairs {
            let (before, after) = (damped_error(&case, greedy), damped_error(&case, better));
            assert!(after <= before * (1.0 + tolerance), "{before} {after}");
            let measured = case.measured(better);
            let off = (better.predicted_loss / measured - 1.0).abs();
            assert!(off < 10.0 * tolerance, "{} {measured}", better.predicted_loss);
            let mut all: Vec<usize> = better.removed.iter().map(|r| r.unit).chain(better.kept_units.clone()).collect();
            all.sort_unstable();
            assert_eq!(all, (0..greedy.removed.len() + greedy.kept_units.len()).collect::<Vec<_>>());
            let cost: f64 = better.removed.iter().map(|r| r.cost).sum();
            assert!(
                (cost / after - 1.0).abs() < 10.0 * tolerance,
                "costs less gains are the damped error: {cost} {after}"
            );
            swapped += usize::from(better.kept_units != greedy.kept_units);
        }
        let [_, query] = &pairs[2];
        for group in 0..GROUPED.kv_heads {
            let kept = query.kept_units.iter().filter(|&&head| head / GROUPED.heads_per_group() == group).count();
            assert_eq!(kept, 1, "as many stay of every group");
        }
    }
    assert!(swapped > 0, "some are worth it");
}

#[test]
fn swaps_are_never_worse_and_their_loss_is_predicted() {
    check(&CpuExecutor::<f64>::new(), &Device::cpu(), 1e-6, &[3, 5, 9], SWAPS);
    let gpu = software_gpu();
    // Every try is a dozen launches, of which a software adapter does some hundred a second.
    check(&WgpuExecutor::new(gpu.tensor_device()), &gpu, 1e-3, &[5], 4);
}

#[test]
fn no_swap_that_is_left_would_lower_the_error() {
    let (oracle, cpu) = (CpuExecutor::<f64>::new(), Device::cpu());
    let case = Case::new(4, 18, 60);
    let pruned = channels(&case, &oracle, &cpu, 8, SWAPS);
    let w = matrix(&case.w, [case.out, case.features], &cpu);
    let hessian = case.hessian(&oracle, &cpu);
    let cost = |gone: &[usize]| {
        let options = Options::default();
        let order = slimgpt::obs::remove_columns(&oracle, &w, &hessian, gone, &options);
        block_on(order).unwrap().removed.iter().map(|r| r.cost).sum::<f64>()
    };
    let gone: Vec<usize> = pruned.removed.iter().map(|r| r.unit).collect();
    let least = cost(&gone);
    for place in 0..gone.len() {
        for &other in &pruned.kept_units {
            let mut swapped = gone.clone();
            swapped[place] = other;
            // A thousandth of what a return wins is left to rounding.
            assert!(cost(&swapped) >= 0.998 * least, "{} for {other}: {} {least}", gone[place], cost(&swapped));
        }
    }
}

#[test]
fn the_best_of_all_sets_is_found_more_often() {
    let (mut greedily, mut with_swaps, toys) = (0, 0, 60);
    for seed in 0..toys {
        let toy = ToyLayer { inputs: 10, outputs: 4, tokens: 40, correlation: 0.9, seed };
        let (x, weight) = (toy.x(), toy.weight());
        let layer = SmallLayer::new(&x, &weight).unwrap();
        let what = TraceTarget::Channels { remove: 5, steps: ChannelSteps::OneByOne };
        let sets = subsets(10, 5);
        let costs = costs_at_once(&x, &weight, &sets, Options::default().damping).unwrap();
        let least = costs.iter().copied().fold(f64::INFINITY, f64::min);
        let found = |swaps| {
            let pruned = layer.pruned(what.clone(), &options(swaps)).unwrap();
            let mut gone: Vec<usize> = pruned.removed.iter().map(|r| r.unit).collect();
            gone.sort_unstable();
            costs[sets.iter().position(|set| *set == gone).unwrap()]
        };
        let (greedy, swapped) = (found(0), found(SWAPS));
        assert!(swapped <= greedy * (1.0 + 1e-9), "{seed}: {greedy} {swapped}");
        greedily += usize::from(greedy <= least * (1.0 + 1e-9));
        with_swaps += usize::from(swapped <= least * (1.0 + 1e-9));
    }
    println!("the best of 252 sets: greedy {greedily}, with swaps {with_swaps} of {toys}");
    assert!(with_swaps > greedily, "{with_swaps} {greedily}");
}

#[test]
fn a_trace_is_of_removals_alone() {
    let toy = ToyLayer { inputs: 10, outputs: 4, tokens: 40, correlation: 0.9, seed: 1 };
    let what = TraceTarget::Channels { remove: 5, steps: ChannelSteps::OneByOne };
    let traced = |swaps| trace_at_once(&toy.x(), &toy.weight(), what.clone(), &options(swaps)).unwrap();
    assert_eq!(traced(SWAPS), traced(0));
}
