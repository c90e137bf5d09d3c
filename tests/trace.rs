//! A trace is the pruning itself, watched: it ends where the pruning ends, and between two states
//! lies exactly what Optimal Brain Surgeon says.

mod support;

use pollster::block_on;
use slimgpt::device::Device;
use slimgpt::obs::trace::{Matrix, Trace, TraceTarget, Traced, trace, upper_factor};
use slimgpt::obs::{
    ChannelSteps, CpuExecutor, HeadCut, HeadLayout, HeadUnit, Hessian, ObsError, Options, Pruned, Reconstruction,
    Score, WgpuExecutor, prune_channels, prune_heads, remove_columns, remove_groups,
};
use support::rounding::{UNIT, assert_within, refit_bound};
use support::{activations, doubles, matrix, random, software_gpu};

const TOKENS: usize = 40;
const TOLERANCE: f64 = 1e-9;

fn wide(values: Vec<f32>, rows: usize, columns: usize) -> Matrix {
    Matrix { rows, columns, values: values.into_iter().map(f64::from).collect() }
}

/// Inputs and weights of `columns` inputs and `rows` outputs.
fn layer(rows: usize, columns: usize, seed: u64) -> (Matrix, Matrix) {
    let x = wide(activations(TOKENS, columns, seed), TOKENS, columns);
    (x, wide(random(rows * columns, seed + 3), rows, columns))
}

fn singles(m: &Matrix) -> Vec<f32> {
    m.values.iter().map(|&v| v as f32).collect()
}

/// The same pruning without anybody watching.
fn unwatched(x: &Matrix, w: &Matrix, what: TraceTarget, options: &Options) -> Pruned {
    let (executor, device) = (CpuExecutor::<f64>::new(), Device::cpu());
    let mut hessian = Hessian::new(&executor, x.columns);
    block_on(hessian.accumulate(&executor, &matrix(&singles(x), [x.rows, x.columns], &device))).unwrap();
    let weight = matrix(&singles(w), [w.rows, w.columns], &device);
    block_on(async {
        match what {
            TraceTarget::Channels { remove, steps } => {
                prune_channels(&executor, &weight, &hessian, remove, steps, options).await
            }
            TraceTarget::Heads { layout, unit, remove } => {
                prune_heads(&executor, &weight, &hessian, layout, HeadCut::of(unit, remove), options).await
            }
            TraceTarget::Groups(sizes) => remove_groups(&executor, &weight, &hessian, &sizes, options).await,
            TraceTarget::Columns(order) => remove_columns(&executor, &weight, &hessian, &order, options).await,
        }
    })
    .unwrap()
}

fn every_way() -> Vec<(usize, TraceTarget)> {
    let layout = HeadLayout { heads: 6, kv_heads: 3, head_dim: 3 };
    vec![
        (8, TraceTarget::Channels { remove: 1, steps: ChannelSteps::OneByOne }),
        (8, TraceTarget::Channels { remove: 7, steps: ChannelSteps::OneByOne }),
        (37, TraceTarget::Channels { remove: 35, steps: ChannelSteps::OneByOne }),
        (20, TraceTarget::Channels { remove: 11, steps: ChannelSteps::Fixed(4) }),
        (18, TraceTarget::Heads { layout, unit: HeadUnit::KeyValue, remove: 2 }),
        (18, TraceTarget::Heads { layout, unit: HeadUnit::Query, remove: 1 }),
        (20, TraceTarget::Groups(vec![5, 0, 2, 1])),
        (9, TraceTarget::Columns(vec![7, 0, 3])),
    ]
}

