//! Channels that stay, one bar a layer, in the outline of what was there.

use super::WIDTH;
use super::axis::{Axis, Scale, label};
use super::heads::column_labels;
use super::svg::{Anchor, Svg};
use crate::pipeline::LayerRecord;

const LEFT: f64 = 68.0;
const RIGHT: f64 = 18.0;
const TOP: f64 = 20.0;
const HEIGHT: f64 = 180.0;
/// Bars at least this wide carry their number.
const NUMBERED: f64 = 34.0;

/// Draws the bars of a model's layers.
pub fn channels(layers: &[LayerRecord]) -> Svg {
    let most = layers.iter().map(|l| l.before.channels).max().unwrap_or(1).max(1) as f64;
    let description =
        "One bar for each layer: filled, the feed-forward channels that stay; the outline, those there were.";
    let bottom = TOP + HEIGHT;
    let mut svg = Svg::new(WIDTH, bottom + 46.0, "How many channels stay", description);
    let axis = Axis::between(0.0, most, Scale::Whole);
    // About five marks, as beside every plot; a whole axis would have up to twelve.
    for mark in Axis::between(0.0, most, Scale::Linear).marks() {
        let y = bottom - axis.place(mark).unwrap_or(0.0) * HEIGHT;
        svg.line((LEFT, y), (WIDTH - RIGHT, y), "grid");
        svg.text((LEFT - 8.0, y + 4.0), Anchor::End, "mark", label(mark));
    }
    let width = (WIDTH - LEFT - RIGHT) / layers.len().max(1) as f64;
    for (column, layer) in layers.iter().enumerate() {
        bar(&mut svg, LEFT + column as f64 * width, width, most, layer);
    }
    // After the bars, whose lower edges it covers.
    svg.line((LEFT, bottom), (WIDTH - RIGHT, bottom), "axis");
    column_labels(&mut svg, layers.len(), bottom, WIDTH - RIGHT);
    svg.upright_text((14.0, TOP + HEIGHT / 2.0), "label", "channels");
    svg
}

fn bar(svg: &mut Svg, x: f64, width: f64, most: f64, layer: &LayerRecord) {
    let (before, after) = (layer.before.channels, layer.after.channels);
    let gap = width * 0.14;
    let height = |channels: usize| channels as f64 / most * HEIGHT;
    let place = |channels: usize| [x + gap, TOP + HEIGHT - height(channels), width - 2.0 * gap, height(channels)];
    let tooltip = format!("layer {}: {after} of {before} channels stay", layer.layer);
    // The outline first: the filled bar lies on its lower part.
    svg.rect(place(before), "was", &tooltip);
    svg.rect(place(after), "kept", &tooltip);
    if width >= NUMBERED {
        // Inside the bar, unless it is too low for that.
        let top = TOP + HEIGHT - height(after);
        let (y, class) = if height(after) >= 24.0 { (top + 16.0, "inside") } else { (top - 6.0, "mark") };
        svg.text((x + width / 2.0, y), Anchor::Middle, class, after);
    }
}
