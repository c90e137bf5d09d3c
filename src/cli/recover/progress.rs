//! The events of a recovery as a bar with an ETA, as plain lines, or as JSON lines.

use std::time::Instant;

use indicatif::ProgressBar;
use slimgpt::recover::{Event, StepRecord};

use crate::cli::out;
use crate::cli::progress::{Lines, bar, eta, stamped};

/// The bar of one recovery, or its lines of JSON.
pub struct Progress {
    json: bool,
    bar: ProgressBar,
    started: Instant,
    steps: usize,
    /// Steps that an earlier session did.
    before: usize,
    done: usize,
    lines: Lines,
}

/// Parts of a step that the bar knows.
const PARTS: usize = 1000;

impl Progress {
    /// For people on standard error, or for programs on standard output.
    pub fn new(json: bool, steps: usize) -> Self {
        let bar = bar(json, steps * PARTS);
        Self { json, bar, started: Instant::now(), steps, before: 0, done: 0, lines: Lines::new() }
    }

    pub fn show(&mut self, event: &Event) {
        let second = self.started.elapsed().as_secs_f64();
        if self.json {
            // A reader that goes away does not stop the run.
            let _ = out::json_line(&stamped(event, second));
            return;
        }
        match event {
            Event::Resumed { done, steps } => {
                (self.before, self.done) = (*done, *done);
                self.line(&format!("going on after {done} of {steps} steps"));
            }
            Event::OutOfMemory { micro_batch, from_the_first_step: true } => {
                // It begins anew, those of an earlier session among them.
                (self.before, self.done) = (0, 0);
                self.line(&format!(
                    "the device ran out of memory: starting again with {micro_batch} sequences through a layer together"
                ));
            }
            Event::OutOfMemory { .. } => self.line("the device ran out of memory: going on with less kept on it"),
            Event::Layer { done, total } => self.on_the_way(*done, *total),
            Event::Step(record) => self.step(record, second),
            Event::HeldOut(look) => {
                self.line(&format!("step {:>4}/{}  held-out loss {:.4}", look.step, self.steps, look.loss))
            }
            Event::Patience { kept } => self.line(&format!("no better since step {kept}, whose numbers are kept")),
            Event::Writing => self.bar.set_message("writing"),
            Event::Planned { .. } | Event::Finished { .. } => {}
        }
    }

    /// Clears the bar, for something else to be said.
    pub fn pause(&self) {
        self.bar.finish_and_clear();
    }

    fn step(&mut self, record: &StepRecord, second: f64) {
        self.done = record.step;
        self.bar.set_position((record.step * PARTS) as u64);
        // Steps of an earlier session took none of this one's time.
        let each = second / (self.done - self.before).max(1) as f64;
        let left = eta(each * self.steps.saturating_sub(self.done) as f64);
        let text = format!("step {}/{}  loss {:.4}  {each:.1} s a step  {left}", record.step, self.steps, record.loss);
        self.bar.set_message(text.clone());
        if self.bar.is_hidden() && self.lines.is_due() {
            out::note(text);
        }
    }

    fn on_the_way(&self, done: usize, total: usize) {
        self.bar.set_position((self.done * PARTS + done * PARTS / total.max(1)) as u64);
    }

    /// A line above the bar; where there is no terminal, a plain line.
    fn line(&self, text: &str) {
        if self.bar.is_hidden() {
            out::note(text);
        } else {
            self.bar.println(out::visible(text));
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        // An error that ends the run is printed on a clean line.
        self.bar.finish_and_clear();
    }
}
