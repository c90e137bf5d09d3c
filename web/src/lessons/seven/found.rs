//! What came of the prunings of lesson 7, as curves, bars and words.

use serde::{Deserialize, Serialize};
use slimgpt::names::Named;
use slimgpt::report::figures::{Chart, Marks, Scale, Series};
use slimgpt_worker::protocol::Run;

use super::asked::{CURVES, FIRST};
use crate::kit::{Bar, Outcome, percent, shown};
use crate::text::say;

/// Sizes that differ by less than this share count as one.
const SAME_SIZE: f64 = 1e-3;

/// Prunings that were made before the page was, by the library on a CPU; a test makes them again.
const PREPARED: &str = include_str!("prepared.json");

/// What came of the prunings.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Found {
    /// Perplexity of the whole model.
    pub dense: f64,
    /// One for each of [`FIRST`].
    pub first: Vec<Run>,
    /// One for each of [`CURVES`].
    pub curves: Vec<Run>,
    /// The reader's profile and what came of it.
    #[serde(skip)]
    pub yours: Option<(Vec<f64>, Run)>,
}

impl Found {
    /// What the page knows before anything is computed.
    pub fn prepared() -> Self {
        serde_json::from_str(PREPARED).unwrap_or_default()
    }

    /// The error after each layer where only the first lost something.
    pub fn first_plot(&self, chosen: usize) -> String {
        let runs = self.first.iter().zip(FIRST).enumerate();
        let series = runs.map(|(i, (run, ratio))| {
            let name = say::seven_first_name(percent(ratio));
            series(name, i, &run.errors, if i == chosen { Marks::Line } else { Marks::Dashes })
        });
        errors(say::seven_first_figure(), series.collect())
    }

    /// Perplexities of the same.
    pub fn first_bars(&self) -> Vec<Bar> {
        let names = FIRST.map(|ratio| say::seven_first_name(percent(ratio)));
        self.bars(names.iter().zip(&self.first).map(|(name, run)| (name.clone(), run)))
    }

    /// In words.
    pub fn first_says(&self, chosen: usize) -> String {
        let Some((run, ratio)) = self.first.get(chosen).zip(FIRST.get(chosen)) else { return String::new() };
        let [at_first, at_last] = [run.errors.first(), run.errors.last()].map(|e| e.copied().unwrap_or_default());
        let ppl = [self.dense, run.perplexity].map(|ppl| shown(ppl, 3));
        say::seven_first_says(percent(*ratio), percent(at_first), percent(at_last), &ppl[0], &ppl[1])
    }

    /// The error after each layer by curve.
    pub fn curve_plot(&self) -> String {
        let all = self.by_curve().enumerate().map(|(i, (name, run))| series(name, i, &run.errors, Marks::Line));
        errors(say::seven_curve_errors(), all.collect())
    }

    /// Perplexities by curve.
    pub fn curve_bars(&self) -> Vec<Bar> {
        self.bars(self.by_curve())
    }

    /// Whether the reader's profile, as it stands now, beats the logarithmic curve; none as long as no
    /// slider was moved, because the uniform curve that they begin with beats it on some models.
    pub fn outcome(&self, profile: Option<&[f64]>) -> Outcome {
        let (Some(log), Some((of, run)), Some(profile)) = (self.curves.first(), &self.yours, profile) else {
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

    fn by_curve(&self) -> impl Iterator<Item = (String, &Run)> {
        let yours = self.yours.iter().map(|(_, run)| (say::seven_yours().to_owned(), run));
        CURVES.iter().map(|curve| curve_name(curve.name())).zip(&self.curves).chain(yours)
    }

    fn bars<'a>(&self, runs: impl Iterator<Item = (String, &'a Run)>) -> Vec<Bar> {
        const CLASSES: [&str; 4] = ["s0", "s1", "s2", "s3"];
        let bar = |label, value: f64, class| Bar { label, value, text: shown(value, 3), class };
        let whole = bar(say::seven_dense().to_owned(), self.dense, "quiet");
        let runs = runs.zip(CLASSES).map(|((name, run), class)| bar(name, run.perplexity, class));
        std::iter::once(whole).chain(runs).collect()
    }
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
    chart.draw().inline()
}

fn errors(title: &str, series: Vec<Series>) -> String {
    let chart = Chart {
        title: title.into(),
        description: say::seven_errors_described().into(),
        y_label: say::seven_error().into(),
        ..frame(series)
    };
    chart.draw().inline()
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
