//! Bars beside each other, for few values that are compared.

use leptos::prelude::*;

/// One value.
#[derive(Clone, Debug, PartialEq)]
pub struct Bar {
    /// What it is.
    pub label: String,
    /// Its length; never below zero.
    pub value: f64,
    /// The value in words.
    pub text: String,
    /// Colour: "s0" to "s7" as in the report's figures, or "quiet".
    pub class: &'static str,
}

/// Bars whose longest fills the width. A list, so that it reads as one.
#[component]
pub fn Bars(
    /// What they compare, and in which unit.
    title: &'static str,
    /// The values, in order.
    #[prop(into)]
    bars: Signal<Vec<Bar>>,
) -> AnyView {
    let row = |bar: Bar, longest: f64| {
        // Beyond what is a number there is no length.
        let share =
            if bar.value.is_finite() && longest > 0.0 { 100.0 * (bar.value / longest).clamp(0.0, 1.0) } else { 0.0 };
        view! {
            <li>
                <span class="label">{bar.label}</span>
                <svg class="bar figure" height="14" aria-hidden="true">
                    <rect class=format!("fill {}", bar.class) x="0" y="1" height="12" width=format!("{share:.2}%")></rect>
                </svg>
                <span class="value">{bar.text}</span>
            </li>
        }
    };
    view! {
        <p class="compared">{title}</p>
        <ul class="bars">
            {move || {
                let bars = bars.get();
                // One scale for all: bars of two kinds stand in two lists.
                let longest = bars.iter().map(|bar| bar.value).filter(|v| v.is_finite()).fold(0.0, f64::max);
                bars.into_iter().map(|bar| row(bar, longest)).collect_view()
            }}
        </ul>
    }
    .into_any()
}
