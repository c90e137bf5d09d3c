//! Lesson 7: errors travel. The shipped model's first layer pruned alone, and all layers by curves
//! of one size, with the error after each layer and the perplexity.

pub mod asked;
pub mod found;

use leptos::prelude::*;
use slimgpt::names::Named;
use slimgpt_worker::protocol::{Answer, Job, Prune};

use crate::kit::{Bars, Choice, Figure, Plot, Section, Slider, percent};
use crate::lessons::tiny;
use crate::remote::Work;
use crate::state::{Field, Kept, Shared};
use crate::text::say;
use asked::{CURVES, FIRST};
use found::{Found, Yours, curve_name, shares_plot};

/// The reader's curve comes after the others.
const YOURS: usize = CURVES.len();
/// What a layer may lose before the profile is scaled to the size.
const MOST: f64 = 0.95;

/// What the reader changes.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// Which of [`FIRST`] is looked at.
    pub first: usize,
    /// Which curve is looked at; [`YOURS`] is the reader's.
    pub curve: usize,
    /// The reader's profile, a value for each layer; empty until one is moved.
    pub yours: Vec<f64>,
}

impl Default for State {
    fn default() -> Self {
        Self { first: 1, curve: 0, yours: Vec::new() }
    }
}

impl Shared for State {
    fn fields(&mut self) -> Vec<(&'static str, Field<'_>)> {
        vec![
            ("first", Field::Count { value: &mut self.first, least: 0, most: FIRST.len() - 1 }),
            ("curve", Field::Count { value: &mut self.curve, least: 0, most: YOURS }),
            ("yours", Field::Numbers { value: &mut self.yours, count: tiny::LAYERS, least: 0.0, most: MOST }),
        ]
    }
}

impl State {
    /// The reader's profile; the same everywhere until it is changed.
    pub fn profile(&self) -> Vec<f64> {
        if self.yours.is_empty() { vec![asked::TARGET; tiny::LAYERS] } else { self.yours.clone() }
    }

    fn names() -> Vec<String> {
        let curves = CURVES.iter().map(|curve| curve_name(curve.name()));
        curves.chain([say::seven_yours().to_owned()]).collect()
    }

    /// What each layer loses by each curve; the reason where the reader's asks too much of one.
    fn shares(&self) -> Result<Vec<(String, Vec<f64>)>, String> {
        let all = (0..=YOURS).map(|curve| asked::shares(&asked::chosen(&Self { curve, ..self.clone() })));
        Self::names().into_iter().zip(all).map(|(name, shares)| Ok((name, shares?))).collect()
    }
}

/// The lesson.
#[component]
pub fn Lesson(
    /// What the reader changes.
    kept: Kept<State>,
) -> AnyView {
    let found = RwSignal::new(Found::prepared());
    let outcome = Signal::derive(move || {
        found.with(|found| found.outcome(kept.with(|s| (!s.yours.is_empty()).then(|| s.profile())).as_deref()))
    });
    view! {
        <Section number=7 kept=kept outcome=outcome>
            <FirstLayer kept=kept found=found/>
            <Curves kept=kept found=found/>
        </Section>
    }.into_any()
}

/// The paper's figure 2: only the first layer is pruned.
#[component]
fn FirstLayer(kept: Kept<State>, found: RwSignal<Found>) -> AnyView {
    let work = Work::new();
    let chosen = Signal::derive(move || kept.with(|s| s.first));
    let compute = move || {
        let runs = FIRST.map(asked::of_first).to_vec();
        compare(work, runs, move |dense, runs| {
            found.update(|found| found.own_first = Some((dense, runs)));
        });
    };
    view! {
        <Figure
            label=say::seven_first_figure()
            says=Signal::derive(move || found.with(|found| found.first_says(chosen.get())))
        >
            <div class="controls">
                <Choice
                    name="seven-first"
                    legend=say::seven_first_legend()
                    options=FIRST.iter().map(|ratio| format!("{} %", percent(*ratio))).collect()
                    chosen=chosen
                    on=Callback::new(move |i| kept.change("first", |s| s.first = i))
                />
                <button type="button" disabled=move || work.is_busy() on:click=move |_| compute()>{say::seven_first_compute()}</button>
            </div>
            {work.view(compute)}
            <Plot svg=Signal::derive(move || found.with(|found| found.first_plot(chosen.get())))/>
            <Bars title=say::perplexity() bars=Signal::derive(move || found.with(Found::first_bars))/>
        </Figure>
    }.into_any()
}

