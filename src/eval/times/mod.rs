//! How long a model takes to write a token when its layers are smaller: a table of measured times, and what lies between.
//!
//! ```text
//! measure.rs   a model with all layers of one shape, for a few shapes: seconds for a token
//! grid.rs      what grows with the sizes lies between the measured ones
//! error.rs     a table that is none, or of something else
//! ```
//!
//! The times are those of writing (decoding): one token after the other, each waiting for the one before. That is what
//! somebody waits for who reads along, and it is nearly all of an answer's time. Reading a prompt is another regime,
//! which computes much with each weight: its time goes about with the parameters, for which there are other budgets.

mod error;
mod grid;
mod measure;

pub use error::TimesError;
pub use measure::{TokenTimed, layer_times, token_seconds};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::device::Device;
use crate::format::hex;
use crate::shape::{LayerShape, ModelConfig, Site};
use grid::Grid;

/// Most shapes that a table may have: many times what is measured.
const MOST_POINTS: usize = 1 << 12;
/// No token takes a week; sums and differences of what is below are numbers.
const MOST_SECONDS: f64 = 6e5;

/// A model whose layers all have one shape.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct TimePoint {
    /// Of every layer.
    #[serde(flatten)]
    pub layer: LayerShape,
    /// Seconds that a token takes, all layers and what is outside of them.
    pub seconds: f64,
}

/// What was measured, as it stands in a file. The first point is the largest shape.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MeasuredTimes {
    /// The version that measured.
    pub version: String,
    /// Where it was measured.
    pub device: String,
    /// A digest of all sizes of the model.
    pub model: String,
    /// Layers of the model.
    pub layers: usize,
    /// Tokens that stood before those that were timed.
    pub context_tokens: usize,
    /// For each of some shapes the time of a token. Attention differs with all channels there, and channels with all heads.
    pub points: Vec<TimePoint>,
}

/// A table of times, to be asked for any sizes.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerTimes {
    measured: MeasuredTimes,
    /// Of the largest shape in every layer.
    largest: TimePoint,
    /// Seconds by key/value heads and query heads of each.
    attention: Grid,
    /// Seconds by channels.
    feed_forward: Grid,
}

impl LayerTimes {
    /// The table of what was measured.
    ///
    /// # Errors
    /// When it is no table: a time that is none, a shape that cannot be, or one that is missing.
    pub fn new(measured: MeasuredTimes) -> Result<Self, TimesError> {
        let wrong = |why: &str| TimesError::File(why.into());
        let points = &measured.points;
        if points.is_empty() || points.len() > MOST_POINTS || measured.layers == 0 {
            return Err(wrong("it has no times, or more than a table has"));
        }
        let is_time = |point: &TimePoint| point.seconds > 0.0 && point.seconds < MOST_SECONDS;
        if !points.iter().all(|point| is_time(point) && is_shape(point.layer)) {
            return Err(wrong("a time is none above 0 and below a week, or a shape cannot be"));
        }
        let largest = points[0];
        let in_full = |shape: LayerShape| LayerShape { channels: largest.layer.channels, ..shape };
        let of_attention = points.iter().filter(|point| point.layer == in_full(point.layer));
        let of_attention = of_attention.map(|point| (groups(point.layer), point.seconds));
        let with_heads = |shape: LayerShape| LayerShape { channels: shape.channels, ..largest.layer };
        let of_channels = points.iter().filter(|point| point.layer == with_heads(point.layer));
        let of_channels = of_channels.map(|point| ([point.layer.channels, 1], point.seconds));
        let missing = || wrong("times of some shapes are missing, or there twice");
        let attention = Grid::of(of_attention.collect()).ok_or_else(missing)?;
        let feed_forward = Grid::of(of_channels.collect()).ok_or_else(missing)?;
        Ok(Self { largest, attention, feed_forward, measured })
    }

    /// Reads a file's text.
    ///
    /// # Errors
    /// When it is no table.
    pub fn parse(text: &[u8]) -> Result<Self, TimesError> {
        let measured = serde_json::from_slice(text).map_err(|e| TimesError::File(e.to_string()))?;
        Self::new(measured)
    }

