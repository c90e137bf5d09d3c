//! A figure that the report draws too, as SVG.

use leptos::prelude::*;

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
