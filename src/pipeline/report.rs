//! `slimgpt-report.json`: what was planned, what went, what it cost.
//!
//! Everything but `timing` is the same for every run of the same plan on the same device.

use std::collections::BTreeMap;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Plan;
use crate::allocate::LayerRatio;
use crate::checkpoint::Dtype;
use crate::obs::{HeadUnit, Removal};
use crate::shape::{LayerShape, ModelConfig, places};

/// One site of a finished layer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SiteRecord {
    /// ‖X̂(W − Ŵ)ᵀ‖²_F over the calibration tokens as the mathematics predicts it, before Ŵ is
    /// rounded to the output's element type.
    pub predicted_loss: f64,
    /// The same, measured with the weights that are saved.
    pub measured_loss: f64,
    /// Its standard error, where it was measured on a sample of the windows; zero where on all of them.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub measured_error: f64,
    /// ‖X̂Wᵀ‖²_F over the same tokens: what the site computed before anything went. The losses are
    /// to be held against it. Zero where nothing went.
    #[serde(default)]
    pub signal: f64,
    /// Inputs that never fired.
    pub dead_inputs: usize,
    /// The heads or groups that went, in order. Left empty for channels, of which there are many.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removed: Vec<Removal>,
    /// The score of every head or group before the first went, by its index; of channels, of
    /// which there are many, at most [`SiteRecord::PROFILE`] of the sorted scores at even distances.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scores: Vec<f64>,
}

fn is_zero(value: &f64) -> bool {
    *value == 0.0
}

impl SiteRecord {
    /// The most scores of channels that a record keeps.
    pub const PROFILE: usize = 256;
}

/// The sorted scores; of more than [`SiteRecord::PROFILE`] so many at even distances, the least
/// and the greatest among them.
pub(super) fn profile(scores: &[f64]) -> Vec<f64> {
    let mut sorted = scores.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (all, most) = (sorted.len(), SiteRecord::PROFILE);
    match all <= most {
        true => sorted,
        // i = most − 1 is the last, so both ends are among them.
        false => (0..most).map(|i| sorted[i * (all - 1) / (most - 1)]).collect(),
    }
}

impl SiteRecord {
    /// measured loss / signal: the share of what the site computed that is lost. Zero where
    /// nothing went.
    pub fn relative_error(&self) -> f64 {
        if self.signal > 0.0 { self.measured_loss / self.signal } else { 0.0 }
    }
}

/// A finished layer. Indices count in the layer as it was. One whose indices and sizes do not fit
/// together cannot be read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
// Makes functions of the same names instead of the traits, which are below.
#[serde(remote = "Self")]
pub struct LayerRecord {
    /// Index of the layer, from 0.
    pub layer: usize,
    /// The ratios its counts were rounded from.
    pub ratio: LayerRatio,
    /// What went from its attention as one.
    pub unit: HeadUnit,
    /// Its sizes as it was.
    pub before: LayerShape,
    /// Its sizes as they are saved.
    pub after: LayerShape,
    /// Query heads that stay, ascending.
    pub kept_heads: Vec<usize>,
    /// Key/value heads that stay, ascending.
    pub kept_kv_heads: Vec<usize>,
    /// Channels that stay, ascending.
    pub kept_channels: Vec<usize>,
    /// What the heads cost.
    pub heads: SiteRecord,
    /// What the channels cost.
    pub channels: SiteRecord,
}

impl LayerRecord {
    /// Whether the kept indices are those of a layer of this shape, and as many as are left.
    fn fits_together(&self) -> bool {
        let (before, after) = (self.before, self.after);
        let sizes = [
            (&self.kept_heads, before.heads, after.heads),
            (&self.kept_kv_heads, before.kv_heads, after.kv_heads),
            (&self.kept_channels, before.channels, after.channels),
        ];
        before.is_possible()
            && after.is_possible()
            && sizes.iter().all(|(kept, all, left)| kept.len() == *left && are_ascending(kept, *all))
    }
}

fn are_ascending(indices: &[usize], below: usize) -> bool {
    indices.windows(2).all(|pair| pair[0] < pair[1]) && indices.last().is_none_or(|&last| last < below)
}

impl Serialize for LayerRecord {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Self::serialize(self, serializer)
    }
}

impl<'de> Deserialize<'de> for LayerRecord {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let record = Self::deserialize(deserializer)?;
        let misfit =
            || D::Error::custom(format_args!("layer {}: its sizes and indices do not fit together", record.layer));
        if record.fits_together() { Ok(record) } else { Err(misfit()) }
    }
}

