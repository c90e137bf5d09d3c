//! What is asked of a climb, and which text it takes.

use serde::{Deserialize, Serialize};

use super::probe::whole;
use super::{Bounds, Map, SearchError};
use crate::checkpoint::Checkpoint;
use crate::device::Device;
use crate::model::widths;
use crate::pipeline::{Limits, Request};
use crate::shape::ModelConfig;

/// Tokens that candidates are fitted to, if the calibration has as many: whole calibrations would try few candidates.
const FITTED_TOKENS: usize = 8192;
/// Tokens for each column of the widest Hessian, below which fits would be to noise.
const TOKENS_A_COLUMN: usize = 4;

/// What a climb works with.
pub struct Climb<'a> {
    /// The dense model.
    pub checkpoint: &'a Checkpoint,
    /// The pruning that it is for; its sizes are those of the candidates.
    pub request: &'a Request,
    /// What the device and this machine can hold.
    pub limits: &'a Limits,
    /// What candidates are fitted to: the first of these windows.
    pub calibration: &'a [Vec<u32>],
    /// What candidates are judged by.
    pub probe: &'a [Vec<u32>],
    /// What the best is checked on in the end.
    pub held_out: &'a [Vec<u32>],
    /// What cutting costs.
    pub map: &'a Map,
    /// What sizes must keep to.
    pub bounds: &'a Bounds,
    /// What tells the climb from others.
    pub id: &'a str,
    /// Seed of what is chosen among moves that are worth the same.
    pub seed: u64,
    /// When it ends.
    pub effort: Effort,
    /// Seconds since any fixed moment.
    pub clock: &'a dyn Fn() -> f64,
    /// Where it is computed.
    pub device: &'a Device,
}

/// When a climb ends: whichever comes first, or no move is left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Effort {
    /// After so many candidates, which repeats exactly.
    pub steps: Option<usize>,
    /// After the candidate in which so many seconds are over.
    pub seconds: Option<f64>,
}

impl Effort {
    /// Whether there is to be a climb at all.
    pub fn is_any(&self) -> bool {
        self.steps.is_some() || self.seconds.is_some()
    }

    /// The part that is over, up to 1.
    pub(super) fn share(&self, steps: usize, seconds: f64) -> f64 {
        let of_steps = self.steps.map_or(0.0, |most| steps as f64 / most.max(1) as f64);
        let of_seconds = self.seconds.map_or(0.0, |most| seconds / most.max(f64::MIN_POSITIVE));
        of_steps.max(of_seconds).min(1.0)
    }

    /// Whether so many candidates, or so many seconds, are enough.
    pub(super) fn is_over(&self, steps: usize, seconds: f64) -> bool {
        self.steps.is_some_and(|most| steps >= most) || self.seconds.is_some_and(|most| seconds >= most)
    }
}

/// The windows that candidates are judged by, and those that are held out, each of one length.
pub(super) struct Texts {
    pub probe: Vec<Vec<u32>>,
    pub held_out: Vec<Vec<u32>>,
}

/// The texts of a climb that can be.
pub(super) fn texts(asked: &Climb<'_>) -> Result<Texts, SearchError> {
    if asked.bounds.uniform {
        return Err(SearchError::NoClimb("where all layers are to have one shape: a move changes two sites"));
    }
    if asked.request.options.brought().is_some() {
        return Err(SearchError::NoClimb(
            "where units are chosen by scores of the whole model, which every candidate would need anew",
        ));
    }
    let (probe, held_out) = (whole(asked.probe), whole(asked.held_out));
    for (windows, what) in [(&probe, "probe"), (&held_out, "held-out windows of a climb")] {
        // A window of one token predicts nothing.
        if windows.first().is_none_or(|window| window.len() < 2) {
            return Err(SearchError::NoWindows(what));
        }
    }
    if held_out.iter().all(|window| probe.contains(window)) {
        return Err(SearchError::NoClimb("whose held-out windows are those that candidates are judged by"));
    }
    Ok(Texts { probe, held_out })
}

/// The first windows, with as many tokens as candidates are fitted to.
pub(super) fn fitted<'a>(calibration: &'a [Vec<u32>], config: &ModelConfig) -> &'a [Vec<u32>] {
    let (_, q, c) = widths(config);
    let wanted = FITTED_TOKENS.max(TOKENS_A_COLUMN * q.max(c) as usize);
    let mut tokens = 0;
    let enough = calibration.iter().position(|window| {
        tokens += window.len();
        tokens >= wanted
    });
    enough.map_or(calibration, |last| &calibration[..=last])
}
