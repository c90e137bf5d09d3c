//! The mathematics of one linear layer: properties on the CPU in f64, and the kernels against it.

mod errors;
mod spectra;
mod swaps;

#[path = "../support/mod.rs"]
mod support;

use pollster::block_on;
use slimgpt::device::Device;
use slimgpt::obs::{
    ChannelSteps, CpuExecutor, Executor, HeadCut, HeadLayout, HeadUnit, Hessian, Inspect, ObsError, Options, Pruned,
    Score, WgpuExecutor, prune_channels, prune_heads,
};
use support::rounding::{UNIT, assert_within, refit_bound};
use support::{activations, doubles, matrix, random, software_gpu};

/// A layer to prune: weights `(out, features)` and inputs `(tokens, features)`.
struct Case {
    out: usize,
    features: usize,
    tokens: usize,
    w: Vec<f32>,
    x: Vec<f32>,
}

impl Case {
    fn new(out: usize, features: usize, tokens: usize) -> Self {
        let seed = (out * 31 + features) as u64;
        Self { out, features, tokens, w: random(out * features, seed), x: activations(tokens, features, seed + 7) }
    }

    fn hessian<E: Executor>(&self, executor: &E, device: &Device) -> Hessian<E> {
        let mut hessian = Hessian::new(executor, self.features);
        let x = matrix(&self.x, [self.tokens, self.features], device);
        let half = self.tokens / 2;
        for rows in [0..half, half..self.tokens] {
            let part = x.clone().slice([rows, 0..self.features]);
            block_on(hessian.accumulate(executor, &part)).unwrap();
        }
        hessian
    }

    fn channels<E: Executor>(&self, executor: &E, device: &Device, remove: usize, steps: ChannelSteps) -> Pruned {
        let w = matrix(&self.w, [self.out, self.features], device);
        let hessian = self.hessian(executor, device);
        block_on(prune_channels(executor, &w, &hessian, remove, steps, &Options::default())).unwrap()
    }

    fn heads<E: Executor>(&self, executor: &E, device: &Device, job: HeadJob) -> Pruned {
        let w = matrix(&self.w, [self.out, self.features], device);
        let hessian = self.hessian(executor, device);
        let options = Options::scored(job.score);
        block_on(prune_heads(executor, &w, &hessian, job.layout, job.cut, &options)).unwrap()
    }

    /// W − Ŵ over all columns.
    fn change(&self, pruned: &Pruned) -> Vec<f64> {
        let fitted = doubles(pruned.weight.clone());
        let kept = pruned.kept_columns.len();
        let mut delta: Vec<f64> = self.w.iter().map(|&w| w.into()).collect();
        for i in 0..self.out {
            for (k, &j) in pruned.kept_columns.iter().enumerate() {
                delta[i * self.features + j] -= fitted[i * kept + k];
            }
        }
        delta
    }

    /// XᵀX + λI with the default damping.
    fn damped(&self) -> Vec<f64> {
        let (oracle, cpu) = (CpuExecutor::<f64>::new(), Device::cpu());
        let sum = sum_of(self, &oracle, &cpu);
        let w = matrix(&self.w, [self.out, self.features], &cpu);
        block_on(async {
            let diagonal = oracle.diagonal(&sum).await?;
            let lambda = Options::default().damping * diagonal.iter().sum::<f64>() / self.features as f64;
            oracle.damped_hessian(&oracle.factor(&sum, &w, lambda, &[]).await?).await
        })
        .unwrap()
    }

    /// Σ‖(W − Ŵ)x‖² over the tokens, in f64.
    fn measured(&self, pruned: &Pruned) -> f64 {
        let delta = self.change(pruned);
        let token_loss = |t: usize| -> f64 {
            let x = &self.x[t * self.features..][..self.features];
            let row =
                |i: usize| -> f64 { (0..self.features).map(|j| delta[i * self.features + j] * f64::from(x[j])).sum() };
            (0..self.out).map(|i| row(i).powi(2)).sum()
        };
        (0..self.tokens).map(token_loss).sum()
    }
}

#[derive(Clone, Copy)]
struct HeadJob {
    layout: HeadLayout,
    cut: HeadCut,
    score: Score,
}

const STEPS: [ChannelSteps; 3] = [ChannelSteps::OneByOne, ChannelSteps::Fixed(5), ChannelSteps::Dynamic { floor: 8 }];
const SCORES: [Score; 3] = [Score::Exact, Score::GroupedCholesky, Score::Diagonal];
const GROUPED: HeadLayout = HeadLayout { heads: 6, kv_heads: 3, head_dim: 5 };

