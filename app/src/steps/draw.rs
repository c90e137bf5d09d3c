//! The matrices of one position of a trace.

use eframe::egui::accesskit::Role;
use eframe::egui::{
    Align2, CornerRadius, FontId, Label, Rect, RichText, Sense, Stroke, StrokeKind, Ui, WidgetInfo, pos2, vec2,
};
use slimgpt::obs::trace::{Matrix, Step, Trace};

use super::{Phase, Position};
use crate::theme::{GAP, palette, sequential};
use crate::widgets::card::card;
use crate::widgets::cells::Cells;
use slimgpt::format::short;

/// Points between two matrices.
const BETWEEN: f32 = 20.0;
/// A larger matrix shows no more.
const LARGEST: f32 = 368.0;
/// Points that the words about a narrow matrix need.
const LEAST_WORDS: f32 = 88.0;

/// Draws them; returns the column under the pointer.
pub fn ui(ui: &mut Ui, trace: &Trace, at: Position, lit: Option<usize>) -> Option<usize> {
    let step = trace.steps.get(at.step)?;
    card(ui, "", |ui| ui.add(Label::new(RichText::new(story(step, at.phase)).size(16.0)).wrap()));
    ui.add_space(GAP);
    let view = View::new(trace, at, lit, ui.available_width());
    let mut hovered = None;
    card(ui, "", |ui| {
        ui.horizontal_top(|ui| {
            ui.spacing_mut().item_spacing.x = BETWEEN;
            for shown in view.matrices() {
                ui.vertical(|ui| {
                    let cells = shown.cells(&view);
                    ui.spacing_mut().item_spacing = vec2(6.0, 4.0);
                    ui.set_max_width(cells.room[0].max(LEAST_WORDS));
                    ui.add(Label::new(RichText::new(shown.title).strong()).truncate());
                    hovered = cells.ui(ui).or(hovered);
                    ui.add(Label::new(RichText::new(shown.note).small().color(palette(ui).quiet)).wrap());
                });
            }
        });
        ui.add_space(8.0);
        hovered = scores(ui, step, at.phase).or(hovered);
    });
    hovered
}

fn story(step: &Step, phase: Phase) -> String {
    let what = match step.columns.as_slice() {
        [one] => format!("Column {one}"),
        several => format!("Columns {} to {}", several[0], several[several.len() - 1]),
    };
    match phase {
        Phase::Score => format!(
            "Every candidate has a score: by how much the squared error grows if it goes and the others make up for it. \
             {what} has the lowest."
        ),
        Phase::Compensate => format!(
            "{what} goes, and the error grows by {}. What the others gain is shown as the compensation; the inverse loses \
             its row and column without being computed anew.",
            short(step.cost)
        ),
    }
}

/// Everything that the matrices share.
struct View<'a> {
    trace: &'a Trace,
    at: Position,
    gone: Vec<usize>,
    going: Vec<usize>,
    lit: Vec<usize>,
    compensation: Matrix,
    room: f32,
}

/// One matrix and its words.
struct Shown<'a> {
    title: &'static str,
    name: &'static str,
    note: &'static str,
    formula: &'static str,
    matrix: &'a Matrix,
    square: bool,
    gone: bool,
}

impl<'a> View<'a> {
    fn new(trace: &'a Trace, at: Position, lit: Option<usize>, width: f32) -> Self {
        let before = if at.phase == Phase::Score { at.step } else { at.step + 1 };
        let gone = trace.steps[..before].iter().flat_map(|s| s.columns.iter().copied()).collect();
        let going = trace.steps[at.step].columns.clone();
        let compensation = match at.phase {
            Phase::Compensate => trace.compensation(at.step),
            // Nothing is made up for yet, but the matrix keeps its place.
            Phase::Score => Matrix::from_fn(trace.start.weight.rows, trace.start.weight.columns, |_, _| 0.0),
        };
        // X is narrow, though its words need their room; the other four share the rest.
        let all = width - 2.0 * 17.0 - 4.0 * BETWEEN;
        // Four squares, and 0.42 of one for X.
        let room = (all / 4.45).min((all - LEAST_WORDS) / 4.0).max(LEAST_WORDS);
        Self { trace, at, gone, going, lit: lit.into_iter().collect(), compensation, room }
    }

