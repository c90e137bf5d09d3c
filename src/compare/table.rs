//! The whole comparison, for programs: JSON and CSV.

use serde::{Deserialize, Serialize};

use super::{CellResult, Dense, Further, Outcome, OverSeeds};
use crate::allocate::Rounding;
use crate::names::Named;
use crate::text::{Bos, Sampling};

/// How everything was calibrated and measured: numbers compare only under the same protocol.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Protocol {
    /// The text that perplexity was measured on.
    pub text: String,
    /// How many windows of it were measured.
    pub windows: usize,
    /// Tokens of a window.
    pub seq_len: usize,
    /// Where the begin-of-sequence token stands in a window.
    pub bos: Bos,
    /// How calibration windows were chosen.
    pub calibration_sampling: Sampling,
    /// Where the begin-of-sequence token stands in a calibration window.
    pub calibration_bos: Bos,
    /// Kept channels are a multiple of this.
    pub channel_multiple: usize,
    /// What is rounded to whole heads and channels, the same for all methods.
    pub rounding: Rounding,
}

/// Everything that was compared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// The version of the program that compared.
    pub version: String,
    /// The dense model's folder, without the way to it.
    pub model: String,
    /// The device that computed.
    pub device: String,
    /// How it was measured.
    pub protocol: Protocol,
    /// The model as it is.
    pub dense: Dense,
    /// The cells in their order.
    pub rows: Vec<CellResult>,
    /// Where there are several seeds: means and deviations over them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub over_seeds: Vec<OverSeeds>,
}

/// The column of the perplexity after training.
const RECOVERED: &str = "recovered_perplexity";
/// The columns of every comparison; those of tasks and latency follow.
const COLUMNS: [&str; 19] = [
    "method",
    "target",
    "schedule",
    "calibration",
    "samples",
    "seq_len",
    "heads",
    "damping",
    "seed",
    "folder",
    "parameters",
    "decoder_ratio",
    "perplexity",
    "error",
    "predicted_error",
    "relative_error",
    "seconds",
    "protocol",
    "refused",
];

impl Protocol {
    /// How perplexity was measured, in words.
    pub fn evaluation(&self) -> String {
        let bos = match self.bos {
            Bos::Each => "in each",
            Bos::First => "in the first",
            Bos::None => "in none",
        };
        format!(
            "{}, {} windows of {} tokens that do not overlap, begin-of-sequence token {bos}",
            self.text, self.windows, self.seq_len
        )
    }

    /// How everything was calibrated, in words.
    pub fn calibration(&self) -> String {
        let sampling = match self.calibration_sampling {
            Sampling::Random => "at random starts",
            Sampling::Sequential => "one after the other from the beginning",
        };
        let bos = match self.calibration_bos {
            Bos::None => "without",
            _ => "with",
        };
        format!(
            "windows {sampling}, {bos} begin-of-sequence token; kept channels are a multiple of {}; rounded by {}",
            self.channel_multiple,
            self.rounding.name()
        )
    }
}

impl Comparison {
    /// Whether its rows were trained too.
    pub fn is_recovered(&self) -> bool {
        self.rows.iter().filter_map(CellResult::figures).any(|figures| figures.further.recovered.is_some())
    }