#[test]
fn the_last_state_is_the_result_of_the_same_pruning_without_a_trace() {
    for (columns, what) in every_way() {
        let (x, w) = layer(5, columns, columns as u64);
        let traced = block_on(trace(&x, &w, what.clone(), &Options::default())).unwrap();
        let pruned = unwatched(&x, &w, what.clone(), &Options::default());
        assert_eq!(traced.kept, pruned.kept_columns, "{what:?}");
        let last = &traced.state(traced.steps.len()).weight;
        let kept: Vec<f64> = (0..w.rows).flat_map(|i| traced.kept.iter().map(move |&j| last.at(i, j))).collect();
        // The refit is handed over in f32.
        let bound = |i: usize| UNIT * kept[i].abs() + TOLERANCE;
        assert_within(&doubles(pruned.weight), &kept, bound, &format!("{what:?}"));
        assert!((traced.predicted_loss / pruned.predicted_loss - 1.0).abs() < TOLERANCE, "{what:?}");
    }
}

/// W_g ([H⁻¹]_gg)⁻¹, by elimination with pivoting, `(out, g)`.
fn solved(before: &Trace, step: usize) -> Vec<Vec<f64>> {
    let (state, group) = (before.state(step), &before.steps[step].columns);
    let n = group.len();
    (0..state.weight.rows)
        .map(|i| {
            let row = |a: usize| (0..n).map(|b| state.inverse.at(group[b], group[a])).collect::<Vec<f64>>();
            let mut a: Vec<Vec<f64>> = (0..n).map(row).collect();
            let mut b: Vec<f64> = group.iter().map(|&j| state.weight.at(i, j)).collect();
            for k in 0..n {
                let pivot = (k..n).max_by(|&p, &q| a[p][k].abs().total_cmp(&a[q][k].abs())).unwrap();
                a.swap(k, pivot);
                b.swap(k, pivot);
                for r in k + 1..n {
                    let f = a[r][k] / a[k][k];
                    (k..n).for_each(|c| a[r][c] -= f * a[k][c]);
                    b[r] -= f * b[k];
                }
            }
            for k in (0..n).rev() {
                b[k] = (b[k] - (k + 1..n).map(|c| a[k][c] * b[c]).sum::<f64>()) / a[k][k];
            }
            b
        })
        .collect()
}

#[test]
fn between_two_states_lies_the_compensation_of_optimal_brain_surgeon() {
    for (columns, what) in every_way() {
        let (x, w) = layer(4, columns, 70 + columns as u64);
        let traced = block_on(trace(&x, &w, what.clone(), &Options::default())).unwrap();
        let mut gone = Vec::new();
        for step in 0..traced.steps.len() {
            let (before, after) = (traced.state(step), &traced.steps[step].after);
            let group = &traced.steps[step].columns;
            gone.extend(group.iter().copied());
            let y = solved(&traced, step);
            let change = |i: usize, j: usize| -> f64 {
                -group.iter().enumerate().map(|(k, &g)| y[i][k] * before.inverse.at(g, j)).sum::<f64>()
            };
            let terms = |i: usize, j: usize| -> f64 {
                group.iter().enumerate().map(|(k, &g)| (y[i][k] * before.inverse.at(g, j)).abs()).sum()
            };
            let (mut got, mut want, mut size) = (Vec::new(), Vec::new(), Vec::new());
            let told = traced.compensation(step);
            for i in 0..w.rows {
                for j in (0..columns).filter(|j| !gone.contains(j)) {
                    got.extend([after.weight.at(i, j) - before.weight.at(i, j), told.at(i, j)]);
                    want.extend([change(i, j), change(i, j)]);
                    size.extend([terms(i, j) + before.weight.at(i, j).abs(); 2]);
                }
            }
            assert_within(&got, &want, |k| TOLERANCE * size[k], &format!("{what:?}, step {step}"));
            let cost: f64 = (0..w.rows)
                .map(|i| group.iter().enumerate().map(|(k, &g)| y[i][k] * before.weight.at(i, g)).sum::<f64>())
                .sum();
            assert!((traced.steps[step].cost / cost - 1.0).abs() < 1e-7, "{what:?}, step {step}");
        }
    }
}

