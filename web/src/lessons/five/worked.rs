//! What the figure shows: the removals of a small layer of four heads, and what each score would
//! have chosen.

use slimgpt::obs::toy::ToyLayer;
use slimgpt::obs::trace::{Matrix, Trace, TraceTarget, trace_at_once, upper_factor};
use slimgpt::obs::{HeadLayout, HeadUnit, ObsError, Options};

use super::phase::Phase;
use super::scores::{HeadScores, SCORES, cheapest, score_name};
use super::{State, say};
use crate::kit::{Outcome, percent, shown};

/// Heads of the layer.
pub const HEADS: usize = 4;
/// Columns of a head.
pub const WIDTH: usize = 4;
/// Inputs of the layer.
pub const INPUTS: usize = HEADS * WIDTH;
/// Outputs of the layer: half as many, so that both matrices fit beside each other.
pub const OUTPUTS: usize = 8;
/// Tokens that it sees: enough that H can be inverted without damping.
const TOKENS: usize = 48;
/// The last head stays.
pub const REMOVALS: usize = HEADS - 1;

/// All that the figure shows, computed anew at every change.
#[derive(Clone, Debug, PartialEq)]
pub struct Worked {
    /// The removals by the score that the reader chose.
    trace: Trace,
    /// The factors L of the heads' blocks of H⁻¹ side by side, before each removal.
    factors: Vec<Matrix>,
    /// The heads that are left before each removal, and what they score.
    scores: Vec<Vec<HeadScores>>,
    /// The error if one head goes, by each score, as a share of the signal.
    errors: [f64; 3],
}

/// One step, as it is drawn.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Seen {
    /// W.
    pub weight: Matrix,
    /// What is added to what stays.
    pub delta: Matrix,
    /// H⁻¹.
    pub inverse: Matrix,
    /// The heads' factors.
    pub factor: Matrix,
    /// The heads' names, in the order in which they stand.
    pub names: Vec<String>,
    /// The places of columns that are gone.
    pub gone: Vec<usize>,
    /// The places of the columns that go next.
    pub marked: Vec<usize>,
    /// What each head that was left scored.
    pub scores: Vec<HeadScores>,
    /// What the figure says.
    pub says: String,
}

impl Worked {
    /// Prunes the layer of a state.
    ///
    /// # Errors
    /// When H cannot be inverted.
    pub fn of(state: &State) -> Result<Self, ObsError> {
        let toy = ToyLayer {
            inputs: INPUTS,
            outputs: OUTPUTS,
            tokens: TOKENS,
            correlation: state.correlation,
            seed: state.seed as u64,
        };
        let (x, weight) = (toy.x(), toy.weight());
        let layout = HeadLayout { heads: HEADS, kv_heads: HEADS, head_dim: WIDTH };
        let run = |score: usize, remove| {
            let what = TraceTarget::Heads { layout, unit: HeadUnit::KeyValue, remove };
            // Undamped, so that a removal costs exactly the error that it adds.
            trace_at_once(&x, &weight, what, &Options { damping: 0.0, ..Options::scored(SCORES[score]) })
        };
        let trace = run(state.score, REMOVALS)?;
        let one = |score| run(score, 1).map(|t| t.predicted_loss / t.signal);
        let errors = [one(0)?, one(1)?, one(2)?];
        let scores = (0..REMOVALS).map(|r| scored(&trace, r)).collect::<Result<_, _>>()?;
        let factors = (0..REMOVALS).map(|r| factors(&trace, r)).collect::<Result<_, _>>()?;
        Ok(Self { trace, factors, scores, errors })
    }

