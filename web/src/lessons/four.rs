//! Lesson 4: one Cholesky factor holds the inverses of a whole elimination, and what that saves.

use leptos::prelude::*;
use slimgpt::obs::toy::ToyLayer;
use slimgpt::obs::trace::{Matrix, Trace, TraceTarget, trace_at_once, upper_factor};
use slimgpt::obs::{ChannelSteps, ObsError, Options, cost};
use slimgpt::report::figures::{Chart, Marks, Scale, Series};

use crate::kit::{Bar, Bars, Count, Figure, Grid, Outcome, Plot, Section, Slider, Stepper, amount, drawn, shown};
use crate::state::{Field, Kept, Shared};
use crate::text::say;

/// Columns of the layer that is eliminated.
const SIZE: usize = 8;
/// All columns but the last can go.
const LAST_STEP: usize = SIZE - 1;
/// Fewest columns that the curves are drawn for: few enough that places of the slider are still
/// a whole column apart.
const FEWEST: usize = 16;
/// The channels of LLaMA-7B.
const MOST: usize = 11_008;
/// How many times the operations of one factor the task asks for.
const TIMES: f64 = 1000.0;
/// Places of the slider between fewest and most columns, spread by their logarithm.
const PLACES: f64 = 100.0;
/// Operations each second that times are told for.
const SPEED: f64 = 1e12;

/// What the reader changes.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// Columns that are gone, from the first.
    pub gone: usize,
    /// The number of columns that is marked on the curves.
    pub columns: usize,
    /// Makes other numbers.
    pub seed: usize,
}

impl Default for State {
    fn default() -> Self {
        // Some columns are gone, so that the corner can be seen before anything is touched.
        Self { gone: 3, columns: 128, seed: 1 }
    }
}

impl Shared for State {
    fn fields(&mut self) -> Vec<(&'static str, Field<'_>)> {
        vec![
            ("gone", Field::Count { value: &mut self.gone, least: 0, most: LAST_STEP }),
            ("n", Field::Count { value: &mut self.columns, least: FEWEST, most: MOST }),
            ("seed", Field::Count { value: &mut self.seed, least: 1, most: 9999 }),
        ]
    }
}

/// An elimination, and the factor that holds all of its inverses.
#[derive(Clone, Debug, PartialEq)]
struct Worked {
    trace: Trace,
    /// L with H⁻¹ = L Lᵀ.
    lower: Matrix,
}

impl Worked {
    fn of(seed: usize) -> Result<Self, ObsError> {
        let toy = ToyLayer { inputs: SIZE, seed: seed as u64, ..ToyLayer::default() };
        // In order, because a factor holds the inverses of an elimination from the first column to the last.
        let in_order = TraceTarget::Columns((0..LAST_STEP).collect());
        let trace = trace_at_once(&toy.x(), &toy.weight(), in_order, &Options::default())?;
        let upper = upper_factor(&trace.start.inverse)?;
        let lower = Matrix::from_fn(SIZE, SIZE, |i, j| upper.at(j, i));
        Ok(Self { trace, lower })
    }

    /// The inverse that elimination left when so many columns were gone.
    fn inverse(&self, gone: usize) -> &Matrix {
        &self.trace.state(gone).inverse
    }

    /// The largest difference between that inverse and the corner of L times its mirror image.
    fn difference(&self, gone: usize) -> f64 {
        let product = |i, j| (gone..SIZE).map(|k| self.lower.at(i, k) * self.lower.at(j, k)).sum::<f64>();
        let left = (gone..SIZE).flat_map(|i| (gone..SIZE).map(move |j| (i, j)));
        left.map(|(i, j)| (product(i, j) - self.inverse(gone).at(i, j)).abs()).fold(0.0, f64::max)
    }

    fn sentence(&self, gone: usize) -> String {
        let difference = format!("{:.0e}", self.difference(gone));
        let left = match gone {
            0 => say::four_start(difference),
            _ => say::four_left(gone, SIZE, difference),
        };
        let (pivot, root) = (shown(self.inverse(gone).at(gone, gone), 4), shown(self.lower.at(gone, gone), 4));
        let next = match gone {
            LAST_STEP => say::four_last(gone + 1, pivot, root),
            _ => say::four_next(gone + 1, pivot, root),
        };
        format!("{left} {next}")
    }
}

/// Operations of inverting what is left after each of so many removals. The first inverse is not
/// counted: whoever factors it needs it too.
fn again(columns: usize, removals: usize) -> f64 {
    cost::inverting(columns - 1, &ChannelSteps::OneByOne.sizes(removals))
}