    /// Refuses a table of another model, or of another device.
    ///
    /// # Errors
    /// When it is one.
    pub fn check(&self, config: &ModelConfig, device: &Device) -> Result<(), TimesError> {
        let here = machine(device);
        if self.measured.device != here {
            return Err(TimesError::OtherDevice { measured: self.measured.device.clone(), here });
        }
        match self.measured.model == sizes_digest(config) && self.measured.layers == config.layers.len() {
            true => Ok(()),
            false => Err(TimesError::OtherModel),
        }
    }

    /// What was measured.
    pub fn measured(&self) -> &MeasuredTimes {
        &self.measured
    }

    /// Tokens that stood before those that were timed.
    pub fn context_tokens(&self) -> usize {
        self.measured.context_tokens
    }

    /// Seconds that a layer's attention is faster with `after` than with `before`; what it is slower by is below 0.
    pub fn saved_by_heads(&self, before: LayerShape, after: LayerShape) -> f64 {
        let at = |shape: LayerShape| match shape.has(Site::Heads) {
            true => self.attention.at(groups(shape)),
            false => self.attention.nothing(),
        };
        (at(before) - at(after)) / self.measured.layers as f64
    }

    /// Seconds that a layer's feed-forward part is faster with `after` than with `before`.
    pub fn saved_by_channels(&self, before: LayerShape, after: LayerShape) -> f64 {
        let at = |shape: LayerShape| match shape.has(Site::Channels) {
            true => self.feed_forward.at([shape.channels, 1]),
            false => self.feed_forward.nothing(),
        };
        (at(before) - at(after)) / self.measured.layers as f64
    }

    /// Seconds that a token takes with layers of these shapes. Where there are fewer than the table is of, the others have
    /// left the model, each as one that has lost both halves.
    pub fn seconds(&self, layers: &[LayerShape]) -> f64 {
        let largest = self.largest.layer;
        let saved = |shape: LayerShape| self.saved_by_heads(largest, shape) + self.saved_by_channels(largest, shape);
        let gone = self.measured.layers.saturating_sub(layers.len());
        let all = layers.iter().copied().chain(std::iter::repeat_n(LayerShape::EMPTY, gone));
        // Times of very small layers may be off by more than is left of them.
        (self.largest.seconds - all.map(saved).sum::<f64>()).max(0.0)
    }
}

fn is_shape(shape: LayerShape) -> bool {
    shape.is_possible() && shape.heads > 0 && shape.channels > 0
}

/// Key/value heads, and query heads of each.
fn groups(shape: LayerShape) -> [usize; 2] {
    [shape.kv_heads, shape.heads_per_group()]
}

/// What tells where a time was taken: of devices that share work the first, which works alone. All CPUs have one name,
/// so their threads are told too.
fn machine(device: &Device) -> String {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let first = &device.each()[0];
    if first.is_gpu() { first.name().to_owned() } else { format!("{}, {threads} threads", first.name()) }
}

