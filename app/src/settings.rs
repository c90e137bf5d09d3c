//! What is chosen on the Plan screen, and the request it makes. Kept between starts.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use slimgpt::allocate::{self, Allocation, Curve, Schedule, Target};
use slimgpt::checkpoint::Dtype;
use slimgpt::device::DeviceChoice;
use slimgpt::obs::HeadUnit;
use slimgpt::pipeline::{Plan, Request};
use slimgpt::search::Bounds;

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

/// Where to compute, as it is chosen and kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeviceSetting {
    /// A hardware GPU if there is one, else the CPU.
    Auto,
    /// The CPU, whatever else there is.
    Cpu,
    /// An adapter, by name.
    Gpu(String),
}

impl DeviceSetting {
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
// What an older version kept lacks the newer fields.
#[serde(default)]
pub struct Settings {
    /// The device that is to compute.
    pub place: DeviceSetting,
    /// By what the target is said.
    pub goal: Goal,
    /// Share of the decoder layers' parameters that goes.
    pub ratio: f64,
    /// Parameters that stay, in millions.
    pub millions: f64,
    /// Bytes that stay, in MiB.
    pub mebibytes: f64,
    /// Every knob of the pruning; its target follows from `goal`.
    pub request: Request,
    /// Whether a begin token stands at the head of each.
    pub begins: bool,
    /// Calibration texts, in the order in which they were added.
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
        Self {
            place: DeviceSetting::Auto,
            goal: Goal::Ratio,
            ratio: 0.2,
            // These two are set anew by the first model that is opened.
            millions: 1.0,
            mebibytes: 1.0,
            request: Request::default(),
            begins: false,
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
        self.millions = (1.0 - self.ratio) * size / 1e6;
        // In the type that is written, as `target` reads it.
        self.mebibytes = (1.0 - self.ratio) * size * self.dtype(model).bytes() as f64 / (1 << 20) as f64;
        // Suggested anew, beside the new model.
        self.out = None;
        let request = &mut self.request;
        // The settings of another model may ask for more than the context of this one.
        request.window_tokens = request.window_tokens.clamp(2, config.max_positions.max(2));
        if request.allocation.schedule.is_exact() {
            // The sizes were those of another model.
            request.allocation.schedule = Schedule::default();
        }
        if model.origin == Origin::Shipped {
            // It was trained on stories that begin with the token, and needs little text.
            (request.windows, request.window_tokens, self.begins) = (64, config.max_positions.min(256), true);
            self.files.clear();
        }
        // Without groups both units are the same, and only this one is offered.
        if config.dense.heads_per_group() == 1 {
            request.allocation.head_unit = HeadUnit::KeyValue;
        }
    }

    /// Whether there is a text to calibrate on. The shipped model needs none of its own.
    pub fn has_text(&self, model: &Model) -> bool {
        model.origin == Origin::Shipped || !self.files.is_empty()
    }

    /// How much is to go, as it is said.
    pub fn target(&self, model: &Model) -> Target {
        let bytes = self.dtype(model).bytes() as f64;
        match self.goal {
            Goal::Ratio => Target::Ratio(self.ratio),
            Goal::Parameters => Target::Parameters((self.millions * 1e6).round() as usize),
            // All weights are stored in one type.
            Goal::Bytes => Target::Parameters((self.mebibytes * (1 << 20) as f64 / bytes).round() as usize),
        }
    }

    /// What is asked for.
    pub fn request(&self, model: &Model) -> Request {
        let mut request = self.request.clone();
        // Sizes say by themselves how much goes.
        request.allocation.target = (!self.has_sizes()).then(|| self.target(model));
        request
    }

    /// The request that a search for sizes serves: with a target, and whatever curve.
    pub fn searched(&self, model: &Model) -> Request {
        let mut request = self.request.clone();
        request.allocation.schedule = Schedule::default();
        request.allocation.target = Some(self.target(model));
        request
    }