#[test]
fn the_candidate_that_goes_has_the_lowest_score_and_gone_ones_are_no_candidates() {
    let is_chosen = |what: &TraceTarget| !matches!(what, TraceTarget::Columns(_) | TraceTarget::Groups(_));
    // What was prescribed goes whatever it costs.
    for (columns, what) in every_way().into_iter().filter(|(_, what)| is_chosen(what)) {
        let (x, w) = layer(3, columns, 11);
        let traced = block_on(trace(&x, &w, what.clone(), &Options::default())).unwrap();
        let mut gone: Vec<usize> = Vec::new();
        for step in &traced.steps {
            assert!(step.candidates.iter().flatten().all(|j| !gone.contains(j)), "{what:?}");
            let lowest = step.scores.iter().copied().fold(f64::MAX, f64::min);
            let first = step.candidates.iter().position(|c| step.columns.starts_with(c)).unwrap();
            assert_eq!(step.scores[first], lowest, "{what:?}");
            gone.extend(&step.columns);
        }
        let left: Vec<usize> = (0..columns).filter(|j| !gone.contains(j)).collect();
        assert_eq!(left, traced.kept);
    }
}

#[test]
fn what_a_state_scores_is_what_the_next_removal_is_chosen_by() {
    for score in [Score::Diagonal, Score::GroupedCholesky, Score::Exact] {
        let (x, w) = layer(5, 18, 31);
        let layout = HeadLayout { heads: 6, kv_heads: 6, head_dim: 3 };
        let what = TraceTarget::Heads { layout, unit: HeadUnit::KeyValue, remove: 5 };
        let traced = block_on(trace(&x, &w, what, &Options::scored(score))).unwrap();
        for (removals, step) in traced.steps.iter().enumerate() {
            let again = traced.state(removals).scores(&step.candidates, score).unwrap();
            assert_within(&again, &step.scores, |i| TOLERANCE * step.scores[i], &format!("{score:?}, {removals}"));
        }
    }
}

#[test]
fn the_error_on_other_tokens_is_what_those_tokens_say() {
    let (x, w) = layer(5, 12, 8);
    let (other, _) = layer(5, 12, 9);
    let what = TraceTarget::Columns(vec![3, 7, 10]);
    let traced = |x: &Matrix, options: &Options| block_on(trace(x, &w, what.clone(), options)).unwrap();
    let share = |t: &Trace| t.predicted_loss / t.signal;
    // The refit is handed over in f32.
    let near = |a: f64, b: f64| assert!((a / b - 1.0).abs() < 1e-5, "{a} {b}");
    let fitted = traced(&x, &Options::default());
    near(fitted.error_on(&x, &w), share(&fitted));
    let unchanged = Options { reconstruction: Reconstruction::Unchanged, ..Options::default() };
    near(traced(&x, &unchanged).error_on(&other, &w), share(&traced(&other, &unchanged)));
    // Nothing fits other tokens better than what was fitted to them.
    let own = Options { damping: 0.0, ..Options::default() };
    assert!(fitted.error_on(&other, &w) > share(&traced(&other, &own)));
}

#[test]
fn the_inverse_times_the_damped_hessian_is_one() {
    let (x, w) = layer(3, 12, 5);
    let what = TraceTarget::Channels { remove: 3, steps: ChannelSteps::OneByOne };
    let traced = block_on(trace(&x, &w, what.clone(), &Options::default())).unwrap();
    let product =
        |i: usize, j: usize| -> f64 { (0..12).map(|k| traced.start.inverse.at(i, k) * traced.hessian.at(k, j)).sum() };
    for i in 0..12 {
        for j in 0..12 {
            assert!((product(i, j) - f64::from(u8::from(i == j))).abs() < 1e-8, "{i} {j}: {}", product(i, j));
        }
    }
}

