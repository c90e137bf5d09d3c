//! The event stream as a bar with an ETA, as plain lines where there is no terminal, or as JSON lines.

use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use slimgpt::format;
use slimgpt::pipeline::{Event, LayerRecord, Meter, Pass, Plan};

use super::{out, width};

/// The bar of one pruning, or its lines of JSON.
pub struct Progress {
    json: bool,
    bar: ProgressBar,
    started: Instant,
    meter: Meter,
    layers: usize,
}

impl Progress {
    /// For people on standard error, or for programs on standard output.
    pub fn new(json: bool, plan: &Plan) -> Self {
        let meter = Meter::new(plan);
        let bar = bar(json, meter.length());
        Self { json, bar, started: Instant::now(), meter, layers: plan.layers.len() }
    }

    pub fn show(&mut self, event: &Event) {
        let second = self.started.elapsed().as_secs_f64();
        self.meter.note(event, second);
        if self.json {
            // A reader that goes away does not stop the run.
            let _ = out::json_line(&self.stamped(event, second));
            return;
        }
        self.bar.set_position(self.meter.position() as u64);
        match event {
            Event::Resumed { finished, layers } => self.line(&format!("going on after {finished} of {layers} layers")),
            Event::Batch { layer, pass, .. } => self.bar.set_message(self.batch(*layer, *pass, second)),
            Event::LayerDone { record } => self.line(&self.layer(record, second)),
            Event::Writing => self.bar.set_message("writing"),
            Event::Finished { .. } => self.bar.finish_and_clear(),
            _ => {}
        }
    }

    fn batch(&self, layer: usize, pass: Pass, second: f64) -> String {
        let doing = match pass {
            Pass::Attention => "attention",
            Pass::Feedforward => "feed-forward",
            Pass::Output => "output",
            Pass::Replay => "replayed",
        };
        let speed = self.meter.tokens_per_second(second);
        // A count of layers and not a name, so it begins at 1.
        format!("layer {}/{} {doing}  {speed:.0} tokens/s  {}", layer + 1, self.layers, self.left(second))
    }

    fn layer(&self, record: &LayerRecord, second: f64) -> String {
        let LayerRecord { layer, before, after, heads, channels, .. } = record;
        let heads_gone = format::arrow(before.heads, after.heads);
        let channels_gone = format::arrow(before.channels, after.channels);
        let error = heads.measured_loss + channels.measured_loss;
        let (speed, seconds) =
            (self.meter.tokens_per_second(second), format::seconds(self.meter.layer_seconds(second)));
        // After the last layer only the writing is left, of which no rate tells.
        let left = if layer + 1 < self.layers { self.left(second) } else { String::new() };
        let line = format!(
            "layer {:>2}/{}  heads {heads_gone}  channels {channels_gone}  error {error:.3e}  {seconds}  {speed:.0} tokens/s  {left}",
            layer + 1,
            self.layers,
        );
        line.trim_end().to_owned()
    }

    fn left(&self, second: f64) -> String {
        self.meter.seconds_left(second).map_or_else(String::new, eta)
    }

    /// A line above the bar; where there is no terminal, a plain line.
    fn line(&self, text: &str) {
        if self.bar.is_hidden() {
            out::note(text);
        } else {
            self.bar.println(out::visible(text));
        }
    }

    /// The event as one JSON object: with the seconds since the start, and with rate and seconds
    /// left where they change.
    fn stamped(&self, event: &Event, second: f64) -> Value {
        let mut value = serde_json::to_value(event).unwrap_or(Value::Null);
        value["seconds"] = json!(second);
        if matches!(event, Event::Batch { .. } | Event::LayerDone { .. }) {
            value["tokens_per_second"] = json!(self.meter.tokens_per_second(second));
            value["seconds_left"] = json!(self.meter.seconds_left(second));
        }
        value
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        // An error that ends the run is printed on a clean line.
        self.bar.finish_and_clear();
    }
}

/// When it will be done, in so many seconds.
pub fn eta(seconds: f64) -> String {
    format!("ETA {}", format::whole_seconds(seconds))
}

/// A bar that knows how many steps there are.
pub fn bar(hidden: bool, steps: usize) -> ProgressBar {
    let hidden = hidden || out::is_quiet() || width::has_no_room_for_a_bar();
    let bar = if hidden { ProgressBar::hidden() } else { ProgressBar::new(steps as u64) };
    let style = ProgressStyle::with_template("{bar:24} {percent:>3} %  {msg}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar
}

/// A bar for something that only counts steps.
pub fn counting(label: &'static str, hidden: bool) -> impl FnMut(usize, usize) {
    // The true length comes with the first call.
    let bar = bar(hidden, 1);
    move |done, total| {
        bar.set_length(total as u64);
        bar.set_position(done as u64);
        bar.set_message(format!("{label}  {}", eta(bar.eta().as_secs_f64())));
        if done == total {
            bar.finish_and_clear();
        }
    }
}
