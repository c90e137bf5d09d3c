//! Cells that differ only in their seed, as one line: mean and standard deviation.

use serde::{Deserialize, Serialize};

use super::{Cell, CellResult, Figures};
use crate::eval::Seconds;

/// A figure over several seeds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// The mean.
    pub mean: f64,
    /// Sample standard deviation (n − 1).
    pub standard_deviation: f64,
}

/// Cells that are the same but for their seeds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OverSeeds {
    /// The first of them.
    #[serde(flatten)]
    pub cell: Cell,
    /// The seeds that have figures, in the order of their rows.
    pub seeds: Vec<u64>,
    /// Perplexity.
    pub perplexity: Spread,
    /// The measured error as a share of what was computed.
    pub relative_error: Spread,
    /// The average of the seven tasks, where all were run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub average_of_seven: Option<Spread>,
}

impl Spread {
    fn of(values: Vec<f64>) -> Self {
        let statistics = Seconds::of(values);
        Self { mean: statistics.mean, standard_deviation: statistics.standard_deviation }
    }
}

/// The cells with figures for more than one seed, in the order in which they first occur.
pub fn over_seeds(rows: &[CellResult]) -> Vec<OverSeeds> {
    let mut groups: Vec<Vec<(&Cell, &Figures)>> = Vec::new();
    for (cell, figures) in rows.iter().filter_map(|row| Some((&row.cell, row.figures()?))) {
        match groups.iter_mut().find(|group| group[0].0.is_same_but_for_the_seed(cell)) {
            Some(group) => group.push((cell, figures)),
            None => groups.push(vec![(cell, figures)]),
        }
    }
    groups.iter().filter(|group| group.len() > 1).map(|group| line(group)).collect()
}

fn line(group: &[(&Cell, &Figures)]) -> OverSeeds {
    let spread = |of: fn(&Figures) -> f64| Spread::of(group.iter().map(|(_, figures)| of(figures)).collect());
    let averages: Option<Vec<f64>> = group.iter().map(|(_, f)| f.further.average_of_seven).collect();
    OverSeeds {
        cell: group[0].0.clone(),
        seeds: group.iter().map(|(cell, _)| cell.seed).collect(),
        perplexity: spread(|f| f.perplexity),
        relative_error: spread(|f| f.relative_error),
        average_of_seven: averages.map(Spread::of),
    }
}
