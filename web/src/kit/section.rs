//! One lesson: its text, its figure, the task with its outcome, what to remember, and the lines
//! that ran.

use leptos::prelude::*;

use super::{Outcome, Toolbar};
use crate::state::{Kept, Shared};
use crate::text::{LESSONS, Lines, SYMBOLS, say};

/// A lesson around its figure.
#[component]
pub fn Section<T: Shared>(
    /// The lesson, from 1.
    number: usize,
    /// Its state, for the toolbar.
    kept: Kept<T>,
    /// What became of its task.
    #[prop(into)]
    outcome: Signal<Outcome>,
    /// The figure.
    children: Children,
) -> AnyView {
    let lesson = &LESSONS[number - 1];
    let id = format!("lesson-{number}");
    let title = format!("{id}-title");
    view! {
        <section id=id class="lesson" aria-labelledby=title.clone()>
            <h2 id=title.clone()>
                <span class="number" aria-hidden="true">{format!("{number} ")}</span>
                <span inner_html=lesson.title></span>
            </h2>
            <div class="body" inner_html=lesson.body></div>
            {children()}
            <Toolbar number=number kept=kept/>
            <div class="task">
                <h3>{say::to_do()}</h3>
                <div inner_html=lesson.task></div>
                {Outcome::view(outcome)}
            </div>
            <div class="remember">
                <h3>{say::to_remember()}</h3>
                <ul>{lesson.remember.iter().map(|sentence| view! { <li inner_html=*sentence></li> }).collect_view()}</ul>
            </div>
            {symbols(lesson.symbols)}
            {lines(lesson.lines)}
        </section>
    }
    .into_any()
}

/// The symbols of a lesson with links to the glossary, for who cannot touch a formula.
fn symbols(ids: &'static [&'static str]) -> impl IntoView {
    let found = ids.iter().filter_map(|id| SYMBOLS.iter().find(|symbol| symbol.id == *id));
    let link = |symbol: &'static crate::text::Symbol| {
        view! {
            <li>
                <a href=format!("#symbol-{}", symbol.id) data-symbol=symbol.id>
                    <span inner_html=symbol.math></span>
                    " "
                    <span inner_html=symbol.name></span>
                </a>
            </li>
        }
    };
    view! { <ul class="symbols" aria-label=say::symbols()>{found.map(link).collect_view()}</ul> }
}

/// The source that ran.
fn lines(all: &'static [Lines]) -> AnyView {
    let block = |lines: &'static Lines| {
        let place = format!("{}, {}", lines.path, say::line(lines.first_line));
        view! {
            <p class="place"><code>{lines.name}</code> " \u{b7} " {place}</p>
            // It scrolls by itself, so the keyboard must reach it.
            <pre tabindex="0" role="region" aria-label=lines.name><code inner_html=lines.html></code></pre>
        }
    };
    view! {
        <details class="lines">
            <summary>{say::lines_that_ran()}</summary>
            {all.iter().map(block).collect_view()}
        </details>
    }
    .into_any()
}
