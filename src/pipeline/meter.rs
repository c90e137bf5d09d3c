//! How far a run is, how fast, and how long it will take: arithmetic on events and seconds.
//!
//! Every layer takes three passes over the calibration tokens. A replayed layer counts as all
//! three at once and is left out of the rate, since it is much quicker than a pruned one.

use super::{Event, Pass, Plan};

/// Passes over the calibration tokens that a layer takes.
const PASSES: usize = 3;

/// Watches the event stream. Whoever has a clock hands over the seconds.
pub struct Meter {
    batches: usize,
    layers: usize,
    tokens: usize,
    /// Batches of all passes done, over all layers.
    position: usize,
    /// Position and second at which the first layer began that is not replayed.
    start: Option<(usize, f64)>,
    layer_started: f64,
    layer_position: usize,
    /// The layer before the one at work, which is stored meanwhile, and the seconds that it took.
    before: Option<(usize, f64)>,
}

impl Meter {
    /// For a run of this plan.
    pub fn new(plan: &Plan) -> Self {
        Self {
            // As if the text had all the windows that were planned.
            batches: plan.request.windows.div_ceil(plan.batch_windows.max(1)),
            layers: plan.layers.len(),
            tokens: plan.request.windows * plan.request.window_tokens,
            position: 0,
            start: None,
            layer_started: 0.0,
            layer_position: 0,
            before: None,
        }
    }

    /// Takes note of an event at a second.
    pub fn note(&mut self, event: &Event, second: f64) {
        match event {
            Event::LayerStarted { layer, replayed, .. } => self.layer_starts(*layer, *replayed, second),
            Event::Batch { pass, done, total, .. } => {
                self.position = self.layer_position + passed(*pass) * self.batches + self.share(*pass, *done, *total);
            }
            // The next layer may be on its way by now.
            Event::LayerDone { record } => {
                self.position = self.position.max((record.layer + 1) * PASSES * self.batches)
            }
            Event::Writing => self.position = self.length(),
            _ => {}
        }
    }

    fn layer_starts(&mut self, layer: usize, replayed: bool, second: f64) {
        self.before = layer.checked_sub(1).map(|before| (before, self.layer_seconds(second)));
        self.layer_position = layer * PASSES * self.batches;
        self.position = self.layer_position;
        self.layer_started = second;
        if !replayed && self.start.is_none() {
            self.start = Some((self.position, second));
        }
    }

    /// Batches of this pass; those of a replay stand for all passes.
    fn share(&self, pass: Pass, done: usize, total: usize) -> usize {
        let width = if pass == Pass::Replay { PASSES } else { 1 };
        // A shorter text has fewer batches; each then counts for more steps.
        done * width * self.batches / total.max(1)
    }

    /// Steps of the whole run.
    pub fn length(&self) -> usize {
        self.layers * PASSES * self.batches
    }

    /// Steps done so far, of [`Self::length`].
    pub fn position(&self) -> usize {
        self.position
    }

    /// Calibration tokens that the layer takes each second; a token counts when all passes are done.
    pub fn tokens_per_second(&self, second: f64) -> f64 {
        let share = (self.position - self.layer_position) as f64 / (PASSES * self.batches).max(1) as f64;
        // The first event may come in the instant in which the layer begins.
        share * self.tokens as f64 / self.layer_seconds(second).max(1e-9)
    }

    /// Calibration tokens that a finished layer took each second.
    pub fn tokens_per_second_of(&self, layer: usize, second: f64) -> f64 {
        self.tokens as f64 / self.seconds_of(layer, second).max(1e-9)
    }

    /// Seconds that a finished layer took: the one at work, or the one before it.
    pub fn seconds_of(&self, layer: usize, second: f64) -> f64 {
        match self.before {
            Some((before, seconds)) if before == layer => seconds,
            _ => self.layer_seconds(second),
        }
    }

    /// Seconds since the layer at work began.
    fn layer_seconds(&self, second: f64) -> f64 {
        second - self.layer_started
    }

    /// Seconds that are left at the mean rate so far; `None` until there is one.
    pub fn seconds_left(&self, second: f64) -> Option<f64> {
        let (from, began) = self.start?;
        let done = self.position.saturating_sub(from);
        let left = self.length().saturating_sub(self.position);
        // Before a first batch there is no rate to go by.
        (done > 0).then(|| (second - began) / done as f64 * left as f64)
    }
}

