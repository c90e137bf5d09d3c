//! The event stream as a bar with an ETA, or as JSON lines.

use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use slimgpt::pipeline::{Event, LayerRecord, Plan};

/// Passes over the calibration tokens that a layer takes.
const PASSES: usize = 3;

/// Shows events.
pub struct Progress {
    json: bool,
    bar: ProgressBar,
    started: Instant,
    layer_started: Instant,
    batches: usize,
    layer: usize,
    passed: usize,
    tokens: usize,
    layer_tokens: usize,
}

impl Progress {
    /// For people on standard error, or for programs on standard output.
    pub fn new(json: bool, plan: &Plan) -> Self {
        let batches = plan.windows.div_ceil(plan.batch_windows.max(1));
        let steps = plan.layers.len() * PASSES * batches;
        let bar = if json { ProgressBar::hidden() } else { ProgressBar::new(steps as u64) };
        let style = ProgressStyle::with_template("{bar:24} {percent:>3} %  {msg}  ETA {eta}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        let now = Instant::now();
        let tokens = plan.windows * plan.window_tokens;
        Self { json, bar, started: now, layer_started: now, batches, layer: 0, passed: 0, tokens, layer_tokens: 0 }
    }

    /// Shows one event.
    pub fn show(&mut self, event: &Event) {
        if self.json {
            println!("{}", stamped(event, self.started.elapsed().as_secs_f64()));
            return;
        }
        match event {
            Event::Resumed { finished, layers } => {
                self.line(&format!("going on after {finished} of {layers} layers"));
            }
            Event::LayerStarted { layer, layers, replayed, .. } => self.layer_starts(*layer, *layers, *replayed),
            Event::Batch { done, tokens, total, .. } => self.batch(*done, *total, *tokens),
            Event::Pruned { .. } => self.passed += 1,
            Event::LayerDone { record } => self.layer_done(record),
            Event::Writing => self.bar.set_message("writing"),
            Event::Finished { .. } => self.bar.finish_and_clear(),
            _ => {}
        }
    }

    fn layer_starts(&mut self, layer: usize, layers: usize, replayed: bool) {
        (self.layer, self.passed, self.layer_tokens) = (layer, 0, 0);
        self.layer_started = Instant::now();
        let what = if replayed { "replaying layer" } else { "layer" };
        self.bar.set_message(format!("{what} {} of {layers}", layer + 1));
        self.bar.set_position((layer * PASSES * self.batches) as u64);
    }

    fn batch(&mut self, done: usize, total: usize, tokens: usize) {
        let within = (self.passed * self.batches + done * self.batches / total.max(1)).min(PASSES * self.batches);
        self.bar.set_position((self.layer * PASSES * self.batches + within) as u64);
        self.layer_tokens = self.passed * self.tokens + tokens;
        let speed = self.layer_tokens as f64 / self.layer_started.elapsed().as_secs_f64().max(1e-9);
        self.bar.set_message(format!("layer {}  {speed:.0} tokens/s", self.layer + 1));
    }

    fn layer_done(&self, record: &LayerRecord) {
        let LayerRecord { before, after, heads, channels, .. } = record;
        let seconds = self.layer_started.elapsed().as_secs_f64();
        self.line(&format!(
            "layer {:>3}: heads {} → {}, channels {} → {}, error {:.3e} + {:.3e}, {:.0} tokens/s, {seconds:.1} s",
            record.layer + 1,
            before.heads,
            after.heads,
            before.channels,
            after.channels,
            heads.measured_loss,
            channels.measured_loss,
            (PASSES * self.tokens) as f64 / seconds.max(1e-9),
        ));
    }

    /// A line above the bar; where there is no terminal, a plain line.
    fn line(&self, text: &str) {
        if self.bar.is_hidden() {
            eprintln!("{text}");
        } else {
            self.bar.println(text);
        }
    }
}

/// The event as one JSON object, with the seconds since the start.
fn stamped(event: &Event, seconds: f64) -> Value {
    let mut value = serde_json::to_value(event).unwrap_or(Value::Null);
    value["seconds"] = json!(seconds);
    value
}

/// A bar for something that only counts steps.
pub fn counting(label: &'static str, hidden: bool) -> impl FnMut(usize, usize) {
    let bar = if hidden { ProgressBar::hidden() } else { ProgressBar::new(1) };
    let style = ProgressStyle::with_template("{bar:24} {percent:>3} %  {msg}  ETA {eta}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.set_message(label);
    move |done, total| {
        bar.set_length(total as u64);
        bar.set_position(done as u64);
        if done == total {
            bar.finish_and_clear();
        }
    }
}
