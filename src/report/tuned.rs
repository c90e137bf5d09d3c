//! What a page tells of settings that were tried: each with what came of it, and which was taken.

use serde::Serialize;

use crate::format;
use crate::search::{TuneTrial, Tuning};

/// The settings' part of the page.
#[derive(Serialize)]
pub struct TuneView {
    tokens: String,
    rows: Vec<TuneRow>,
}

/// A line of the table of settings that were tried.
#[derive(Serialize)]
struct TuneRow {
    damping: String,
    windows: String,
    perplexity: String,
    is_best: bool,
}

impl TuneView {
    pub fn new(tuning: &Tuning) -> Self {
        let best = tuning.best();
        let row = |trial: &TuneTrial| TuneRow {
            damping: format::short(trial.damping),
            windows: format::count(trial.windows),
            perplexity: trial.perplexity.map_or_else(|| "could not be pruned".into(), |p| format!("{p:.4}")),
            is_best: best == Some(trial),
        };
        Self { tokens: format::count(tuning.tokens), rows: tuning.trials.iter().map(row).collect() }
    }
}