    fn matrices(&self) -> [Shown<'_>; 5] {
        let removals = if self.at.phase == Phase::Score { self.at.step } else { self.at.step + 1 };
        let state = self.trace.state(removals);
        let shown = |title, name, formula, note, matrix, square, gone| Shown {
            title,
            name,
            note,
            formula,
            matrix,
            square,
            gone,
        };
        [
            shown(
                "X, the inputs",
                "X",
                "the value of an input at a token",
                "a row is a token",
                &self.trace.x,
                false,
                false,
            ),
            shown(
                "H, what they have in common",
                "H",
                "sum over the tokens of two inputs' product, damped on the diagonal",
                "large: the two inputs say the same",
                &self.trace.hessian,
                true,
                false,
            ),
            shown(
                "H⁻¹, its inverse",
                "H⁻¹",
                "before minus column × row / pivot, at every removal",
                "small on the diagonal: hard to replace",
                &state.inverse,
                true,
                true,
            ),
            shown(
                "W, the weights",
                "W",
                "weight from an input (column) to an output (row)",
                "columns that went are grey",
                &state.weight,
                false,
                true,
            ),
            shown(
                "Compensation",
                "change of W",
                "−w / [H⁻¹]qq · row q of H⁻¹, with w the column that goes",
                "what the others gain",
                &self.compensation,
                false,
                true,
            ),
        ]
    }
}

impl Shown<'_> {
    fn cells<'a>(&'a self, view: &'a View<'a>) -> Cells<'a> {
        let none: &[usize] = &[];
        let narrow = std::ptr::eq(self.matrix, &view.trace.x);
        let room = view.room.min(LARGEST);
        let room = if narrow { [0.42 * room, 1.1 * room] } else { [room, room] };
        Cells {
            name: self.name,
            formula: self.formula,
            matrix: self.matrix,
            gone: if self.gone { &view.gone } else { none },
            going: &view.going,
            square: self.square,
            lit: &view.lit,
            room,
        }
    }
}

/// The candidates' scores as bars, the lowest marked.
fn scores(ui: &mut Ui, step: &Step, phase: Phase) -> Option<usize> {
    let p = palette(ui);
    let title = if phase == Phase::Score { "Scores of what could go" } else { "Scores, when it was chosen" };
    ui.label(RichText::new(title).strong());
    let count = step.scores.len().max(1);
    let width = (ui.available_width() / count as f32).clamp(2.0, 64.0);
    let (rect, response) = ui.allocate_exact_size(vec2(width * count as f32, 92.0), Sense::hover());
    let (least, greatest) = step.scores.iter().fold((f64::MAX, 0.0f64), |(a, b), &s| (a.min(s), b.max(s)));
    let words = format!("{count} scores from {} to {}; the lowest goes", short(least), short(greatest));
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, &words));
    let at = |i: usize| rect.left() + i as f32 * width;
    for (i, &score) in step.scores.iter().enumerate() {
        // All scores may be zero.
        let t = (score / greatest.max(f64::MIN_POSITIVE)) as f32;
        // Never less than 0.02, so that the lowest bar, which is the one that goes, can be seen.
        let top = rect.bottom() - 18.0 - t.clamp(0.02, 1.0) * 66.0;
        let bar = Rect::from_min_max(pos2(at(i) + 1.0, top), pos2(at(i) + width - 1.0, rect.bottom() - 18.0));
        ui.painter().rect_filled(bar, CornerRadius::same(2), sequential(t));
        let goes = step.candidates[i] == step.columns;
        if goes {
            ui.painter().rect_stroke(
                bar.expand(1.5),
                CornerRadius::same(2),
                Stroke::new(2.0, p.error),
                StrokeKind::Outside,
            );
        }
        // A number of four digits is about as wide.
        if width > 26.0 {
            let (ink, middle) = (if goes { p.error } else { p.quiet }, pos2(bar.center().x, rect.bottom() - 8.0));
            ui.painter().text(middle, Align2::CENTER_CENTER, short(score), FontId::proportional(11.0), ink);
        }
    }
    let hovered =
        response.hover_pos().map(|p| ((p.x - rect.left()) / width) as usize).filter(|&i| i < step.scores.len())?;
    let columns = &step.candidates[hovered];
    let text = format!("Columns {columns:?}: score {:.6}", step.scores[hovered]);
    response.on_hover_text_at_pointer(text);
    columns.first().copied()
}