    /// What a step shows, where the removals follow one of the scores.
    pub fn seen(&self, step: usize, score: usize) -> Seen {
        let (removal, phase) = Phase::at(step);
        let order = if phase.is_ordered() { self.order(removal, score) } else { (0..HEADS).collect() };
        let columns: Vec<usize> = order.iter().flat_map(|head| columns(*head)).collect();
        let places = |of: &dyn Fn(usize) -> bool| (0..INPUTS).filter(|&place| of(columns[place])).collect();
        let next = &self.trace.steps[removal].columns;
        let is_gone = |j: usize| self.trace.steps[..removal].iter().any(|s| s.columns.contains(&j));
        // Until the others make up for the head, W and H⁻¹ are those before the removal.
        let after = self.trace.state(removal + usize::from(phase >= Phase::Compensate));
        let weight = Matrix::from_fn(OUTPUTS, INPUTS, |i, place| match columns[place] {
            // The head is gone, and nothing has moved yet.
            j if phase == Phase::Cut && next.contains(&j) => 0.0,
            j => after.weight.at(i, j),
        });
        // A step shows what it does itself; what was added before is in W already.
        let delta = match phase {
            Phase::Compensate => self.trace.compensation(removal),
            _ => Matrix::from_fn(OUTPUTS, INPUTS, |_, _| 0.0),
        };
        let along = |m: &Matrix| Matrix::from_fn(m.rows, INPUTS, |i, place| m.at(i, columns[place]));
        Seen {
            weight,
            delta: along(&delta),
            inverse: Matrix::from_fn(INPUTS, INPUTS, |i, j| after.inverse.at(columns[i], columns[j])),
            factor: along(&self.factors[removal]),
            names: order.iter().map(|head| say::five_head_name(head + 1)).collect(),
            gone: places(&|j| is_gone(j) || phase >= Phase::Cut && next.contains(&j)),
            marked: places(&|j| (Phase::Score..Phase::Cut).contains(&phase) && next.contains(&j)),
            scores: self.scores[removal].clone(),
            says: self.sentence(removal, phase, score),
        }
    }

    /// The heads in the order in which the paper sorts them: what is gone comes last.
    fn order(&self, removal: usize, score: usize) -> Vec<usize> {
        let mut left = self.scores[removal].clone();
        // Stable: heads of one score stay in their order, so that the first that stands there is the one that goes.
        left.sort_by(|a, b| a.by[score].total_cmp(&b.by[score]));
        let left: Vec<usize> = left.into_iter().map(|head| head.head).collect();
        let gone = (0..HEADS).filter(|head| !left.contains(head));
        left.iter().copied().chain(gone).collect()
    }

    fn sentence(&self, removal: usize, phase: Phase, score: usize) -> String {
        let head = self.trace.steps[removal].columns[0] / WIDTH;
        let lowest = self.scores[removal].iter().find(|s| s.head == head).map_or(f64::NAN, |s| s.by[score]);
        let cost: f64 = self.trace.steps[..=removal].iter().map(|step| step.cost).sum();
        match phase {
            Phase::Look => say::five_look().to_owned(),
            Phase::Factor => say::five_factor().to_owned(),
            Phase::Score => say::five_score(score_name(score), head + 1, shown(lowest, 1)),
            Phase::Reorder => say::five_reorder(head + 1),
            Phase::Cut => say::five_cut(head + 1),
            Phase::Compensate => say::five_compensate(percent(cost / self.trace.signal)),
            Phase::Restore => say::five_restore(HEADS - 1 - removal),
        }
    }

    /// What the diagonal score costs where it chooses another head than the true error would.
    pub fn outcome(&self) -> Outcome {
        let [diagonal, exact] = [0, 2].map(|score| cheapest(&self.scores[0], score).map_or(0, |head| head + 1));
        let [rough, _, least] = self.errors;
        match diagonal == exact {
            true => Outcome::Open(say::five_open(exact)),
            false => {
                let more = percent(rough / least - 1.0);
                Outcome::Done(say::five_done(diagonal, exact, percent(rough), percent(least), more))
            }
        }
    }
}

/// The columns of a head.
fn columns(head: usize) -> std::ops::Range<usize> {
    head * WIDTH..(head + 1) * WIDTH
}

/// The heads that are left after so many removals.
fn left(trace: &Trace, removals: usize) -> Vec<usize> {
    let is_gone = |head: &usize| trace.steps[..removals].iter().any(|step| step.columns.contains(&(head * WIDTH)));
    (0..HEADS).filter(|head| !is_gone(head)).collect()
}

fn scored(trace: &Trace, removals: usize) -> Result<Vec<HeadScores>, ObsError> {
    let heads = left(trace, removals);
    let groups: Vec<Vec<usize>> = heads.iter().map(|&head| columns(head).collect()).collect();
    let by = |score: usize| trace.state(removals).scores(&groups, SCORES[score]);
    let (diagonal, grouped, exact) = (by(0)?, by(1)?, by(2)?);
    let of = |(i, &head)| HeadScores { head, by: [diagonal[i], grouped[i], exact[i]] };
    Ok(heads.iter().enumerate().map(of).collect())
}

