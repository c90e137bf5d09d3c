//! The frame of a figure: what it shows now is said in a sentence, for everybody.

use leptos::prelude::*;

/// A figure with its controls.
#[component]
pub fn Figure(
    /// What it is called.
    #[prop(into)]
    label: String,
    /// What it shows now.
    #[prop(into)]
    says: Signal<String>,
    /// Matrices, bars, curves and controls.
    children: Children,
) -> AnyView {
    view! {
        <figure role="group" aria-label=label>
            {children()}
            <figcaption aria-live="polite">{move || says.get()}</figcaption>
        </figure>
    }
    .into_any()
}
