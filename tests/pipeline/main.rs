//! The pipeline from request to folder: plans, the order of the driver's steps, predicted against
//! measured loss, and runs that are interrupted and go on.

mod activations;
mod allocate;
mod driver;
mod exhausted;
mod families;
mod folder;
mod halves;
mod panels;
mod places;
mod plan;
mod processes;
mod qwen2;
mod ranks;
mod sampled;
mod scored;
mod settled;
mod sizes;
mod stored;
mod stories;
#[path = "../support/mod.rs"]
mod support;
mod tiny;
mod types;