#[test]
fn the_predicted_loss_is_the_measured_loss() {
    let (oracle, cpu) = (CpuExecutor::<f64>::new(), Device::cpu());
    let case = Case::new(9, 70, 200);
    for steps in STEPS {
        let pruned = case.channels(&oracle, &cpu, 40, steps);
        let measured = case.measured(&pruned);
        assert!(
            (pruned.predicted_loss / measured - 1.0).abs() < 1e-5,
            "{steps:?}: {} {measured}",
            pruned.predicted_loss
        );
    }
}

#[test]
fn elimination_equals_the_refit_of_what_is_kept() {
    let (oracle, cpu) = (CpuExecutor::<f64>::new(), Device::cpu());
    let case = Case::new(7, 50, 90);
    let w = matrix(&case.w, [case.out, case.features], &cpu);
    let hessian = case.hessian(&oracle, &cpu);
    let diagonal = block_on(oracle.diagonal(&sum_of(&case, &oracle, &cpu))).unwrap();
    let lambda = 0.01 * diagonal.iter().sum::<f64>() / 50.0;
    assert_eq!(hessian.tokens(), 90);
    let mut problem = block_on(oracle.factor(&sum_of(&case, &oracle, &cpu), &w, lambda, &[])).unwrap();
    block_on(oracle.eliminate(&mut problem, &[3, 4, 5, 20])).unwrap();
    let removed = block_on(oracle.eliminate_cheapest(&mut problem, 35)).unwrap();
    let gone: Vec<usize> = removed.iter().map(|r| r.unit).chain([3, 4, 5, 20]).collect();
    let kept: Vec<usize> = (0..50).filter(|j| !gone.contains(j)).collect();
    let refit = block_on(oracle.refit(&problem, &kept, None)).unwrap();
    let eliminated = block_on(oracle.eliminated_weight(&problem)).unwrap();
    let want: Vec<f64> =
        (0..7).flat_map(|i| kept.iter().map(move |&j| (i, j))).map(|(i, j)| eliminated[i * 50 + j]).collect();
    // The refit is rounded to single precision once; both lose a little more to the condition of H.
    assert_within(&doubles(refit.weight), &want, |i| UNIT * want[i].abs() + 1e-9, "kept weights");
}

/// Ŵ_K solves the normal equations of the outputs that the layer was drawn to, and the loss is still that on its own.
#[test]
fn a_drawn_layer_fits_the_moved_outputs() {
    let case = Case::new(6, 40, 160);
    let gap = random(case.tokens * case.out, 77);
    let options = Options { residual: 0.5, ..Options::default() };
    let gpu = software_gpu();
    drawn(&case, &gap, &options, &CpuExecutor::<f64>::new(), &Device::cpu());
    drawn(&case, &gap, &options, &WgpuExecutor::new(gpu.tensor_device()), &gpu);
}

fn drawn<E: Executor>(case: &Case, gap: &[f32], options: &Options, executor: &E, device: &Device) {
    let (out, n, tokens) = (case.out, case.features, case.tokens);
    let (w, x) = (matrix(&case.w, [out, n], device), matrix(&case.x, [tokens, n], device));
    let mut hessian = case.hessian(executor, device);
    hessian.draw(&matrix(gap, [tokens, out], device), &x);
    let pruned = block_on(prune_channels(executor, &w, &hessian, 15, ChannelSteps::OneByOne, options)).unwrap();
    let measured = case.measured(&pruned);
    assert!((pruned.predicted_loss / measured - 1.0).abs() < 1e-3, "{} {measured}", pruned.predicted_loss);
    let change = case.change(&pruned);
    let squares: f64 = case.x.iter().map(|&x| f64::from(x) * f64::from(x)).sum();
    let lambda = 0.01 * squares / n as f64;
    for i in 0..out {
        // r = X (Ŵ − W)ᵀ − α g of one output.
        let residual: Vec<f64> = (0..tokens)
            .map(|t| {
                let lost: f64 = (0..n).map(|j| change[i * n + j] * f64::from(case.x[t * n + j])).sum();
                -lost - 0.5 * f64::from(gap[t * out + i])
            })
            .collect();
        for &j in &pruned.kept_columns {
            let terms = (0..tokens).map(|t| residual[t] * f64::from(case.x[t * n + j]));
            let (sum, size) = terms.fold((0.0, 0.0), |(sum, size), term| (sum + term, size + term.abs()));
            let slope = sum - lambda * change[i * n + j];
            assert!(slope.abs() < 2e-4 * size, "output {i}, column {j}: {slope} of {size}");
        }
    }
}

