//! Forwards and backwards through the steps of a figure, by buttons, keys, or by itself.

use std::time::Duration;

use leptos::prelude::*;
use leptos::wasm_bindgen::JsCast;
use leptos::web_sys::{HtmlElement, KeyboardEvent};

use crate::text::say;

/// How long a step is shown while playing: long enough to read its sentence.
const PACE: Duration = Duration::from_millis(1600);

/// Steps from 0 to `last`.
#[component]
pub fn Stepper(
    /// The step that is shown.
    #[prop(into)]
    at: Signal<usize>,
    /// The last one.
    #[prop(into)]
    last: Signal<usize>,
    /// Another step is wanted.
    #[prop(into)]
    on: Callback<usize>,
) -> AnyView {
    let playing = RwSignal::new(None::<IntervalHandle>);
    let stop = move || {
        if let Some(Some(handle)) = playing.try_update(Option::take) {
            handle.clear();
        }
    };
    let go = move |to: usize| on.run(to.min(last.get_untracked()));
    let back = move || go(at.get_untracked().saturating_sub(1));
    let forward = move || go(at.get_untracked() + 1);
    let tick = move || {
        forward();
        if at.get_untracked() >= last.get_untracked() {
            stop();
        }
    };
    let play = move || {
        if playing.with_untracked(Option::is_some) {
            return stop();
        }
        // At the end there is nothing left to show, so it begins again.
        if at.get_untracked() >= last.get_untracked() {
            go(0);
        }
        playing.set(set_interval_with_handle(tick, PACE).ok());
    };
    // A timer outlives the figure that set it.
    on_cleanup(stop);
    let keys = move |event: KeyboardEvent| {
        // On a button the space bar presses it, and in a field the keys are the field's.
        let target = event.target().and_then(|t| t.dyn_into::<HtmlElement>().ok());
        let own =
            target.map(|t| t.tag_name()).is_some_and(|tag| tag == "DIV" || (tag == "BUTTON" && event.key() != " "));
        if !own {
            return;
        }
        match event.key().as_str() {
            "ArrowLeft" => back(),
            "ArrowRight" => forward(),
            "Home" => go(0),
            "End" => go(last.get_untracked()),
            " " => play(),
            _ => return,
        }
        event.prevent_default();
    };
    view! {
        <div class="stepper" role="group" tabindex="0" aria-label=say::steps() on:keydown=keys>
            <button type="button" disabled=move || at.get() == 0 on:click=move |_| back()>
                <span aria-hidden="true">"\u{2190} "</span>
                {say::step_back()}
            </button>
            <button type="button" on:click=move |_| play()>
                {move || if playing.with(Option::is_some) { say::pause() } else { say::play() }}
            </button>
            <button type="button" disabled={move || at.get() >= last.get()} on:click=move |_| forward()>
                {say::step_forward()}
                <span aria-hidden="true">" \u{2192}"</span>
            </button>
            <span class="value">{move || say::step_of(at.get(), last.get())}</span>
        </div>
    }
    .into_any()
}
