//! Timing one operation and printing its row.

use std::time::Instant;

/// What an operation does per run, for its rate.
#[derive(Clone, Copy)]
pub enum Work {
    /// Floating-point operations.
    Flops(f64),
    /// Bytes read and written.
    Bytes(f64),
}

impl Work {
    fn rate(self, seconds: f64) -> (f64, &'static str) {
        match self {
            Self::Flops(f) => (f / seconds / 1e9, "GFLOP/s"),
            Self::Bytes(b) => (b / seconds / 1e9, "GB/s"),
        }
    }
}

/// How long to measure, and which rows.
pub struct Bench {
    seconds: f64,
    only: String,
}

impl Bench {
    /// Measures every chosen row for about `seconds`.
    pub fn new(seconds: f64, only: &str) -> Self {
        Self { seconds, only: only.to_owned() }
    }

    /// Whether a row is wanted.
    pub fn wants(&self, name: &str) -> bool {
        name.contains(&self.only)
    }

    /// The median seconds of one run of `operation`, which returns when its work is done. The
    /// first run compiles and is not counted; the median forgets what else the machine did.
    pub fn time(&self, mut operation: impl FnMut()) -> f64 {
        operation();
        let started = Instant::now();
        let mut runs = Vec::new();
        while runs.len() < 3 || started.elapsed().as_secs_f64() < self.seconds {
            let at = Instant::now();
            operation();
            runs.push(at.elapsed().as_secs_f64());
        }
        runs.sort_by(f64::total_cmp);
        runs[runs.len() / 2]
    }

    /// Times and prints a row beside the rate of a yardstick in the same unit.
    pub fn row(&self, name: &str, size: &str, work: Work, yardstick: f64, operation: impl FnMut()) {
        if self.wants(name) {
            let seconds = self.time(operation);
            let (rate, unit) = work.rate(seconds);
            let share = 100.0 * rate / yardstick;
            println!("| {name} | {size} | {:.2} | {rate:.2} {unit} | {yardstick:.2} | {share:.0} % |", 1e3 * seconds);
        }
    }

    /// The rate of an operation, for use as a yardstick.
    pub fn rate(&self, work: Work, operation: impl FnMut()) -> f64 {
        work.rate(self.time(operation)).0
    }
}
