//! Lesson 2: one column goes, by magnitude and by Optimal Brain Surgeon, and the others make up
//! for it.

use leptos::prelude::*;
use slimgpt::obs::toy::ToyLayer;
use slimgpt::obs::trace::{Matrix, Trace, TraceTarget, trace_at_once};
use slimgpt::obs::{ChannelSteps, ObsError, Options, Ranking, Reconstruction, Selection};

use crate::kit::{Bar, Bars, Choice, Figure, Grid, Outcome, Place, Section, Slider, Stepper, percent, shown};
use crate::state::{Edit, Field, Kept, Shared};
use crate::text::say;

/// Inputs and outputs of the layer.
const SIZE: usize = 8;
/// Tokens that it sees: more than inputs, so that H has its full rank, and few enough to be shown.
const TOKENS: usize = 12;
/// What can be edited: W, then X.
const SHAPES: [[usize; 2]; 2] = [[SIZE, SIZE], [TOKENS, SIZE]];
/// Before the cut, the scores, the cut, the compensation.
const LAST_STEP: usize = 3;
/// The damping's exponent that stands for no damping at all.
pub const UNDAMPED: f64 = -5.0;
/// Inputs that are all but the same: H can still be inverted.
const MOST_ALIKE: f64 = 0.98;

/// What the reader changes.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// What neighbouring inputs have in common.
    pub correlation: f64,
    /// λ in units of the mean diagonal, as an exponent of ten; [`UNDAMPED`] is zero.
    pub damping: f64,
    /// The column that the reader removes, from 1; 0 where OBS chooses.
    pub column: usize,
    /// Which step is shown.
    pub step: usize,
    /// Makes other numbers.
    pub seed: usize,
    /// Cells that were given other values.
    pub edits: Vec<Edit>,
}

impl Default for State {
    fn default() -> Self {
        // With these numbers the smallest column is the right one to remove, until inputs are alike.
        Self { correlation: 0.0, damping: -2.0, column: 0, step: 0, seed: 25, edits: Vec::new() }
    }
}

impl Shared for State {
    fn fields(&mut self) -> Vec<(&'static str, Field<'_>)> {
        vec![
            ("rho", Field::Number { value: &mut self.correlation, least: 0.0, most: MOST_ALIKE, digits: 2 }),
            ("damping", Field::Number { value: &mut self.damping, least: UNDAMPED, most: 0.0, digits: 1 }),
            ("column", Field::Count { value: &mut self.column, least: 0, most: SIZE }),
            ("step", Field::Count { value: &mut self.step, least: 0, most: LAST_STEP }),
            ("seed", Field::Count { value: &mut self.seed, least: 1, most: 9999 }),
            ("cells", Field::Edits { value: &mut self.edits, shapes: &SHAPES }),
        ]
    }
}

impl State {
    fn layer(&self) -> [Matrix; 2] {
        let toy = ToyLayer {
            inputs: SIZE,
            outputs: SIZE,
            tokens: TOKENS,
            correlation: self.correlation,
            seed: self.seed as u64,
        };
        let mut layer = [toy.weight(), toy.x()];
        for edit in &self.edits {
            let matrix = &mut layer[edit.matrix];
            matrix.values[edit.row * matrix.columns + edit.column] = edit.value;
        }
        layer
    }

    fn fraction(&self) -> f64 {
        fraction(self.damping)
    }
}

/// λ in units of the mean diagonal, from the damping's exponent.
pub fn fraction(damping: f64) -> f64 {
    if damping <= UNDAMPED { 0.0 } else { 10f64.powf(damping) }
}

/// The same as a number with as many digits as it needs.
pub fn damping_text(damping: f64) -> String {
    match fraction(damping) {
        0.0 => "0".to_owned(),
        // Five digits: above zero the slider begins at 10^−4.5.
        fraction => format!("{fraction:.5}").trim_end_matches('0').to_owned(),
    }
}

/// All that the figure shows, computed anew at every change.
#[derive(Clone, Debug, PartialEq)]
struct Worked {
    /// The column of least norm, which magnitude removes.
    smallest: usize,
    /// The error when it is set to zero and nothing else moves, as a share of the signal.
    by_magnitude: f64,
    /// The error of the same column when the others make up for it.
    smallest_compensated: f64,
    /// The column that OBS removes.
    cheapest: usize,
    /// Its error.
    by_obs: f64,
    /// The column that is removed before the reader's eyes, and its error without and with compensation.
    shown: usize,
    zeroed: f64,
    compensated: f64,
    /// That removal.
    trace: Trace,
}