/// How many times the operations of one factor that is, when all columns go.
fn times(columns: usize) -> f64 {
    again(columns, columns - 1) / cost::factor(columns)
}

fn outcome(columns: usize) -> Outcome {
    // The task has one answer: the first number of columns that reaches it.
    let (now, before) = (times(columns), times(columns - 1));
    // One digit more than whole numbers: just below a thousand is not a thousand.
    let (now_shown, before_shown) = (shown(now, 1), shown(before, 1));
    match (now >= TIMES, before >= TIMES) {
        (false, _) => Outcome::Open(say::four_more(amount(columns as f64), now_shown)),
        (true, true) => Outcome::Open(say::four_fewer(amount(columns as f64), now_shown, before_shown)),
        (true, false) => Outcome::Done(say::four_done(amount(columns as f64), now_shown, before_shown)),
    }
}

/// The number of columns at a place of the slider, and the place of a number.
fn columns_at(place: f64) -> usize {
    let ratio = MOST as f64 / FEWEST as f64;
    ((FEWEST as f64 * ratio.powf(place / PLACES)).round() as usize).clamp(FEWEST, MOST)
}

fn place_of(columns: usize) -> f64 {
    let log = |n: usize| (n as f64 / FEWEST as f64).ln();
    (PLACES * log(columns) / log(MOST)).round()
}

fn bars(gone: usize) -> Vec<Bar> {
    let bar = |label: String, value: f64, class| Bar { label, value, text: amount(value), class };
    vec![
        bar(say::four_again(gone), again(SIZE, gone), "s1"),
        bar(say::four_factor().to_owned(), cost::factor(SIZE), "s0"),
    ]
}

