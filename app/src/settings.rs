//! What is chosen on the Plan screen, and the request it makes. Kept between starts.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use slimgpt::checkpoint::Dtype;
use slimgpt::device::DeviceChoice;
use slimgpt::obs::schedule::{self, Shape};
use slimgpt::obs::{ChannelSteps, HeadUnit, Options, Score};
use slimgpt::pipeline::{Propagate, Request, Schedule, Target};

use crate::model::{Model, Origin};

/// By what the target is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Goal {
    /// A share of the decoder layers.
    Ratio,
    /// Parameters of the whole model.
    Parameters,
    /// Bytes of all weights.
    Bytes,
}

/// Where to compute.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Place {
    /// A hardware GPU if there is one, else the CPU.
    Auto,
    /// The CPU executor.
    Cpu,
    /// An adapter, by name.
    Gpu(String),
}

impl Place {
    /// In the words of the library.
    pub fn choice(&self) -> DeviceChoice {
        match self {
            Self::Auto => DeviceChoice::Auto,
            Self::Cpu => DeviceChoice::Cpu,
            Self::Gpu(name) => DeviceChoice::Named(name.clone()),
        }
    }
}

/// Everything on the Plan screen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Where to compute.
    pub place: Place,
    /// By what the target is said.
    pub goal: Goal,
    /// Share of the decoder layers' parameters that goes.
    pub ratio: f64,
    /// Parameters that stay, in millions.
    pub millions: f64,
    /// Bytes that stay, in MiB.
    pub mebibytes: f64,
    /// How the ratio goes from the first layer to the last.
    pub shape: Shape,
    /// The ratio of the gentlest end; without it the paper's share.
    pub first: Option<f64>,
    /// What goes from attention as one.
    pub unit: HeadUnit,
    /// By what the next group is chosen.
    pub score: Score,
    /// The steps in which channels go.
    pub steps: ChannelSteps,
    /// Kept channels are a multiple of this.
    pub multiple: Option<usize>,
    /// λ in units of the mean diagonal.
    pub damping: f64,
    /// Element type of the output; without it the source's.
    pub dtype: Option<Dtype>,
    /// Which activations a layer hands to the next.
    pub propagate: Propagate,
    /// Calibration windows.
    pub windows: usize,
    /// Tokens of one.
    pub window_tokens: usize,
    /// Whether a begin token stands at the head of each.
    pub begins: bool,
    /// Seed of the windows.
    pub seed: u64,
    /// Calibration texts.
    pub files: Vec<PathBuf>,
    /// The key of the text in JSON lines.
    pub text_key: String,
    /// The folder to make; without it one beside the model.
    pub out: Option<PathBuf>,
    /// Whether a result at that place may be replaced.
    pub overwrite: bool,
}

impl Default for Settings {
    fn default() -> Self {
        let request = Request::default();
        Self {
            place: Place::Auto,
            goal: Goal::Ratio,
            ratio: 0.2,
            millions: 1.0,
            mebibytes: 1.0,
            shape: Shape::Log,
            first: None,
            unit: HeadUnit::KeyValue,
            score: Score::default(),
            steps: request.channel_steps,
            multiple: None,
            damping: request.options.damping,
            dtype: None,
            propagate: Propagate::Pruned,
            windows: request.windows,
            window_tokens: request.window_tokens,
            begins: false,
            seed: 0,
            files: Vec::new(),
            text_key: "text".into(),
            out: None,
            overwrite: false,
        }
    }
}

impl Settings {
    /// What fits a model that was just opened: its own sizes, and text that it has.
    pub fn for_model(&mut self, model: &Model) {
        let config = model.checkpoint.config();
        let size = config.parameters() as f64;
        self.window_tokens = self.window_tokens.clamp(2, config.max_positions.max(2));
        self.millions = (1.0 - self.ratio) * size / 1e6;
        self.mebibytes = (1.0 - self.ratio) * size * model.checkpoint.dtype().bytes() as f64 / (1 << 20) as f64;
        self.out = None;
        if model.origin == Origin::Shipped {
            // It was trained on stories that begin with the token, and needs little text.
            (self.windows, self.window_tokens, self.begins) = (64, config.max_positions.min(256), true);
            self.files.clear();
        }
        if config.dense.heads_per_group() == 1 {
            self.unit = HeadUnit::KeyValue;
        }
    }

    /// What is asked for.
    pub fn request(&self, model: &Model) -> Request {
        let bytes = self.dtype.unwrap_or(model.checkpoint.dtype()).bytes() as f64;
        let target = match self.goal {
            Goal::Ratio => Target::Ratio(self.ratio),
            Goal::Parameters => Target::Parameters((self.millions * 1e6).round() as usize),
            Goal::Bytes => Target::Parameters((self.mebibytes * (1 << 20) as f64 / bytes).round() as usize),
        };
        Request {
            target: Some(target),
            schedule: Schedule::Shape(self.shape),
            first_ratio: self.first,
            options: Options { damping: self.damping, ..Options::scored(self.score) },
            channel_steps: self.steps,
            head_unit: self.unit,
            channel_multiple: self.multiple,
            dtype: self.dtype,
            propagate: self.propagate,
            windows: self.windows,
            window_tokens: self.window_tokens,
            seed: self.seed,
            memory: None,
        }
    }

    /// The folder to make.
    pub fn out(&self, model: &Model, ratio: f64) -> PathBuf {
        self.out.clone().unwrap_or_else(|| {
            let folder = model.folder().map_or_else(|| PathBuf::from("model"), PathBuf::from);
            let name = folder.file_name().map_or("model".into(), |n| n.to_string_lossy().into_owned());
            folder.with_file_name(format!("{name}-slim-{:.0}", 100.0 * ratio))
        })
    }
}

/// The share of the steepest end in the mean: mean = (1 − m)·gentle + m·steep. `None` where all
/// layers are alike.
fn mean_rise(shape: Shape, layers: usize) -> Option<f64> {
    // Two ends so near each other that no schedule leaves its range.
    let (gentle, target) = (0.499, 0.5);
    let ratios = schedule::ratios(shape, target, Some(gentle), layers).ok()?;
    let steep = ratios.iter().copied().fold(0.0, f64::max);
    (steep - target > 1e-6 && layers > 1).then(|| (target - gentle) / (steep - gentle))
}

/// The ratio of the gentle end that puts the steep one at `steep`, the mean staying where it is.
pub fn gentle_end(shape: Shape, layers: usize, mean: f64, steep: f64) -> Option<f64> {
    let m = mean_rise(shape, layers)?;
    Some(((mean - m * steep) / (1.0 - m)).clamp(0.0, 0.99))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dragging_the_steep_end_moves_the_gentle_one_so_that_the_mean_stays() {
        for shape in [Shape::Log, Shape::Linear, Shape::LogDecrease, Shape::LinearDecrease] {
            for layers in [2, 5, 32] {
                let gentle = gentle_end(shape, layers, 0.3, 0.36).unwrap();
                let ratios = schedule::ratios(shape, 0.3, Some(gentle), layers).unwrap();
                let steep = ratios.iter().copied().fold(0.0, f64::max);
                assert!((steep - 0.36).abs() < 1e-9, "{shape:?} {layers}: {steep}");
            }
        }
    }

    #[test]
    fn a_uniform_schedule_has_no_ends_to_drag() {
        assert_eq!(gentle_end(Shape::Uniform, 8, 0.3, 0.4), None);
        assert_eq!(gentle_end(Shape::Log, 1, 0.3, 0.4), None);
    }
}
