//! What is compared: lists of choices, and their combinations.

use serde::{Deserialize, Serialize};

use crate::allocate::{Allocation, Curve, Schedule, Target};
use crate::names::Named;
use crate::obs::{HeadUnit, Options};
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
    /// What goes from attention as one.
    pub heads: Vec<HeadUnit>,
    /// λ in units of the mean of the Hessian's diagonal.
    pub dampings: Vec<f64>,
    /// Seeds of the calibration windows and of random pruning; they change slowest.
    pub seeds: Vec<u64>,
}

/// One combination: a method, how much goes from where, and what it is fitted to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// How it is pruned.
    pub method: Method,
    /// The share that goes.
    pub target: f64,
    /// How the ratio goes from layer to layer, unless the method says it itself.
    pub schedule: Curve,
    /// The calibration text's name.
    pub calibration: String,
    /// How many calibration windows.
    pub samples: usize,
    /// Tokens of a calibration window.
    pub seq_len: usize,
    /// What goes from attention as one.
    pub heads: HeadUnit,
    /// λ in units of the mean of the Hessian's diagonal.
    pub damping: f64,
    /// Seed of the calibration windows and of random pruning.
    pub seed: u64,
}

impl Grid {
    /// Every combination: methods change fastest, so that what is to be compared stands together.
    pub fn cells(&self) -> Vec<Cell> {
        let first = Cell {
            method: Method::Exact,
            target: 0.0,
            schedule: Curve::default(),
            calibration: String::new(),
            samples: 0,
            seq_len: 0,
            heads: HeadUnit::default(),
            damping: 0.0,
            seed: 0,
        };
        // Each list is a loop inside of those before it.
        let cells = each(vec![first], &self.seeds, |cell, &seed| Cell { seed, ..cell });
        let cells = each(cells, &self.calibrations, |cell, name| Cell { calibration: name.clone(), ..cell });
        let cells = each(cells, &self.seq_lens, |cell, &seq_len| Cell { seq_len, ..cell });
        let cells = each(cells, &self.samples, |cell, &samples| Cell { samples, ..cell });
        let cells = each(cells, &self.dampings, |cell, &damping| Cell { damping, ..cell });
        let cells = each(cells, &self.heads, |cell, &heads| Cell { heads, ..cell });
        let cells = each(cells, &self.schedules, |cell, &schedule| Cell { schedule, ..cell });
        let cells = each(cells, &self.targets, |cell, &target| Cell { target, ..cell });
        let cells = each(cells, &self.methods, |cell, &method| Cell { method, ..cell });
        // Under another schedule a method that takes none would do the same again.
        let is_first = |cell: &Cell| self.schedules.first() == Some(&cell.schedule);
        cells.into_iter().filter(|cell| !cell.method.shares_out() || is_first(cell)).collect()
    }
}

/// Every cell with every choice.
fn each<T>(cells: Vec<Cell>, choices: &[T], with: impl Fn(Cell, &T) -> Cell) -> Vec<Cell> {
    cells.iter().flat_map(|cell| choices.iter().map(|choice| with(cell.clone(), choice))).collect()
}

impl Cell {
    /// A name to read, the same whenever method, amount, schedule and text are. What else tells cells
    /// apart stands in their rows.
    pub fn name(&self) -> String {
        let Self { method, target, calibration, samples, seq_len, .. } = self;
        // Any other character might leave the folder of results.
        let safe = |c: char| if c.is_ascii_alphanumeric() || "-_".contains(c) { c } else { '_' };
        let calibration: String = calibration.chars().map(safe).collect();
        format!("{method}-{target}-{}-{calibration}-{samples}x{seq_len}", self.schedule_name())
    }

    /// The schedule's name; of a method that says itself how much each layer loses, "own".
    pub fn schedule_name(&self) -> &'static str {
        if self.method.shares_out() { "own" } else { self.schedule.name() }
    }

    /// The request of this cell; what cells share is taken from `base`.
    pub fn request(&self, base: &Request) -> Request {
        self.method.of(Request {
            allocation: Allocation {
                target: Some(Target::Ratio(self.target)),
                schedule: Schedule::Curve(self.schedule),
                head_unit: self.heads,
                ..base.allocation.clone()
            },
            options: Options { damping: self.damping, ..base.options },
            seed: self.seed,
            windows: self.samples,
            window_tokens: self.seq_len,
            ..base.clone()
        })
    }

    /// Whether it is the same but for the seed.
    pub fn is_same_but_for_the_seed(&self, other: &Self) -> bool {
        *self == Self { seed: self.seed, ..other.clone() }
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
            heads: vec![HeadUnit::KeyValue],
            dampings: vec![0.01, 0.1],
            seeds: vec![0, 1],
        }
    }

    #[test]
    fn every_combination_is_a_cell_and_methods_change_fastest() {
        let cells = grid().cells();
        assert_eq!(cells.len(), 2 * 2 * 2 * 2 * 2 * 2);
        assert_eq!(cells[1].name(), "exact-0.2-log-c4-8x64");
        assert!(cells.iter().all(|c| !c.name().contains('/')));
        assert!((0..cells.len()).all(|i| !cells[..i].contains(&cells[i])));
        assert_eq!((cells[0].method, cells[1].method), (Method::Random, Method::Exact));
        assert_eq!((cells[31].seed, cells[32].seed), (0, 1));
        assert!(cells[0].is_same_but_for_the_seed(&cells[32]) && !cells[0].is_same_but_for_the_seed(&cells[1]));
    }

    #[test]
    fn a_method_with_a_schedule_of_its_own_is_compared_once() {
        let (methods, schedules) = (vec![Method::Flap, Method::FlapScores], vec![Curve::Linear, Curve::Log]);
        let grid = Grid { methods, schedules, targets: vec![0.2], seeds: vec![0], dampings: vec![0.01], ..grid() };
        let cells = Grid { samples: vec![8], seq_lens: vec![64], calibrations: vec!["c4".into()], ..grid }.cells();
        let names: Vec<String> = cells.iter().map(Cell::name).collect();
        assert_eq!(names, ["flap-0.2-own-c4-8x64", "flap-scores-0.2-linear-c4-8x64", "flap-scores-0.2-log-c4-8x64"]);
    }

    #[test]
    fn two_files_of_one_name_are_told_apart() {
        let stems = ["a", "b", "a", "a"].map(str::to_owned);
        assert_eq!(distinct(&stems), ["a", "b", "a-2", "a-3"]);
    }
}