#[test]
fn the_kernels_can_be_watched_too() {
    let (x, w) = layer(6, 16, 23);
    let gpu = software_gpu();
    let inner = WgpuExecutor::new(gpu.tensor_device());
    let watched = Traced::new(&inner, [6, 16]);
    let mut hessian = Hessian::new(&watched, 16);
    block_on(hessian.accumulate(&watched, &matrix(&singles(&x), [TOKENS, 16], &gpu))).unwrap();
    let weight = matrix(&singles(&w), [6, 16], &gpu);
    let options = Options::scored(Score::Exact);
    block_on(prune_channels(&watched, &weight, &hessian, 6, ChannelSteps::OneByOne, &options)).unwrap();
    let on_gpu = watched.into_trace();
    let what = TraceTarget::Channels { remove: 6, steps: ChannelSteps::OneByOne };
    let on_cpu = block_on(trace(&x, &w, what, &options)).unwrap();
    let columns = |t: &Trace| t.steps.iter().flat_map(|s| s.columns.clone()).collect::<Vec<_>>();
    assert_eq!(columns(&on_gpu), columns(&on_cpu));
    let (gpu, cpu) = (&on_gpu.state(6).weight, &on_cpu.state(6).weight);
    let kept = |m: &Matrix| -> Vec<f64> { (0..6).flat_map(|i| on_cpu.kept.iter().map(move |&j| m.at(i, j))).collect() };
    // On what is kept elimination is the refit, and so is what rounding does to it.
    let delta: Vec<f64> = w.values.iter().zip(&cpu.values).map(|(before, after)| before - after).collect();
    let bound = refit_bound(&on_cpu.hessian.values, &on_cpu.kept, &delta, TOKENS);
    assert_within(&kept(gpu), &kept(cpu), |i| bound[i] + 2.0 * UNIT * kept(cpu)[i].abs(), "kept weights");
}

#[test]
fn the_order_that_elimination_chose_gives_its_result_when_it_is_prescribed() {
    let (x, w) = layer(5, 12, 3);
    let greedy = TraceTarget::Channels { remove: 6, steps: ChannelSteps::OneByOne };
    let greedy = block_on(trace(&x, &w, greedy, &Options::default())).unwrap();
    let order = greedy.steps.iter().flat_map(|step| step.columns.clone()).collect();
    let told = block_on(trace(&x, &w, TraceTarget::Columns(order), &Options::default())).unwrap();
    assert_eq!(told.kept, greedy.kept);
    assert!((told.predicted_loss / greedy.predicted_loss - 1.0).abs() < TOLERANCE);
    for (a, b) in told.steps.iter().zip(&greedy.steps) {
        assert_eq!(a.candidates, b.candidates);
        assert!((a.cost / b.cost - 1.0).abs() < TOLERANCE);
    }
}

#[test]
fn columns_that_cannot_go_are_named() {
    let (x, w) = layer(5, 8, 3);
    let refused = |order: Vec<usize>| {
        block_on(trace(&x, &w, TraceTarget::Columns(order), &Options::default())).map(|t| t.kept).unwrap_err()
    };
    assert_eq!(refused(vec![1, 8]), ObsError::NoSuchColumn { column: 8, present: 8 });
    assert_eq!(refused(vec![1, 2, 1]), ObsError::NoSuchColumn { column: 1, present: 8 });
    assert_eq!(refused((0..8).collect()), ObsError::NothingLeft { unit: "channels", remove: 8, present: 8 });
}

#[test]
fn the_trailing_triangle_of_one_factor_is_every_inverse_on_the_way() {
    let (x, w) = layer(5, 9, 4);
    let t = block_on(trace(&x, &w, TraceTarget::Columns((0..8).collect()), &Options::default())).unwrap();
    let u = upper_factor(&t.start.inverse).unwrap();
    for gone in 0..=8 {
        let inverse = &t.state(gone).inverse;
        let scale = inverse.at(8, 8).abs();
        for i in gone..9 {
            assert!((0..i).all(|j| u.at(i, j) == 0.0));
            for j in gone..9 {
                let product: f64 = (gone..9).map(|k| u.at(k, i) * u.at(k, j)).sum();
                assert!((product - inverse.at(i, j)).abs() < TOLERANCE * scale, "{gone}: {i}, {j}");
            }
        }
    }
}