    /// What sizes that are searched for must keep to.
    pub fn bounds(&self) -> Bounds {
        let Allocation { keep_layers, channel_multiple, .. } = self.request.allocation.clone();
        Bounds { keep_layers, channel_multiple, ..Bounds::default() }
    }

    /// Whether the sizes of every layer are given, as a search finds them.
    pub fn has_sizes(&self) -> bool {
        self.request.allocation.schedule.is_exact()
    }

    /// Whether the schedule is a curve with two ends.
    pub fn has_ends(&self) -> bool {
        !self.has_sizes() && self.curve() != Curve::Uniform
    }

    /// Element type of the output.
    pub fn dtype(&self, model: &Model) -> Dtype {
        self.request.dtype.unwrap_or(model.checkpoint.dtype())
    }

    /// How the ratio goes from the first layer to the last, where a curve says it.
    pub fn curve(&self) -> Curve {
        match self.request.allocation.schedule {
            Schedule::Curve(curve) => curve,
            _ => Curve::default(),
        }
    }

    /// The share of a plan that a folder is called by: the one that was asked for, or where sizes were given what goes
    /// by them.
    pub fn share(&self, plan: &Plan) -> f64 {
        if self.has_sizes() { plan.decoder_ratio() } else { plan.ratio }
    }

    /// The folder to make.
    pub fn out(&self, model: &Model, ratio: f64) -> PathBuf {
        self.out.clone().unwrap_or_else(|| model.beside(&format!("slim-{:.0}", 100.0 * ratio)))
    }
}

/// The share of the steepest end in the mean: mean = (1 − m)·gentle + m·steep. `None` where all
/// layers are alike.
fn mean_rise(curve: Curve, layers: usize) -> Option<f64> {
    // Two ends so near each other that no schedule leaves its range.
    let (gentle, target) = (0.499, 0.5);
    let ratios = allocate::ratios(curve, target, Some(gentle), layers).ok()?;
    let steep = ratios.iter().copied().fold(0.0, f64::max);
    // The gentle end is 1e-3 below the mean; a steep one that is no higher is rounding of a uniform curve.
    (steep - target > 1e-6 && layers > 1).then(|| (target - gentle) / (steep - gentle))
}

/// The ratio of the gentle end that puts the steep one at `steep`, the mean staying where it is.
pub fn gentle_end(curve: Curve, layers: usize, mean: f64, steep: f64) -> Option<f64> {
    let m = mean_rise(curve, layers)?;
    // mean = (1 − m)·gentle + m·steep, solved for the gentle end.
    Some(((mean - m * steep) / (1.0 - m)).clamp(0.0, 0.99))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_in_bytes_begins_at_the_ratio_whatever_type_is_written() {
        let model = Model::shipped_in_memory().unwrap();
        let left = (0.8 * model.checkpoint.config().parameters() as f64).round() as usize;
        for dtype in [None, Some(Dtype::F16), Some(Dtype::F32)] {
            let mut settings = Settings { goal: Goal::Bytes, ratio: 0.2, ..Settings::default() };
            settings.request.dtype = dtype;
            settings.for_model(&model);
            assert_eq!(settings.target(&model), Target::Parameters(left), "{dtype:?}");
        }
    }

    #[test]
    fn dragging_the_steep_end_moves_the_gentle_one_so_that_the_mean_stays() {
        for curve in [Curve::Log, Curve::Linear, Curve::LogDecrease, Curve::LinearDecrease] {
            for layers in [2, 5, 32] {
                let gentle = gentle_end(curve, layers, 0.3, 0.36).unwrap();
                let ratios = allocate::ratios(curve, 0.3, Some(gentle), layers).unwrap();
                let steep = ratios.iter().copied().fold(0.0, f64::max);
                assert!((steep - 0.36).abs() < 1e-9, "{curve:?} {layers}: {steep}");
            }
        }
    }

    #[test]
    fn a_uniform_schedule_has_no_ends_to_drag() {
        assert_eq!(gentle_end(Curve::Uniform, 8, 0.3, 0.4), None);
        assert_eq!(gentle_end(Curve::Log, 1, 0.3, 0.4), None);
    }
}
