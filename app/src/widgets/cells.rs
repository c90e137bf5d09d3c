//! A matrix as cells: coloured by value, with the number where there is room, exact values and
//! the formula under the pointer.

use eframe::egui::accesskit::Role;
use eframe::egui::{
    Align2, CornerRadius, FontId, Painter, Rect, Response, Sense, Stroke, StrokeKind, Ui, WidgetInfo, pos2, vec2,
};
use slimgpt::obs::trace::Matrix;

use super::format::short;
use crate::theme::{Palette, diverging, ink_on, palette};

/// How a matrix is shown.
pub struct Cells<'a> {
    /// What it is called: "W".
    pub name: &'a str,
    /// How a cell comes about: "what the removal added to it".
    pub formula: &'a str,
    /// The values.
    pub matrix: &'a Matrix,
    /// Columns that are gone.
    pub gone: &'a [usize],
    /// Columns that go with the step that is shown.
    pub going: &'a [usize],
    /// Whether the rows of these indices are gone and go as well (for H and H⁻¹).
    pub square: bool,
    /// Columns that another matrix's pointer is at.
    pub lit: &'a [usize],
    /// Width and height to fit into.
    pub room: [f32; 2],
}

impl Cells<'_> {
    /// Draws it; returns the column under the pointer.
    pub fn ui(&self, ui: &mut Ui) -> Option<usize> {
        let m = self.matrix;
        let (rows, columns) = (m.rows.max(1) as f32, m.columns.max(1) as f32);
        let cell = (self.room[0] / columns).min(self.room[1] / rows).clamp(1.0, 46.0);
        let (rect, response) = ui.allocate_exact_size(vec2(cell * columns, cell * rows), Sense::hover());
        let words = format!("{}, {} rows, {} columns. {}", self.name, m.rows, m.columns, self.formula);
        response.widget_info(|| WidgetInfo::labeled(Role::Image, true, &words));
        if ui.is_rect_visible(rect) {
            self.draw(ui.painter(), rect, cell, &palette(ui), ui.visuals().dark_mode);
        }
        self.hovered(&response, rect, cell)
    }

    fn draw(&self, painter: &Painter, rect: Rect, cell: f32, p: &Palette, dark: bool) {
        let m = self.matrix;
        let greatest = m.values.iter().fold(0.0f64, |g, v| g.max(v.abs())).max(f64::MIN_POSITIVE);
        let gap = if cell > 8.0 { 0.5 } else { 0.0 };
        for i in 0..m.rows {
            for j in 0..m.columns {
                let place = Rect::from_min_size(rect.min + vec2(j as f32 * cell, i as f32 * cell), vec2(cell, cell));
                let place = place.shrink(gap);
                if self.is_gone(i, j) {
                    painter.rect_filled(place, CornerRadius::ZERO, p.line.gamma_multiply(0.55));
                    continue;
                }
                // The square root shows small values too.
                let t = (m.at(i, j).abs() / greatest).sqrt().copysign(m.at(i, j));
                let fill = diverging(t as f32, dark);
                painter.rect_filled(place, CornerRadius::ZERO, fill);
                if cell >= 30.0 {
                    let text = number(m.at(i, j));
                    painter.text(place.center(), Align2::CENTER_CENTER, text, FontId::proportional(10.5), ink_on(fill));
                }
            }
        }
        self.mark(painter, rect, cell, self.lit, Stroke::new(1.5, p.accent));
        self.mark(painter, rect, cell, self.going, Stroke::new(2.0, p.error));
        painter.rect_stroke(rect, CornerRadius::ZERO, Stroke::new(1.0, p.line), StrokeKind::Outside);
    }

    fn is_gone(&self, i: usize, j: usize) -> bool {
        self.gone.contains(&j) || (self.square && self.gone.contains(&i))
    }

    /// A frame around runs of columns (and rows).
    fn mark(&self, painter: &Painter, rect: Rect, cell: f32, columns: &[usize], stroke: Stroke) {
        for run in runs(columns) {
            let (from, to) = (run.0 as f32 * cell, (run.1 + 1) as f32 * cell);
            let column =
                Rect::from_min_max(pos2(rect.left() + from, rect.top()), pos2(rect.left() + to, rect.bottom()));
            painter.rect_stroke(column, CornerRadius::same(2), stroke, StrokeKind::Inside);
            if self.square {
                let row = Rect::from_min_max(pos2(rect.left(), rect.top() + from), pos2(rect.right(), rect.top() + to));
                painter.rect_stroke(row, CornerRadius::same(2), stroke, StrokeKind::Inside);
            }
        }
    }

    fn hovered(&self, response: &Response, rect: Rect, cell: f32) -> Option<usize> {
        let at = response.hover_pos()? - rect.min;
        let m = self.matrix;
        let (i, j) = ((at.y / cell) as usize, (at.x / cell) as usize);
        let inside = i < m.rows && j < m.columns;
        inside.then(|| {
            let gone = if self.is_gone(i, j) { "\nThis column is gone." } else { "" };
            let text = format!("{}[{i}, {j}] = {:.6}\n{}{gone}", self.name, m.at(i, j), self.formula);
            response.clone().on_hover_text_at_pointer(text);
            j
        })
    }
}

fn number(x: f64) -> String {
    match x.abs() {
        a if a < 0.0005 => "0".into(),
        a if a < 100.0 => format!("{x:.2}"),
        a if a < 10_000.0 => format!("{x:.0}"),
        _ => short(x),
    }
}

/// Ascending indices as (first, last) of each run.
fn runs(indices: &[usize]) -> Vec<(usize, usize)> {
    let mut sorted = indices.to_vec();
    sorted.sort_unstable();
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for i in sorted {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == i => *last = i,
            _ => runs.push((i, i)),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_share_a_frame() {
        assert_eq!(runs(&[3, 1, 2, 7]), [(1, 3), (7, 7)]);
        assert!(runs(&[]).is_empty());
    }
}
