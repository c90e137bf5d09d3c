//! A matrix, cell by cell: coloured by value, every number to be read, and where the lesson allows
//! it to be changed.

use leptos::prelude::*;
use leptos::wasm_bindgen::JsCast;
use leptos::web_sys::{Element, Event, HtmlInputElement, KeyboardEvent};
use slimgpt::obs::trace::Matrix;

use super::shown;
use crate::state::Edit;
use crate::text::say;

/// A row and a column.
pub type Place = (usize, usize);

/// A matrix as a table of cells.
#[component]
pub fn Grid(
    /// Its symbol in the glossary.
    symbol: &'static str,
    /// The symbol as people write it, for captions and readers.
    name: &'static str,
    /// Distinguishes it from the same matrix in other lessons.
    id: &'static str,
    /// The values; their shape stays.
    #[prop(into)]
    matrix: Signal<Matrix>,
    /// The value with the strongest colour; by default the largest there is.
    #[prop(optional, into)]
    strongest: Option<Signal<f64>>,
    /// Columns that are gone.
    #[prop(optional, into)]
    gone: Signal<Vec<usize>>,
    /// Whether the rows of the same numbers are gone too, as in H.
    #[prop(optional)]
    square: bool,
    /// Columns that are pointed out.
    #[prop(optional, into)]
    marked: Signal<Vec<usize>>,
    /// Names of the heads, where the columns are heads of equal width: they are set apart, and in a
    /// square matrix their rows too.
    #[prop(optional, into)]
    heads: Option<Signal<Vec<String>>>,
    /// Digits after the point.
    #[prop(default = 1)]
    digits: usize,
    /// Takes another value for a cell, where it may be changed.
    #[prop(optional, into)]
    on_edit: Option<Callback<(Place, f64)>>,
) -> AnyView {
    let (rows, columns) = matrix.with_untracked(|m| (m.rows, m.columns));
    let width = heads.map(|heads| columns / heads.with_untracked(|names| names.len().max(1)));
    let selected = RwSignal::new(None::<Place>);
    let pointed = RwSignal::new(None::<Place>);
    let largest = Memo::new(move |_| match strongest {
        Some(strongest) => strongest.get(),
        None => matrix.with(|m| m.values.iter().fold(0.0, |most: f64, v| most.max(v.abs()))),
    });
    // Looked up once for all cells, each of which asks for its row and its column.
    let is_gone = Memo::new(move |_| {
        let gone = gone.get();
        (0..columns.max(rows)).map(|j| gone.contains(&j)).collect::<Vec<bool>>()
    });
    let value = move |(i, j): Place| matrix.with(|m| if i < m.rows && j < m.columns { m.at(i, j) } else { 0.0 });
    let cell = move |i: usize, j: usize| {
        let class = move || {
            let gone = is_gone.with(|gone| gone[j] || square && gone[i]);
            let tone = if gone { "gone" } else { tone(value((i, j)), largest.get()) };
            let marked = if marked.with(|marked| marked.contains(&j)) { " marked" } else { "" };
            let selected = if selected.get() == Some((i, j)) { " selected" } else { "" };
            let apart = width.map(|width| apart((i, j), width, square)).unwrap_or_default();
            format!("cell {tone}{marked}{selected}{apart}")
        };
        let is_selected = move || if selected.get() == Some((i, j)) { "true" } else { "false" };
        view! {
            <td id=format!("{id}-{symbol}-{i}-{j}") role="gridcell" class=class data-cell=format!("{i},{j}") aria-selected=is_selected>
                {move || shown(value((i, j)), digits)}
            </td>
        }
    };
    let keys = move |event: KeyboardEvent| {
        if let Some(to) = moved(selected.get_untracked(), &event.key(), (rows, columns)) {
            event.prevent_default();
            selected.set(Some(to));
        }
    };
    let readout = move || match pointed.get().or(selected.get()) {
        Some((i, j)) => say::cell(name, i + 1, j + 1, shown(value((i, j)), 3)),
        None => say::shape(name, rows, columns),
    };
    // One handler for the table finds its cell; a handler a cell would be hundreds of closures.
    let body = (0..rows).map(|i| view! { <tr role="row">{(0..columns).map(|j| cell(i, j)).collect_view()}</tr> });
    view! {
        <div class="matrix" data-symbol=symbol>
            <div class="scroll">
                <table
                    role="grid"
                    tabindex="0"
                    aria-label=say::shape(name, rows, columns)
                    aria-activedescendant=move || selected.get().map(|(i, j)| format!("{id}-{symbol}-{i}-{j}"))
                    on:keydown=keys
                    on:click=move |event| selected.set(place(&event))
                    on:pointerover=move |event| pointed.set(place(&event))
                    on:pointerleave=move |_| pointed.set(None)
                >
                    {heads.zip(width).map(|(heads, width)| names(heads, width))}
                    <tbody>{body.collect_view()}</tbody>
                </table>
            </div>
            <p class="readout" aria-live="polite">{readout}</p>
            {on_edit.map(|on| editor(name, selected, Signal::derive(move || selected.get().map_or(0.0, value)), on))}
        </div>
    }
    // Erased: the types of a figure with several matrices grow beyond what the compiler follows.
    .into_any()
}

