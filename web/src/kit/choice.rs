//! One of a few: radio buttons that look like a row of buttons.

use leptos::prelude::*;

/// A choice among a few.
#[component]
pub fn Choice(
    /// Names the group in the document; each group another.
    name: &'static str,
    /// What is chosen.
    #[prop(into)]
    legend: String,
    /// What there is to choose from.
    options: Vec<String>,
    /// Which is chosen, from 0.
    #[prop(into)]
    chosen: Signal<usize>,
    /// Another was chosen.
    #[prop(into)]
    on: Callback<usize>,
) -> AnyView {
    // `checked` as an attribute for the page that is only read, as a property for the one that runs.
    let option = |(i, label): (usize, String)| {
        view! {
            <label>
                <input
                    type="radio"
                    name=name
                    value=i.to_string()
                    checked=chosen.get_untracked() == i
                    prop:checked=move || chosen.get() == i
                    on:change=move |_| on.run(i)
                />
                <span>{label}</span>
            </label>
        }
    };
    view! {
        <fieldset class="choice">
            <legend>{legend}</legend>
            <div class="options">{options.into_iter().enumerate().map(option).collect_view()}</div>
        </fieldset>
    }
    .into_any()
}
