//! A comparison as a table: columns for what varies, lines for what does not.

use std::path::Path;

use anyhow::Result;
use slimgpt::compare::{Cell, CellResult, Comparison, Outcome};
use slimgpt::format;
use slimgpt::names::Named;

use crate::cli::{out, show};

/// Something a cell chooses: its name, and its value.
type Choice = (&'static str, fn(&Cell) -> String);

const CHOICES: [Choice; 5] = [
    // Rounded before it is written: 100 · 0.07 is 7.000000000000001.
    ("removed", |c| format!("{} %", (1000.0 * c.target).round() / 10.0)),
    ("schedule", |c| c.schedule.name().into()),
    ("calibration", |c| c.calibration.clone()),
    ("samples", |c| c.samples.to_string()),
    ("tokens", |c| c.seq_len.to_string()),
];

/// Prints the table, what did not come about, and the protocol.
pub fn print(comparison: &Comparison, folder: &Path) -> Result<()> {
    let rows = &comparison.rows;
    // Compared as they are shown: a column that looks the same in every line says nothing.
    let varies = |(_, of): &Choice| rows.iter().any(|r| of(&r.cell) != of(&rows[0].cell));
    let (varying, fixed): (Vec<Choice>, Vec<Choice>) = CHOICES.into_iter().partition(varies);
    out::line(table(comparison, &varying))?;
    for row in rows {
        if let Outcome::Refused(reason) = &row.outcome {
            out::line(format_args!("{}: {reason}", row.cell.name()))?;
        }
    }
    let fixed: Vec<String> = rows
        .first()
        .into_iter()
        .flat_map(|r| fixed.iter().map(|(name, of)| format!("{name} {}", of(&r.cell))))
        .collect();
    let protocol = &comparison.protocol;
    out::line(format_args!("everywhere: {}", fixed.join(", ")))?;
    out::line(format_args!("perplexity: {}", protocol.evaluation()))?;
    out::line(format_args!("calibration: {}", protocol.calibration()))?;
    out::line(
        "error: Σ‖X(W − Ŵ)ᵀ‖² of all pruned projections as a share of Σ‖XWᵀ‖², measured on the calibration tokens",
    )?;
    Ok(out::line(format_args!(
        "on {}; compare.json, compare.csv and compare.svg are in {}",
        comparison.device,
        folder.display()
    ))?)
}

fn table(comparison: &Comparison, varying: &[Choice]) -> comfy_table::Table {
    let header = ["method"].into_iter().chain(varying.iter().map(|c| c.0));
    let header: Vec<&str> = header.chain(["parameters", "perplexity", "error", "seconds"]).collect();
    let mut dense = vec!["dense".to_owned()];
    dense.extend(varying.iter().map(|_| "-".to_owned()));
    dense.extend([
        format::count(comparison.dense.parameters),
        number(comparison.dense.perplexity),
        "-".into(),
        "-".into(),
    ]);
    let rows = comparison.rows.iter().map(|row| line(row, varying));
    show::table(&header, &std::iter::once(dense).chain(rows).collect::<Vec<_>>())
}

fn line(row: &CellResult, varying: &[Choice]) -> Vec<String> {
    let mut line = vec![row.cell.method.to_string()];
    line.extend(varying.iter().map(|(_, of)| of(&row.cell)));
    match &row.outcome {
        Outcome::Measured(f) => line.extend([
            format::count(f.parameters),
            number(f.perplexity),
            format!("{:.3} %", 100.0 * f.relative_error),
            format!("{:.1}", f.seconds),
        ]),
        Outcome::Refused(_) => line.extend(["not done", "-", "-", "-"].map(str::to_owned)),
    }
    line
}

/// Four decimals where they mean something, powers of ten where the model is broken.
fn number(perplexity: f64) -> String {
    if perplexity < 1e5 { format!("{perplexity:.4}") } else { format!("{perplexity:.3e}") }
}
