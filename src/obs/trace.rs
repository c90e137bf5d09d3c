//! One pruning, watched: the matrices before and after each removal, for layers small enough to
//! be looked at.
//!
//! [`Traced`] is an executor that hands every operation to another one and writes down what it
//! sees. The algorithm that runs on it is [`prune_heads`] or [`prune_channels`], the one that
//! prunes real models.

use std::cell::{RefCell, RefMut};

use burn::tensor::{Device, Tensor, TensorData};

use super::{
    ChannelSteps, CpuExecutor, Executor, HeadCut, HeadLayout, HeadUnit, Hessian, Inspect, ObsError, Options, Pruned,
    Refit, Removal, Score, cpu, prune_channels, prune_heads, remove_columns, remove_groups,
};
use crate::device::readback::{ReadbackError, doubles};

/// A matrix on the host, row by row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Matrix {
    /// Rows: height of the matrix.
    pub rows: usize,
    /// Columns: length of one row in `values`.
    pub columns: usize,
    /// `rows · columns` values.
    pub values: Vec<f64>,
}

/// W and H⁻¹ between two removals.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    /// The weights as elimination left them `(out, in)`; gone columns are zero.
    pub weight: Matrix,
    /// H⁻¹ `(in, in)`; rows and columns of what is gone mean nothing.
    pub inverse: Matrix,
}

/// One removal: a group of columns, or several channels at once.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The groups of columns that could go.
    pub candidates: Vec<Vec<usize>>,
    /// The candidates' scores, in their order; the lowest went.
    pub scores: Vec<f64>,
    /// The columns that went.
    pub columns: Vec<usize>,
    /// The increase of the damped squared error.
    pub cost: f64,
    /// W and H⁻¹ without the columns that went.
    pub after: State,
}

/// A pruning from beginning to end.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trace {
    /// The inputs `(tokens, in)`.
    pub x: Matrix,
    /// H = XᵀX + λI `(in, in)`.
    pub hessian: Matrix,
    /// Before the first removal.
    pub start: State,
    /// The removals in order.
    pub steps: Vec<Step>,
    /// The columns that stay, ascending.
    pub kept: Vec<usize>,
    /// Their least-squares weights from the original ones, as they would be saved `(out, kept)`.
    pub refit: Matrix,
    /// The squared error on the tokens, as the mathematics predicts it.
    pub predicted_loss: f64,
    /// ‖XWᵀ‖²_F on the same tokens: what the loss is to be held against.
    pub signal: f64,
}

/// What a trace removes, and how much of it.
#[derive(Clone, Debug, PartialEq)]
pub enum TraceTarget {
    /// So many input columns, in these steps.
    Channels {
        /// Columns that go; at least one stays.
        remove: usize,
        /// How many go between two looks at the scores.
        steps: ChannelSteps,
    },
    /// So many heads (of every quota set).
    Heads {
        /// Which columns belong to which head.
        layout: HeadLayout,
        /// What goes as one.
        unit: HeadUnit,
        /// Units that go from every quota set; at least one stays.
        remove: usize,
    },
    /// Input columns in groups of these sizes, each the cheapest at its time.
    Groups(Vec<usize>),
    /// These columns in this order, whatever they cost.
    Columns(Vec<usize>),
}

impl Matrix {
    /// A matrix of what stands at each place.
    pub fn from_fn(rows: usize, columns: usize, at: impl Fn(usize, usize) -> f64) -> Self {
        let values = (0..rows).flat_map(|i| (0..columns).map(move |j| (i, j))).map(|(i, j)| at(i, j)).collect();
        Self { rows, columns, values }
    }

    /// What stands in a row and column.
    pub fn at(&self, row: usize, column: usize) -> f64 {
        self.values[row * self.columns + column]
    }

    /// ‖XAᵀ‖²_F of this matrix A.
    fn energy(&self, x: &Self) -> f64 {
        let product = |row: &[f64], token: &[f64]| row.iter().zip(token).map(|(w, x)| w * x).sum::<f64>();
        let outputs = |token| self.values.chunks_exact(self.columns).map(move |row| product(row, token).powi(2));
        x.values.chunks_exact(x.columns).flat_map(outputs).sum()
    }

    pub(super) fn tensor(&self, device: &Device) -> Tensor<2> {
        let values: Vec<f32> = self.values.iter().map(|&v| v as f32).collect();
        Tensor::from_data(TensorData::new(values, [self.rows, self.columns]), device)
    }
}

impl State {
    /// What each of these groups of columns would score next.
    ///
    /// # Errors
    /// When a group's block of H⁻¹ is not positive definite, as where the group is gone.
    pub fn scores(&self, groups: &[Vec<usize>], score: Score) -> Result<Vec<f64>, ObsError> {
        let State { weight, inverse } = self;
        groups.iter().map(|g| cpu::score(&weight.values, &inverse.values, inverse.rows, g, score)).collect()
    }
}

impl Trace {
    /// W and H⁻¹ after so many removals.
    pub fn state(&self, removals: usize) -> &State {
        match removals {
            0 => &self.start,
            n => &self.steps[n - 1].after,
        }
    }