/// The paper's figure 4: curves of one size, and the reader's among them.
#[component]
fn Curves(kept: Kept<State>, found: RwSignal<Found>) -> AnyView {
    let work = Work::new();
    let shares = Memo::new(move |_| kept.with(State::shares));
    let compute = move || {
        let profile = kept.untracked().profile();
        // Both on the same device, so that a difference is that of the curves.
        let runs = vec![asked::of_curve(CURVES[0]), asked::of_profile(&profile)];
        compare(work, runs, move |dense, runs| {
            if let Ok([log, run]) = <[_; 2]>::try_from(runs) {
                found.update(|found| found.yours = Some(Yours { profile: profile.clone(), dense, log, run }));
            }
        });
    };
    let says = move || match shares.get() {
        Ok(shares) => {
            let chosen = &shares[kept.with(|s| s.curve)];
            let list: Vec<String> = chosen.1.iter().map(|share| format!("{} %", percent(*share))).collect();
            say::seven_curve_says(&chosen.0, list.join(", "))
        }
        Err(reason) => reason,
    };
    let plot =
        move || shares.with(|s| s.as_ref().map_or_else(|_| String::new(), |s| shares_plot(s, kept.with(|s| s.curve))));
    view! {
        <Figure label=say::seven_curve_figure() says=Signal::derive(says)>
            <div class="controls">
                <Choice
                    name="seven-curve"
                    legend=say::seven_curve_legend()
                    options=State::names()
                    chosen=Signal::derive(move || kept.with(|s| s.curve))
                    on=Callback::new(move |i| kept.change("curve", |s| s.curve = i))
                />
            </div>
            <Profile kept=kept/>
            <Plot svg=Signal::derive(plot)/>
            <div class="controls">
                <button type="button" disabled=move || work.is_busy() || shares.with(Result::is_err) on:click=move |_| compute()>
                    {say::seven_curve_compute()}
                </button>
            </div>
            {work.view(compute)}
            <Plot svg=Signal::derive(move || found.with(Found::curve_plot))/>
            <Bars title=say::perplexity() bars=Signal::derive(move || found.with(Found::curve_bars))/>
        </Figure>
    }.into_any()
}

/// One slider for each layer of the reader's curve.
#[component]
fn Profile(kept: Kept<State>) -> AnyView {
    let slider = |layer: usize| {
        let value = Signal::derive(move || kept.with(|s| s.profile()[layer]));
        let on = Callback::new(move |v: f64| {
            kept.change("yours", |s| {
                // The profile that is seen: an empty one has no entry to change.
                s.yours = s.profile();
                s.yours[layer] = v;
                s.curve = YOURS;
            });
        });
        view! {
            <Slider
                label=say::seven_slider(layer)
                value=value
                least=0.0
                most=MOST
                step=0.05
                text=Signal::derive(move || format!("{} %", percent(value.get())))
                on=on
            />
        }
    };
    view! {
        <fieldset class="profile">
            <legend>{say::seven_profile()}</legend>
            <div class="controls">{(0..tiny::LAYERS).map(slider).collect_view()}</div>
        </fieldset>
    }.into_any()
}

/// Compares prunings at the worker; `found` takes the dense perplexity and the runs.
fn compare(work: Work, runs: Vec<Prune>, mut found: impl FnMut(f64, Vec<slimgpt_worker::protocol::Run>) + 'static) {
    work.start(
        Job::Depth { runs },
        |_| {},
        move |answer| {
            if let Answer::Depth(depth) = answer {
                found(depth.dense_perplexity, depth.runs);
            }
        },
    );
}
