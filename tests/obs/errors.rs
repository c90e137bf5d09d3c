//! One failing matrix for every step at which an executor factors one: all executors tell the same.
//! Entries are small powers of two, so that no executor rounds and the pivots are equal too.

use burn::tensor::Tensor;
use pollster::block_on;
use slimgpt::device::Device;
use slimgpt::obs::{
    ChannelSteps, CpuExecutor, Executor, FactoredMatrix, HeadCut, HeadLayout, HeadUnit, Hessian, Inspect, ObsError,
    Options, Pruned, Refit, Removal, Score, WgpuExecutor, prune_channels, prune_heads,
};

use crate::Case;
use crate::support::{matrix, software_gpu};

/// An executor whose inverses rounding has spoiled.
struct Spoiled<'a, E> {
    inner: &'a E,
    /// What stands in the place of every H⁻¹; where there is none, nothing is spoiled.
    inverse: Option<Tensor<2>>,
    /// Whether what is gone can come back.
    returns: bool,
}

impl<E: Inspect> Executor for Spoiled<'_, E> {
    type Sum = E::Sum;
    type Problem = E::Problem;

    fn zero_sum(&self, features: usize) -> E::Sum {
        self.inner.zero_sum(features)
    }

    async fn accumulate(&self, sum: E::Sum, x: &Tensor<2>) -> Result<E::Sum, ObsError> {
        self.inner.accumulate(sum, x).await
    }

    async fn diagonal(&self, sum: &E::Sum) -> Result<Vec<f64>, ObsError> {
        self.inner.diagonal(sum).await
    }

    async fn factor(&self, sum: &E::Sum, w: &Tensor<2>, lambda: f64, dead: &[usize]) -> Result<E::Problem, ObsError> {
        let mut problem = self.inner.factor(sum, w, lambda, dead).await?;
        if let Some(inverse) = &self.inverse {
            self.inner.replace_inverse(&mut problem, inverse).await?;
        }
        Ok(problem)
    }

    async fn squared_error(&self, sum: &E::Sum, delta: &Tensor<2>, dead: &[usize]) -> Result<f64, ObsError> {
        self.inner.squared_error(sum, delta, dead).await
    }

    async fn group_scores(&self, p: &E::Problem, groups: &[Vec<usize>], score: Score) -> Result<Vec<f64>, ObsError> {
        self.inner.group_scores(p, groups, score).await
    }

    async fn eliminate(&self, problem: &mut E::Problem, columns: &[usize]) -> Result<f64, ObsError> {
        self.inner.eliminate(problem, columns).await
    }

    async fn eliminate_cheapest(&self, problem: &mut E::Problem, count: usize) -> Result<Vec<Removal>, ObsError> {
        self.inner.eliminate_cheapest(problem, count).await
    }

    async fn gains(&self, problem: &E::Problem, groups: &[Vec<usize>]) -> Result<Vec<f64>, ObsError> {
        self.inner.gains(problem, groups).await
    }

    async fn restore(&self, problem: &mut E::Problem, columns: &[usize]) -> Result<f64, ObsError> {
        if !self.returns {
            let matrix = FactoredMatrix::KeptHessian;
            return Err(ObsError::NotPositiveDefinite { matrix, pivot: 0, value: None, damping: None });
        }
        self.inner.restore(problem, columns).await
    }

    fn end_elimination(&self, problem: &mut E::Problem) {
        self.inner.end_elimination(problem);
    }

    async fn refit(&self, problem: &E::Problem, kept: &[usize], draw: Option<&Tensor<2>>) -> Result<Refit, ObsError> {
        self.inner.refit(problem, kept, draw).await
    }
}

/// A layer with two outputs whose inputs' Hessian is four times the identity.
#[derive(Clone)]
struct Layer {
    n: usize,
    x: Vec<f32>,
    w: Vec<f32>,
    inverse: Option<Vec<f32>>,
}

/// How it is pruned.
#[derive(Clone, Copy)]
enum How {
    /// In units of two columns.
    Heads(Score),
    Channels(usize, ChannelSteps),
}

const DAMPING: f64 = 0.25;

impl Layer {
    fn new(n: usize) -> Self {
        let (mut x, mut w) = (vec![0.0; n * n], vec![4.0; 2 * n]);
        (0..n).for_each(|j| x[j * n + j] = 2.0);
        // The columns that will fail are the cheapest, so that they go first.
        (4..6).for_each(|j| (w[j], w[n + j]) = (0.5, 0.5 + j as f32 / 16.0));
        Self { n, x, w, inverse: None }
    }

