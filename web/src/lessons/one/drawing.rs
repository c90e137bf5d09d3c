//! The matrices of a layer to scale, each with what leaves; they can be touched.

use leptos::ev::MouseEvent;
use leptos::prelude::*;
use leptos::wasm_bindgen::JsCast;
use leptos::web_sys::Element;
use slimgpt::shape::{Axis, LayerShape, Projection};

use super::layer::Layer;
use crate::text::say;

/// What was touched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Touched {
    /// A key/value head with its query heads.
    Head(usize),
    /// A channel.
    Channel(usize),
}

/// Side of the residual stream, in letters of the document: a wide matrix still fits a phone.
const SIDE: f64 = 7.0;
/// Channels are too many to be touched one by one: so many strips of them.
const STRIPS: usize = 44;
/// Thinnest strip that is drawn, as a share of its matrix: one channel of thousands would not be seen.
const THINNEST: f64 = 0.006;

/// The matrices of a layer whose model stays; what leaves may change.
pub(super) fn drawing(layer: Signal<Layer>, on: Callback<Touched>) -> AnyView {
    let now = layer.get_untracked();
    let is_feed_forward = |of: &Projection| of.axes().contains(&Axis::Channels);
    let (second, first): (Vec<_>, Vec<_>) = now.projections().partition(is_feed_forward);
    let half = |name: &'static str, all: Vec<Projection>| {
        view! {
            <p class="half">{name}</p>
            <div class="matrices">{all.into_iter().map(|of| matrix(of, layer)).collect_view()}</div>
        }
    };
    view! {
        <div class="cut" on:click=move |event| { touched(&event).into_iter().for_each(|what| on.run(what)) }>
            {half(say::one_attention(), first)}
            {half(say::one_feed_forward(), second)}
        </div>
    }.into_any()
}

/// The same layer, untouchable and small: `scale` is that of a layer with this residual stream.
pub(super) fn miniature(layer: &Layer, hidden_size: usize) -> impl IntoView + use<> {
    let one = |of: Projection| {
        let [rows, columns] = layer.size(of).map(|n| letters(n, hidden_size));
        view! {
            <svg width=columns height=rows aria-hidden="true"><rect class="ground" width="100%" height="100%"></rect></svg>
        }
    };
    view! { <p class="miniature"><span>{say::one_beside()}</span> {layer.projections().map(one).collect_view()}</p> }
}

fn letters(entries: usize, hidden_size: usize) -> String {
    format!("{:.3}rem", SIDE * entries as f64 / hidden_size as f64)
}

/// One matrix with its name and its size.
fn matrix(of: Projection, layer: Signal<Layer>) -> AnyView {
    let now = layer.get_untracked();
    let [rows, columns] = now.size(of);
    let [height, width] = [rows, columns].map(|n| letters(n, now.config.hidden_size));
    let left = move || {
        let [rows_left, columns_left] = layer.with(|layer| layer.size_left(of));
        let has_less = [rows_left, columns_left] != [rows, columns];
        has_less.then(|| say::one_fewer(rows_left, columns_left))
    };
    let gone = move || {
        layer.with(|layer| places(layer, of, runs)).into_iter().map(|place| rect(place, "gone", None)).collect_view()
    };
    let units = places(&now, of, strips).into_iter().enumerate().map(|(i, place)| {
        let touch = touch(&now, of, i);
        // Strips of channels are no units, and must not look like some.
        let class = if i % 2 == 1 && matches!(touch, Touched::Head(_)) { "unit odd" } else { "unit" };
        rect(place, class, Some(touch))
    });
    view! {
        <div class="weight">
            <span class="name">{of.to_string()}</span>
            <span class="size">{say::one_rows_columns(rows, columns)}</span>
            <svg width=width height=height aria-hidden="true">
                <rect class="ground" width="100%" height="100%"></rect>
                {units.collect_view()}
                {gone}
            </svg>
            <span class="left">{left}</span>
        </div>
    }.into_any()
}

/// Where something lies in a matrix, in shares of it: x, y, width, height.
type Place = [f64; 4];

/// What lies along either axis of a matrix, as shares of that axis.
fn places(layer: &Layer, of: Projection, along: impl Fn(&Layer, Axis) -> Vec<[f64; 2]>) -> Vec<Place> {
    let [rows, columns] = *of.axes();
    let across = along(layer, rows).into_iter().map(|[at, size]| [0.0, at, 1.0, size]);
    across.chain(along(layer, columns).into_iter().map(|[at, size]| [at, 0.0, size, 1.0])).collect()
}

/// What leaves along an axis.
fn runs(layer: &Layer, axis: Axis) -> Vec<[f64; 2]> {
    let all = axis.entries(&layer.config, layer.config.dense) as f64;
    let share = |run: std::ops::Range<usize>| {
        let size = (run.len() as f64 / all).max(THINNEST);
        // What was widened to be seen still lies within the matrix.
        [(run.start as f64 / all).min(1.0 - size), size]
    };
    layer.gone(axis).into_iter().map(share).collect()
}

/// What can be touched along an axis: heads as they leave together, or strips of channels.
fn strips(layer: &Layer, axis: Axis) -> Vec<[f64; 2]> {
    let count = match axis {
        Axis::Heads | Axis::KvHeads => layer.config.dense.kv_heads,
        Axis::Channels => STRIPS,
        Axis::Hidden | Axis::HeadDim => 0,
    };
    (0..count).map(|i| [i as f64 / count as f64, 1.0 / count as f64]).collect()
}

/// What the strip of this number stands for.
fn touch(layer: &Layer, of: Projection, strip: usize) -> Touched {
    let LayerShape { channels, .. } = layer.config.dense;
    // One axis of every matrix is the residual stream, which has no strips: the number counts along the other.
    let has_channels = of.axes().contains(&Axis::Channels);
    if has_channels { Touched::Channel(strip * channels / STRIPS) } else { Touched::Head(strip) }
}

fn rect([x, y, width, height]: Place, class: &'static str, touch: Option<Touched>) -> impl IntoView {
    let [x, y, width, height] = [x, y, width, height].map(|share| format!("{:.2}%", 100.0 * share));
    let touch = touch.map(|touch| match touch {
        Touched::Head(head) => format!("head {head}"),
        Touched::Channel(channel) => format!("channel {channel}"),
    });
    view! { <rect class=class x=x y=y width=width height=height data-touch=touch></rect> }
}

/// What an event means.
fn touched(event: &MouseEvent) -> Option<Touched> {
    let target = event.target()?.dyn_into::<Element>().ok()?;
    let text = target.get_attribute("data-touch")?;
    let (kind, number) = text.split_once(' ')?;
    let number = number.parse().ok()?;
    Some(if kind == "head" { Touched::Head(number) } else { Touched::Channel(number) })
}
