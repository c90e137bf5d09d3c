//! One linear layer by every pair of selection and reconstruction: what is predicted is what the
//! tokens see, summed in f64 from the definitions.

use pollster::block_on;
use slimgpt::device::Device;
use slimgpt::obs::{
    ChannelSteps, CpuExecutor, Executor, Hessian, Options, Pruned, Ranking, Reconstruction, Score, Selection,
    WgpuExecutor, prune_channels,
};

use crate::support::{activations, matrix, random, software_gpu};

const OUT: usize = 9;
const FEATURES: usize = 40;
const TOKENS: usize = 170;
const REMOVE: usize = 17;

const SELECTIONS: [Selection; 6] = [
    Selection::Ranking(Ranking::Random { seed: 3 }),
    Selection::Ranking(Ranking::Magnitude),
    Selection::Ranking(Ranking::WandaSp),
    Selection::Ranking(Ranking::Fluctuation),
    Selection::Elimination(Score::GroupedCholesky),
    Selection::Elimination(Score::Exact),
];
const RECONSTRUCTIONS: [Reconstruction; 3] =
    [Reconstruction::LeastSquares, Reconstruction::Unchanged, Reconstruction::MeanBias];

/// Weights, and inputs with means of up to `mean`.
struct Case {
    w: Vec<f32>,
    x: Vec<f32>,
}

impl Case {
    fn with_means(mean: f32) -> Self {
        let mut x = activations(TOKENS, FEATURES, 11);
        let shift = random(FEATURES, 12);
        x.iter_mut().enumerate().for_each(|(i, v)| *v += mean * shift[i % FEATURES]);
        Self { w: random(OUT * FEATURES, 13), x }
    }

    fn pruned<E: Executor>(&self, executor: &E, device: &Device, options: &Options) -> Pruned {
        let mut hessian = Hessian::with_means(executor, FEATURES);
        let x = matrix(&self.x, [TOKENS, FEATURES], device);
        for rows in [0..70, 70..TOKENS] {
            block_on(hessian.accumulate(executor, &x.clone().slice([rows, 0..FEATURES]))).unwrap();
        }
        let w = matrix(&self.w, [OUT, FEATURES], device);
        block_on(prune_channels(executor, &w, &hessian, REMOVE, ChannelSteps::Fixed(5), options)).unwrap()
    }

    fn mean(&self, j: usize) -> f64 {
        (0..TOKENS).map(|t| f64::from(self.x[t * FEATURES + j])).sum::<f64>() / TOKENS as f64
    }

    /// Σ‖Mx − b‖² over the tokens, for M `(out, features)`.
    fn squared(&self, m: &[f64], bias: &[f64]) -> f64 {
        let output = |t: usize, i: usize| -> f64 {
            (0..FEATURES).map(|j| m[i * FEATURES + j] * f64::from(self.x[t * FEATURES + j])).sum::<f64>() - bias[i]
        };
        (0..TOKENS).map(|t| (0..OUT).map(|i| output(t, i).powi(2)).sum::<f64>()).sum()
    }

    /// W − Ŵ.
    fn change(&self, pruned: &Pruned) -> Vec<f64> {
        let fitted = values(pruned);
        let kept = pruned.kept_columns.len();
        let mut delta: Vec<f64> = self.w.iter().map(|&w| w.into()).collect();
        for i in 0..OUT {
            for (k, &j) in pruned.kept_columns.iter().enumerate() {
                delta[i * FEATURES + j] -= fitted[i * kept + k];
            }
        }
        delta
    }

    fn measured(&self, pruned: &Pruned) -> f64 {
        let bias = pruned.bias_change.as_ref().map(|b| b.iter().map(|&v| v.into()).collect());
        self.squared(&self.change(pruned), &bias.unwrap_or_else(|| vec![0.0; OUT]))
    }
}

fn values(pruned: &Pruned) -> Vec<f64> {
    let data = block_on(pruned.weight.to_data_async()).unwrap();
    data.try_to_vec::<f32>().unwrap().into_iter().map(f64::from).collect()
}

fn pairs() -> impl Iterator<Item = Options> {
    SELECTIONS.into_iter().flat_map(|selection| {
        RECONSTRUCTIONS.map(|reconstruction| Options {
            selection,
            reconstruction,
            damping: 0.01,
            residual: 0.0,
            swaps: 0,
        })
    })
}

#[test]
fn the_predicted_loss_of_every_pair_is_the_measured_loss() {
    let case = Case::with_means(0.8);
    for options in pairs() {
        let pruned = case.pruned(&CpuExecutor::<f64>::new(), &Device::cpu(), &options);
        let measured = case.measured(&pruned);
        let off = (pruned.predicted_loss / measured - 1.0).abs();
        assert!(measured > 0.0 && off < 1e-4, "{options:?}: {} {measured}", pruned.predicted_loss);
    }
}

