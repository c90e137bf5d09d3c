//! What came of the prunings of lesson 7, as curves, bars and words.

use serde::{Deserialize, Serialize};
use slimgpt::names::Named;
use slimgpt::report::figures::{Chart, Marks, Scale, Series};
use slimgpt_worker::protocol::Run;

use super::asked::{CURVES, FIRST};
use crate::kit::{Bar, Outcome, drawn, percent, shown};
use crate::text::say;

/// Sizes that differ by less than this share count as one.
const SAME_SIZE: f64 = 1e-3;

/// Prunings that were made before the page was, by the library on a CPU; a test makes them again.
const PREPARED: &str = include_str!("prepared.json");

/// What came of the prunings. What was prepared stays as it is, and what the reader's own device makes of the same
/// stands beside it: figures of two devices differ in their last digits.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Found {
    /// Perplexity of the whole model.
    pub dense: f64,
    /// One for each of [`FIRST`].
    pub first: Vec<Run>,
    /// One for each of [`CURVES`].
    pub curves: Vec<Run>,
    /// Perplexity of the whole model and the runs of `first`, on the reader's own device.
    #[serde(skip)]
    pub own_first: Option<(f64, Vec<Run>)>,
    /// What came of the reader's profile.
    #[serde(skip)]
    pub yours: Option<Yours>,
}

/// What the reader's own device made of a profile of theirs, and of what it is held against.
#[derive(Clone, Debug, PartialEq)]
pub struct Yours {
    /// The profile.
    pub profile: Vec<f64>,
    /// Perplexity of the whole model.
    pub dense: f64,
    /// The logarithmic curve.
    pub log: Run,
    /// The profile's.
    pub run: Run,
}

impl Found {
    /// What the page knows before anything is computed.
    pub fn prepared() -> Self {
        serde_json::from_str(PREPARED).unwrap_or_default()
    }

    /// Perplexity of the whole model and the runs of the first figure, all of one device.
    fn first(&self) -> (f64, &[Run]) {
        self.own_first.as_ref().map_or((self.dense, self.first.as_slice()), |(dense, runs)| (*dense, runs.as_slice()))
    }

    /// The error after each layer where only the first lost something.
    pub fn first_plot(&self, chosen: usize) -> String {
        let runs = self.first().1.iter().zip(FIRST).enumerate();
        let series = runs.map(|(i, (run, ratio))| {
            let name = say::seven_first_name(percent(ratio));
            series(name, i, &run.errors, if i == chosen { Marks::Line } else { Marks::Dashes })
        });
        errors(say::seven_first_figure(), series.collect())
    }

    /// Perplexities of the same.
    pub fn first_bars(&self) -> Vec<Bar> {
        let names = FIRST.map(|ratio| say::seven_first_name(percent(ratio)));
        let (dense, runs) = self.first();
        bars(dense, names.into_iter().zip(runs))
    }

    /// In words.
    pub fn first_says(&self, chosen: usize) -> String {
        let (dense, runs) = self.first();
        let Some((run, ratio)) = runs.get(chosen).zip(FIRST.get(chosen)) else { return String::new() };
        let [at_first, at_last] = [run.errors.first(), run.errors.last()].map(|e| e.copied().unwrap_or_default());
        let ppl = [dense, run.perplexity].map(|ppl| shown(ppl, 3));
        say::seven_first_says(percent(*ratio), percent(at_first), percent(at_last), &ppl[0], &ppl[1])
    }

    /// The error after each layer by curve.
    pub fn curve_plot(&self) -> String {
        let all = self.by_curve().enumerate().map(|(i, (name, run))| series(name, i, &run.errors, Marks::Line));
        errors(say::seven_curve_errors(), all.collect())
    }

    /// Perplexities by curve.
    pub fn curve_bars(&self) -> Vec<Bar> {
        bars(self.yours.as_ref().map_or(self.dense, |yours| yours.dense), self.by_curve())
    }

    /// Whether the reader's profile, as it stands now, beats the logarithmic curve; none as long as no
    /// slider was moved, because the uniform curve that they begin with beats it on some models.
    pub fn outcome(&self, profile: Option<&[f64]>) -> Outcome {
        let (Some(Yours { profile: of, log, run, .. }), Some(profile)) = (&self.yours, profile) else {
            return Outcome::Open(say::seven_open().into());
        };
        if of != profile {
            return Outcome::Open(say::seven_changed().into());
        }
        let ppl = [run, log].map(|run| shown(run.perplexity, 4));
        // A larger model would win by its size; a smaller one that wins is welcome.
        let larger = run.parameters as f64 / log.parameters as f64 - 1.0;
        match run.perplexity < log.perplexity && larger <= SAME_SIZE {
            true => Outcome::Done(say::seven_done(&ppl[0], &ppl[1], run.parameters)),
            false => Outcome::Open(say::seven_not_yet(&ppl[0], &ppl[1])),
        }
    }

