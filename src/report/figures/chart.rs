//! Curves over two axes, with a legend above them.

use super::WIDTH;
use super::axis::{Axis, Scale, label};
use super::svg::{Anchor, Svg};

/// Curves over two axes, and the words around them.
pub struct Chart {
    /// What a screen reader calls it.
    pub title: String,
    /// What it shows, in a sentence.
    pub description: String,
    /// Below the horizontal axis.
    pub x_label: String,
    /// Beside the vertical axis.
    pub y_label: String,
    /// How the horizontal axis is spread.
    pub x_scale: Scale,
    /// Values that the horizontal axis reaches even where no curve does.
    pub x_reach: Vec<f64>,
    /// How the vertical axis is spread.
    pub y_scale: Scale,
    /// Whether the marks of the vertical axis are percentages.
    pub y_percent: bool,
    /// A horizontal line with a name, such as the dense model's.
    pub reference: Option<(String, f64)>,
    /// The curves, in the order of their names in the legend.
    pub series: Vec<Series>,
}

/// Points that belong together, with a name and a look.
pub struct Series {
    /// What its points are called in their tooltips.
    pub name: String,
    /// In the legend; `None` for a curve that the text explains.
    pub legend: Option<String>,
    /// From left to right.
    pub points: Vec<(f64, f64)>,
    /// Which of the eight colours.
    pub colour: usize,
    /// How the points are drawn.
    pub marks: Marks,
}

/// How the points of a curve are drawn.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Marks {
    /// Filled, joined by a line.
    Line,
    /// Filled, joined by dashes.
    Dashes,
    /// Hollow and not joined.
    Rings,
}

const PLOT_HEIGHT: f64 = 260.0;
const LEFT: f64 = 68.0;
const RIGHT: f64 = 18.0;
const LEGEND_ROW: f64 = 22.0;
const BOTTOM: f64 = 48.0;
/// The mean width of a character of the legend.
// A guess, because nothing can measure text in a page without scripts.
const CHARACTER: f64 = 6.8;

/// The rectangle of the curves and its axes.
struct Frame {
    top: f64,
    /// Where the horizontal axis ends.
    right: f64,
    x: Axis,
    y: Axis,
}

impl Frame {
    fn point(&self, (x, y): (f64, f64)) -> Option<(f64, f64)> {
        let (x, y) = (self.x.place(x)?, self.y.place(y)?);
        // SVG counts downwards.
        Some((LEFT + x * (self.right - LEFT), self.top + (1.0 - y) * PLOT_HEIGHT))
    }
}

impl Chart {
    /// Draws the curves, their axes and the legend, [`WIDTH`] wide.
    pub fn draw(&self) -> Svg {
        self.draw_in(WIDTH)
    }

    /// The same for a room of so many user units.
    pub fn draw_in(&self, width: f64) -> Svg {
        let places = self.legend_places(width);
        let rows = places.last().map_or(0, |&(_, row)| row + 1) as f64;
        let points = || self.series.iter().flat_map(|s| &s.points);
        let reference = self.reference.as_ref().map(|r| r.1);
        let frame = Frame {
            top: 10.0 + rows * LEGEND_ROW,
            right: width - RIGHT,
            x: Axis::around(points().map(|p| p.0).chain(self.x_reach.iter().copied()), self.x_scale),
            y: Axis::around(points().map(|p| p.1).chain(reference), self.y_scale),
        };
        let mut svg = Svg::new(width, frame.top + PLOT_HEIGHT + BOTTOM, &self.title, &self.description);
        self.legend(&mut svg, &places);
        self.axes(&mut svg, &frame);
        if let Some(place) = self.reference.as_ref().and_then(|&(_, value)| frame.y.place(value)) {
            let y = frame.top + (1.0 - place) * PLOT_HEIGHT;
            svg.line((LEFT, y), (frame.right, y), "reference");
        }
        // Curves last, so that no grid line covers a point.
        self.series.iter().for_each(|series| series.draw(&mut svg, &frame, self.y_percent));
        svg
    }

    /// Where each name of the legend begins, and in which row.
    fn legend_places(&self, room: f64) -> Vec<(f64, usize)> {
        let named: Vec<&str> = self.named().iter().map(|&(name, _)| name).collect();
        // A single curve is named by the title.
        if named.len() < 2 {
            return Vec::new();
        }
        let (mut x, mut row) = (LEFT, 0);
        let place = |name: &str| {
            // 26 for the line, 8 to the name, 18 to the next line.
            let width = 34.0 + CHARACTER * name.chars().count() as f64 + 18.0;
            if x + width > room && x > LEFT {
                (x, row) = (LEFT, row + 1);
            }
            let found = (x, row);
            x += width;
            found
        };
        named.into_iter().map(place).collect()
    }

    /// What the legend names, with its series. The line of reference has none; beside the line its name would lie on
    /// curves that come near it.
    fn named(&self) -> Vec<(&str, Option<&Series>)> {
        let series = self.series.iter().filter_map(|s| Some((s.legend.as_deref()?, Some(s))));
        series.chain(self.reference.iter().map(|(name, _)| (name.as_str(), None))).collect()
    }

