//! A whole number that is typed, or moved one by one: where a slider is too coarse.

use leptos::prelude::*;
use leptos::web_sys::{Event, HtmlInputElement};

/// A whole number between two others.
#[component]
pub fn Count(
    /// What it is.
    #[prop(into)]
    label: String,
    /// The number.
    #[prop(into)]
    value: Signal<usize>,
    /// Least number.
    least: usize,
    /// Greatest number.
    most: usize,
    /// Another was typed.
    #[prop(into)]
    on: Callback<usize>,
) -> AnyView {
    let typed = move |event| {
        // While a number is being typed it may be none yet, or too small: that changes nothing.
        if let Some(value) = event_target_value(&event).parse().ok().filter(|v| (least..=most).contains(v)) {
            on.run(value);
        }
    };
    // Who leaves the field sees the number that holds.
    let left =
        move |event: Event| event_target::<HtmlInputElement>(&event).set_value(&value.get_untracked().to_string());
    view! {
        <label class="count">
            <span class="label">{label}</span>
            <input
                type="number"
                min=least.to_string()
                max=most.to_string()
                step="1"
                value=value.get_untracked().to_string()
                prop:value=move || value.get().to_string()
                on:input=typed
                on:change=left
            />
        </label>
    }
    .into_any()
}
