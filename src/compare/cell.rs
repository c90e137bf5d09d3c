//! What is compared: lists of choices, and their combinations.

use serde::{Deserialize, Serialize};

use crate::allocate::{Allocation, Curve, Schedule, Target};
use crate::names::Named;
use crate::pipeline::{Method, Request};

/// Lists of choices; every combination is a cell.
#[derive(Clone, Debug, PartialEq)]
pub struct Grid {
    /// Ways to prune; they change fastest from cell to cell.
    pub methods: Vec<Method>,
    /// Shares of the decoder layers' parameters that go.
    pub targets: Vec<f64>,
    /// How the ratio goes from layer to layer.
    pub schedules: Vec<Curve>,
    /// Names of the calibration texts.
    pub calibrations: Vec<String>,
    /// Numbers of calibration windows.
    pub samples: Vec<usize>,
    /// Tokens of a calibration window.
    pub seq_lens: Vec<usize>,
}

/// One combination: a method, how much goes from where, and what it is fitted to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// How it is pruned.
    pub method: Method,
    /// The share that goes.
    pub target: f64,
    /// How the ratio goes from layer to layer.
    pub schedule: Curve,
    /// The calibration text's name.
    pub calibration: String,
    /// How many calibration windows.
    pub samples: usize,
    /// Tokens of a calibration window.
    pub seq_len: usize,
}

impl Grid {
    /// Every combination: methods change fastest, so that what is to be compared stands together.
    pub fn cells(&self) -> Vec<Cell> {
        let mut cells = Vec::new();
        for calibration in &self.calibrations {
            for &seq_len in &self.seq_lens {
                for &samples in &self.samples {
                    for &schedule in &self.schedules {
                        for &target in &self.targets {
                            cells.extend(self.methods.iter().map(|&method| Cell {
                                method,
                                target,
                                schedule,
                                calibration: calibration.clone(),
                                samples,
                                seq_len,
                            }));
                        }
                    }
                }
            }
        }
        cells
    }
}

impl Cell {
    /// A name for its folder, the same whenever the choices are.
    pub fn name(&self) -> String {
        let Self { method, target, schedule, calibration, samples, seq_len } = self;
        // Any other character might leave the folder of results.
        let safe = |c: char| if c.is_ascii_alphanumeric() || "-_".contains(c) { c } else { '_' };
        let calibration: String = calibration.chars().map(safe).collect();
        format!("{method}-{target}-{}-{calibration}-{samples}x{seq_len}", schedule.name())
    }

    /// The request of this cell; what cells share is taken from `base`.
    pub fn request(&self, base: &Request) -> Request {
        self.method.of(Request {
            allocation: Allocation {
                target: Some(Target::Ratio(self.target)),
                schedule: Schedule::Curve(self.schedule),
                ..base.allocation.clone()
            },
            windows: self.samples,
            window_tokens: self.seq_len,
            ..base.clone()
        })
    }
}

/// Distinct short names of files: their stems, numbered where two are the same.
pub fn distinct(stems: &[String]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for stem in stems {
        let numbered = (1..).map(|n| if n == 1 { stem.clone() } else { format!("{stem}-{n}") });
        // Of as many different candidates as there are stems, one is free.
        names.extend(numbered.take(stems.len()).find(|name| !names.contains(name)));
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid() -> Grid {
        Grid {
            methods: vec![Method::Random, Method::Exact],
            targets: vec![0.2, 0.5],
            schedules: vec![Curve::Log],
            calibrations: vec!["c4".into(), "al/paca".into()],
            samples: vec![8],
            seq_lens: vec![64, 128],
        }
    }

    #[test]
    fn every_combination_is_a_cell_with_a_name_of_its_own() {
        let cells = grid().cells();
        assert_eq!(cells.len(), 2 * 2 * 2 * 2);
        let mut names: Vec<String> = cells.iter().map(Cell::name).collect();
        assert_eq!(names[1], "exact-0.2-log-c4-8x64");
        assert!(names.iter().all(|n| !n.contains('/')), "{names:?}");
        names.sort();
        names.dedup();
        assert_eq!(names.len(), cells.len());
    }

    #[test]
    fn two_files_of_one_name_are_told_apart() {
        let stems = ["a", "b", "a", "a"].map(str::to_owned);
        assert_eq!(distinct(&stems), ["a", "b", "a-2", "a-3"]);
    }
}
