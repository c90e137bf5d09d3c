//! The whole comparison, for programs: JSON and CSV.

use serde::{Deserialize, Serialize};

use super::{CellResult, Dense, Outcome};
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
    /// Seed of calibration windows and of random pruning.
    pub seed: u64,
    /// λ in units of the mean of the Hessian's diagonal.
    pub damping: f64,
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
}

const COLUMNS: [&str; 15] = [
    "method",
    "target",
    "schedule",
    "calibration",
    "samples",
    "seq_len",
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
            Sampling::Random => format!("at random starts (seed {})", self.seed),
            Sampling::Sequential => "one after the other from the beginning".into(),
        };
        let bos = match self.calibration_bos {
            Bos::None => "without",
            _ => "with",
        };
        format!(
            "windows {sampling}, {bos} begin-of-sequence token; damping {}; kept channels are a multiple of {}; rounded by {}",
            self.damping,
            self.channel_multiple,
            self.rounding.name()
        )
    }
}

impl Comparison {
    /// As comma-separated values: a header, the dense model, one line for each cell.
    pub fn to_csv(&self) -> String {
        let protocol = self.protocol.evaluation();
        let mut dense = vec![String::new(); COLUMNS.len()];
        // Places of COLUMNS. The dense model has no choices and no errors.
        dense[0] = "dense".into();
        dense[6] = self.dense.parameters.to_string();
        dense[8] = self.dense.perplexity.to_string();
        dense[13].clone_from(&protocol);
        let header = COLUMNS.map(str::to_owned).to_vec();
        let rows = self.rows.iter().map(|row| fields(row, &protocol));
        let lines = [header, dense].into_iter().chain(rows);
        lines.map(|fields| fields.iter().map(|f| quoted(f)).collect::<Vec<_>>().join(",") + "\n").collect()
    }
}

fn fields(row: &CellResult, protocol: &str) -> Vec<String> {
    let cell = &row.cell;
    let mut fields = vec![
        cell.method.to_string(),
        cell.target.to_string(),
        cell.schedule.name().into(),
        cell.calibration.clone(),
        cell.samples.to_string(),
        cell.seq_len.to_string(),
    ];
    match &row.outcome {
        Outcome::Measured(f) => {
            // `to_string` writes as many digits as give the same f64 again.
            let numbers = [f.decoder_ratio, f.perplexity, f.error, f.predicted_error, f.relative_error, f.seconds];
            fields.push(f.parameters.to_string());
            fields.extend(numbers.map(|n| n.to_string()));
            // In every row, so that rows of several files can be put together.
            fields.extend([protocol.to_owned(), String::new()]);
        }
        Outcome::Refused(reason) => {
            fields.resize(COLUMNS.len() - 1, String::new());
            fields.push(reason.clone());
        }
    }
    fields
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