    fn legend(&self, svg: &mut Svg, places: &[(f64, usize)]) {
        for ((name, series), &(x, row)) in self.named().into_iter().zip(places) {
            let y = 14.0 + row as f64 * LEGEND_ROW;
            match series {
                Some(series) if series.marks != Marks::Rings => {
                    svg.polyline(&[(x, y), (x + 26.0, y)], &series.line_class());
                }
                Some(_) => {}
                None => svg.line((x, y), (x + 26.0, y), "reference"),
            }
            if let Some(series) = series {
                svg.circle((x + 13.0, y), 3.5, &series.mark_class(), "");
            }
            svg.text((x + 34.0, y + 4.0), Anchor::Start, "name", name);
        }
    }

    fn axes(&self, svg: &mut Svg, frame: &Frame) {
        let bottom = frame.top + PLOT_HEIGHT;
        for mark in frame.y.marks() {
            let Some(place) = frame.y.place(mark) else { continue };
            let y = frame.top + (1.0 - place) * PLOT_HEIGHT;
            svg.line((LEFT, y), (frame.right, y), "grid");
            svg.text((LEFT - 8.0, y + 4.0), Anchor::End, "mark", self.y_text(mark));
        }
        for mark in frame.x.marks() {
            let Some(place) = frame.x.place(mark) else { continue };
            let x = LEFT + place * (frame.right - LEFT);
            svg.line((x, bottom), (x, bottom + 4.0), "axis");
            svg.text((x, bottom + 18.0), Anchor::Middle, "mark", label(mark));
        }
        svg.line((LEFT, bottom), (frame.right, bottom), "axis");
        svg.text(((LEFT + frame.right) / 2.0, bottom + 38.0), Anchor::Middle, "label", &self.x_label);
        svg.upright_text((14.0, frame.top + PLOT_HEIGHT / 2.0), "label", &self.y_label);
    }

    fn y_text(&self, value: f64) -> String {
        if self.y_percent { percent(value) } else { label(value) }
    }
}

/// "12 %", with digits only where they are needed.
fn percent(share: f64) -> String {
    format!("{} %", label(100.0 * share))
}

impl Series {
    fn draw(&self, svg: &mut Svg, frame: &Frame, percent_of: bool) {
        let placed: Vec<((f64, f64), (f64, f64))> =
            self.points.iter().filter_map(|&p| frame.point(p).map(|at| (p, at))).collect();
        if self.marks != Marks::Rings && placed.len() > 1 {
            let line: Vec<(f64, f64)> = placed.iter().map(|p| p.1).collect();
            svg.polyline(&line, &self.line_class());
        }
        // Many points stand close to each other.
        let radius = if placed.len() > 40 { 2.5 } else { 3.5 };
        for ((x, y), at) in placed {
            let value = match percent_of {
                true => format!("{:.3} %", 100.0 * y),
                // Digits after the point of a million say nothing.
                false if y.abs() >= 1e6 => label(y),
                false => format!("{y:.4}"),
            };
            svg.circle(at, radius, &self.mark_class(), &format!("{}, {}: {value}", self.name, label(x)));
        }
    }

    fn line_class(&self) -> String {
        let dash = if self.marks == Marks::Dashes { " dash" } else { "" };
        // The style has eight colours; a ninth curve has the first one again.
        format!("curve s{}{dash}", self.colour % 8)
    }

    fn mark_class(&self) -> String {
        let kind = if self.marks == Marks::Rings { "ring" } else { "dot" };
        format!("{kind} s{}", self.colour % 8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart() -> Chart {
        let series = |i: usize| Series {
            name: format!("a curve {i}"),
            legend: Some(format!("a curve {i}")),
            points: vec![(0.0, 0.1), (5.0, 0.2 * (i + 1) as f64)],
            colour: i,
            marks: Marks::Line,
        };
        Chart {
            title: String::new(),
            description: String::new(),
            x_label: "x".into(),
            y_label: "y".into(),
            x_scale: Scale::Whole,
            x_reach: Vec::new(),
            y_scale: Scale::Linear,
            y_percent: true,
            reference: Some(("a line".into(), 0.3)),
            series: (0..4).map(series).collect(),
        }
    }

    /// All values of an attribute.
    fn values(svg: &str, attribute: &str) -> Vec<f64> {
        let begin = format!(" {attribute}=\"");
        let parts = svg.split(&begin).skip(1);
        parts.filter_map(|part| part.split('"').next()?.parse().ok()).collect()
    }

    #[test]
    fn where_there_is_little_room_the_legend_takes_more_rows_and_nothing_stands_outside() {
        for (width, rows) in [(340.0, 3), (WIDTH, 1)] {
            let legend = chart().legend_places(width);
            assert_eq!(legend.last().map(|place| place.1 + 1), Some(rows), "{width}");
            let svg = chart().draw_in(width).inline();
            assert!(svg.contains(&format!("viewBox=\"0 0 {width} ")), "{svg}");
            let right = ["x", "x1", "x2", "cx"].iter().flat_map(|name| values(&svg, name)).fold(0.0, f64::max);
            assert!(right <= width && right > width - RIGHT - 1.0, "{right} of {width}");
        }
    }
}