fn sum_of<E: Executor>(case: &Case, executor: &E, device: &Device) -> E::Sum {
    let x = matrix(&case.x, [case.tokens, case.features], device);
    block_on(executor.accumulate(executor.zero_sum(case.features), &x)).unwrap()
}

#[test]
fn exact_one_by_one_is_no_worse_than_random_choice_of_the_same_size() {
    let (oracle, cpu) = (CpuExecutor::<f64>::new(), Device::cpu());
    let case = Case::new(9, 40, 120);
    let greedy = case.channels(&oracle, &cpu, 20, ChannelSteps::OneByOne).predicted_loss;
    let blunt = case.channels(&oracle, &cpu, 20, ChannelSteps::Fixed(20)).predicted_loss;
    assert!(greedy <= blunt, "{greedy} {blunt}");
}

#[test]
fn a_dead_input_goes_first_and_costs_nothing() {
    for (removed, predicted) in [dead_case(&CpuExecutor::<f64>::new(), &Device::cpu()), {
        let gpu = software_gpu();
        dead_case(&WgpuExecutor::new(gpu.tensor_device()), &gpu)
    }] {
        assert_eq!(removed, 4);
        assert_eq!(predicted, 0.0);
    }
}

fn dead_case<E: Executor>(executor: &E, device: &Device) -> (usize, f64) {
    let mut case = Case::new(5, 12, 60);
    (0..60).for_each(|t| case.x[t * 12 + 4] = 0.0);
    let pruned = case.channels(executor, device, 1, ChannelSteps::OneByOne);
    assert_eq!(pruned.dead, 1);
    (pruned.removed[0].unit, pruned.predicted_loss)
}

#[test]
fn query_units_leave_every_group_the_same_number_of_heads() {
    let (oracle, cpu) = (CpuExecutor::<f64>::new(), Device::cpu());
    let layout = HeadLayout { heads: 6, kv_heads: 2, head_dim: 5 };
    let job = HeadJob { layout, cut: HeadCut::of(HeadUnit::Query, 2), score: Score::Exact };
    let kept = Case::new(8, 30, 100).heads(&oracle, &cpu, job).kept_units;
    assert_eq!(kept.len(), 2);
    assert!(kept[0] < 3 && kept[1] >= 3, "{kept:?}");
}

#[test]
fn of_both_kinds_whole_groups_go_first_and_the_refit_is_of_what_is_left() {
    let (oracle, cpu) = (CpuExecutor::<f64>::new(), Device::cpu());
    let layout = HeadLayout { heads: 9, kv_heads: 3, head_dim: 4 };
    let case = Case::new(8, 36, 150);
    let cut = HeadCut { kv_heads: 1, per_group: 2 };
    let pruned = case.heads(&oracle, &cpu, HeadJob { layout, cut, score: Score::Exact });
    let only = HeadJob { layout, cut: HeadCut::of(HeadUnit::KeyValue, 1), score: Score::Exact };
    let group = case.heads(&oracle, &cpu, only).removed[0].unit;
    let gone: Vec<usize> = pruned.removed.iter().map(|removal| removal.unit).collect();
    assert_eq!(gone[..3], [3 * group, 3 * group + 1, 3 * group + 2]);
    // One query head is left of each of the others.
    let groups: Vec<usize> = pruned.kept_units.iter().map(|head| head / 3).collect();
    assert!(groups.len() == 2 && groups[0] != groups[1] && !groups.contains(&group), "{groups:?}");
    let measured = case.measured(&pruned);
    assert!((pruned.predicted_loss / measured - 1.0).abs() < 1e-5, "{} {measured}", pruned.predicted_loss);
    // Eliminated one after the other it costs what it costs at once, damping included.
    let change: f64 = case.change(&pruned).iter().map(|d| d * d).sum();
    let squares: f64 = case.x.iter().map(|&x| f64::from(x).powi(2)).sum();
    let damped = measured + Options::default().damping * squares / 36.0 * change;
    let costs: f64 = pruned.removed.iter().map(|removal| removal.cost).sum();
    assert!((costs / damped - 1.0).abs() < 1e-5, "{costs} {damped}");
}

