//! Lesson 9: where the method breaks, each case on a small layer that the reader repairs, and the
//! figures that were measured on real models.

mod case;
mod worked;

use leptos::prelude::*;

use crate::kit::{Bars, Choice, Figure, Outcome, Plot, Section, Slider, shown};
use crate::lessons::two;
use crate::state::{Field, Kept, Shared};
use crate::text::{TABLE, say};
pub use case::Case;
use case::{READ, TOKENS};
use worked::Worked;

/// Inputs of the layer.
const INPUTS: usize = 16;

/// What the reader changes.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// Which case was opened, by its place in [`Case::ALL`].
    pub case: usize,
    /// How many calibration tokens there are, by the place of the number in the list.
    pub tokens: usize,
    /// λ in units of the mean diagonal, as an exponent of ten.
    pub damping: f64,
    /// Columns that go.
    pub remove: usize,
    /// What neighbouring inputs have in common in the calibration text.
    pub correlation: f64,
    /// Whether every second input repeats the one before.
    pub pairs: bool,
    /// Makes other numbers.
    pub seed: usize,
}

impl Default for State {
    fn default() -> Self {
        Case::FewTokens.state(1)
    }
}

impl Shared for State {
    fn fields(&mut self) -> Vec<(&'static str, Field<'_>)> {
        vec![
            ("case", Field::Count { value: &mut self.case, least: 0, most: Case::ALL.len() - 1 }),
            ("tokens", Field::Count { value: &mut self.tokens, least: 0, most: TOKENS.len() - 1 }),
            ("damping", Field::Number { value: &mut self.damping, least: two::UNDAMPED, most: 0.0, digits: 1 }),
            ("remove", Field::Count { value: &mut self.remove, least: 1, most: INPUTS - 1 }),
            ("rho", Field::Number { value: &mut self.correlation, least: 0.0, most: 0.95, digits: 2 }),
            ("pairs", Field::Switch(&mut self.pairs)),
            ("seed", Field::Count { value: &mut self.seed, least: 1, most: 9999 }),
        ]
    }
}

impl State {
    /// The names of the controls that stand elsewhere than in another state.
    fn changed_from(&self, other: &Self) -> Vec<&'static str> {
        let controls = [
            (say::nine_tokens(), self.tokens != other.tokens),
            (say::damping(), self.damping != other.damping),
            (say::nine_remove(), self.remove != other.remove),
            (say::nine_text(), self.correlation != other.correlation),
            (say::nine_inputs(), self.pairs != other.pairs),
        ];
        controls.into_iter().filter(|control| control.1).map(|control| control.0).collect()
    }
}

/// The lesson.
#[component]
pub fn Lesson(
    /// What the reader changes.
    kept: Kept<State>,
) -> AnyView {
    let worked = Memo::new(move |_| kept.with(|state| Worked::of(state).map_err(|e| e.to_string())));
    let look = move |at: fn(&Worked, &State) -> String| {
        Signal::derive(move || {
            let state = kept.get();
            worked.with(|w| w.as_ref().map_or_else(Clone::clone, |w| at(w, &state)))
        })
    };
    let bars = Signal::derive(move || worked.with(|w| w.iter().flat_map(Worked::bars).collect::<Vec<_>>()));
    // Only where something changed: it computes the case before the repair again.
    let outcome = Memo::new(move |_| {
        let state = kept.get();
        worked.with(|w| w.as_ref().map_or_else(|words| Outcome::Open(words.clone()), |w| w.outcome(&state)))
    });
    view! {
        <Section number=9 kept=kept outcome=Signal::derive(move || outcome.get())>
            <Figure label=say::nine_figure() says=look(|w, _| w.sentence())>
                <Controls kept=kept/>
                <Why case=Memo::new(move |_| kept.with(|s| s.case))/>
                <Bars title=say::error_bars() bars=bars/>
                <Plot svg=look(|w, state| w.chart(TOKENS[state.tokens]))/>
            </Figure>
            <Measurements/>
        </Section>
    }.into_any()
}

/// Why the case breaks, what training would do, and where else it can be seen.
#[component]
fn Why(case: Memo<usize>) -> impl IntoView {
    move || {
        let case = Case::ALL[case.get()];
        let [why, training] = case.why();
        let link = case.elsewhere().map(|(words, address)| view! { <p><a href=address>{words}</a></p> });
        view! {
            <div class="why">
                <p>{why}</p>
                <p>{training}</p>
                {link}
            </div>
        }
    }
}

/// What was measured on real models.
#[component]
fn Measurements() -> AnyView {
    view! {
        <h3 id="lesson-9-measured">{say::nine_measured()}</h3>
        // Wider than a phone: it scrolls by itself, so the keyboard must reach it.
        <div class="scroll measured" tabindex="0" role="region" aria-labelledby="lesson-9-measured" inner_html=TABLE></div>
    }.into_any()
}

/// The choice of the case, and all that may repair it.
#[component]
fn Controls(kept: Kept<State>) -> AnyView {
    let cases: Vec<String> = Case::ALL.iter().map(|case| case.name().to_owned()).collect();
    let pairs = vec![say::nine_different().to_owned(), say::nine_pairs().to_owned()];
    let count = move |label: &'static str,
                      name: &'static str,
                      most: usize,
                      at: fn(&mut State) -> &mut usize,
                      text: fn(&State) -> String| {
        view! {
            <Slider
                label=label
                value=Signal::derive(move || kept.with(|s| *at(&mut s.clone()) as f64))
                least=if name == "remove" { 1.0 } else { 0.0 }
                most=most as f64
                step=1.0
                text=Signal::derive(move || kept.with(text))
                on=Callback::new(move |v: f64| kept.change(name, |s| *at(s) = v as usize))
            />
        }
    };
    view! {
        <Choice
            name="nine-case"
            legend=say::nine_case()
            options=cases
            chosen=Signal::derive(move || kept.with(|s| s.case))
            // With the seed of now: a case differs from another by its settings, and not by its numbers.
            on=Callback::new(move |i: usize| kept.change("", |s| *s = Case::ALL[i].state(s.seed)))
        />
        <div class="controls">
            {count(say::nine_tokens(), "tokens", TOKENS.len() - 1, |s| &mut s.tokens, |s| TOKENS[s.tokens].to_string())}
            <Slider
                label=say::nine_text()
                value=Signal::derive(move || kept.with(|s| s.correlation))
                least=0.0
                most=0.95
                step=0.05
                text=Signal::derive(move || say::nine_against(shown(kept.with(|s| s.correlation), 2), shown(READ, 2)))
                on=Callback::new(move |v| kept.change("rho", |s| s.correlation = v))
            />
            {count(say::nine_remove(), "remove", INPUTS - 1, |s| &mut s.remove, |s| say::nine_of(s.remove, INPUTS))}
            <Slider
                label=say::damping()
                value=Signal::derive(move || kept.with(|s| s.damping))
                least=two::UNDAMPED
                most=0.0
                step=0.5
                text=Signal::derive(move || two::damping_text(kept.with(|s| s.damping)))
                on=Callback::new(move |v| kept.change("damping", |s| s.damping = v))
            />
            <Choice
                name="nine-inputs"
                legend=say::nine_inputs()
                options=pairs
                chosen=Signal::derive(move || kept.with(|s| usize::from(s.pairs)))
                on=Callback::new(move |i: usize| kept.change("", |s| s.pairs = i == 1))
            />
            <button type="button" on:click=move |_| kept.change("", |s| s.seed = s.seed % 9999 + 1)>
                {say::other_numbers()}
            </button>
        </div>
    }.into_any()
}
