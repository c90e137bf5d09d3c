//! Undo, start over, and the link to exactly what is seen.

use leptos::prelude::*;

use crate::state::{Kept, Shared};
use crate::text::say;

/// The query that leads to all that the reader has changed; in the context of the page.
#[derive(Clone, Copy)]
pub struct Address(pub Signal<String>);

/// The buttons of a lesson.
#[component]
pub fn Toolbar<T: Shared>(
    /// The lesson, from 1.
    number: usize,
    /// Its state.
    kept: Kept<T>,
) -> AnyView {
    let address = use_context::<Address>();
    let link = RwSignal::new(None::<String>);
    let copy = move || {
        let query = address.map(|a| a.0.get_untracked()).unwrap_or_default();
        let text = format!("{}{}#lesson-{number}", page(), if query.is_empty() { query } else { format!("?{query}") });
        copy_text(&text);
        link.set(Some(text));
    };
    // A link that was copied leads to what was seen then.
    let current = Memo::new(move |_| address.map(|a| a.0.get()));
    Effect::new(move |_| {
        current.track();
        link.set(None);
    });
    view! {
        <div class="toolbar" role="toolbar" aria-label=say::toolbar(number)>
            <button type="button" disabled=move || !kept.can_undo() on:click=move |_| kept.undo()>{say::undo()}</button>
            <button
                type="button"
                disabled=move || kept.with(|now| *now == T::default())
                on:click=move |_| kept.reset()
            >
                {say::reset()}
            </button>
            <button type="button" on:click=move |_| copy()>{say::copy_link()}</button>
            <span role="status" class="copied">
                {move || link.get().map(|text| view! { {say::link_copied()} " " <a href=text.clone()>{text.clone()}</a> })}
            </span>
        </div>
    }
    .into_any()
}

/// The address of the page without query and fragment.
fn page() -> String {
    let location = || {
        let location = window().location();
        Some(format!("{}{}", location.origin().ok()?, location.pathname().ok()?))
    };
    if cfg!(target_arch = "wasm32") { location().unwrap_or_default() } else { String::new() }
}

#[cfg(target_arch = "wasm32")]
fn copy_text(text: &str) {
    // Where it is not allowed the link is shown all the same, and can be copied by hand.
    drop(window().navigator().clipboard().write_text(text));
}

#[cfg(not(target_arch = "wasm32"))]
fn copy_text(_text: &str) {}
