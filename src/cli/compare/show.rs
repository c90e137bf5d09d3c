//! A comparison as a table: columns for what varies, lines for what does not.

use std::path::Path;

use anyhow::Result;
use slimgpt::compare::{Cell, CellResult, Comparison, Further, Latency, Outcome};
use slimgpt::format;
use slimgpt::names::Named;

use crate::cli::{out, show};

/// Something a cell chooses: its name, and its value.
type Choice = (&'static str, fn(&Cell) -> String);

const CHOICES: [Choice; 8] = [
    // Rounded before it is written: 100 · 0.07 is 7.000000000000001.
    ("removed", |c| format!("{} %", (1000.0 * c.target).round() / 10.0)),
    ("schedule", |c| c.schedule_name().into()),
    ("calibration", |c| c.calibration.clone()),
    ("samples", |c| c.samples.to_string()),
    ("tokens", |c| c.seq_len.to_string()),
    ("heads", |c| c.heads.name().into()),
    ("damping", |c| c.damping.to_string()),
    ("seed", |c| c.seed.to_string()),
];

/// Prints the table, what did not come about, and the protocol.
pub fn print(comparison: &Comparison, folder: &Path) -> Result<()> {
    let rows = &comparison.rows;
    // Compared as they are shown: a column that looks the same in every line says nothing.
    let varies = |(_, of): &Choice| rows.iter().any(|r| of(&r.cell) != of(&rows[0].cell));
    let (varying, fixed): (Vec<Choice>, Vec<Choice>) = CHOICES.into_iter().partition(varies);
    out::line(table(comparison, &varying))?;
    if !comparison.over_seeds.is_empty() {
        out::line(seeds(comparison, &varying))?;
    }
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
    let further = &comparison.dense.further;
    for task in further.tasks.iter().filter(|t| t.is_headline) {
        out::line(format_args!("{}: {} of {}", task.task, task.metric, task.what))?;
    }
    if let Some(Latency { new_tokens, repeats, .. }) = further.latency {
        out::line(format_args!(
            "latency: {new_tokens} tokens written one by one, mean ± standard deviation of {repeats} times"
        ))?;
    }
    if comparison.is_recovered() {
        out::line("recovered: perplexity after training, every row on the same data by the same settings")?;
    }
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
    let dense = &comparison.dense;
    let header = ["method"].into_iter().chain(varying.iter().map(|c| c.0));
    let mut header: Vec<String> =
        header.chain(["parameters", "perplexity", "error", "seconds"]).map(str::to_owned).collect();
    header.extend(further(&dense.further).into_iter().map(|(name, _)| name));
    // The dense model is not trained, so its figures do not tell of this column.
    header.extend(comparison.is_recovered().then(|| "recovered".to_owned()));
    let mut first = vec!["dense".to_owned()];
    first.extend(varying.iter().map(|_| "-".to_owned()));
    first.extend([format::count(dense.parameters), number(dense.perplexity), "-".into(), "-".into()]);
    first.extend(further(&dense.further).into_iter().map(|(_, value)| value));
    first.extend(comparison.is_recovered().then(|| "-".to_owned()));
    let rows = comparison.rows.iter().map(|row| line(row, varying, header.len()));
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    show::table(&header, &std::iter::once(first).chain(rows).collect::<Vec<_>>())
}

fn line(row: &CellResult, varying: &[Choice], columns: usize) -> Vec<String> {
    let mut line = vec![row.cell.method.to_string()];
    line.extend(varying.iter().map(|(_, of)| of(&row.cell)));
    match &row.outcome {
        Outcome::Measured(f) => {
            line.extend([
                format::count(f.parameters),
                number(f.perplexity),
                format!("{:.3} %", 100.0 * f.relative_error),
                format!("{:.1}", f.seconds),
            ]);
            line.extend(further(&f.further).into_iter().map(|(_, value)| value));
            line.extend(f.further.recovered.map(|recovered| number(recovered.perplexity)));
        }
        Outcome::Refused(_) => {
            line.push("not done".into());
            line.resize(columns, "-".into());
        }
    }
    line
}

/// Columns of what else was measured: the metric that papers quote of each task, their average, and
/// the latency.
fn further(further: &Further) -> Vec<(String, String)> {
    let quoted = further.tasks.iter().filter(|t| t.is_headline);
    let tasks = quoted.map(|t| (t.task.clone(), format!("{:.2}", 100.0 * t.value)));
    let average = further.average_of_seven.map(|value| ("average".to_owned(), format!("{:.2}", 100.0 * value)));
    let latency =
        further.latency.map(|l| ("latency".to_owned(), format!("{:.3} ± {:.3} s", l.seconds, l.standard_deviation)));
    tasks.chain(average).chain(latency).collect()
}

/// Means and deviations over seeds.
fn seeds(comparison: &Comparison, varying: &[Choice]) -> comfy_table::Table {
    let varying: Vec<&Choice> = varying.iter().filter(|(name, _)| *name != "seed").collect();
    let header = ["method"].into_iter().chain(varying.iter().map(|c| c.0)).chain(["seeds", "perplexity", "error"]);
    let rows = comparison.over_seeds.iter().map(|over| {
        let (ppl, error) = (over.perplexity, over.relative_error);
        let choices = varying.iter().map(|(_, of)| of(&over.cell));
        let figures = [
            over.seeds.len().to_string(),
            format!("{} ± {}", number(ppl.mean), number(ppl.standard_deviation)),
            format!("{:.3} ± {:.3} %", 100.0 * error.mean, 100.0 * error.standard_deviation),
        ];
        std::iter::once(over.cell.method.to_string()).chain(choices).chain(figures).collect()
    });
    show::table(&header.collect::<Vec<_>>(), &rows.collect::<Vec<Vec<String>>>())
}

/// Four decimals where they mean something, powers of ten where the model is broken.
fn number(perplexity: f64) -> String {
    // Where a model was cut to pieces a fixed form has a dozen digits that say nothing.
    if perplexity < 1e5 { format!("{perplexity:.4}") } else { format!("{perplexity:.3e}") }
}