#[test]
fn the_signal_is_what_the_layer_computed() {
    let case = Case::with_means(0.8);
    let w: Vec<f64> = case.w.iter().map(|&w| w.into()).collect();
    let want = case.squared(&w, &[0.0; OUT]);
    let gpu = software_gpu();
    let on_gpu = case.pruned(&WgpuExecutor::new(gpu.tensor_device()), &gpu, &Options::default()).signal;
    let on_cpu = case.pruned(&CpuExecutor::<f64>::new(), &Device::cpu(), &Options::default()).signal;
    assert!((on_cpu / want - 1.0).abs() < 1e-6, "{on_cpu} {want}");
    assert!((on_gpu / want - 1.0).abs() < 1e-4, "{on_gpu} {want}");
}

fn flap(reconstruction: Reconstruction) -> Options {
    Options { selection: Selection::Ranking(Ranking::Fluctuation), reconstruction, ..Options::default() }
}

#[test]
fn the_bias_takes_over_the_mean_of_what_went() {
    let case = Case::with_means(0.8);
    let pruned = case.pruned(&CpuExecutor::<f32>::new(), &Device::cpu(), &flap(Reconstruction::MeanBias));
    let change = pruned.bias_change.as_ref().expect("a bias");
    for (i, &got) in change.iter().enumerate() {
        let gone = pruned.removed.iter().map(|r| r.unit);
        let want: f64 = gone.map(|j| f64::from(case.w[i * FEATURES + j]) * case.mean(j)).sum();
        assert!((f64::from(got) - want).abs() < 1e-4 * want.abs().max(0.1), "output {i}: {got} {want}");
    }
}

#[test]
fn the_bias_lowers_the_loss_by_what_the_means_are_worth() {
    let case = Case::with_means(0.8);
    let loss = |r| case.measured(&case.pruned(&CpuExecutor::<f64>::new(), &Device::cpu(), &flap(r)));
    let (with, without) = (loss(Reconstruction::MeanBias), loss(Reconstruction::Unchanged));
    assert!(with < 0.9 * without, "{with} {without}");
    let pruned = case.pruned(&CpuExecutor::<f64>::new(), &Device::cpu(), &flap(Reconstruction::MeanBias));
    let worth: f64 = pruned.bias_change.unwrap().iter().map(|&b| f64::from(b).powi(2)).sum::<f64>() * TOKENS as f64;
    assert!(((without - with) / worth - 1.0).abs() < 1e-4, "{without} {with} {worth}");
}

#[test]
fn no_other_bias_would_be_better() {
    let case = Case::with_means(0.8);
    let pruned = case.pruned(&CpuExecutor::<f64>::new(), &Device::cpu(), &flap(Reconstruction::MeanBias));
    let best: Vec<f64> = pruned.bias_change.as_ref().unwrap().iter().map(|&b| b.into()).collect();
    let delta = case.change(&pruned);
    let least = case.squared(&delta, &best);
    for i in 0..OUT {
        for step in [-0.05, 0.05] {
            let mut other = best.clone();
            other[i] += step;
            assert!(case.squared(&delta, &other) > least, "output {i}");
        }
    }
}

#[test]
fn least_squares_loses_less_than_leaving_alone_whatever_went() {
    let case = Case::with_means(0.3);
    for selection in SELECTIONS {
        let loss = |reconstruction| {
            let options = Options { selection, reconstruction, damping: 0.01, residual: 0.0, swaps: 0 };
            let pruned = case.pruned(&CpuExecutor::<f64>::new(), &Device::cpu(), &options);
            (pruned.kept_columns.clone(), case.measured(&pruned))
        };
        let ((kept, fitted), (same, alone)) = (loss(Reconstruction::LeastSquares), loss(Reconstruction::Unchanged));
        assert_eq!(kept, same, "{selection:?}: the reconstruction does not change the selection");
        assert!(fitted < alone, "{selection:?}: {fitted} {alone}");
    }
}

#[test]
fn both_executors_do_the_same_by_every_pair() {
    let (case, gpu) = (Case::with_means(0.8), software_gpu());
    for options in pairs() {
        let want = case.pruned(&CpuExecutor::<f64>::new(), &Device::cpu(), &options);
        let got = case.pruned(&WgpuExecutor::new(gpu.tensor_device()), &gpu, &options);
        assert_eq!(got.kept_units, want.kept_units, "{options:?}");
        let off = (got.predicted_loss / want.predicted_loss - 1.0).abs();
        assert!(off < 1e-3, "{options:?}: {} {}", got.predicted_loss, want.predicted_loss);
        for (a, b) in got.bias_change.iter().flatten().zip(want.bias_change.iter().flatten()) {
            assert!((a - b).abs() < 1e-4, "{options:?}: {a} {b}");
        }
    }
}

#[test]
fn what_all_went_at_once_shares_its_cost() {
    let case = Case::with_means(0.8);
    let pruned = case.pruned(&CpuExecutor::<f64>::new(), &Device::cpu(), &flap(Reconstruction::Unchanged));
    let sum: f64 = pruned.removed.iter().map(|r| r.cost).sum();
    assert!((sum / pruned.predicted_loss - 1.0).abs() < 1e-9);
}