/// Passes that come before this one.
fn passed(pass: Pass) -> usize {
    match pass {
        Pass::Attention | Pass::Replay => 0,
        Pass::Feedforward => 1,
        Pass::Output => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::obs::HeadUnit;
    use crate::pipeline::{LayerRecord, SiteRecord};
    use crate::shape::LayerShape;

    /// Four layers of 2 batches: 24 steps; 100 tokens.
    fn meter() -> Meter {
        let (position, layer_started, layer_position) = (0, 0.0, 0);
        let (start, before) = (None, None);
        Meter { batches: 2, layers: 4, tokens: 100, position, start, layer_started, layer_position, before }
    }

    fn started(layer: usize, replayed: bool) -> Event {
        let shape = LayerShape { heads: 1, kv_heads: 1, channels: 1 };
        Event::LayerStarted { layer, layers: 4, replayed, ratio: Default::default(), before: shape, after: shape }
    }

    fn stored(layer: usize) -> Event {
        let shape = LayerShape { heads: 0, kv_heads: 0, channels: 0 };
        let (unit, none) = (HeadUnit::KeyValue, Vec::new);
        Event::LayerDone {
            record: Box::new(LayerRecord {
                layer,
                ratio: Default::default(),
                unit,
                before: shape,
                after: shape,
                kept_heads: none(),
                kept_kv_heads: none(),
                kept_channels: none(),
                heads: SiteRecord::default(),
                channels: SiteRecord::default(),
            }),
        }
    }

    fn batch(layer: usize, pass: Pass, done: usize) -> Event {
        Event::Batch { layer, pass, done, total: 2, tokens: 0 }
    }

    #[test]
    fn the_last_batch_of_the_last_pass_is_the_end_of_the_layer() {
        let mut meter = meter();
        meter.note(&started(1, false), 0.0);
        meter.note(&batch(1, Pass::Output, 2), 1.0);
        assert_eq!(meter.position(), 12);
        assert_eq!(meter.length(), 24);
    }

    #[test]
    fn what_is_left_follows_the_rate_so_far() {
        let mut meter = meter();
        assert_eq!(meter.seconds_left(3.0), None);
        meter.note(&started(0, false), 10.0);
        meter.note(&batch(0, Pass::Feedforward, 1), 16.0);
        // 3 of 24 steps in 6 seconds.
        assert_eq!(meter.seconds_left(16.0), Some(42.0));
    }

    #[test]
    fn replayed_layers_do_not_count_for_the_rate() {
        let mut meter = meter();
        meter.note(&started(0, true), 0.0);
        meter.note(&batch(0, Pass::Replay, 2), 0.1);
        assert_eq!((meter.position(), meter.seconds_left(0.1)), (6, None));
        meter.note(&started(1, false), 1.0);
        meter.note(&batch(1, Pass::Attention, 2), 3.0);
        assert_eq!(meter.seconds_left(3.0), Some(16.0));
    }

    #[test]
    fn a_layer_that_is_stored_while_the_next_is_worked_on_has_its_own_rate() {
        let mut meter = meter();
        meter.note(&started(1, false), 5.0);
        meter.note(&batch(1, Pass::Output, 2), 9.0);
        meter.note(&started(2, false), 10.0);
        meter.note(&batch(2, Pass::Attention, 1), 12.0);
        meter.note(&stored(1), 12.0);
        assert_eq!((meter.position(), meter.seconds_of(1, 12.0), meter.tokens_per_second_of(1, 12.0)), (13, 5.0, 20.0));
        // Where nothing is worked on meanwhile it is the layer at work.
        meter.note(&stored(2), 30.0);
        assert_eq!((meter.position(), meter.seconds_of(2, 30.0)), (18, 20.0));
    }

    #[test]
    fn a_whole_layer_has_taken_all_its_tokens() {
        let mut meter = meter();
        meter.note(&started(0, false), 5.0);
        meter.note(&batch(0, Pass::Output, 2), 9.0);
        assert_eq!(meter.tokens_per_second(9.0), 25.0);
    }
}