impl Worked {
    fn of(state: &State) -> Result<Self, ObsError> {
        let [weight, x] = state.layer();
        let options = Options { damping: state.fraction(), ..Options::default() };
        let run = |what, options: &Options| trace_at_once(&x, &weight, what, options);
        let one = || TraceTarget::Channels { remove: 1, steps: ChannelSteps::OneByOne };
        let magnitude = Selection::Ranking(Ranking::Magnitude);
        // What magnitude pruning does by itself: a column is set to zero, and nothing makes up for it.
        let unchanged = Options { reconstruction: Reconstruction::Unchanged, ..options };
        let ranked = run(one(), &Options { selection: magnitude, ..unchanged })?;
        let chosen = run(one(), &options)?;
        let gone = |trace: &Trace| (0..SIZE).find(|j| !trace.kept.contains(j)).unwrap_or(0);
        let (smallest, cheapest) = (gone(&ranked), gone(&chosen));
        // 0 is the reader's way to say that OBS chooses.
        let shown = state.column.checked_sub(1).unwrap_or(cheapest);
        let trace = run(TraceTarget::Columns(vec![shown]), &options)?;
        Ok(Self {
            smallest,
            by_magnitude: share(&ranked),
            smallest_compensated: share(&run(TraceTarget::Columns(vec![smallest]), &options)?),
            cheapest,
            by_obs: share(&chosen),
            shown,
            zeroed: share(&run(TraceTarget::Columns(vec![shown]), &unchanged)?),
            compensated: share(&trace),
            trace,
        })
    }

    fn weight(&self, step: usize) -> Matrix {
        match step {
            0 | 1 => self.trace.start.weight.clone(),
            // The column is gone, and nothing has moved yet.
            2 => {
                let before = &self.trace.start.weight;
                let at = |i, j| if j == self.shown { 0.0 } else { before.at(i, j) };
                Matrix::from_fn(before.rows, before.columns, at)
            }
            _ => self.trace.state(1).weight.clone(),
        }
    }

    fn bars(&self) -> Vec<Bar> {
        let bar = |label: String, value: f64, class| Bar { label, value, text: format!("{} %", percent(value)), class };
        let mut bars = vec![
            bar(say::two_bar_magnitude(self.smallest + 1), self.by_magnitude, "s1"),
            bar(say::two_bar_compensated(self.smallest + 1), self.smallest_compensated, "s4"),
            bar(say::two_bar_obs(self.cheapest + 1), self.by_obs, "s0"),
        ];
        if self.shown != self.cheapest {
            bars.push(bar(say::two_bar_yours(self.shown + 1), self.compensated, "s2"));
        }
        bars
    }

    fn sentence(&self, step: usize) -> String {
        let cost = |j: usize| {
            let step = &self.trace.steps[0];
            step.candidates.iter().position(|c| c == &[j]).map_or(f64::NAN, |i| step.scores[i])
        };
        match step {
            0 => say::two_look(self.smallest + 1).to_string(),
            1 => say::two_score(
                self.smallest + 1,
                shown(cost(self.smallest), 2),
                self.cheapest + 1,
                shown(cost(self.cheapest), 2),
            ),
            2 => say::two_cut(self.shown + 1, percent(self.zeroed)),
            _ => say::two_flow(percent(self.zeroed), percent(self.compensated)),
        }
    }

    fn outcome(&self) -> Outcome {
        let (smallest, cheapest) = (self.smallest + 1, self.cheapest + 1);
        match self.smallest == self.cheapest {
            true => Outcome::Open(say::two_open(smallest)),
            false => {
                let less = 1.0 - self.by_obs / self.smallest_compensated;
                Outcome::Done(say::two_done(smallest, cheapest, percent(less)))
            }
        }
    }
}

/// The error as a share of the signal.
fn share(trace: &Trace) -> f64 {
    trace.predicted_loss / trace.signal
}

