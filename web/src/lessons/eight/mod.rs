//! Lesson 8: a living model. The shipped model pruned in the reader's browser by the whole pipeline,
//! with what it then writes, what it knows, which heads are left, and its files.

mod difference;
mod results;

use leptos::prelude::*;
// A field of several lines has its value under the same name.
use leptos::web_sys::HtmlInputElement;
use slimgpt::allocate::{Allocation, Target};
use slimgpt::report::figures;
use slimgpt::shipped::PROMPT;
use slimgpt_worker::protocol::{Answer, File, Generate, Job, Prune, Text, Which};

use crate::kit::{Bars, Choice, Figure, Plot, Section, Slider, room};
use crate::lessons::tiny;
use crate::remote::Work;
use crate::state::{Field, Kept, Shared, fitting};
use crate::text::say;
use results::{Found, Results};

/// What may go, in percent of the decoder layers: beyond it nothing is left that could be called a model.
const LEAST: usize = 5;
const MOST: usize = 75;
/// Most bytes of a prompt: a few sentences.
const LONGEST: usize = 400;
/// Tokens that both models add: enough for the texts to part.
const TOKENS: usize = 48;
/// Most calibration windows: more take minutes on a phone.
const WINDOWS: usize = 64;
/// Draws the wrong texts.
const SEED: u64 = 1;

/// What the reader changes.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// What goes from the decoder layers, in percent.
    pub percent: usize,
    /// Calibration windows.
    pub windows: usize,
    /// Which text the layers are calibrated on: stories, digits, words out of order.
    pub text: usize,
    /// What both models continue.
    pub prompt: String,
}

impl Default for State {
    fn default() -> Self {
        Self { percent: 30, windows: tiny::WINDOWS, text: 0, prompt: PROMPT.into() }
    }
}

impl Shared for State {
    fn fields(&mut self) -> Vec<(&'static str, Field<'_>)> {
        vec![
            ("percent", Field::Count { value: &mut self.percent, least: LEAST, most: MOST }),
            ("windows", Field::Count { value: &mut self.windows, least: 1, most: WINDOWS }),
            ("text", Field::Count { value: &mut self.text, least: 0, most: TEXTS.len() - 1 }),
            ("prompt", Field::Text { value: &mut self.prompt, longest: LONGEST }),
        ]
    }
}

const TEXTS: [Text; 3] = [Text::Shipped, Text::Digits(SEED), Text::Shuffled(SEED)];

impl State {
    /// What the worker is asked for: what `slimgpt prune --target` asks of the library, on fewer windows.
    pub fn asked(&self) -> Prune {
        let target = Some(Target::Ratio(self.percent as f64 / 100.0));
        let mut asked = tiny::prune(Allocation { target, ..Allocation::default() });
        asked.request.windows = self.windows;
        asked.text = TEXTS[self.text];
        asked
    }
}

/// The lesson.
#[component]
pub fn Lesson(
    /// What the reader changes.
    kept: Kept<State>,
) -> AnyView {
    let results = RwSignal::new(Results::prepared());
    let files = RwSignal::new(Vec::<File>::new());
    let work = Work::new();
    let prune = move || {
        // Those of the model before would stand under the new one.
        files.set(Vec::new());
        let state = kept.untracked();
        work.start(
            Job::Prune(state.asked()),
            |_| {},
            move |answer| {
                if let Answer::Pruned(pruned) = answer {
                    results.update(|results| results.add(Found::of(&state, *pruned)));
                    write(work, results);
                }
            },
        );
    };
    let outcome = Signal::derive(move || results.with(Results::outcome));
    view! {
        <Section number=8 kept=kept outcome=outcome>
            <Figure label=say::eight_figure() says=Signal::derive(move || results.with(Results::says))>
                <Controls kept=kept work=work prune=Callback::new(move |()| prune())/>
                {work.view(prune)}
                <Bars title=say::perplexity() bars=Signal::derive(move || results.with(Results::bars))/>
                <Texts results=results/>
                {move || results.with(|results| results.last().map(|found| view! { <Plot svg=figures::heads(&found.layers, room()).inline()/> }))}
                <Remembered results=results/>
                <Download work=work results=results files=files/>
            </Figure>
        </Section>
    }.into_any()
}

/// Lets the model as it came, then the last pruned one, continue the prompt.
fn write(work: Work, results: RwSignal<Results>) {
    let Some(last) = results.with_untracked(|results| results.last().cloned()) else { return };
    let job = move |model| {
        let prompt = last.prompt.clone();
        // Always the likeliest token: chance would look like a difference of the models.
        Job::Generate(Generate { model, prompt, tokens: TOKENS, temperature: 0.0, seed: 0 })
    };
    // One after the other: a lesson has one job at a time.
    let (before, after) = (job(Which::Dense), job(Which::Pruned(last.number)));
    work.start(
        before,
        |_| {},
        move |answer| {
            let Answer::Text(dense) = answer else { return };
            results.update(|results| results.written(dense, None));
            let after = after.clone();
            work.start(
                after,
                |_| {},
                move |answer| {
                    if let Answer::Text(pruned) = answer {
                        results.update(|results| results.written(String::new(), Some(pruned)));
                    }
                },
            );
        },
    );
}

