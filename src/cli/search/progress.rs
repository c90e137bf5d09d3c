//! The events of a search as a bar with an ETA, as plain lines, or as JSON lines.

use std::time::Instant;

use indicatif::ProgressBar;
use slimgpt::search::Event;

use crate::cli::out;
use crate::cli::progress::{Lines, bar, eta, stamped};

/// Parts that the bar knows.
const PARTS: usize = 10_000;

/// The bar of one search, or its lines of JSON.
pub struct Progress {
    json: bool,
    bar: ProgressBar,
    started: Instant,
    lines: Lines,
    /// When a climb began in this session, and the part of it that was over then.
    climb: Option<(f64, f64)>,
}

impl Progress {
    /// For people on standard error, or for programs on standard output.
    pub fn new(json: bool) -> Self {
        Self { json, bar: bar(json, PARTS), started: Instant::now(), lines: Lines::new(), climb: None }
    }

    pub fn show(&mut self, event: &Event) {
        let second = self.started.elapsed().as_secs_f64();
        if self.json {
            // A reader that goes away does not stop the run.
            let _ = out::json_line(&stamped(event, second));
            return;
        }
        match event {
            Event::Progress { done, total } => {
                let share = *done as f64 / (*total).max(1) as f64;
                self.bar.set_position((share * PARTS as f64) as u64);
                let left = second / share.max(1e-9) * (1.0 - share);
                self.on_the_way(&format!("searching: {:.0} %  {}", 100.0 * share, eta(left)));
            }
            Event::LayerDone { layer, layers } => {
                self.on_the_way(&format!("layer {} of {layers} is probed", layer + 1));
            }
            Event::Probed(_) => {}
            Event::Climbing { steps, share } => {
                let (began, before) = *self.climb.get_or_insert((second, *share));
                // Another target begins another climb.
                if *share < before {
                    self.climb = Some((second, *share));
                }
                self.bar.set_position((share * PARTS as f64) as u64);
                let left = (second - began) / (share - before).max(1e-9) * (1.0 - share);
                // Of a first candidate nothing tells how long it takes.
                let left = if *share > before { eta(left) } else { String::new() };
                self.on_the_way(&format!("climbing: {steps} candidates, {:.0} %  {left}", 100.0 * share));
            }
            Event::Candidate { steps, accepted, divergence, tokens, best } => {
                let word = if *accepted { "better" } else { "no better" };
                self.line(&format!(
                    "candidate {steps}: {divergence:.4} nats a token on {tokens} tokens, {word}; the best has {best:.4}"
                ));
            }
        }
    }

    fn on_the_way(&mut self, text: &str) {
        self.bar.set_message(text.to_owned());
        if self.bar.is_hidden() && self.lines.is_due() {
            out::note(text);
        }
    }

    /// A line above the bar; where there is no terminal, a plain line.
    fn line(&self, text: &str) {
        if self.bar.is_hidden() {
            out::note(text);
        } else {
            self.bar.println(out::visible(text));
        }
    }

    /// Clears the bar, for something else to be said.
    pub fn pause(&self) {
        self.bar.finish_and_clear();
    }
}
