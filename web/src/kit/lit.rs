//! Symbols and cells that belong together: touching one lights the other.

use leptos::prelude::*;
use leptos::wasm_bindgen::JsCast;
use leptos::web_sys::Element;

/// The symbol under the pointer or the focus: whatever has `data-symbol` or lies in something that has.
fn symbol_of(event: &leptos::web_sys::Event) -> Option<String> {
    let target = event.target()?.dyn_into::<Element>().ok()?;
    target.closest("[data-symbol]").ok().flatten()?.get_attribute("data-symbol")
}

/// Wraps the document: says in `data-lit` which symbol is touched, and the style lights all that
/// belongs to it.
pub fn light_symbols(document: impl IntoView) -> AnyView {
    let lit = RwSignal::new(None::<String>);
    let touched = move |event: &leptos::web_sys::Event| {
        let symbol = symbol_of(event);
        // Nothing is drawn anew while a pointer moves within one matrix.
        if lit.with_untracked(|lit| *lit != symbol) {
            lit.set(symbol);
        }
    };
    view! {
        <div
            class="document"
            data-lit=move || lit.get()
            on:pointerover=move |event| touched(&event)
            on:focusin=move |event| touched(&event)
        >
            {document}
        </div>
    }
    .into_any()
}