#[test]
fn the_kernels_agree_with_the_oracle_on_channels() {
    let gpu = software_gpu();
    for (out, features, tokens) in
        [(3, 2, 5), (9, 31, 64), (16, 64, 100), (17, 65, 130), (40, 129, 300), (33, 200, 401)]
    {
        let case = Case::new(out, features, tokens);
        for steps in STEPS {
            let remove = (features / 2).max(1);
            let want = case.channels(&CpuExecutor::<f64>::new(), &Device::cpu(), remove, steps);
            let got = case.channels(&WgpuExecutor::new(gpu.tensor_device()), &gpu, remove, steps);
            check_same(&case, &got, &want, &format!("{out}x{features} {steps:?}"));
        }
    }
}

#[test]
fn the_kernels_agree_with_the_oracle_on_heads() {
    let gpu = software_gpu();
    let case = Case::new(11, 30, 140);
    for score in SCORES {
        let both = HeadCut { kv_heads: 1, per_group: 1 };
        for cut in [HeadCut::of(HeadUnit::KeyValue, 2), HeadCut::of(HeadUnit::Query, 1), both] {
            let job = HeadJob { layout: GROUPED, cut, score };
            let want = case.heads(&CpuExecutor::<f64>::new(), &Device::cpu(), job);
            let got = case.heads(&WgpuExecutor::new(gpu.tensor_device()), &gpu, job);
            check_same(&case, &got, &want, &format!("{score:?} {cut:?}"));
        }
    }
}

#[test]
fn groups_wider_than_a_workgroup_are_scored_too() {
    let gpu = software_gpu();
    let case = Case::new(6, 3 * 264, 900);
    let layout = HeadLayout { heads: 3, kv_heads: 3, head_dim: 264 };
    for score in SCORES {
        let job = HeadJob { layout, cut: HeadCut::of(HeadUnit::KeyValue, 1), score };
        let want = case.heads(&CpuExecutor::<f64>::new(), &Device::cpu(), job);
        let got = case.heads(&WgpuExecutor::new(gpu.tensor_device()), &gpu, job);
        check_same(&case, &got, &want, &format!("{score:?}"));
    }
}

/// The order of going, the weights and the predicted loss agree.
#[track_caller]
fn check_same(case: &Case, got: &Pruned, want: &Pruned, what: &str) {
    let order = |p: &Pruned| p.removed.iter().map(|r| r.unit).collect::<Vec<_>>();
    assert_eq!(order(got), order(want), "{what}");
    let bound = refit_bound(&case.damped(), &want.kept_columns, &case.change(want), case.tokens);
    let (fitted, exact) = (doubles(got.weight.clone()), doubles(want.weight.clone()));
    assert_within(&fitted, &exact, |i| bound[i] + 2.0 * UNIT * exact[i].abs(), what);
    let loss = (got.predicted_loss - want.predicted_loss).abs() / want.predicted_loss.max(1e-30);
    assert!(loss < 1e-3, "{what}: loss {} instead of {}", got.predicted_loss, want.predicted_loss);
}

#[test]
fn two_runs_give_the_same_bytes() {
    let gpu = software_gpu();
    let case = Case::new(12, 70, 150);
    let executor = WgpuExecutor::new(gpu.tensor_device());
    let run = || doubles(case.channels(&executor, &gpu, 33, ChannelSteps::OneByOne).weight);
    assert_eq!(run(), run());
}

#[test]
fn an_activation_that_is_no_number_is_an_error() {
    let (oracle, cpu) = (CpuExecutor::<f32>::new(), Device::cpu());
    let mut case = Case::new(4, 6, 20);
    case.x[3 * 6 + 2] = f32::NAN;
    let w = matrix(&case.w, [4, 6], &cpu);
    let hessian = case.hessian(&oracle, &cpu);
    let error =
        block_on(prune_channels(&oracle, &w, &hessian, 1, ChannelSteps::OneByOne, &Options::default())).err().unwrap();
    assert!(matches!(error, ObsError::NotFinite { index: 2, .. }), "{error}");
}

#[test]
fn one_group_must_stay() {
    let (oracle, cpu) = (CpuExecutor::<f32>::new(), Device::cpu());
    let case = Case::new(4, 30, 40);
    let w = matrix(&case.w, [4, 30], &cpu);
    let hessian = case.hessian(&oracle, &cpu);
    let error =
        block_on(prune_heads(&oracle, &w, &hessian, GROUPED, HeadCut::of(HeadUnit::KeyValue, 3), &Options::default()))
            .err()
            .unwrap();
    assert!(matches!(error, ObsError::NothingLeft { remove: 3, present: 3, .. }), "{error}");
}
