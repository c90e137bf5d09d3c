//! A number that is dragged, or moved by the arrow keys.

use leptos::prelude::*;

/// A number between two others.
#[component]
pub fn Slider(
    /// What it is.
    #[prop(into)]
    label: Signal<String>,
    /// The number.
    #[prop(into)]
    value: Signal<f64>,
    /// Least number.
    least: f64,
    /// Greatest number.
    most: f64,
    /// The numbers lie so far apart.
    step: f64,
    /// The number in words, where digits are not enough.
    #[prop(into)]
    text: Signal<String>,
    /// It was moved.
    #[prop(into)]
    on: Callback<f64>,
) -> AnyView {
    let moved = move |event| {
        // A browser gives text; one that gives none moved nothing.
        if let Ok(value) = event_target_value(&event).parse::<f64>() {
            on.run(value.clamp(least, most));
        }
    };
    // `value` as an attribute for the page that is only read, as a property for the one that runs.
    view! {
        <label class="slider">
            <span class="label">{move || label.get()}</span>
            <input
                type="range"
                min=least.to_string()
                max=most.to_string()
                step=step.to_string()
                value=value.get_untracked().to_string()
                prop:value=move || value.get().to_string()
                aria-valuetext=move || text.get()
                on:input=moved
            />
            <span class="value" aria-hidden="true">{move || text.get()}</span>
        </label>
    }
    .into_any()
}