    /// [H⁻¹]_44 = [H⁻¹]_55 = 1/4 and 1/2 between them: without column 4, 1/4 − 1 is left of 5.
    fn spoiled(n: usize) -> Self {
        let mut inverse = vec![0.0; n * n];
        (0..n).for_each(|j| inverse[j * n + j] = 0.25);
        (inverse[4 * n + 5], inverse[5 * n + 4]) = (0.5, 0.5);
        Self { inverse: Some(inverse), ..Self::new(n) }
    }

    fn pruned<E: Inspect>(&self, inner: &E, device: &Device, how: How, damping: f64) -> Result<Pruned, ObsError> {
        let n = self.n;
        let inverse = self.inverse.as_ref().map(|values| matrix(values, [n, n], device));
        let executor = Spoiled { inner, inverse, returns: true };
        let mut hessian = Hessian::new(&executor, n);
        block_on(hessian.accumulate(&executor, &matrix(&self.x, [n, n], device)))?;
        let weight = matrix(&self.w, [2, n], device);
        block_on(async {
            match how {
                How::Heads(score) => {
                    let layout = HeadLayout { heads: n / 2, kv_heads: n / 2, head_dim: 2 };
                    let options = Options { damping, ..Options::scored(score) };
                    prune_heads(&executor, &weight, &hessian, layout, HeadCut::of(HeadUnit::KeyValue, 1), &options)
                        .await
                }
                How::Channels(remove, steps) => {
                    let options = Options { damping, ..Options::default() };
                    prune_channels(&executor, &weight, &hessian, remove, steps, &options).await
                }
            }
        })
    }

    /// The error of every executor that computes in single precision, and of the oracle.
    fn errors(&self, how: How, damping: f64) -> [ObsError; 3] {
        let (cpu, gpu) = (Device::cpu(), software_gpu());
        let singles = self.pruned(&CpuExecutor::<f32>::new(), &cpu, how, damping);
        let kernels = self.pruned(&WgpuExecutor::new(gpu.tensor_device()), &gpu, how, damping);
        let oracle = self.pruned(&CpuExecutor::<f64>::new(), &cpu, how, damping);
        [singles, kernels, oracle].map(|pruned| pruned.err().expect("it fails"))
    }
}

fn not_positive(matrix: FactoredMatrix, pivot: usize, value: f64, damping: f64) -> ObsError {
    ObsError::NotPositiveDefinite { matrix, pivot, value: Some(value), damping: Some(damping) }
}

fn block(unit: Option<usize>, columns: &[usize]) -> FactoredMatrix {
    FactoredMatrix::InverseBlock { unit, columns: columns.to_vec() }
}

#[track_caller]
fn check(errors: [ObsError; 3], want: &ObsError) {
    errors.iter().for_each(|error| assert_eq!(error, want));
}

/// Column 70 repeats column 3, so nothing is left of it; it lies beyond the first block of every
/// factorisation.
#[test]
fn a_hessian_that_is_singular() {
    let mut layer = Layer::new(100);
    layer.x[3 * 100 + 70] = 2.0;
    layer.x[70 * 100 + 70] = 0.0;
    let want = not_positive(FactoredMatrix::Hessian, 70, 0.0, 0.0);
    check(layer.errors(How::Channels(2, ChannelSteps::OneByOne), 0.0), &want);
    check(layer.errors(How::Heads(Score::Exact), 0.0), &want);
}

#[test]
fn a_head_whose_block_is_spoiled_is_named_by_scores_and_elimination() {
    for score in [Score::Exact, Score::GroupedCholesky, Score::Diagonal] {
        let want = not_positive(block(Some(2), &[4, 5]), 1, -0.75, DAMPING);
        check(Layer::spoiled(8).errors(How::Heads(score), DAMPING), &want);
    }
}

#[test]
fn channels_that_go_as_a_group_are_listed() {
    let want = not_positive(block(None, &[4, 5]), 1, -0.75, DAMPING);
    check(Layer::spoiled(8).errors(How::Channels(4, ChannelSteps::Fixed(2)), DAMPING), &want);
}

#[test]
fn a_channel_whose_pivot_is_spoiled_is_named_one_by_one() {
    let want = not_positive(block(Some(5), &[5]), 0, -0.75, DAMPING);
    check(Layer::spoiled(8).errors(How::Channels(3, ChannelSteps::OneByOne), DAMPING), &want);
}

