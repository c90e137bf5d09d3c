//! Layers × heads, coloured by score and struck when they go, with the channels as a bar beside
//! them. One row is one layer, and one thing to be pressed.

use eframe::egui::accesskit::Role;
use eframe::egui::{
    self, Align2, Color32, CornerRadius, FontId, Painter, Rect, Response, Sense, Stroke, StrokeKind, Ui, WidgetInfo,
    pos2, vec2,
};

use crate::theme::{Palette, ink_on, palette, sequential};
use slimgpt::format::{arrow, short};

/// How far a layer is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// Not begun in this run.
    #[default]
    Waiting,
    /// The layer at work.
    Working,
    /// Finished in this session.
    Done,
    /// Finished in an earlier session.
    Earlier,
}

/// What the map shows of a query head.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Head {
    /// The score of its unit before the first went.
    pub score: Option<f64>,
    /// Whether the head went.
    pub gone: bool,
}

/// What the map shows of a layer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LayerRow {
    /// How far it is.
    pub state: State,
    /// Query heads by index.
    pub heads: Vec<Head>,
    /// Query heads that read one K/V head.
    pub per_group: usize,
    /// Channels as it was.
    pub channels: usize,
    /// Channels that will stay or stay.
    pub channels_after: usize,
    /// Whether the channels are cut already.
    pub channels_cut: bool,
    /// Measured squared error of both sites.
    pub error: Option<f64>,
}

impl LayerRow {
    fn words(&self, layer: usize) -> String {
        let gone = self.heads.iter().filter(|h| h.gone).count();
        let heads = arrow(self.heads.len(), self.heads.len() - gone);
        let channels =
            if self.channels_cut { arrow(self.channels, self.channels_after) } else { self.channels.to_string() };
        let state = match self.state {
            State::Waiting => "waiting",
            State::Working => "at work",
            State::Done => "done",
            State::Earlier => "done in an earlier session",
        };
        let error = self.error.map_or(String::new(), |e| format!(", squared error {}", short(e)));
        format!("Layer {layer}: {heads} heads, {channels} channels, {state}{error}")
    }
}

const LABEL: f32 = 34.0;
const COUNTS: f32 = 104.0;
const GAP: f32 = 14.0;

/// Draws the rows; returns the one that was pressed.
pub fn map(ui: &mut Ui, rows: &[LayerRow], selected: Option<usize>) -> Option<usize> {
    let heads = rows.iter().map(|r| r.heads.len()).max().unwrap_or(1).max(1);
    let width = ui.available_width();
    let room = (width - LABEL - COUNTS - 2.0 * GAP) * 0.62;
    // Whole points keep the edges of the cells sharp.
    let cell = (room / heads as f32).clamp(5.0, 22.0).floor();
    let height = cell.clamp(11.0, 22.0) + 3.0;
    let mut pressed = None;
    ui.scope(|ui| {
        ui.spacing_mut().item_spacing.y = 1.0;
        header(ui, width, cell * heads as f32);
        for (layer, row) in rows.iter().enumerate() {
            let (rect, response) = ui.allocate_exact_size(vec2(width, height), Sense::click());
            let words = row.words(layer);
            let chosen = selected == Some(layer);
            response.widget_info(|| WidgetInfo::selected(Role::Button, true, chosen, &words));
            // Rows outside of what is scrolled to have a place, but need no drawing.
            if ui.is_rect_visible(rect) {
                let place = Place { rect, cell, heads, chosen };
                draw(ui, &place, layer, row, &response);
            }
            if hovering(row, &response, rect, cell, layer, words).clicked() {
                pressed = Some(layer);
            }
        }
    });
    pressed
}

struct Place {
    rect: Rect,
    cell: f32,
    heads: usize,
    chosen: bool,
}

fn header(ui: &mut Ui, width: f32, heads: f32) {
    let (rect, _) = ui.allocate_exact_size(vec2(width, 18.0), Sense::hover());
    let p = palette(ui);
    let at = |x: f32, text: &str, align: Align2| {
        ui.painter().text(pos2(x, rect.center().y), align, text, FontId::proportional(12.0), p.quiet);
    };
    at(rect.left() + 4.0, "Layer", Align2::LEFT_CENTER);
    at(rect.left() + LABEL + GAP, "Heads", Align2::LEFT_CENTER);
    at(rect.left() + LABEL + 2.0 * GAP + heads.max(44.0), "Channels", Align2::LEFT_CENTER);
}

