//! The document: what stands around the lessons, once as text when the page is built, once as the
//! page that a reader uses.

use leptos::prelude::*;

use crate::kit::{Address, light_symbols, provide_room};
use crate::lessons::{NUMBERS, Reader};
use crate::remote::Remote;
use crate::state::Damaged;
use crate::text::{LESSONS, SYMBOLS, say};

/// The whole document below the body.
#[component]
pub fn Page(
    /// The query of the address, without the question mark.
    #[prop(into)]
    query: String,
) -> impl IntoView {
    let reader = Reader::default();
    let damage = RwSignal::new(reader.take(&query).err());
    let address = Signal::derive(move || reader.query());
    provide_context(Address(address));
    provide_room();
    Remote::provide();
    #[cfg(target_arch = "wasm32")]
    keep_address(address);
    light_symbols(view! {
        <a class="skip" href="#lessons">{say::skip()}</a>
        <header>
            <h1>{say::page_title()}</h1>
            <p class="lede">{say::page_lede()}</p>
            <Notice damage=damage/>
            <nav aria-label=say::contents()>
                <ol>{LESSONS.iter().filter(|lesson| NUMBERS.contains(&lesson.number)).map(|lesson| view! {
                    <li><a href=format!("#lesson-{}", lesson.number) inner_html=lesson.title></a></li>
                }).collect_view()}</ol>
                <a href="#glossary">{say::glossary()}</a>
            </nav>
        </header>
        <main id="lessons">
            {reader.lessons()}
            <Glossary/>
        </main>
        <footer><p>{say::footer()}</p></footer>
    })
}

/// What was wrong with the address, until the reader has seen it.
#[component]
fn Notice(damage: RwSignal<Option<Damaged>>) -> impl IntoView {
    let words = move |damage: Damaged| match damage {
        Damaged::Version => say::damaged_version().to_string(),
        Damaged::Part(part) => say::damaged_part(part),
    };
    move || {
        damage.get().map(|damage_now| {
            view! {
                <div class="notice" role="alert">
                    <p>{words(damage_now)}</p>
                    <button type="button" on:click=move |_| damage.set(None)>{say::dismiss()}</button>
                </div>
            }
        })
    }
}

/// Every symbol, and where each is used.
#[component]
fn Glossary() -> AnyView {
    let lessons = |id: &'static str| {
        let uses = LESSONS.iter().filter(move |l| NUMBERS.contains(&l.number) && l.symbols.contains(&id));
        uses.map(|lesson| view! { " " <a href=format!("#lesson-{}", lesson.number)>{lesson.number}</a> }).collect_view()
    };
    let entry = |symbol: &'static crate::text::Symbol| {
        view! {
            <div class="entry" id=format!("symbol-{}", symbol.id) data-symbol=symbol.id>
                <dt><span inner_html=symbol.math></span> " " <span inner_html=symbol.name></span></dt>
                <dd><span inner_html=symbol.meaning></span> <span class="uses">{say::used_in()} {lessons(symbol.id)}</span></dd>
            </div>
        }
    };
    view! {
        <section id="glossary" aria-labelledby="glossary-title">
            <h2 id="glossary-title">{say::glossary()}</h2>
            <dl>{SYMBOLS.iter().map(entry).collect_view()}</dl>
        </section>
    }
    .into_any()
}

/// The document as it is before anything was touched, for the folder that is served.
#[cfg(not(target_arch = "wasm32"))]
pub fn static_html() -> String {
    Owner::new().with(|| view! { <Page query=""/> }.to_html())
}

/// Puts the document that can be used in the place of the one that can be read.
#[cfg(target_arch = "wasm32")]
pub fn mount(root: leptos::web_sys::HtmlElement) {
    let search = window().location().search().unwrap_or_default();
    let query = search.trim_start_matches('?').to_owned();
    // What is there is static: replaced, and not taken over, so that a browser's extension that changed
    // it breaks nothing.
    root.set_inner_html("");
    leptos::mount::mount_to(root, move || view! { <Page query=query/> }).forget();
    // The place that the address names was replaced too.
    if let Ok(hash) = window().location().hash() {
        let there = document().get_element_by_id(hash.trim_start_matches('#'));
        if let Some(element) = there {
            element.scroll_into_view();
        }
    }
}

/// The address follows what is seen. It is written when the reader pauses: browsers refuse to be told
/// of every pixel of a slider.
#[cfg(target_arch = "wasm32")]
fn keep_address(address: Signal<String>) {
    const PAUSE: std::time::Duration = std::time::Duration::from_millis(200);
    let waiting = StoredValue::new(None::<TimeoutHandle>);
    let write = move || {
        let location = window().location();
        let (path, hash) = (location.pathname().unwrap_or_default(), location.hash().unwrap_or_default());
        let query = address.get_untracked();
        let query = if query.is_empty() { query } else { format!("?{query}") };
        let written = window().history().map(|history| {
            history.replace_state_with_url(
                &leptos::wasm_bindgen::JsValue::NULL,
                "",
                Some(&format!("{path}{query}{hash}")),
            )
        });
        drop(written);
    };
    Effect::new(move |before: Option<()>| {
        address.track();
        // An address that was damaged stays until something is changed, so that it can be looked at.
        if before.is_some() {
            if let Some(Some(handle)) = waiting.try_update_value(Option::take) {
                handle.clear();
            }
            waiting.set_value(set_timeout_with_handle(write, PAUSE).ok());
        }
    });
}
