//! A matrix as cells: coloured by value, with the number where there is room, exact values and
//! the formula under the pointer.

use eframe::egui::accesskit::Role;
use eframe::egui::{
    Align2, Color32, ColorImage, CornerRadius, FontId, Painter, Rect, Response, Sense, Stroke, StrokeKind,
    TextureHandle, TextureOptions, Ui, WidgetInfo, pos2, vec2,
};
use slimgpt::obs::trace::Matrix;

use crate::theme::{Palette, diverging, ink_on, palette};
use slimgpt::format::short;

/// More cells than this are drawn as one picture.
const MOST_CELLS: usize = 2048;
/// The least cell, in points, that has room for a number.
const LEAST_WRITTEN: f32 = 23.0;

/// How a matrix is shown.
pub struct Cells<'a> {
    /// What it is called: "W".
    pub name: &'a str,
    /// How a cell comes about: "what the removal added to it".
    pub formula: &'a str,
    /// The values, row by row.
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
        // An empty matrix must not divide the room by zero.
        let (rows, columns) = (m.rows.max(1) as f32, m.columns.max(1) as f32);
        let cell = (self.room[0] / columns).min(self.room[1] / rows).clamp(0.2, 46.0);
        let (rect, response) = ui.allocate_exact_size(vec2(cell * columns, cell * rows), Sense::hover());
        let words = format!("{}, {} rows, {} columns. {}", self.name, m.rows, m.columns, self.formula);
        response.widget_info(|| WidgetInfo::labeled(Role::Image, true, &words));
        if ui.is_rect_visible(rect) {
            self.draw(ui, rect, cell);
        }
        self.hovered(&response, rect, cell)
    }

    fn draw(&self, ui: &Ui, rect: Rect, cell: f32) {
        let (p, painter) = (palette(ui), ui.painter());
        let shades = Shades::new(self, &p, ui.visuals().dark_mode);
        match self.matrix.values.len() > MOST_CELLS {
            true => self.draw_image(ui, rect, &shades),
            false => self.draw_cells(painter, rect, cell, &shades),
        }
        // Frames last, so that no cell covers them.
        self.mark(painter, rect, cell, self.lit, Stroke::new(1.5, p.accent));
        self.mark(painter, rect, cell, self.going, Stroke::new(2.0, p.error));
        painter.rect_stroke(rect, CornerRadius::ZERO, Stroke::new(1.0, p.line), StrokeKind::Outside);
    }

    fn draw_cells(&self, painter: &Painter, rect: Rect, cell: f32, shades: &Shades) {
        let m = self.matrix;
        // Between smaller cells the gaps would be seen rather than the values.
        let gap = if cell > 8.0 { 0.5 } else { 0.0 };
        for (i, j) in (0..m.rows).flat_map(|i| (0..m.columns).map(move |j| (i, j))) {
            let place = Rect::from_min_size(rect.min + vec2(j as f32 * cell, i as f32 * cell), vec2(cell, cell));
            let fill = shades.of(self, i, j);
            painter.rect_filled(place.shrink(gap), CornerRadius::ZERO, fill);
            if cell >= LEAST_WRITTEN && !self.is_gone(i, j) {
                let (text, font) = (number(m.at(i, j), cell), FontId::proportional((cell * 0.32).clamp(8.5, 11.0)));
                painter.text(place.center(), Align2::CENTER_CENTER, text, font, ink_on(fill));
            }
        }
    }

    /// As one picture, which is made anew only when something changed.
    fn draw_image(&self, ui: &Ui, rect: Rect, shades: &Shades) {
        // By place and name: each matrix keeps a picture of its own.
        let id = ui.scope_id().with(self.name);
        let mark = self.mark_of(shades);
        let kept = ui.data(|d| d.get_temp::<(u64, TextureHandle)>(id)).filter(|(of, _)| *of == mark);
        let (_, texture) = kept.unwrap_or_else(|| {
            let m = self.matrix;
            let pixels = (0..m.rows).flat_map(|i| (0..m.columns).map(move |j| shades.of(self, i, j))).collect();
            let image = ColorImage::new([m.columns, m.rows], pixels);
            // The nearest pixel, so that cells keep their edges at any size.
            let made = (mark, ui.ctx().load_texture(self.name, image, TextureOptions::NEAREST));
            ui.data_mut(|d| d.insert_temp(id, made.clone()));
            made
        });
        let all = Rect::from_min_max(pos2(0.0, 0.0), pos2(1.0, 1.0));
        ui.painter().image(texture.id(), rect, all, Color32::WHITE);
    }

    /// A number that changes with whatever the picture shows.
    fn mark_of(&self, shades: &Shades) -> u64 {
        let step = |mark: u64, bits: u64| (mark ^ bits).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(17);
        let shown = self.matrix.values.iter().map(|v| v.to_bits());
        let other = [self.gone.len() as u64, u64::from(shades.dark)].into_iter();
        // FNV's offset and prime; the rotation lets high bits reach low ones.
        shown.chain(self.gone.iter().map(|&g| g as u64)).chain(other).fold(0xcbf2_9ce4_8422_2325, step)
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

/// The colours of a matrix's values.
struct Shades {
    greatest: f64,
    gone: Color32,
    dark: bool,
}

impl Shades {
    fn new(cells: &Cells<'_>, p: &Palette, dark: bool) -> Self {
        // Not zero, since every value is divided by it.
        let greatest = cells.matrix.values.iter().fold(f64::MIN_POSITIVE, |g, v| g.max(v.abs()));
        Self { greatest, gone: p.line.gamma_multiply(0.55), dark }
    }

    fn of(&self, cells: &Cells<'_>, i: usize, j: usize) -> Color32 {
        if cells.is_gone(i, j) {
            return self.gone;
        }
        // The square root shows small values too.
        let value = cells.matrix.at(i, j);
        diverging((value.abs() / self.greatest).sqrt().copysign(value) as f32, self.dark)
    }
}

/// As many digits as a cell has room for.
fn number(x: f64, cell: f32) -> String {
    let digits = if cell < 32.0 && x.abs() >= 1.0 { 1 } else { 2 };
    match x.abs() {
        // Two digits would show 0.00.
        a if a < 0.005 => "0".into(),
        a if a < 100.0 => format!("{x:.digits$}"),
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
