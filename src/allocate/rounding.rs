//! How shares become whole heads and channels.

use serde::{Deserialize, Serialize};

/// Whose counts are rounded together to whole heads and channels.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
    strum::IntoStaticStr,
    strum::EnumMessage,
    strum::VariantArray,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Rounding {
    /// The model's total: coarse heads go where the schedule's rounding error is largest, and
    /// channels make up for them until the target is met to half a channel step.
    #[default]
    #[strum(message = "the whole model, so that the target is met to half a channel step")]
    Model,
    /// Every layer by itself, half to even, as the published code does.
    #[strum(message = "every layer by itself, as the published code does")]
    Layer,
}