/// What a person typed to start a run. It decides nothing by itself; what it came to is in the plan.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Typed {
    /// The command line, word by word.
    pub command: Vec<String>,
    /// Every setting by its name, also those that were left as they are by default; empty where a
    /// setting has no value and was given none.
    pub settings: BTreeMap<String, Vec<String>>,
}

/// What was measured, by the caller's clock and the caller's look at the memory, and how the session
/// was started: the only part that differs between two equal runs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Timing {
    /// All layers and what lies between them, in the session that finished.
    pub session_seconds: f64,
    /// Each layer, in the session that pruned it.
    pub layer_seconds: Vec<f64>,
    /// Most bytes of the process in the host's memory, in the session that finished.
    #[serde(default)]
    pub peak_host_bytes: Option<u64>,
    /// Most bytes held on the device, in the session that finished; `None` on the CPU.
    #[serde(default)]
    pub peak_device_bytes: Option<u64>,
    /// What was typed for the session that finished; `None` where nothing was, as in a window.
    #[serde(default)]
    pub typed: Option<Typed>,
}

/// Everything about a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The program and its version.
    pub version: String,
    /// What tells this run from others, where it was kept in a folder.
    pub run_id: Option<String>,
    /// The folder or the file that was pruned.
    pub source: Option<String>,
    /// The folder of the low-rank factors that were added to it, if any were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adapter: Option<String>,
    /// In which types the weights of a quantised source are stored, in words; `None` where it is not
    /// quantised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantisation: Option<String>,
    /// The device that computed.
    pub device: String,
    /// Element type of the output.
    pub dtype: Dtype,
    /// Parameters before, embeddings included.
    pub parameters_before: usize,
    /// Parameters after, embeddings included.
    pub parameters_after: usize,
    /// Bytes of all weights before, as the source stores them.
    pub bytes_before: u64,
    /// Bytes of all weights after, in the output's element type.
    pub bytes_after: u64,
    /// Calibration tokens of all windows together.
    pub calibration_tokens: usize,
    /// SHA-256 of the calibration tokens.
    pub calibration_sha256: String,
    /// What was planned, with seed, schedule and bytes.
    pub plan: Plan,
    /// What became of each layer.
    pub layers: Vec<LayerRecord>,
    /// How long it took, and the memory it was seen to take.
    pub timing: Timing,
}

impl Report {
    /// The file's name in the output folder.
    pub const FILE: &'static str = "slimgpt-report.json";

    /// As JSON for people and programs: objects over several lines, lists of numbers on one.
    pub fn to_json(&self) -> Vec<u8> {
        let mut text = Vec::new();
        let mut serializer = serde_json::Serializer::with_formatter(&mut text, Formatter::default());
        // Numbers, strings and lists of them always have a JSON form.
        let _ = self.serialize(&mut serializer);
        text.push(b'\n');
        text
    }

    /// The model that the report's layers make of `config`, without those that have left it.
    pub fn pruned_config(&self, config: &ModelConfig) -> ModelConfig {
        self.plan.biased_config(config).with_layers(self.layers.iter().map(|l| l.after))
    }

    /// Which layer of the result each layer has become, from 0; `None` where it has left the model.
    pub fn places(&self) -> Vec<Option<usize>> {
        places(self.layers.iter().map(|l| l.after))
    }
}

/// Pretty objects, lists without line breaks: ten thousand channels are one line.
#[derive(Default)]
struct Formatter {
    pretty: serde_json::ser::PrettyFormatter<'static>,
}

impl serde_json::ser::Formatter for Formatter {
    fn begin_array_value<W: ?Sized + std::io::Write>(&mut self, out: &mut W, first: bool) -> std::io::Result<()> {
        out.write_all(if first { b"" } else { b", " })
    }

    fn begin_object<W: ?Sized + std::io::Write>(&mut self, out: &mut W) -> std::io::Result<()> {
        self.pretty.begin_object(out)
    }

    fn end_object<W: ?Sized + std::io::Write>(&mut self, out: &mut W) -> std::io::Result<()> {
        self.pretty.end_object(out)
    }

    fn begin_object_key<W: ?Sized + std::io::Write>(&mut self, out: &mut W, first: bool) -> std::io::Result<()> {
        self.pretty.begin_object_key(out, first)
    }

    fn begin_object_value<W: ?Sized + std::io::Write>(&mut self, out: &mut W) -> std::io::Result<()> {
        self.pretty.begin_object_value(out)
    }

    fn end_object_value<W: ?Sized + std::io::Write>(&mut self, out: &mut W) -> std::io::Result<()> {
        self.pretty.end_object_value(out)
    }
}