fn draw(ui: &Ui, place: &Place, layer: usize, row: &LayerRow, response: &Response) {
    let (p, painter, rect) = (palette(ui), ui.painter(), place.rect);
    // Who goes through the rows by keyboard sees where they are.
    if place.chosen || response.hovered() || response.has_focus() {
        let fill = if place.chosen { p.accent.gamma_multiply(0.18) } else { p.line.gamma_multiply(0.5) };
        painter.rect_filled(rect, CornerRadius::same(4), fill);
    }
    let ink = if row.state == State::Working { p.accent } else { p.quiet };
    let y = rect.center().y;
    painter.text(pos2(rect.left() + LABEL - 6.0, y), Align2::RIGHT_CENTER, layer, FontId::proportional(12.0), ink);
    if row.state == State::Working {
        painter.circle_filled(pos2(rect.left() + LABEL + 3.0, y), 3.0, p.accent);
    }
    draw_heads(painter, place, row, &p);
    draw_channels(painter, place, row, &p);
}

fn head_rect(rect: Rect, cell: f32, head: usize) -> Rect {
    let left = rect.left() + LABEL + GAP + head as f32 * cell;
    Rect::from_min_size(pos2(left, rect.top() + 1.5), vec2(cell, rect.height() - 3.0))
}

fn draw_heads(painter: &Painter, place: &Place, row: &LayerRow, p: &Palette) {
    let scale = Scale::of(row);
    for (index, head) in row.heads.iter().enumerate() {
        let ends_group = row.per_group > 1 && (index + 1).is_multiple_of(row.per_group);
        let mut cell = head_rect(place.rect, place.cell, index).shrink2(vec2(0.5, 0.0));
        if ends_group {
            // The gap shows which heads share keys and values.
            cell.max.x -= 1.5;
        }
        let fill = head.score.map_or(p.line, |s| scale.colour(s));
        let fill = if head.gone { fill.gamma_multiply(0.35) } else { fill };
        painter.rect_filled(cell, CornerRadius::same(2), fill);
        if head.gone {
            let ink = if head.score.is_some() { p.error } else { p.quiet };
            painter.line_segment([cell.left_bottom(), cell.right_top()], Stroke::new(1.6, ink));
        }
    }
}

fn draw_channels(painter: &Painter, place: &Place, row: &LayerRow, p: &Palette) {
    let rect = place.rect;
    // At least as wide as the word above the heads, as in the header.
    let left = rect.left() + LABEL + 2.0 * GAP + (place.cell * place.heads as f32).max(44.0);
    let bar = Rect::from_min_max(pos2(left, rect.top() + 3.5), pos2(rect.right() - COUNTS, rect.bottom() - 3.5));
    // Where there is no room for a bar, the counts beside it say the same.
    if bar.width() > 8.0 {
        painter.rect_filled(bar, CornerRadius::same(3), p.line);
        let share = if row.channels_cut { row.channels_after as f32 / row.channels.max(1) as f32 } else { 1.0 };
        let kept = Rect::from_min_size(bar.min, vec2(bar.width() * share, bar.height()));
        let fill = if row.channels_cut { p.accent } else { p.quiet.gamma_multiply(0.45) };
        painter.rect_filled(kept, CornerRadius::same(3), fill);
        if !row.channels_cut && row.channels_after < row.channels {
            // Where the cut will be.
            let x = bar.left() + bar.width() * row.channels_after as f32 / row.channels as f32;
            painter.vline(x, bar.y_range(), Stroke::new(1.5, p.second));
        }
    }
    let text = arrow(row.channels, row.channels_after);
    let ink = if row.channels_cut { p.accent } else { p.quiet };
    painter.text(pos2(rect.right() - 4.0, rect.center().y), Align2::RIGHT_CENTER, text, FontId::monospace(11.5), ink);
}

