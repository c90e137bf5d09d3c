//! Whether the reader has done what the lesson asks for.

use leptos::prelude::*;

use crate::text::say;

/// What became of a task.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// Not done; how far it is.
    Open(String),
    /// Done; what came out.
    Done(String),
}

impl Outcome {
    /// The outcome as a line that tells of its changes.
    pub fn view(outcome: Signal<Self>) -> impl IntoView {
        let class = move || if matches!(outcome.get(), Self::Done(_)) { "outcome done" } else { "outcome" };
        let words = move || match outcome.get() {
            Self::Open(words) => words,
            // The sign alone would be a picture, and its colour nothing to many.
            Self::Done(words) => format!("{} {words}", say::done()),
        };
        view! { <p class=class role="status">{words}</p> }
    }
}
