//! Lesson 5: heads go whole, in the steps of the paper's Algorithm 1, and three scores differ on
//! which goes first.

mod phase;
mod scores;
mod worked;

use leptos::prelude::*;
use slimgpt::obs::trace::Matrix;

use crate::kit::{Choice, Figure, Grid, Outcome, Section, Slider, Stepper, shown};
use crate::state::{Field, Kept, Shared};
use crate::text::say;
use phase::Phase;
pub use scores::{HeadScores, LayerScores, SCORES};
use scores::{Scores, Shipped, score_name};
use worked::{HEADS, INPUTS, OUTPUTS, REMOVALS, Seen, WIDTH, Worked};

/// The end of the last removal.
const LAST_STEP: usize = REMOVALS * Phase::OF_A_REMOVAL.len();
/// Inputs that are all but the same: H can still be inverted.
const MOST_ALIKE: f64 = 0.95;

/// What the reader changes.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// What neighbouring inputs have in common.
    pub correlation: f64,
    /// The score that decides, by its place in [`SCORES`].
    pub score: usize,
    /// Which step is shown.
    pub step: usize,
    /// Makes other numbers.
    pub seed: usize,
}

impl Default for State {
    fn default() -> Self {
        // The paper's score; with these numbers all three would remove the same head.
        Self { correlation: 0.6, score: 1, step: 0, seed: 1 }
    }
}

impl Shared for State {
    fn fields(&mut self) -> Vec<(&'static str, Field<'_>)> {
        vec![
            ("rho", Field::Number { value: &mut self.correlation, least: 0.0, most: MOST_ALIKE, digits: 2 }),
            ("score", Field::Count { value: &mut self.score, least: 0, most: SCORES.len() - 1 }),
            ("step", Field::Count { value: &mut self.step, least: 0, most: LAST_STEP }),
            ("seed", Field::Count { value: &mut self.seed, least: 1, most: 9999 }),
        ]
    }
}

/// The lesson.
#[component]
pub fn Lesson(
    /// What the reader changes.
    kept: Kept<State>,
) -> AnyView {
    // Stepping computes nothing anew.
    let layer = Memo::new(move |_| kept.with(|state| State { step: 0, ..state.clone() }));
    let worked = Memo::new(move |_| layer.with(|state| Worked::of(state).map_err(|e| e.to_string())));
    let seen = Memo::new(move |_| {
        let (step, score) = kept.with(|s| (s.step, s.score));
        worked.with(|w| w.as_ref().map_or_else(|words| nothing(words), |w| w.seen(step, score)))
    });
    let outcome = Signal::derive(move || {
        worked.with(|w| w.as_ref().map_or_else(|words| Outcome::Open(words.clone()), Worked::outcome))
    });
    let matrix = move |of: fn(&Seen) -> &Matrix| Signal::derive(move || seen.with(|seen| of(seen).clone()));
    let places = move |of: fn(&Seen) -> &Vec<usize>| Signal::derive(move || seen.with(|seen| of(seen).clone()));
    let (gone, marked) = (places(|s| &s.gone), places(|s| &s.marked));
    let heads = Signal::derive(move || seen.with(|seen| seen.names.clone()));
    view! {
        <Section number=5 kept=kept outcome=outcome>
            <Figure label=say::five_figure() says=Signal::derive(move || seen.with(|seen| seen.says.clone()))>
                <Controls kept=kept/>
                <Phases step=Signal::derive(move || kept.with(|s| s.step))/>
                <div class="matrices">
                    <Grid symbol="w" name="W" id="five" matrix=matrix(|s| &s.weight) gone=gone marked=marked heads=heads/>
                    <Grid symbol="delta" name="δ" id="five" matrix=matrix(|s| &s.delta) gone=gone heads=heads/>
                    <Grid symbol="hinv" name="H⁻¹" id="five" matrix=matrix(|s| &s.inverse) gone=gone marked=marked square=true heads=heads digits=2/>
                    <Grid symbol="l" name="L" id="five" matrix=matrix(|s| &s.factor) gone=gone marked=marked heads=heads digits=2/>
                </div>
                <Scores
                    caption=Signal::derive(|| say::five_scores().to_owned())
                    heads=Signal::derive(move || seen.with(|seen| seen.scores.clone()))
                    deciding=Signal::derive(move || kept.with(|s| s.score))
                />
            </Figure>
            <Shipped/>
        </Section>
    }.into_any()
}

/// What is drawn where the layer cannot be pruned: the reason.
fn nothing(words: &str) -> Seen {
    let zeros = |rows| Matrix::from_fn(rows, INPUTS, |_, _| 0.0);
    Seen {
        weight: zeros(OUTPUTS),
        delta: zeros(OUTPUTS),
        inverse: zeros(INPUTS),
        factor: zeros(WIDTH),
        names: (1..=HEADS).map(say::five_head_name).collect(),
        says: words.to_owned(),
        ..Seen::default()
    }
}

/// The phases of a removal, with the one that is shown.
#[component]
fn Phases(step: Signal<usize>) -> impl IntoView {
    let phase = move |phase: Phase| {
        let is_now = move || Phase::at(step.get()).1 == phase;
        view! { <li aria-current=move || is_now().then_some("step")>{phase.name()}</li> }
    };
    view! { <ol class="phases" aria-label=say::five_phases()>{Phase::OF_A_REMOVAL.map(phase).collect_view()}</ol> }
}

/// Correlation, seed, the score that decides, and the steps.
#[component]
fn Controls(kept: Kept<State>) -> AnyView {
    let scores = (0..SCORES.len()).map(|score| score_name(score).to_owned()).collect();
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
            <Choice
                name="five-score"
                legend=say::five_decides()
                options=scores
                chosen=Signal::derive(move || kept.with(|s| s.score))
                on=Callback::new(move |i| kept.change("", |s| s.score = i))
            />
            <span class="seed">
                <button type="button" on:click=move |_| kept.change("", |s| s.seed = s.seed % 9999 + 1)>
                    {say::other_numbers()}
                </button>
                " "
                <span class="value">{move || say::five_seed(kept.with(|s| s.seed))}</span>
            </span>
            <Stepper
                at=Signal::derive(move || kept.with(|s| s.step))
                last=Signal::derive(|| LAST_STEP)
                on=Callback::new(move |step| kept.change("step", |s| s.step = step))
            />
        </div>
    }.into_any()
}
