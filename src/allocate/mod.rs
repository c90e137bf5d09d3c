//! How many heads and how many channels each layer keeps.
//!
//! An [`Allocation`] is what was asked: a target and a [`Schedule`] that shares it out. Held against
//! a model it becomes a [`LayerPlan`] for each layer. Ratios are seldom whole numbers of heads and
//! channels; [`Rounding`] says what is rounded.
//!
//! Pure arithmetic on sizes: no weights, no files, no device.

mod apportion;
mod asked;
mod bisect;
mod by_layer;
mod by_model;
mod by_scores;
mod bytes;
mod counts;
mod curve;
mod error;
mod file;
mod layer;
mod plan;
mod profile;
mod ratio;
mod rounding;
mod schedule;
mod shapes;
mod sizes;
mod whole;

pub use asked::{Allocation, KeptEnds};
pub use by_scores::by_scores;
pub use counts::channel_step;
pub use curve::{Curve, CurveError, ratios};
pub use error::AllocateError;
pub use plan::{Allocated, LayerPlan};
pub use ratio::{LayerRatio, SiteRatio};
pub use rounding::Rounding;
pub use schedule::{FinalShape, Schedule, Target, TimeBudget};
pub use whole::may_lose;

use crate::shape::ModelConfig;
use sizes::Sizes;

/// What `asked` leaves of a model of the sizes `config`, whose layers are written with the biases
/// of `written`.
///
/// # Errors
/// When what is asked contradicts itself or the model, or cannot be reached.
pub fn allocate(asked: &Allocation, config: &ModelConfig, written: &ModelConfig) -> Result<Allocated, AllocateError> {
    // First, since what follows indexes lists by layer.
    asked.check(config.layers.len())?;
    let asked = &asked.with_ends(config.layers.len());
    // Said sizes leave nothing to round or to solve for.
    if let Some(shapes) = shapes::said(asked, config) {
        return match asked.target {
            Some(_) => Err(AllocateError::TargetBesideShapes),
            None => Ok(Allocated::of(shapes::plans(&shapes, config, written, asked.whole_sites)?)),
        };
    }
    let sizes = Sizes { config, written };
    let rounded = |asked: &Allocation| match asked.rounding() {
        _ if asked.schedule == Schedule::Scores => by_model::allocate(&asked.until_scored()?, &sizes),
        Rounding::Layer => by_layer::allocate(asked, &sizes),
        Rounding::Model => by_model::allocate(asked, &sizes),
    };
    match asked.target {
        Some(Target::Bytes { parameters, .. }) => bytes::at_most(parameters, &sizes, |aim| {
            rounded(&Allocation { target: Some(Target::Parameters(aim)), ..asked.clone() })
        }),
        _ => rounded(asked),
    }
}
