//! The event stream as a bar with an ETA, as plain lines where there is no terminal, or as JSON lines;
//! and how far anything else is that only counts steps.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
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
    lines: Lines,
}

impl Progress {
    /// For people on standard error, or for programs on standard output.
    pub fn new(json: bool, plan: &Plan) -> Self {
        let meter = Meter::new(plan);
        let bar = bar(json, meter.length());
        Self { json, bar, started: Instant::now(), meter, layers: plan.layers.len(), lines: Lines::new() }
    }

    /// A plan, which is told again where a run has to do with less.
    fn begin(&mut self, plan: &Plan) {
        self.meter = Meter::new(plan);
        self.bar.set_length(self.meter.length() as u64);
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
            Event::Planned { plan } => self.begin(plan),
            Event::OutOfMemory { batch_windows, from_the_first_layer: true, .. } => self.line(&format!(
                "the device ran out of memory: starting again from the first layer with batches of {batch_windows} windows"
            )),
            Event::OutOfMemory { .. } => self.line("the device ran out of memory: going on with less on it"),
            Event::Resumed { finished, layers } => self.line(&format!("going on after {finished} of {layers} layers")),
            Event::Choosing { done, total } => {
                self.on_the_way(&format!("choosing what goes: {} %", 100 * done / total.max(&1)));
            }
            Event::Batch { layer, pass, .. } => self.on_the_way(&self.batch(*layer, *pass, second)),
            Event::LayerDone { record } => self.line(&self.layer(record, second)),
            Event::Writing => self.bar.set_message("writing"),
            Event::Finished { .. } => self.bar.finish_and_clear(),
            _ => {}
        }
    }

    /// Within a layer: beside the bar; where there is no terminal, a plain line now and then.
    fn on_the_way(&mut self, text: &str) {
        self.bar.set_message(text.to_owned());
        if self.bar.is_hidden() && self.lines.is_due() {
            out::note(text);
        }
    }

    /// Clears the bar, for something else to be said.
    pub fn pause(&self) {
        self.bar.finish_and_clear();
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
            (self.meter.tokens_per_second_of(*layer, second), format::seconds(self.meter.seconds_of(*layer, second)));
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
        let mut value = stamped(event, second);
        let speed = match event {
            Event::Batch { .. } => Some(self.meter.tokens_per_second(second)),
            Event::LayerDone { record } => Some(self.meter.tokens_per_second_of(record.layer, second)),
            _ => None,
        };
        if speed.is_some() {
            value["tokens_per_second"] = json!(speed);
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

/// A bar for something that only counts steps. Where there is no terminal, or the bar is `hidden`
/// because standard output is for a program, standard error gets a line now and then.
pub fn counting(label: &'static str, hidden: bool) -> impl FnMut(usize, usize) {
    let mut bar = counted(label, hidden, |n| n.to_string());
    move |done, total| bar(done as u64, total as u64)
}

/// [`counting`] of bytes.
pub fn bytes(label: &'static str, hidden: bool) -> impl FnMut(u64, u64) {
    counted(label, hidden, format::bytes)
}

fn counted(label: &'static str, hidden: bool, shown: fn(u64) -> String) -> impl FnMut(u64, u64) {
    // The true length comes with the first call.
    let bar = bar(hidden, 1);
    let (started, mut lines) = (Instant::now(), Lines::new());
    move |done, total| {
        let left = left(started.elapsed(), done, total);
        bar.set_length(total);
        bar.set_position(done);
        bar.set_message(format!("{label}  {left}"));
        if done == total {
            bar.finish_and_clear();
        } else if bar.is_hidden() && lines.is_due() {
            out::note(format_args!("{label}  {} of {}  {left}", shown(done), shown(total)));
        }
    }
}

/// When it will be done, at the mean rate so far.
fn left(elapsed: Duration, done: u64, total: u64) -> String {
    match done {
        0 => String::new(),
        done => eta(elapsed.as_secs_f64() / done as f64 * total.saturating_sub(done) as f64),
    }
}

/// An event as JSON, with its second.
pub fn stamped(event: &impl Serialize, second: f64) -> Value {
    let mut value = serde_json::to_value(event).unwrap_or(Value::Null);
    value["seconds"] = json!(second);
    value
}

/// When the next line is due where there is no bar.
pub struct Lines {
    every: Duration,
    last: Instant,
}

/// Seconds between two lines, for whoever wants more or fewer of them.
const INTERVAL: &str = "SLIMGPT_PROGRESS_SECONDS";
/// A log of a day has three thousand lines, and who looks at it sees at once that the work goes on.
const USUAL_INTERVAL: Duration = Duration::from_secs(30);

impl Lines {
    /// The first line is due an interval from now.
    pub fn new() -> Self {
        let asked = std::env::var(INTERVAL).ok().and_then(|seconds| seconds.trim().parse().ok());
        let every = asked.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        Self { every: every.unwrap_or(USUAL_INTERVAL), last: Instant::now() }
    }

    /// Whether a line is due now; then the next is an interval away.
    pub fn is_due(&mut self) -> bool {
        self.is_due_at(Instant::now())
    }

    fn is_due_at(&mut self, now: Instant) -> bool {
        let due = now.duration_since(self.last) >= self.every;
        if due {
            self.last = now;
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_due_once_in_an_interval() {
        let began = Instant::now();
        let mut lines = Lines { every: Duration::from_secs(30), last: began };
        let due: Vec<u64> = (0..200).filter(|&second| lines.is_due_at(began + Duration::from_secs(second))).collect();
        assert_eq!(due, [30, 60, 90, 120, 150, 180]);
    }

    #[test]
    fn what_is_left_follows_the_mean_rate() {
        assert_eq!(left(Duration::from_secs(60), 3, 12), eta(180.0));
        assert_eq!(left(Duration::from_secs(60), 0, 12), "");
    }
}