    /// What a removal added to the weights that stayed `(out, in)`; zero at columns that are gone.
    pub fn compensation(&self, step: usize) -> Matrix {
        let (before, after) = (&self.state(step).weight, &self.steps[step].after.weight);
        let gone: Vec<usize> = self.steps[..=step].iter().flat_map(|s| s.columns.iter().copied()).collect();
        Matrix::from_fn(before.rows, before.columns, |i, j| match gone.contains(&j) {
            true => 0.0,
            false => after.at(i, j) - before.at(i, j),
        })
    }

    /// ‖X(W − Ŵ)ᵀ‖²_F / ‖XWᵀ‖²_F on other tokens `x` `(tokens, in)`, which Ŵ was not fitted to, for the
    /// layer's `weight` W `(out, in)`.
    pub fn error_on(&self, x: &Matrix, weight: &Matrix) -> f64 {
        let mut lost = weight.clone();
        for (place, &j) in self.kept.iter().enumerate() {
            (0..weight.rows).for_each(|i| lost.values[i * weight.columns + j] -= self.refit.at(i, place));
        }
        lost.energy(x) / weight.energy(x)
    }
}

/// Prunes a layer of inputs `x` `(tokens, in)` and weights `weight` `(out, in)` on the CPU in f64
/// and writes down every removal. Both are rounded to f32 first, as the activations and weights
/// of a model are. There are no swaps afterwards, whatever the options say: a trace has no step for what comes back.
///
/// # Errors
/// As [`prune_heads`].
pub async fn trace(x: &Matrix, weight: &Matrix, what: TraceTarget, options: &Options) -> Result<Trace, ObsError> {
    // In f64, because what is shown is compared with what a reader computes by hand.
    let (inner, device) = (CpuExecutor::<f64>::new(), Device::flex());
    // A swap brings columns back, which a row of removals does not show.
    let options = &Options { swaps: 0, ..*options };
    let executor = Traced::new(&inner, [weight.rows, weight.columns]);
    let mut hessian = Hessian::new(&executor, x.columns);
    hessian.accumulate(&executor, &x.tensor(&device)).await?;
    let pruned = run(&executor, &weight.tensor(&device), &hessian, what, options).await?;
    let refit = doubles(pruned.weight).await?;
    let refit = Matrix { rows: weight.rows, columns: pruned.kept_columns.len(), values: refit };
    let (predicted_loss, signal) = (pruned.predicted_loss, pruned.signal);
    Ok(Trace { x: x.clone(), kept: pruned.kept_columns, refit, predicted_loss, signal, ..executor.into_trace() })
}

/// The upper triangular U with H⁻¹ = UᵀU `(in, in)`, as GPTQ and SparseGPT take it. Its trailing
/// triangle from t on is the factor of the inverse that is left when the first t columns are gone.
///
/// # Errors
/// When the matrix is not positive definite.
pub fn upper_factor(inverse: &Matrix) -> Result<Matrix, ObsError> {
    let n = inverse.rows;
    let lower = cpu::lower_factor(&inverse.values, n)?;
    Ok(Matrix::from_fn(n, n, |i, j| if i <= j { lower[j * n + i] } else { 0.0 }))
}

/// As [`trace`], for callers that cannot wait, such as a frame that is being drawn.
///
/// # Errors
/// As [`trace`].
pub fn trace_at_once(x: &Matrix, weight: &Matrix, what: TraceTarget, options: &Options) -> Result<Trace, ObsError> {
    at_once(trace(x, weight, what, options))
}

/// The outcome of work on the CPU executor.
pub(super) fn at_once<T>(work: impl Future<Output = Result<T, ObsError>>) -> Result<T, ObsError> {
    // The CPU executor never waits for anything: its first poll is its last.
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match std::pin::pin!(work).poll(&mut context) {
        std::task::Poll::Ready(outcome) => outcome,
        std::task::Poll::Pending => Err(ReadbackError::lost("the CPU executor waited").into()),
    }
}

pub(super) async fn run<E: Executor>(
    executor: &E,
    weight: &Tensor<2>,
    hessian: &Hessian<E>,
    what: TraceTarget,
    options: &Options,
) -> Result<Pruned, ObsError> {
    match what {
        TraceTarget::Channels { remove, steps } => {
            prune_channels(executor, weight, hessian, remove, steps, options).await
        }
        TraceTarget::Heads { layout, unit, remove } => {
            prune_heads(executor, weight, hessian, layout, HeadCut::of(unit, remove), options).await
        }
        TraceTarget::Groups(sizes) => remove_groups(executor, weight, hessian, &sizes, options).await,
        TraceTarget::Columns(order) => remove_columns(executor, weight, hessian, &order, options).await,
    }
}

/// Hands every operation to another executor and writes down what it sees.
pub struct Traced<'a, E> {
    inner: &'a E,
    rows: usize,
    columns: usize,
    seen: RefCell<Seen>,
}

#[derive(Default)]
struct Seen {
    trace: Trace,
    /// The candidates and scores that the next removal is chosen by.
    looked_at: (Vec<Vec<usize>>, Vec<f64>),
}