/// The scores of all channels are looked at before the first goes.
#[test]
fn a_channel_whose_pivot_is_negative_from_the_beginning_is_named() {
    let mut layer = Layer::spoiled(8);
    layer.inverse.as_mut().unwrap()[6 * 8 + 6] = -2.0;
    let want = not_positive(block(Some(6), &[6]), 0, -2.0, DAMPING);
    check(layer.errors(How::Channels(1, ChannelSteps::OneByOne), DAMPING), &want);
}

/// Only in single precision: 10³⁰ squared is a number in double.
#[test]
fn a_channel_whose_score_overflows_is_named_one_by_one() {
    let mut layer = Layer::new(8);
    layer.w[7] = 1e30;
    let (cpu, gpu, how) = (Device::cpu(), software_gpu(), How::Channels(1, ChannelSteps::OneByOne));
    let singles = layer.pruned(&CpuExecutor::<f32>::new(), &cpu, how, DAMPING).err();
    let kernels = layer.pruned(&WgpuExecutor::new(gpu.tensor_device()), &gpu, how, DAMPING).err();
    let want = ObsError::NotFinite { what: "the score of unit", index: 7, value: f64::INFINITY };
    assert_eq!((singles.as_ref(), kernels.as_ref()), (Some(&want), Some(&want)));
}

/// Groups beyond one workgroup are factored another way. What is gone leaves a zero behind.
#[test]
fn a_large_group_that_holds_what_is_gone() {
    fn error<E: Inspect>(executor: &E, device: &Device, score: Score) -> ObsError {
        let layer = Layer::new(600);
        let groups: Vec<Vec<usize>> = vec![(0..300).collect(), (300..600).collect()];
        block_on(async {
            let x = matrix(&layer.x, [600, 600], device);
            let sum = executor.accumulate(executor.zero_sum(600), &x).await?;
            let mut problem = executor.factor(&sum, &matrix(&layer.w, [2, 600], device), 0.0, &[]).await?;
            executor.eliminate(&mut problem, &[500]).await?;
            executor.group_scores(&problem, &groups, score).await
        })
        .unwrap_err()
    }
    let gpu = software_gpu();
    for score in [Score::Exact, Score::GroupedCholesky] {
        let matrix = block(None, &(300..600).collect::<Vec<_>>());
        let want = ObsError::NotPositiveDefinite { matrix, pivot: 200, value: Some(0.0), damping: None };
        let (cpu, oracle) = (CpuExecutor::<f32>::new(), CpuExecutor::<f64>::new());
        let kernels = error(&WgpuExecutor::new(gpu.tensor_device()), &gpu, score);
        check([error(&cpu, &Device::cpu(), score), kernels, error(&oracle, &Device::cpu(), score)], &want);
    }
}

/// A column that is kept twice makes the Hessian of what stays singular.
#[test]
fn a_kept_hessian_that_is_singular() {
    fn error<E: Inspect>(executor: &E, device: &Device) -> ObsError {
        let layer = Layer::new(8);
        block_on(async {
            let sum = executor.accumulate(executor.zero_sum(8), &matrix(&layer.x, [8, 8], device)).await?;
            let problem = executor.factor(&sum, &matrix(&layer.w, [2, 8], device), 0.0, &[]).await?;
            executor.refit(&problem, &[1, 3, 3, 6], None).await
        })
        .err()
        .expect("it fails")
    }
    let (cpu, gpu) = (Device::cpu(), software_gpu());
    let kernels = error(&WgpuExecutor::new(gpu.tensor_device()), &gpu);
    let want = ObsError::NotPositiveDefinite {
        matrix: FactoredMatrix::KeptHessian,
        pivot: 2,
        value: Some(0.0),
        damping: None,
    };
    check([error(&CpuExecutor::<f32>::new(), &cpu), kernels, error(&CpuExecutor::<f64>::new(), &cpu)], &want);
}

#[test]
fn a_unit_that_rounding_keeps_from_returning_stays_gone() {
    let (inner, device) = (CpuExecutor::<f64>::new(), Device::cpu());
    let case = Case::new(4, 18, 60);
    let weight = matrix(&case.w, [case.out, case.features], &device);
    let gone = |returns: bool, swaps: usize| {
        let executor = Spoiled { inner: &inner, inverse: None, returns };
        let (hessian, options) = (case.hessian(&executor, &device), Options { swaps, ..Options::default() });
        let steps = ChannelSteps::OneByOne;
        let pruned = block_on(prune_channels(&executor, &weight, &hessian, 8, steps, &options)).unwrap();
        pruned.removed.iter().map(|removal| removal.unit).collect::<Vec<_>>()
    };
    assert_eq!(gone(false, 5), gone(true, 0));
}