/// The heads' names above their columns.
fn names(heads: Signal<Vec<String>>, width: usize) -> impl IntoView {
    let name = move |name| view! { <th role="columnheader" colspan=width.to_string()>{name}</th> };
    view! { <thead><tr role="row">{move || heads.get().into_iter().map(name).collect_view()}</tr></thead> }
}

/// Classes of a cell that begins a head, or lies in the block of one on the diagonal.
fn apart((i, j): Place, width: usize, square: bool) -> String {
    let begins = |at: usize| at > 0 && at.is_multiple_of(width);
    let block = square && i / width == j / width;
    let classes = [(begins(j), " head"), (square && begins(i), " head-row"), (block, " block")];
    classes.into_iter().filter(|class| class.0).map(|class| class.1).collect()
}

/// The field in which a selected cell gets another value.
fn editor(
    name: &'static str,
    selected: RwSignal<Option<Place>>,
    value: Signal<f64>,
    on: Callback<(Place, f64)>,
) -> AnyView {
    let label = move || match selected.get() {
        Some((i, j)) => say::edit_cell(name, i + 1, j + 1),
        None => say::edit_none(name),
    };
    let text = move || selected.get().map(|_| format!("{:.2}", value.get())).unwrap_or_default();
    let changed = move |event: Event| {
        let place = selected.get_untracked();
        // What is no number leaves the cell as it is.
        if let (Some(place), Ok(value)) = (place, event_target_value(&event).parse::<f64>()) {
            on.run((place, Edit::nearest(value)));
        }
        // Where the cell did not change, the field would go on showing what was typed.
        event_target::<HtmlInputElement>(&event).set_value(&untrack(text));
    };
    view! {
        <label class="edit">
            <span>{label}</span>
            <input
                type="number"
                step="0.1"
                min=(-Edit::LARGEST).to_string()
                max=Edit::LARGEST.to_string()
                disabled=move || selected.get().is_none()
                prop:value=text
                on:change=changed
            />
        </label>
    }
    .into_any()
}

/// The cell that an event belongs to.
fn place(event: &impl AsRef<Event>) -> Option<Place> {
    let target = event.as_ref().target()?.dyn_into::<Element>().ok()?;
    let cell = target.closest("[data-cell]").ok().flatten()?.get_attribute("data-cell")?;
    let (row, column) = cell.split_once(',')?;
    Some((row.parse().ok()?, column.parse().ok()?))
}

/// Where a key leads; `None` for keys that lead nowhere.
fn moved(from: Option<Place>, key: &str, (rows, columns): (usize, usize)) -> Option<Place> {
    let is_arrow = ["ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight", "Home", "End"].contains(&key);
    let Some((i, j)) = from else { return is_arrow.then_some((0, 0)) };
    match key {
        "ArrowUp" => Some((i.saturating_sub(1), j)),
        "ArrowDown" => Some(((i + 1).min(rows - 1), j)),
        "ArrowLeft" => Some((i, j.saturating_sub(1))),
        "ArrowRight" => Some((i, (j + 1).min(columns - 1))),
        "Home" => Some((i, 0)),
        "End" => Some((i, columns - 1)),
        _ => None,
    }
}

/// One of eleven colours from the strongest negative to the strongest positive value.
fn tone(value: f64, strongest: f64) -> &'static str {
    const TONES: [&str; 11] = ["n5", "n4", "n3", "n2", "n1", "z", "p1", "p2", "p3", "p4", "p5"];
    let share = if strongest > 0.0 && value.is_finite() { (value / strongest).clamp(-1.0, 1.0) } else { 0.0 };
    TONES[(5.0 + 5.0 * share).round() as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_symmetric_and_nothing_is_beyond_the_strongest() {
        assert_eq!([tone(-9.0, 1.0), tone(0.0, 1.0), tone(1.0, 1.0), tone(0.04, 1.0)], ["n5", "z", "p5", "z"]);
        assert_eq!([tone(f64::NAN, 1.0), tone(1.0, 0.0)], ["z", "z"]);
    }

    #[test]
    fn heads_are_set_apart_and_their_blocks_lie_on_the_diagonal() {
        assert_eq!([apart((4, 0), 4, false), apart((0, 4), 4, false)], ["", " head"]);
        assert_eq!(
            [apart((4, 0), 4, true), apart((4, 5), 4, true), apart((3, 4), 4, true)],
            [" head-row", " head-row block", " head"]
        );
    }

    #[test]
    fn keys_stay_within_the_matrix() {
        assert_eq!(moved(None, "ArrowDown", (2, 3)), Some((0, 0)));
        assert_eq!(moved(Some((1, 2)), "ArrowDown", (2, 3)), Some((1, 2)));
        assert_eq!(moved(Some((1, 2)), "ArrowRight", (2, 3)), Some((1, 2)));
        assert_eq!(moved(Some((1, 2)), "Home", (2, 3)), Some((1, 0)));
        assert_eq!(moved(Some((1, 2)), "Tab", (2, 3)), None);
    }
}
