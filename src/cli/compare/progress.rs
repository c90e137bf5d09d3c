//! How far a comparison is: one bar over all cells, with an ETA.

use std::time::Instant;

use indicatif::ProgressBar;
use slimgpt::compare::{CellResult, Event, Outcome};
use slimgpt::format::seconds;
use slimgpt::pipeline::{self, Meter};
use slimgpt::recover;

use crate::cli::out;
use crate::cli::progress::{Lines, bar, eta};

/// Steps of the bar that one cell has.
const STEPS: f64 = 1000.0;
/// The share of a cell's time that pruning takes; measuring takes the rest.
const PRUNING: f64 = 0.8;

/// Shows the events of a comparison: one bar, and a line for each finished cell.
pub struct Cells {
    hidden: bool,
    bar: ProgressBar,
    started: Instant,
    cells: usize,
    /// Cells with a row.
    done: usize,
    /// Of these, how many were there already.
    reused: usize,
    /// The share of the present cell that is done.
    share: f64,
    name: String,
    meter: Option<Meter>,
    /// Steps of the recovery that goes on.
    steps: usize,
    lines: Lines,
}

impl Cells {
    pub fn new(hidden: bool, cells: usize) -> Self {
        let bar = bar(hidden, cells * STEPS as usize);
        let (started, name) = (Instant::now(), "dense".into());
        Self {
            hidden,
            bar,
            started,
            cells,
            done: 0,
            reused: 0,
            share: 0.0,
            name,
            meter: None,
            steps: 0,
            lines: Lines::new(),
        }
    }

    pub fn show(&mut self, event: &Event<'_>) {
        match event {
            Event::Started { cell, .. } => {
                self.name = cell.map_or_else(|| "dense".into(), |c| c.name());
                (self.share, self.meter) = (0.0, None);
            }
            Event::Pruning(event) => self.note(event),
            // The bar is as long as the grid, of which the dense model is no cell.
            Event::Recovering(event) => self.note_recovery(event),
            Event::Measuring { done, total } if self.name != "dense" => {
                self.share = PRUNING + (1.0 - PRUNING) * *done as f64 / (*total).max(1) as f64;
            }
            Event::Measuring { .. } => {}
            Event::Finished { row, reused, .. } => {
                self.done += 1;
                self.reused += usize::from(*reused);
                self.share = 0.0;
                self.line(&format!("{}{}", told(row), if *reused { "  (done before)" } else { "" }));
            }
        }
        self.bar.set_position(((self.done as f64 + self.share) * STEPS) as u64);
        // After the last cell the next one would be one too many.
        let cell = (self.done + 1).min(self.cells);
        let now = format!("cell {cell}/{} {}  {}", self.cells, out::visible(&self.name), self.left());
        if self.bar.is_hidden() && self.lines.is_due() {
            out::note(&now);
        }
        self.bar.set_message(now);
    }

    fn note(&mut self, event: &pipeline::Event) {
        let second = self.started.elapsed().as_secs_f64();
        if let pipeline::Event::Planned { plan } = event {
            self.meter = Some(Meter::new(plan));
        }
        if let Some(meter) = &mut self.meter {
            meter.note(event, second);
            self.share = PRUNING * meter.position() as f64 / meter.length().max(1) as f64;
        }
    }

    /// A recovery takes the place of the measuring that is done: of how long it is there is no telling before.
    fn note_recovery(&mut self, event: &recover::Event) {
        match event {
            recover::Event::Planned { steps, .. } => self.steps = *steps,
            recover::Event::Step(record) => self.share = record.step as f64 / self.steps.max(1) as f64,
            _ => {}
        }
    }

    /// At the mean rate of the cells that were worked on.
    fn left(&self) -> String {
        // Cells that were there already took no time and would make the rate too good.
        let worked = (self.done - self.reused) as f64 + self.share;
        let ahead = self.cells as f64 - self.done as f64 - self.share;
        let seconds = self.started.elapsed().as_secs_f64() * ahead / worked;
        if worked > 0.0 { eta(seconds) } else { String::new() }
    }

    fn line(&self, text: &str) {
        // Hidden by --json is silent; hidden because there is no terminal is told in plain lines.
        match (self.hidden, self.bar.is_hidden()) {
            (true, _) => {}
            (_, true) => out::note(format_args!("{text}  {}", self.left())),
            _ => self.bar.println(out::visible(text)),
        }
    }
}

impl Drop for Cells {
    fn drop(&mut self) {
        // An error that ends the run is printed on a clean line.
        self.bar.finish_and_clear();
    }
}

fn told(row: &CellResult) -> String {
    let name = row.folder.clone().unwrap_or_else(|| row.cell.name());
    match &row.outcome {
        Outcome::Measured(f) => {
            let recovered = f.further.recovered.map(|r| format!(", {:.4} recovered", r.perplexity)).unwrap_or_default();
            format!("{name}  perplexity {:.4}{recovered}  {}", f.perplexity, seconds(f.seconds))
        }
        Outcome::Refused(reason) => format!("{name}  not done: {reason}"),
    }
}
