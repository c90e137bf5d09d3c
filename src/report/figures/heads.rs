//! The map of heads: one column a layer, one row a query head, filled where the head stays.

use super::axis::{Axis, Scale, label};
use super::svg::{Anchor, Svg};
use crate::pipeline::LayerRecord;

const LEFT: f64 = 68.0;
const RIGHT: f64 = 18.0;
const TOP: f64 = 8.0;
const BOTTOM: f64 = 46.0;
/// Between the query heads of two K/V heads.
const GROUP_GAP: f64 = 5.0;
/// Cells lower than this have no room for a number.
const NUMBERED: f64 = 13.0;

/// Draws the map of a model's layers, for a room of so many user units.
pub fn heads(layers: &[LayerRecord], width: f64) -> Svg {
    let heads = layers.iter().map(|l| l.before.heads).max().unwrap_or(1);
    let per_group = layers.iter().map(|l| l.before.heads_per_group()).max().unwrap_or(1);
    let right = width - RIGHT;
    let cell = Cell::new(layers.len(), heads, per_group, right);
    let bottom = TOP + cell.y(heads);
    let description = "One column for each layer, one row for each query head. Filled heads stay; \
                       hollow ones went, and the number is the order in which they went.";
    let mut svg = Svg::new(width, bottom + BOTTOM, "Which heads stay", description);
    for (column, layer) in layers.iter().enumerate() {
        draw_layer(&mut svg, &cell, column, layer);
    }
    row_labels(&mut svg, &cell, heads);
    column_labels(&mut svg, layers.len(), bottom, right);
    svg.upright_text((14.0, TOP + (bottom - TOP) / 2.0), "label", "query head");
    svg
}

struct Cell {
    width: f64,
    height: f64,
    per_group: usize,
}

impl Cell {
    fn new(layers: usize, heads: usize, per_group: usize, right: f64) -> Self {
        let width = (right - LEFT) / layers.max(1) as f64;
        // 420 units for all heads, but no row too low to be seen and no cell higher than a line of text.
        Self { width, height: (420.0 / heads as f64).clamp(6.0, 20.0), per_group }
    }

    /// The upper edge of a head's row, from the top of the map.
    fn y(&self, head: usize) -> f64 {
        // Where every query head has K/V of its own, a gap after each would tell nothing.
        let gaps = if self.per_group > 1 { head / self.per_group } else { 0 };
        head as f64 * self.height + gaps as f64 * GROUP_GAP
    }
}

fn draw_layer(svg: &mut Svg, cell: &Cell, column: usize, layer: &LayerRecord) {
    let x = LEFT + column as f64 * cell.width;
    let gap = (cell.width * 0.08).clamp(0.5, 2.0);
    for head in 0..layer.before.heads {
        let y = TOP + cell.y(head);
        let place = [x + gap, y + 1.0, cell.width - 2.0 * gap, cell.height - 2.0];
        // Ascending, as `KeptIndices` has them.
        if layer.kept_heads.binary_search(&head).is_ok() {
            svg.rect(place, "kept", "");
            continue;
        }
        let order = order_of(layer, head);
        let nth = order.map_or(String::new(), |n| format!(", removed as number {n}"));
        svg.rect(place, "gone", &format!("layer {}, head {head}{nth}", layer.layer));
        if let Some(n) = order.filter(|_| cell.height >= NUMBERED && cell.width >= NUMBERED) {
            svg.text((x + cell.width / 2.0, y + cell.height / 2.0 + 3.8), Anchor::Middle, "order", n);
        }
    }
}

/// As which number the head's unit went: a unit is a K/V head with its query heads, or a query head.
fn order_of(layer: &LayerRecord, head: usize) -> Option<usize> {
    // By what went and not by the plan's unit: where query heads go, every key/value head stays.
    let by_group = layer.kept_kv_heads.len() < layer.before.kv_heads;
    let unit = if by_group { head / layer.before.heads_per_group() } else { head };
    layer.heads.removed.iter().position(|r| r.unit == unit).map(|i| i + 1)
}

fn row_labels(svg: &mut Svg, cell: &Cell, heads: usize) {
    // Labels closer than 16 units would overlap.
    let step = (16.0 / cell.height).ceil().max(1.0) as usize;
    for head in (0..heads).step_by(step) {
        let y = TOP + cell.y(head) + cell.height / 2.0 + 4.0;
        svg.text((LEFT - 8.0, y), Anchor::End, "mark", head);
    }
}

/// The layers' numbers under their columns, which end at `right`.
pub(super) fn column_labels(svg: &mut Svg, layers: usize, bottom: f64, right: f64) {
    let last = layers.saturating_sub(1) as f64;
    let width = (right - LEFT) / layers.max(1) as f64;
    // An axis needs two ends; the second mark of a single layer is left out.
    for layer in Axis::between(0.0, last.max(1.0), Scale::Whole).marks() {
        if layer <= last {
            svg.text((LEFT + (layer + 0.5) * width, bottom + 18.0), Anchor::Middle, "mark", label(layer));
        }
    }
    svg.text(((LEFT + right) / 2.0, bottom + 38.0), Anchor::Middle, "label", "layer");
}