/// A digest of all sizes that times depend on.
fn sizes_digest(config: &ModelConfig) -> String {
    let ModelConfig {
        vocab_size,
        hidden_size,
        head_dim,
        layers,
        qkv_bias,
        o_bias,
        mlp_bias,
        qk_norm,
        design,
        tied_head,
        ..
    } = config;
    let sizes = [vocab_size, hidden_size, head_dim];
    // Numbers such as ε, and how many positions there may be, cost no time.
    let flags = [qkv_bias, o_bias, mlp_bias, qk_norm, tied_head];
    let all = serde_json::json!([config.family, sizes, flags, design, layers]).to_string();
    hex(&Sha256::digest(all))[..16].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(layers: usize) -> ModelConfig {
        ModelConfig::toy(8, LayerShape { heads: 4, kv_heads: 2, channels: 16 }, layers)
    }

    fn shape(heads: usize, kv_heads: usize, channels: usize) -> LayerShape {
        LayerShape { heads, kv_heads, channels }
    }

    /// Three layers: 2 ms for everything, of which a half is outside of them.
    fn measured() -> MeasuredTimes {
        let point = |layer, milliseconds: f64| TimePoint { layer, seconds: milliseconds / 1e3 };
        MeasuredTimes {
            version: "1".into(),
            device: machine(&Device::cpu()),
            model: sizes_digest(&config(3)),
            layers: 3,
            context_tokens: 7,
            points: vec![
                point(shape(4, 2, 16), 2.0),
                point(shape(2, 2, 16), 1.85),
                point(shape(2, 1, 16), 1.7),
                point(shape(1, 1, 16), 1.64),
                point(shape(4, 2, 8), 1.7),
                point(shape(4, 2, 4), 1.4),
            ],
        }
    }

    #[test]
    fn a_model_takes_what_its_layers_take() {
        let times = LayerTimes::new(measured()).unwrap();
        let near = |layers: &[LayerShape], milliseconds: f64| {
            let found = 1e3 * times.seconds(layers);
            assert!((found - milliseconds).abs() < 1e-9, "{found} for {milliseconds}");
        };
        let whole = shape(4, 2, 16);
        near(&[whole; 3], 2.0);
        // What was measured with all layers alike.
        near(&[shape(2, 1, 16); 3], 1.7);
        near(&[shape(4, 2, 4); 3], 1.4);
        // One layer saves a third of what three save, and sites add up.
        near(&[shape(2, 2, 16), whole, whole], 2.0 - 0.15 / 3.0);
        near(&[shape(1, 1, 8), whole, whole], 2.0 - 0.36 / 3.0 - 0.3 / 3.0);
        // Between 8 and 16 channels a line; below the fewest nothing more is promised.
        near(&[shape(4, 2, 12), whole, whole], 2.0 - 0.15 / 3.0);
        near(&[shape(4, 2, 1), whole, whole], 2.0 - 0.6 / 3.0);
        // Without a half: on from the smallest as flatly as it was measured, by 0.05 ms a channel and 0.21 ms a head.
        near(&[shape(4, 2, 0), whole, whole], 2.0 - (0.6 + 4.0 * 0.05) / 3.0);
        near(&[shape(0, 0, 16), whole, whole], 2.0 - (0.36 + 0.21) / 3.0);
        near(&[LayerShape::EMPTY, whole, whole], 2.0 - (0.8 + 0.57) / 3.0);
        // As a folder has it, which that layer has left.
        near(&[whole, whole], 2.0 - (0.8 + 0.57) / 3.0);
    }

    #[test]
    fn a_file_brings_the_same_table() {
        let json = serde_json::to_vec(&measured()).unwrap();
        assert_eq!(LayerTimes::parse(&json).unwrap(), LayerTimes::new(measured()).unwrap());
    }

    #[test]
    fn what_is_no_table_is_refused() {
        let refused = |change: &dyn Fn(&mut MeasuredTimes), word: &str| {
            let mut table = measured();
            change(&mut table);
            let error = LayerTimes::new(table).unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        };
        refused(&|table| table.points.clear(), "no times");
        refused(&|table| table.points[1].seconds = 0.0, "above 0");
        refused(&|table| table.points[1].seconds = f64::NAN, "above 0");
        refused(&|table| table.points[1].layer.kv_heads = 0, "cannot be");
        refused(&|table| table.points[1].layer.heads = 3, "cannot be");
        refused(
            &|table| {
                table.points.remove(2);
            },
            "missing",
        );
        refused(&|table| table.points.push(table.points[4]), "twice");
        assert!(LayerTimes::parse(b"{}").is_err() && LayerTimes::parse(b"[").is_err());
    }

    #[test]
    fn another_device_or_model_is_told() {
        let cpu = Device::cpu();
        let times = LayerTimes::new(measured()).unwrap();
        times.check(&config(3), &cpu).unwrap();
        times.check(&config(3), &cpu.clone().with(vec![Device::cpu()]).unwrap()).unwrap();
        let model = times.check(&config(2), &cpu).unwrap_err();
        assert!(matches!(model, TimesError::OtherModel), "{model}");
        let elsewhere = MeasuredTimes { device: "elsewhere".into(), ..measured() };
        let device = LayerTimes::new(elsewhere).unwrap().check(&config(3), &cpu).unwrap_err();
        assert!(device.to_string().contains("elsewhere"), "{device}");
    }
}