fn hovering(row: &LayerRow, response: &Response, rect: Rect, cell: f32, layer: usize, words: String) -> Response {
    let head = response.hover_pos().and_then(|at| {
        (0..row.heads.len()).find(|&h| head_rect(rect, cell, h).contains(at)).map(|h| (h, row.heads[h]))
    });
    let text = head.map_or(words, |(index, head)| {
        let score = head.score.map_or("not scored yet".into(), |s| format!("score {}", short(s)));
        let fate = if head.gone { "gone" } else { "stays" };
        format!("Layer {layer}, head {index}: {score}, {fate}")
    });
    response.clone().on_hover_text_at_pointer(text)
}

/// Scores on a logarithmic scale from the lowest to the highest of a layer.
struct Scale {
    least: f64,
    greatest: f64,
}

impl Scale {
    fn of(row: &LayerRow) -> Self {
        let logs = row.heads.iter().filter_map(|h| h.score).map(log);
        let (least, greatest) = logs.fold((f64::MAX, f64::MIN), |(a, b), l| (a.min(l), b.max(l)));
        Self { least, greatest }
    }

    fn colour(&self, score: f64) -> Color32 {
        let width = self.greatest - self.least;
        // Equal scores are neither low nor high.
        let t = if width > 0.0 { (log(score) - self.least) / width } else { 0.5 };
        sequential(t as f32)
    }
}

fn log(score: f64) -> f64 {
    // A dead head costs nothing, and nothing has no logarithm.
    score.max(1e-12).ln()
}

/// What the colours mean.
pub fn legend(ui: &mut Ui) {
    let p = palette(ui);
    ui.horizontal_wrapped(|ui| {
        scale(ui);
        ui.label(egui::RichText::new("a head's score within its layer").small().color(p.quiet));
        let (rect, _) = ui.allocate_exact_size(vec2(14.0, 12.0), Sense::hover());
        ui.painter().rect(rect, CornerRadius::same(2), p.line, Stroke::NONE, StrokeKind::Inside);
        ui.painter().line_segment([rect.left_bottom(), rect.right_top()], Stroke::new(1.6, p.error));
        ui.label(egui::RichText::new("gone").small().color(p.quiet));
    });
}

fn scale(ui: &mut Ui) {
    let (rect, response) = ui.allocate_exact_size(vec2(120.0, 12.0), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, "Scale of scores, dark is low, bright is high"));
    let painter = ui.painter();
    for i in 0..60 {
        let part = Rect::from_min_size(rect.min + vec2(2.0 * i as f32, 0.0), vec2(2.0, 12.0));
        painter.rect_filled(part, CornerRadius::ZERO, sequential(i as f32 / 59.0));
    }
    let font = FontId::proportional(10.0);
    let (left, right) = (rect.left_center() + vec2(4.0, 0.0), rect.right_center() - vec2(4.0, 0.0));
    painter.text(left, Align2::LEFT_CENTER, "low", font.clone(), ink_on(sequential(0.0)));
    painter.text(right, Align2::RIGHT_CENTER, "high", font, ink_on(sequential(1.0)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_colour_of_a_score_is_its_place_between_the_lowest_and_the_highest() {
        let heads = [1.0, 10.0, 100.0].map(|s| Head { score: Some(s), gone: false }).to_vec();
        let scale = Scale::of(&LayerRow { heads, ..LayerRow::default() });
        assert_eq!(scale.colour(1.0), sequential(0.0));
        assert_eq!(scale.colour(10.0), sequential(0.5));
        assert_eq!(scale.colour(100.0), sequential(1.0));
    }

    #[test]
    fn a_row_says_in_words_what_it_shows() {
        let gone = Head { score: Some(1.0), gone: true };
        let heads = vec![gone, Head::default()];
        let row = LayerRow {
            state: State::Done,
            heads,
            per_group: 1,
            channels: 9,
            channels_after: 7,
            channels_cut: true,
            error: Some(2.0),
        };
        assert_eq!(row.words(3), "Layer 3: 2 → 1 heads, 9 → 7 channels, done, squared error 2.000");
    }
}
