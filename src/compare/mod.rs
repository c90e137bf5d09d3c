//! Methods, ratios, schedules and calibrations against each other: every combination is pruned on
//! the same tokens and measured by the same protocol.
//!
//! A [`Grid`] is cut into cells; each becomes a [`CellResult`] of the [`Comparison`]. A cell that cannot
//! be is a row too, and says why. What is finished lies in a folder and is not done again.

mod cell;
#[cfg(not(target_arch = "wasm32"))]
mod context;
#[cfg(not(target_arch = "wasm32"))]
mod error;
#[cfg(not(target_arch = "wasm32"))]
mod measure;
mod plot;
#[cfg(feature = "gradients")]
mod recovered;
mod row;
#[cfg(not(target_arch = "wasm32"))]
mod run;
mod seeds;
#[cfg(not(target_arch = "wasm32"))]
mod store;
mod table;

pub use cell::{Cell, Grid, distinct};
#[cfg(feature = "gradients")]
pub use context::Recovery;
#[cfg(not(target_arch = "wasm32"))]
pub use context::{Calibrate, Evaluation, Event, GridContext, TaskSet};
#[cfg(not(target_arch = "wasm32"))]
pub use error::CompareError;
pub use plot::plot;
pub use row::{CellResult, Dense, Figures, Further, Latency, Outcome, Recovered, TaskFigure};
#[cfg(not(target_arch = "wasm32"))]
pub use run::run;
pub use seeds::{OverSeeds, over_seeds};
pub use table::{Comparison, Protocol};
