//! The only place that knows the order of steps: what was asked ([`Request`]) becomes what will be
//! done ([`Plan`]), and [`prune`] does it, layer by layer, telling an observer ([`Event`]) and
//! handing every finished layer to a [`LayerSink`].
//!
//! Nothing here reads a clock or prints, and the only threads read the next layer and write the finished one. Files are touched only by
//! [`OutputFolder`], which does not exist on the web; there a [`MemorySink`] takes its place.

mod ahead;
mod aside;
mod batches;
mod beside;
mod cost;
mod cut;
mod driver;
mod error;
mod events;
mod fluctuations;
mod job;
mod layer;
mod measure;
mod memory;
mod meter;
mod method;
mod passes;
mod plan;
mod ranked;
mod report;
mod request;
mod run;
mod scores;
mod sharing;
mod sink;
mod steps;
mod walk;

#[cfg(not(target_arch = "wasm32"))]
mod folder;
#[cfg(not(target_arch = "wasm32"))]
mod resume;

pub use batches::{batches, digest as windows_sha256, embed};
pub use cost::{Operations, operations_per_token};
pub use cut::KeptIndices;
pub use driver::{prune, prune_following, prune_leading};
#[cfg(not(target_arch = "wasm32"))]
pub use error::FolderError;
pub use error::PipelineError;
pub use events::{Event, Flow, Pass};
#[cfg(not(target_arch = "wasm32"))]
pub use folder::{Begun, Opened, OutputFolder, Work};
pub use job::Job;
pub use memory::{
    BATCH_TOKENS, CAUTIOUS_DEVICE_BYTES, Limits, MemoryError, MemoryPart, MemoryPlan, WouldFit, refuse_unbindable,
};
pub use meter::Meter;
pub use method::Method;
pub use plan::{Plan, PlanError, plan, plan_beside};
pub use report::{LayerRecord, Report, SiteRecord, Timing, Typed};
pub use request::{Measure, Propagate, Request};
#[cfg(not(target_arch = "wasm32"))]
pub use resume::Fingerprint;
pub use scores::UnitScores;
pub use sharing::Sharing;
pub use sink::{FinishedLayer, LayerSink, MemorySink, Storing};
pub use walk::{Between, Walk};
