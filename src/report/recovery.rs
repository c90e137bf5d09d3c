//! What a page tells of a recovery: the losses over the steps, and how it was done.

use serde::Serialize;

use super::figures::{Chart, Marks, Scale, Series};
use super::settings::Setting;
use crate::format;
use crate::names::Named;
use crate::recover::{Record, Train};

/// A recovery's part of the page.
#[derive(Serialize)]
pub struct RecoveryView {
    curve: String,
    kept: usize,
    settings: Vec<Setting>,
}

impl RecoveryView {
    pub fn new(record: &Record) -> Self {
        Self { curve: curve(record), kept: record.kept, settings: settings(record) }
    }
}

/// The training loss by step, and the loss of what is held out.
fn curve(record: &Record) -> String {
    let series = |name: &str, points, colour, marks| Series {
        name: name.into(),
        legend: Some(name.into()),
        points,
        colour,
        marks,
    };
    let steps = record.steps.iter().map(|step| (step.step as f64, step.loss)).collect();
    let held_out = record.held_out.iter().map(|look| (look.step as f64, look.loss)).collect();
    let chart = Chart {
        title: "Loss over the steps".into(),
        description: "The mean loss of every step's tokens, and of the held-out sequences at every look.".into(),
        x_label: "step".into(),
        y_label: "loss".into(),
        x_scale: Scale::Whole,
        // The first look is taken before the first step.
        x_reach: vec![0.0],
        y_scale: Scale::Linear,
        y_percent: false,
        reference: None,
        series: vec![series("training", steps, 0, Marks::Line), series("held out", held_out, 1, Marks::Rings)],
    };
    chart.draw().inline()
}

fn settings(record: &Record) -> Vec<Setting> {
    let set = |name: &str, value: String| Setting { name: name.into(), value };
    let own = &record.settings;
    let factors = format!("rank {}, α {}, on {}", own.rank, own.alpha, own.targets);
    let learnt = match own.train {
        Train::Lora => format!("{} ({factors})", own.train.about()),
        other => other.about().to_owned(),
    };
    let taught = record.teacher.as_ref().map(|teacher| {
        set(
            "Taught by",
            format!(
                "{teacher}, counting {} of the loss at temperature {}",
                format::percent(own.teacher),
                own.temperature
            ),
        )
    });
    let all = [
        set("Learnt", learnt),
        set("Numbers learnt", format::count(record.parameters)),
        set("From", record.data.join(", ")),
        set(
            "Sequences",
            format!(
                "{} to learn from, {} held out",
                format::count(record.examples),
                format::count(record.held_out_examples)
            ),
        ),
        set("Steps", format!("{} of {} sequences of at most {} tokens", record.steps.len(), own.batch, own.window)),
        set("Learning rate", format!("{}, {} steps of warm-up, then a cosine", own.rate, own.warm_up)),
        set("Dropout", own.dropout.to_string()),
        set("Time", format::seconds(record.timing.session_seconds)),
        set("Device", record.device.clone()),
    ];
    all.into_iter().chain(taught).collect()
}
