//! The comparison as a chart: perplexity against what varies most.

use super::{Cell, CellResult, Comparison};
use crate::names::Named;
use crate::report::figures::{Chart, Marks, Scale, Series, Svg};

/// What the horizontal axis shows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Across {
    Target,
    Samples,
    SeqLen,
}

impl Across {
    /// The list that has most values; the ratio where none has more.
    fn of(rows: &[CellResult]) -> Self {
        let values = |across: Self| distinct(rows.iter().map(|r| across.value(&r.cell))).len();
        // Of equals `max_by_key` takes the last, which is the ratio.
        let longest = [Self::SeqLen, Self::Samples, Self::Target].into_iter().max_by_key(|&a| values(a));
        longest.unwrap_or(Self::Target)
    }

    fn value(self, cell: &Cell) -> f64 {
        match self {
            Self::Target => cell.target,
            Self::Samples => cell.samples as f64,
            Self::SeqLen => cell.seq_len as f64,
        }
    }

    fn label(self) -> &'static str {
        match self {
            Self::Target => "share of the decoder layers' parameters removed",
            Self::Samples => "calibration windows",
            Self::SeqLen => "tokens of a calibration window",
        }
    }
}

/// Perplexity by method, against the ratio, or against how much text there was where that varies
/// more. Cells that were refused have no point.
pub fn plot(comparison: &Comparison) -> Svg {
    let rows = &comparison.rows;
    let across = Across::of(rows);
    let mut groups: Vec<(String, Vec<&CellResult>)> = Vec::new();
    for row in rows.iter().filter(|r| r.figures().is_some()) {
        let name = series_name(rows, row, across);
        match groups.iter_mut().find(|(other, _)| *other == name) {
            Some((_, members)) => members.push(row),
            None => groups.push((name, vec![row])),
        }
    }
    // Every curve across the ratios begins at the dense model.
    let origin = (across == Across::Target).then_some((0.0, comparison.dense.perplexity));
    let series = groups.iter().enumerate().map(|(i, (name, members))| series(name, members, i, across, origin));
    let chart = Chart {
        title: format!("Perplexity of {} by method", comparison.model),
        description: format!("Perplexity on a logarithmic scale; {}.", comparison.protocol.evaluation()),
        x_label: across.label().into(),
        y_label: "perplexity".into(),
        // Amounts of text are usually doubled, which a logarithm spreads evenly.
        x_scale: if across == Across::Target { Scale::Linear } else { Scale::Log },
        x_reach: Vec::new(),
        // The perplexities of broken models are powers of ten above the others'.
        y_scale: Scale::Log,
        y_percent: false,
        reference: Some(("dense".into(), comparison.dense.perplexity)),
        series: series.collect(),
    };
    chart.draw()
}

/// Solid where the weights that stay make up for what went, dashed where they do not.
fn series(name: &str, members: &[&CellResult], colour: usize, across: Across, origin: Option<(f64, f64)>) -> Series {
    let point = |row: &&CellResult| row.figures().map(|f| (across.value(&row.cell), f.perplexity));
    let mut points: Vec<(f64, f64)> = origin.into_iter().chain(members.iter().filter_map(point)).collect();
    // Cells come in the grid's order, and a line joins its points as they come.
    points.sort_by(|a, b| a.0.total_cmp(&b.0));
    let points = averaged(&points);
    // Known of the method alone, which all members of a curve share.
    let refits = members.iter().all(|row| row.cell.method.refits());
    let marks = if refits { Marks::Line } else { Marks::Dashes };
    Series { name: name.into(), legend: Some(name.into()), points, colour, marks }
}

/// One point for each place: seeds that differ there are one line.
fn averaged(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let places = points.chunk_by(|a, b| a.0 == b.0);
    places.map(|place| (place[0].0, place.iter().map(|p| p.1).sum::<f64>() / place.len() as f64)).collect()
}

/// The method, and whatever else tells this curve from the others.
fn series_name(rows: &[CellResult], row: &CellResult, across: Across) -> String {
    let varies = |of: &dyn Fn(&Cell) -> String| rows.iter().any(|r| of(&r.cell) != of(&row.cell));
    let mut name = row.cell.method.to_string();
    let mut add = |is_axis: bool, of: &dyn Fn(&Cell) -> String| {
        if !is_axis && varies(of) {
            name.push_str(&format!(" {}", of(&row.cell)));
        }
    };
    add(across == Across::Target, &|c| format!("{} %", 100.0 * c.target));
    // Methods with schedules of their own are told from the others by their names.
    add(rows.iter().all(|r| r.cell.schedule == row.cell.schedule), &|c| c.schedule_name().into());
    add(false, &|c| c.calibration.clone());
    add(across == Across::Samples, &|c| format!("{} windows", c.samples));
    add(across == Across::SeqLen, &|c| format!("{} tokens", c.seq_len));
    add(false, &|c| format!("{} heads", c.heads.name()));
    add(false, &|c| format!("damping {}", c.damping));
    name
}

fn distinct(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.dedup();
    values
}
