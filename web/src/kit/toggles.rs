//! Several of a few: boxes to tick that look like a row of buttons.

use leptos::prelude::*;

/// A choice of any of a few, up to a bound.
#[component]
pub fn Toggles(
    /// What is chosen.
    #[prop(into)]
    legend: String,
    /// What there is to choose from.
    #[prop(into)]
    options: Signal<Vec<String>>,
    /// Which are chosen, from 0.
    #[prop(into)]
    chosen: Signal<Vec<usize>>,
    /// When so many are chosen no other can be.
    #[prop(into)]
    most: Signal<usize>,
    /// One was ticked, or is no longer.
    #[prop(into)]
    on: Callback<usize>,
) -> AnyView {
    let is_chosen = move |i: usize| chosen.with(|chosen| chosen.contains(&i));
    // What is ticked can always be put back.
    let is_barred = move |i: usize| move || !is_chosen(i) && chosen.with(Vec::len) >= most.get();
    let option = move |(i, label): (usize, String)| {
        view! {
            <label>
                <input
                    type="checkbox"
                    checked=chosen.with_untracked(|chosen| chosen.contains(&i))
                    prop:checked=move || is_chosen(i)
                    disabled=is_barred(i)
                    on:change=move |_| on.run(i)
                />
                <span>{label}</span>
            </label>
        }
    };
    view! {
        <fieldset class="choice">
            <legend>{legend}</legend>
            <div class="options">{move || options.get().into_iter().enumerate().map(option).collect_view()}</div>
        </fieldset>
    }
    .into_any()
}