    /// The runs by curve; beside those of the reader's own device a prepared one is named so.
    fn by_curve(&self) -> impl Iterator<Item = (String, &Run)> {
        let prepared = CURVES.iter().map(|curve| curve_name(curve.name())).zip(&self.curves).enumerate();
        let curves = prepared.map(move |(place, (name, run))| match &self.yours {
            Some(Yours { log, .. }) if place == 0 => (name, log),
            Some(_) => (say::seven_prepared(name), run),
            None => (name, run),
        });
        curves.chain(self.yours.iter().map(|yours| (say::seven_yours().to_owned(), &yours.run)))
    }
}

/// The whole model's perplexity and that of the runs.
fn bars<'a>(dense: f64, runs: impl Iterator<Item = (String, &'a Run)>) -> Vec<Bar> {
    const CLASSES: [&str; 4] = ["s0", "s1", "s2", "s3"];
    let bar = |label, value: f64, class| Bar { label, value, text: shown(value, 3), class };
    let whole = bar(say::seven_dense().to_owned(), dense, "quiet");
    let runs = runs.zip(CLASSES).map(|((name, run), class)| bar(name, run.perplexity, class));
    std::iter::once(whole).chain(runs).collect()
}

/// What people call a curve.
pub fn curve_name(name: &str) -> String {
    match name {
        "log" => say::seven_log(),
        "linear" => say::seven_linear(),
        _ => say::seven_uniform(),
    }
    .to_owned()
}

/// The share that each layer loses, by curve.
pub fn shares_plot(shares: &[(String, Vec<f64>)], chosen: usize) -> String {
    let marks = |i| if i == chosen { Marks::Line } else { Marks::Dashes };
    let all = shares.iter().enumerate().map(|(i, (name, values))| series(name.clone(), i, values, marks(i)));
    let chart = Chart {
        title: say::seven_shares().into(),
        description: say::seven_shares_described().into(),
        y_label: say::seven_share().into(),
        ..frame(all.collect())
    };
    drawn(&chart)
}

fn errors(title: &str, series: Vec<Series>) -> String {
    let chart = Chart {
        title: title.into(),
        description: say::seven_errors_described().into(),
        y_label: say::seven_error().into(),
        ..frame(series)
    };
    drawn(&chart)
}

fn frame(series: Vec<Series>) -> Chart {
    Chart {
        title: String::new(),
        description: String::new(),
        x_label: say::seven_layer().into(),
        y_label: String::new(),
        x_scale: Scale::Whole,
        x_reach: Vec::new(),
        y_scale: Scale::Linear,
        y_percent: true,
        reference: None,
        series,
    }
}

fn series(name: String, colour: usize, values: &[f64], marks: Marks) -> Series {
    let points = values.iter().enumerate().map(|(layer, &value)| (layer as f64, value)).collect();
    Series { legend: Some(name.clone()), name, points, colour, marks }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(perplexity: f64) -> Run {
        Run { ratios: vec![], errors: vec![], perplexity, parameters: 1 }
    }

    fn values(bars: &[Bar]) -> Vec<f64> {
        bars.iter().map(|bar| bar.value).collect()
    }

    #[test]
    fn what_one_figure_computes_here_changes_no_other_and_names_what_was_prepared() {
        let prepared = Found {
            dense: 3.0,
            first: vec![run(4.0), run(5.0), run(6.0)],
            curves: vec![run(7.0), run(8.0), run(9.0)],
            ..Found::default()
        };
        assert_eq!(values(&prepared.curve_bars()), [3.0, 7.0, 8.0, 9.0]);
        let yours = Yours { profile: vec![0.3], dense: 3.5, log: run(7.5), run: run(6.5) };
        let found = Found { yours: Some(yours), ..prepared.clone() };
        assert_eq!((found.first_bars(), found.first_says(0)), (prepared.first_bars(), prepared.first_says(0)));
        let curves = found.curve_bars();
        assert_eq!(values(&curves), [3.5, 7.5, 8.0, 9.0, 6.5]);
        let is_prepared = |bar: &Bar| [say::seven_linear(), say::seven_uniform()].map(say::seven_prepared).contains(&bar.label);
        assert_eq!(curves.iter().map(is_prepared).collect::<Vec<_>>(), [false, false, true, true, false]);

        let found = Found { own_first: Some((3.1, vec![run(4.1), run(5.1), run(6.1)])), ..prepared.clone() };
        assert_eq!(values(&found.first_bars()), [3.1, 4.1, 5.1, 6.1]);
        assert!(found.first_says(0).contains("3.100") && found.first_says(0).contains("4.100"));
        assert_eq!(found.curve_bars(), prepared.curve_bars());
    }
}