/// The lesson.
#[component]
pub fn Lesson(
    /// What the reader changes.
    kept: Kept<State>,
) -> AnyView {
    let worked = Memo::new(move |_| kept.with(|state| Worked::of(state).map_err(|e| e.to_string())));
    // While the damping is too low for these numbers there is nothing to show but the reason.
    let look = move |at: fn(&Worked, usize) -> Matrix, empty: [usize; 2]| {
        Signal::derive(move || {
            let step = kept.with(|s| s.step);
            worked
                .with(|w| w.as_ref().map_or_else(|_| Matrix::from_fn(empty[0], empty[1], |_, _| 0.0), |w| at(w, step)))
        })
    };
    let weight = look(Worked::weight, [SIZE, SIZE]);
    let delta = look(
        |w, step| match step {
            3 => w.trace.compensation(0),
            _ => Matrix::from_fn(SIZE, SIZE, |_, _| 0.0),
        },
        [SIZE, SIZE],
    );
    let x = Signal::derive(move || kept.with(State::layer)[1].clone());
    let hessian = look(|w, _| w.trace.hessian.clone(), [SIZE, SIZE]);
    let inverse = look(|w, step| w.trace.state(usize::from(step == LAST_STEP)).inverse.clone(), [SIZE, SIZE]);
    let says = Signal::derive(move || {
        let step = kept.with(|s| s.step);
        worked.with(|w| w.as_ref().map_or_else(Clone::clone, |w| w.sentence(step)))
    });
    let gone = Signal::derive(move || match kept.with(|s| s.step) {
        0 | 1 => vec![],
        _ => worked.with(|w| w.iter().map(|w| w.shown).collect()),
    });
    let marked = Signal::derive(move || match kept.with(|s| s.step) {
        1 => worked.with(|w| w.iter().map(|w| w.shown).collect()),
        _ => vec![],
    });
    let bars = Signal::derive(move || worked.with(|w| w.iter().flat_map(Worked::bars).collect::<Vec<_>>()));
    let outcome = Signal::derive(move || {
        worked.with(|w| w.as_ref().map_or_else(|words| Outcome::Open(words.clone()), Worked::outcome))
    });
    // Of W before the removal, for W and δ: colours can be compared between them and between steps.
    let strongest = Signal::derive(move || {
        worked.with(|w| {
            w.iter().flat_map(|w| w.trace.start.weight.values.clone()).fold(0.0, |most: f64, v| most.max(v.abs()))
        })
    });
    let edit = move |matrix: usize| {
        Callback::new(move |((row, column), value): (Place, f64)| {
            kept.change("", |state| {
                // One edit a cell, or the address would grow with every keystroke.
                state.edits.retain(|e| (e.matrix, e.row, e.column) != (matrix, row, column));
                state.edits.push(Edit { matrix, row, column, value });
            });
        })
    };
    view! {
        <Section number=2 kept=kept outcome=outcome>
            <Figure label=say::two_figure() says=says>
                <Controls kept=kept/>
                <div class="matrices">
                    <Grid symbol="w" name="W" id="two" matrix=weight strongest=strongest gone=gone marked=marked on_edit=edit(0)/>
                    <Grid symbol="delta" name="δ" id="two" matrix=delta strongest=strongest gone=gone/>
                    <Grid symbol="x" name="X" id="two" matrix=x marked=marked on_edit=edit(1)/>
                    <Grid symbol="h" name="H" id="two" matrix=hessian marked=marked square=true/>
                    <Grid symbol="hinv" name="H⁻¹" id="two" matrix=inverse gone=gone marked=marked square=true digits=2/>
                </div>
                <Bars title=say::error_bars() bars=bars/>
            </Figure>
        </Section>
    }.into_any()
}

/// Sliders, the choice of the column, and the steps.
#[component]
fn Controls(kept: Kept<State>) -> AnyView {
    let columns =
        std::iter::once(say::two_obs_chooses().to_string()).chain((1..=SIZE).map(|j| j.to_string())).collect();
    view! {
        <div class="controls">
            <Slider
                label=say::correlation()
                value=Signal::derive(move || kept.with(|s| s.correlation))
                least=0.0
                most=MOST_ALIKE
                step=0.01
                text=Signal::derive(move || shown(kept.with(|s| s.correlation), 2))
                on=Callback::new(move |v| kept.change("rho", |s| s.correlation = v))
            />
            <Slider
                label=say::damping()
                value=Signal::derive(move || kept.with(|s| s.damping))
                least=UNDAMPED
                most=0.0
                step=0.5
                text=Signal::derive(move || damping_text(kept.with(|s| s.damping)))
                on=Callback::new(move |v| kept.change("damping", |s| s.damping = v))
            />
            <Choice
                name="two-column"
                legend=say::two_column()
                options=columns
                chosen=Signal::derive(move || kept.with(|s| s.column))
                on=Callback::new(move |i| kept.change("column", |s| s.column = i))
            />
            <button type="button" on:click=move |_| kept.change("", |s| s.seed = s.seed % 9999 + 1)>
                {say::other_numbers()}
            </button>
            <Stepper
                at=Signal::derive(move || kept.with(|s| s.step))
                last=Signal::derive(|| LAST_STEP)
                on=Callback::new(move |step| kept.change("step", |s| s.step = step))
            />
        </div>
    }.into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_task_is_open_at_first_and_some_correlation_does_it() {
        let worked = |correlation| Worked::of(&State { correlation, ..State::default() }).unwrap();
        assert!(matches!(worked(0.0).outcome(), Outcome::Open(_)));
        let done = (1..=98).filter(|&c| matches!(worked(f64::from(c) / 100.0).outcome(), Outcome::Done(_)));
        assert!(done.count() > 5);
    }

    #[test]
    fn compensation_never_makes_it_worse_and_helps_more_where_inputs_are_alike() {
        let gain = |correlation| {
            let w = Worked::of(&State { correlation, damping: -4.0, ..State::default() }).unwrap();
            assert!(w.compensated <= w.zeroed * (1.0 + 1e-9) && w.by_obs <= w.smallest_compensated * (1.0 + 1e-9));
            w.compensated / w.zeroed
        };
        assert!(2.0 * gain(0.95) < gain(0.0), "{} {}", gain(0.95), gain(0.0));
    }

    #[test]
    fn an_edited_cell_is_the_one_that_is_computed_with() {
        let edits = vec![Edit { matrix: 0, row: 2, column: 3, value: 5.0 }];
        let w = Worked::of(&State { edits, ..State::default() }).unwrap();
        assert_eq!(w.weight(0).at(2, 3), 5.0);
    }
}