/// How much goes, on what it is calibrated, what is to be continued.
#[component]
fn Controls(kept: Kept<State>, work: Work, prune: Callback<()>) -> AnyView {
    let texts = vec![say::eight_stories().to_owned(), say::eight_digits().to_owned(), say::eight_shuffled().to_owned()];
    view! {
        <div class="controls">
            <Slider
                label=say::eight_ratio()
                value=Signal::derive(move || kept.with(|s| s.percent as f64))
                least=LEAST as f64
                most=MOST as f64
                step=5.0
                text=Signal::derive(move || format!("{} %", kept.with(|s| s.percent)))
                on=Callback::new(move |v: f64| kept.change("percent", |s| s.percent = v as usize))
            />
            <Slider
                label=say::eight_windows(tiny::WINDOW_TOKENS)
                value=Signal::derive(move || kept.with(|s| s.windows as f64))
                least=1.0
                most=WINDOWS as f64
                step=1.0
                text=Signal::derive(move || kept.with(|s| s.windows.to_string()))
                on=Callback::new(move |v: f64| kept.change("windows", |s| s.windows = v as usize))
            />
            <Choice
                name="eight-text"
                legend=say::eight_text()
                options=texts
                chosen=Signal::derive(move || kept.with(|s| s.text))
                on=Callback::new(move |i| kept.change("text", |s| s.text = i))
            />
        </div>
        <label class="prompt">
            <span>{say::eight_prompt()}</span>
            <textarea
                rows="3"
                maxlength=LONGEST.to_string()
                prop:value=move || kept.with(|s| s.prompt.clone())
                on:input=move |event| {
                    let typed = event_target_value(&event);
                    let prompt = fitting(&typed, LONGEST);
                    kept.change("prompt", |s| s.prompt.clone_from(&prompt));
                    // Where nothing changed, the field would go on showing what was typed.
                    if prompt != typed {
                        event_target::<HtmlInputElement>(&event).set_value(&prompt);
                    }
                }
            >
                {PROMPT}
            </textarea>
        </label>
        <div class="controls">
            <button type="button" disabled=move || work.is_busy() on:click=move |_| prune.run(())>{say::eight_prune()}</button>
        </div>
    }.into_any()
}

/// What both models write, with what only one writes marked.
#[component]
fn Texts(results: RwSignal<Results>) -> impl IntoView {
    let marked = |parts: Vec<difference::Part>| {
        let part = |part: difference::Part| match part.is_shared {
            true => view! { <span>{part.words} " "</span> }.into_any(),
            false => view! { <mark>{part.words}</mark> " " }.into_any(),
        };
        parts.into_iter().map(part).collect_view()
    };
    move || {
        results.with(Results::texts).map(|[dense, pruned]| {
            let [dense, pruned] = difference::between(&dense, &pruned);
            view! {
                <dl class="written">
                    <dt>{say::eight_before()}</dt>
                    <dd>{marked(dense)}</dd>
                    <dt>{say::eight_after()}</dt>
                    <dd>{marked(pruned)}</dd>
                </dl>
            }
        })
    }
}

/// The results so far, side by side.
#[component]
fn Remembered(results: RwSignal<Results>) -> impl IntoView {
    let row = |cells: [String; 5]| {
        let [name, cells @ ..] = cells;
        view! { <tr><th scope="row">{name}</th>{cells.into_iter().map(|cell| view! { <td>{cell}</td> }).collect_view()}</tr> }
    };
    let heads =
        [say::eight_result(), say::perplexity(), say::eight_parameters(), say::eight_bytes(), say::eight_heads()];
    move || {
        let rows = results.with(Results::rows);
        (!rows.is_empty()).then(|| {
            view! {
                <div class="measured scroll" tabindex="0" role="region" aria-label=say::eight_remembered()>
                    <table>
                        <caption>{say::eight_remembered()}</caption>
                        <thead><tr>{heads.map(|head| view! { <th scope="col">{head}</th> }).collect_view()}</tr></thead>
                        <tbody>{rows.into_iter().map(row).collect_view()}</tbody>
                    </table>
                </div>
            }
        })
    }
}

/// The files of the last pruned model.
#[component]
fn Download(work: Work, results: RwSignal<Results>, files: RwSignal<Vec<File>>) -> AnyView {
    let ask = move |number| {
        work.start(
            Job::Download { number },
            |_| {},
            move |answer| {
                if let Answer::Files(found) = answer {
                    files.set(found);
                }
            },
        );
    };
    let file = |file: File| {
        let (size, name) = (slimgpt::format::bytes(file.bytes as u64), file.name.clone());
        view! { <li><a href=file.url download=file.name>{name}</a> " " {size}</li> }
    };
    let button = move || {
        results.with(|results| results.last().map(|found| found.number)).map(|number| {
            view! {
                <button type="button" disabled=move || work.is_busy() on:click=move |_| ask(number)>{say::eight_files()}</button>
            }
        })
    };
    view! {
        <div class="controls">{button}</div>
        <ul class="files">{move || files.get().into_iter().map(file).collect_view()}</ul>
    }.into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_is_what_the_reader_chose() {
        let asked = State { percent: 40, windows: 3, text: 1, ..State::default() }.asked();
        assert_eq!(asked.request.allocation.target, Some(Target::Ratio(0.4)));
        assert_eq!((asked.request.windows, asked.text), (3, Text::Digits(SEED)));
    }
}