impl<'a, E: Inspect> Traced<'a, E> {
    /// Watches `inner` on a layer with weights of this shape, (out, in).
    pub fn new(inner: &'a E, [rows, columns]: [usize; 2]) -> Self {
        Self { inner, rows, columns, seen: RefCell::default() }
    }

    /// What was seen: Hessian, states and steps.
    pub fn into_trace(self) -> Trace {
        self.seen.into_inner().trace
    }

    fn seen(&self) -> RefMut<'_, Seen> {
        self.seen.borrow_mut()
    }

    async fn state(&self, problem: &E::Problem) -> Result<State, ObsError> {
        let weight = self.inner.eliminated_weight(problem).await?;
        let inverse = self.inner.inverse(problem).await?;
        Ok(State {
            weight: Matrix { rows: self.rows, columns: self.columns, values: weight },
            inverse: self.square(inverse),
        })
    }

    fn square(&self, values: Vec<f64>) -> Matrix {
        Matrix { rows: self.columns, columns: self.columns, values }
    }

    /// Writes down that `columns` went.
    async fn removed(&self, problem: &E::Problem, columns: &[usize], cost: f64) -> Result<(), ObsError> {
        let mut after = self.state(problem).await?;
        let mut seen = self.seen();
        // Taken: scores are those of one removal, and must not be shown for the next.
        let (candidates, scores) = std::mem::take(&mut seen.looked_at);
        let gone = seen.trace.steps.iter().flat_map(|s| s.columns.iter()).chain(columns);
        let gone: Vec<usize> = gone.copied().collect();
        // Elimination leaves rounding errors where nothing is left.
        for j in gone {
            (0..self.rows).for_each(|i| after.weight.values[i * self.columns + j] = 0.0);
        }
        seen.trace.steps.push(Step { candidates, scores, columns: columns.to_vec(), cost, after });
        Ok(())
    }

    /// The columns that are still there.
    fn alive(&self) -> Vec<Vec<usize>> {
        let seen = self.seen();
        let is_gone = |j: &usize| seen.trace.steps.iter().any(|s| s.columns.contains(j));
        (0..self.columns).filter(|j| !is_gone(j)).map(|j| vec![j]).collect()
    }
}

impl<E: Inspect> Executor for Traced<'_, E> {
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

    async fn factor(
        &self,
        sum: &E::Sum,
        weight: &Tensor<2>,
        lambda: f64,
        dead: &[usize],
    ) -> Result<E::Problem, ObsError> {
        let problem = self.inner.factor(sum, weight, lambda, dead).await?;
        let (start, hessian) = (self.state(&problem).await?, self.inner.damped_hessian(&problem).await?);
        let hessian = self.square(hessian);
        // A pruning begins by factoring: what was seen of an earlier one is dropped.
        self.seen().trace = Trace { start, hessian, ..Trace::default() };
        Ok(problem)
    }

    async fn squared_error(&self, sum: &E::Sum, delta: &Tensor<2>, dead: &[usize]) -> Result<f64, ObsError> {
        self.inner.squared_error(sum, delta, dead).await
    }

    async fn group_scores(
        &self,
        problem: &E::Problem,
        groups: &[Vec<usize>],
        score: Score,
    ) -> Result<Vec<f64>, ObsError> {
        let scores = self.inner.group_scores(problem, groups, score).await?;
        self.seen().looked_at = (groups.to_vec(), scores.clone());
        Ok(scores)
    }

    async fn eliminate(&self, problem: &mut E::Problem, columns: &[usize]) -> Result<f64, ObsError> {
        let cost = self.inner.eliminate(problem, columns).await?;
        self.removed(problem, columns, cost).await?;
        Ok(cost)
    }

    /// One by one, so that there is something to see between two removals.
    async fn eliminate_cheapest(&self, problem: &mut E::Problem, count: usize) -> Result<Vec<Removal>, ObsError> {
        let mut removals = Vec::with_capacity(count);
        for _ in 0..count {
            // Asked for beside the removal, which tells only the score of what went.
            self.group_scores(problem, &self.alive(), Score::Diagonal).await?;
            let removal = self.inner.eliminate_cheapest(problem, 1).await?;
            for r in &removal {
                self.removed(problem, &[r.unit], r.cost).await?;
            }
            removals.extend(removal);
        }
        Ok(removals)
    }

    /// Swaps are no steps: what is looked at is made of removals alone.
    async fn gains(&self, problem: &E::Problem, groups: &[Vec<usize>]) -> Result<Vec<f64>, ObsError> {
        self.inner.gains(problem, groups).await
    }

    async fn restore(&self, problem: &mut E::Problem, columns: &[usize]) -> Result<f64, ObsError> {
        self.inner.restore(problem, columns).await
    }

    fn end_elimination(&self, problem: &mut E::Problem) {
        self.inner.end_elimination(problem);
    }

    async fn refit(&self, problem: &E::Problem, kept: &[usize], draw: Option<&Tensor<2>>) -> Result<Refit, ObsError> {
        self.inner.refit(problem, kept, draw).await
    }
}