fn factors(trace: &Trace, removals: usize) -> Result<Matrix, ObsError> {
    let inverse = &trace.state(removals).inverse;
    let mut side_by_side = Matrix::from_fn(WIDTH, INPUTS, |_, _| 0.0);
    for head in left(trace, removals) {
        let first = columns(head).start;
        let block = Matrix::from_fn(WIDTH, WIDTH, |i, j| inverse.at(first + i, first + j));
        // [H⁻¹]_gg = UᵀU = LLᵀ, so L is U transposed.
        let upper = upper_factor(&block)?;
        for (i, j) in (0..WIDTH).flat_map(|i| (0..WIDTH).map(move |j| (i, j))) {
            side_by_side.values[i * INPUTS + first + j] = upper.at(j, i);
        }
    }
    Ok(side_by_side)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worked(state: State) -> Worked {
        Worked::of(&state).unwrap()
    }

    #[test]
    fn the_scores_agree_at_first_and_some_seed_and_some_correlation_part_them() {
        let done = |seed, correlation| {
            let outcome = worked(State { seed, correlation, ..State::default() }).outcome();
            matches!(outcome, Outcome::Done(_))
        };
        let start = State::default();
        assert!(!done(start.seed, start.correlation));
        let seeds: Vec<usize> = (1..=20).filter(|&seed| done(seed, start.correlation)).collect();
        let alike: Vec<i32> = (0..=95).filter(|&c| done(start.seed, f64::from(c) / 100.0)).collect();
        assert!(!seeds.is_empty() && !alike.is_empty(), "{seeds:?} {alike:?}");
    }

    #[test]
    fn no_score_chooses_a_smaller_error_than_the_exact_one_which_is_the_error() {
        for seed in 1..=20 {
            let w = worked(State { seed, score: 2, ..State::default() });
            assert!(w.errors.iter().all(|error| *error >= w.errors[2] * (1.0 - 1e-9)), "{seed} {:?}", w.errors);
            let least = w.scores[0].iter().map(|head| head.by[2]).fold(f64::MAX, f64::min);
            assert!((least / w.trace.signal / w.errors[2] - 1.0).abs() < 1e-6);
        }
    }

    #[test]
    fn the_diagonal_of_the_factors_gives_the_scores_of_grouped_cholesky() {
        let w = worked(State::default());
        for head in &w.scores[0] {
            let norm = |j: usize| (0..OUTPUTS).map(|i| w.trace.start.weight.at(i, j).powi(2)).sum::<f64>();
            let score: f64 = columns(head.head).map(|j| norm(j) / w.factors[0].at(j % WIDTH, j).powi(2)).sum();
            assert!((score / head.by[1] - 1.0).abs() < 1e-9);
        }
    }

    #[test]
    fn the_head_that_goes_comes_first_and_returns_to_its_place_as_nothing() {
        for score in 0..3 {
            let w = worked(State { score, ..State::default() });
            for removal in 0..REMOVALS {
                let seen = |phase: usize| w.seen(removal * Phase::OF_A_REMOVAL.len() + phase, score);
                assert_eq!(seen(3).marked, [0, 1, 2, 3]);
                assert_eq!(seen(4).gone[..4], [0, 1, 2, 3]);
                assert_eq!(seen(6).gone.len(), WIDTH * (removal + 1));
                let gone = seen(6).gone;
                assert!(gone.iter().all(|&j| (0..OUTPUTS).all(|i| seen(6).weight.at(i, j) == 0.0)));
                assert!(seen(4).gone.iter().all(|&j| (0..OUTPUTS).all(|i| seen(4).weight.at(i, j) == 0.0)));
            }
        }
    }

    #[test]
    fn what_is_compensated_is_what_lies_between_the_cut_and_after() {
        let w = worked(State::default());
        let (cut, compensated) = (w.seen(4, 1), w.seen(5, 1));
        for k in 0..OUTPUTS * INPUTS {
            let moved = cut.weight.values[k] + compensated.delta.values[k];
            assert!((moved - compensated.weight.values[k]).abs() < 1e-12);
        }
    }
}