    /// As comma-separated values: a header, the dense model, one line for each cell.
    pub fn to_csv(&self) -> String {
        let further = further_columns(&self.dense.further);
        // The dense model is not trained, so its figures do not tell of this column.
        let recovered = self.is_recovered().then(|| RECOVERED.to_owned());
        let header: Vec<String> =
            COLUMNS.map(str::to_owned).into_iter().chain(further.clone()).chain(recovered).collect();
        let line = |known: Vec<(&str, String)>| -> Vec<String> {
            let of = |column: &String| known.iter().find(|(name, _)| name == column).map(|(_, value)| value.clone());
            header.iter().map(|column| of(column).unwrap_or_default()).collect()
        };
        let protocol = self.protocol.evaluation();
        // The dense model has no choices and no errors.
        let mut dense = vec![
            ("method", "dense".to_owned()),
            ("parameters", self.dense.parameters.to_string()),
            ("perplexity", self.dense.perplexity.to_string()),
            ("protocol", protocol.clone()),
        ];
        dense.extend(further.iter().map(String::as_str).zip(further_values(&self.dense.further)));
        let row = |row: &CellResult| {
            let mut known = fields(row, &protocol);
            if let Some(figures) = row.figures() {
                known.extend(further.iter().map(String::as_str).zip(further_values(&figures.further)));
            }
            line(known)
        };
        let lines = [header.clone(), line(dense)].into_iter().chain(self.rows.iter().map(row));
        lines.map(|fields| fields.iter().map(|f| quoted(f)).collect::<Vec<_>>().join(",") + "\n").collect()
    }
}

fn fields(row: &CellResult, protocol: &str) -> Vec<(&'static str, String)> {
    let cell = &row.cell;
    let mut fields = vec![
        ("method", cell.method.to_string()),
        ("target", cell.target.to_string()),
        ("schedule", cell.schedule_name().into()),
        ("calibration", cell.calibration.clone()),
        ("samples", cell.samples.to_string()),
        ("seq_len", cell.seq_len.to_string()),
        ("heads", cell.heads.name().into()),
        ("damping", cell.damping.to_string()),
        ("seed", cell.seed.to_string()),
        ("folder", row.folder.clone().unwrap_or_default()),
    ];
    let recovered = row.figures().and_then(|figures| figures.further.recovered);
    fields.extend(recovered.map(|recovered| (RECOVERED, recovered.perplexity.to_string())));
    match &row.outcome {
        // `to_string` writes as many digits as give the same f64 again.
        Outcome::Measured(f) => fields.extend([
            ("parameters", f.parameters.to_string()),
            ("decoder_ratio", f.decoder_ratio.to_string()),
            ("perplexity", f.perplexity.to_string()),
            ("error", f.error.to_string()),
            ("predicted_error", f.predicted_error.to_string()),
            ("relative_error", f.relative_error.to_string()),
            ("seconds", f.seconds.to_string()),
            // In every row, so that rows of several files can be put together.
            ("protocol", protocol.to_owned()),
        ]),
        Outcome::Refused(reason) => fields.push(("refused", reason.clone())),
    }
    fields
}

/// The columns of what else was measured: the same for every model of a comparison.
fn further_columns(further: &Further) -> Vec<String> {
    let tasks = further.tasks.iter().map(|t| format!("{}_{}", t.task, t.metric));
    let average = further.average_of_seven.map(|_| "average_of_seven".to_owned());
    let latency = further.latency.map(|_| {
        ["latency_seconds", "latency_deviation", "prefill_tokens_per_second", "decode_tokens_per_second"]
            .map(str::to_owned)
    });
    tasks.chain(average).chain(latency.into_iter().flatten()).collect()
}

/// Their values, in the same order.
fn further_values(further: &Further) -> Vec<String> {
    let tasks = further.tasks.iter().map(|t| t.value);
    let latency = further
        .latency
        .map(|l| [l.seconds, l.standard_deviation, l.prefill_tokens_per_second, l.decode_tokens_per_second]);
    tasks.chain(further.average_of_seven).chain(latency.into_iter().flatten()).map(|n| n.to_string()).collect()
}

/// A field in quotes where it holds what would end it (RFC 4180).
fn quoted(field: &str) -> String {
    if field.contains([',', '"', '\n', '\r']) { format!("\"{}\"", field.replace('"', "\"\"")) } else { field.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_that_would_end_themselves_are_quoted() {
        assert_eq!(quoted("a,b"), "\"a,b\"");
        assert_eq!(quoted("say \"x\""), "\"say \"\"x\"\"\"");
        assert_eq!(quoted("plain"), "plain");
    }
}
