//! A figure that the report draws too, as SVG, as wide as the window has room for.

use leptos::prelude::*;
use slimgpt::report::figures::{Chart, WIDTH};

/// The width that charts are drawn for, in pixels.
#[derive(Clone, Copy)]
struct Room(Signal<f64>);

/// Below this many pixels a window is that of a phone; `figures.css` draws the line at the same place.
#[cfg(target_arch = "wasm32")]
const PHONE: f64 = 640.0;
/// What the narrowest phone leaves beside its margins. Drawn wider, a chart would be shrunk, and its letters with it.
#[cfg(target_arch = "wasm32")]
const NARROW: f64 = 340.0;

/// Lets charts know how wide the window is, now and after it is turned or resized.
pub fn provide_room() {
    let width = RwSignal::new(WIDTH);
    #[cfg(target_arch = "wasm32")]
    {
        let measured = || {
            let window = window().inner_width().ok().and_then(|width| width.as_f64());
            if window.is_some_and(|pixels| pixels <= PHONE) { NARROW } else { WIDTH }
        };
        width.set(measured());
        // Charts are drawn anew only where another width came of it.
        let handle = window_event_listener(leptos::ev::resize, move |_| {
            if width.get_untracked() != measured() {
                width.set(measured());
            }
        });
        on_cleanup(move || handle.remove());
    }
    provide_context(Room(width.into()));
}

/// The width to draw a figure for.
pub fn room() -> f64 {
    // Tests of a lesson's figures draw them without a page.
    use_context::<Room>().map_or(WIDTH, |room| room.0.get())
}

/// The chart for the room that the window has.
pub fn drawn(chart: &Chart) -> String {
    chart.draw_in(room()).inline()
}

/// An SVG that is drawn anew whenever its values change. Its title and description are what a
/// screen reader says.
#[component]
pub fn Plot(
    /// `Svg::inline` of one of `slimgpt::report::figures`.
    #[prop(into)]
    svg: Signal<String>,
) -> AnyView {
    view! { <div class="plot" inner_html=move || svg.get()></div> }.into_any()
}