fn chart(columns: usize) -> Chart {
    // Nearly powers of n, which are straight lines on two logarithmic axes: a few points draw them.
    let all: Vec<usize> = (0..=10).map(|i| columns_at(PLACES * f64::from(i) / 10.0)).collect();
    // The name of a way, its colour, and its operations for so many columns.
    type Way = (&'static str, usize, fn(usize) -> f64);
    let ways: [Way; 2] = [(say::four_line_again(), 1, |n| again(n, n - 1)), (say::four_line_factor(), 0, cost::factor)];
    let line = |&(name, colour, operations): &(&str, usize, fn(usize) -> f64)| Series {
        name: name.into(),
        legend: Some(name.into()),
        points: all.iter().map(|&n| (n as f64, operations(n))).collect(),
        colour,
        marks: Marks::Line,
    };
    let yours = |&(name, colour, operations): &(&str, usize, fn(usize) -> f64)| Series {
        name: format!("{}, {name}", say::four_yours()),
        legend: None,
        points: vec![(columns as f64, operations(columns))],
        colour,
        marks: Marks::Rings,
    };
    let [again, factor] = ways.map(|way| amount(way.2(columns)));
    Chart {
        title: say::four_chart().into(),
        description: say::four_chart_says(amount(columns as f64), again, factor),
        x_label: say::four_axis_columns().into(),
        y_label: say::four_axis_operations().into(),
        x_scale: Scale::Log,
        x_reach: Vec::new(),
        y_scale: Scale::Log,
        y_percent: false,
        reference: None,
        series: ways.iter().map(line).chain(ways.iter().map(yours)).collect(),
    }
}

/// What the marked number of columns costs, in operations and in time.
fn told(columns: usize) -> String {
    let (slow, fast) = (again(columns, columns - 1), cost::factor(columns));
    say::four_time(amount(columns as f64), amount(slow), amount(fast), time(slow / SPEED), time(fast / SPEED))
}

fn time(seconds: f64) -> String {
    match seconds {
        s if s >= 120.0 => say::four_minutes(shown(s / 60.0, 0)),
        s if s >= 0.1 => say::four_seconds(shown(s, 1)),
        s => say::four_seconds(format!("{s:.0e}")),
    }
}

/// The lesson.
#[component]
pub fn Lesson(
    /// What the reader changes.
    kept: Kept<State>,
) -> AnyView {
    let seed = Memo::new(move |_| kept.with(|s| s.seed));
    let gone = Memo::new(move |_| kept.with(|s| s.gone));
    let columns = Memo::new(move |_| kept.with(|s| s.columns));
    let worked = Memo::new(move |_| Worked::of(seed.get()).map_err(|e| e.to_string()));
    let look = move |at: fn(&Worked, usize) -> Matrix| {
        let empty = || Matrix::from_fn(SIZE, SIZE, |_, _| 0.0);
        Signal::derive(move || worked.with(|w| w.as_ref().map_or_else(|_| empty(), |w| at(w, gone.get()))))
    };
    let says =
        Signal::derive(move || worked.with(|w| w.as_ref().map_or_else(Clone::clone, |w| w.sentence(gone.get()))));
    let hatched = Signal::derive(move || (0..gone.get()).collect::<Vec<_>>());
    let next = Signal::derive(move || vec![gone.get()]);
    view! {
        <Section number=4 kept=kept outcome=Signal::derive(move || outcome(columns.get()))>
            <Figure label=say::four_figure() says=says>
                <Steps kept=kept/>
                <div class="matrices">
                    <Grid symbol="l" name="L" id="four" matrix=look(|w, _| w.lower.clone()) gone=hatched marked=next square=true digits=3/>
                    <Grid symbol="hinv" name="H⁻¹" id="four" matrix=look(|w, gone| w.inverse(gone).clone()) gone=hatched marked=next square=true digits=3/>
                </div>
                <Bars title=say::four_bars() bars=Signal::derive(move || bars(gone.get()))/>
            </Figure>
            <Figure label=say::four_chart() says=Signal::derive(move || told(columns.get()))>
                <Columns kept=kept/>
                <Plot svg=Signal::derive(move || drawn(&chart(columns.get())))/>
            </Figure>
        </Section>
    }.into_any()
}

/// What moves through the elimination.
#[component]
fn Steps(kept: Kept<State>) -> AnyView {
    let gone = move || kept.with(|s| s.gone);
    let go = Callback::new(move |step| kept.change("gone", |s| s.gone = step));
    view! {
        <div class="controls">
            <Slider
                label=say::four_gone().to_owned()
                value=Signal::derive(move || gone() as f64)
                least=0.0
                most=LAST_STEP as f64
                step=1.0
                text=Signal::derive(move || gone().to_string())
                on=Callback::new(move |value: f64| go.run(value.round() as usize))
            />
            <Stepper at=Signal::derive(gone) last=Signal::derive(|| LAST_STEP) on=go/>
            <button type="button" on:click=move |_| kept.change("", |s| s.seed = s.seed % 9999 + 1)>
                {say::other_numbers()}
            </button>
        </div>
    }.into_any()
}

/// What moves along the curves: far by the slider, one by one by the field.
#[component]
fn Columns(kept: Kept<State>) -> AnyView {
    let columns = move || kept.with(|s| s.columns);
    let set = Callback::new(move |n| kept.change("columns", |s| s.columns = n));
    view! {
        <div class="controls">
            <Slider
                label=say::four_drag().to_owned()
                value=Signal::derive(move || place_of(columns()))
                least=0.0
                most=PLACES
                step=1.0
                text=Signal::derive(move || amount(columns() as f64))
                on=Callback::new(move |place: f64| set.run(columns_at(place)))
            />
            <Count label=say::four_columns() value=Signal::derive(columns) least=FEWEST most=MOST on=set/>
        </div>
    }.into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_corner_of_the_factor_is_the_inverse_that_is_left() {
        let w = Worked::of(1).unwrap();
        for gone in 0..SIZE {
            assert!(w.difference(gone) < 1e-14, "{gone}: {}", w.difference(gone));
            // The inverse that is left belongs to what is left of H: a row of one times a column of the other.
            for (i, j) in (gone..SIZE).flat_map(|i| (gone..SIZE).map(move |j| (i, j))) {
                let product = |k: usize| w.inverse(gone).at(i, k) * w.trace.hessian.at(k, j);
                let one = f64::from(u8::from(i == j));
                assert!(((gone..SIZE).map(product).sum::<f64>() - one).abs() < 1e-10, "{gone} {i} {j}");
            }
        }
    }

    #[test]
    fn one_number_of_columns_does_the_task() {
        let done = (FEWEST..2000).filter(|&n| matches!(outcome(n), Outcome::Done(_)));
        // 3 (n − 1)² / 4n is a thousand at 1335.3.
        assert_eq!(done.collect::<Vec<_>>(), [1336]);
        assert!(matches!(outcome(State::default().columns), Outcome::Open(_)));
        assert!(matches!(outcome(MOST), Outcome::Open(_)));
        assert!((times(5000) - 3.0 * 4999.0 * 4999.0 / 20_000.0).abs() < 1e-6 * times(5000));
    }

    #[test]
    fn the_slider_goes_from_end_to_end_and_back() {
        assert_eq!([columns_at(0.0), columns_at(PLACES)], [FEWEST, MOST]);
        for place in 0..=100 {
            // Otherwise the arrow keys would stop somewhere.
            assert_eq!(place_of(columns_at(f64::from(place))), f64::from(place));
        }
    }
}
