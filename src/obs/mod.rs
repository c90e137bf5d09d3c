//! Optimal Brain Surgeon on one linear layer: which groups of input columns go, and what the
//! others become. Knows no model and no file.
//!
//! With inputs X, H = XᵀX (+ damping) and weights W `(out, in)`, removing the columns P and
//! keeping K costs least with the direct least-squares answer
//!
//! ```text
//! Ŵ_K = W H_:K (H_KK)⁻¹ = W_K + W_P H_PK (H_KK)⁻¹
//! ```
//!
//! *Selection* ([`select`](prune_heads)) walks towards a good K by eliminating cheap groups;
//! *reconstruction* computes Ŵ_K once, from the original weights. Every elimination along the way
//! equals the refit of its own kept set, which is the property the tests hold everything to.

mod cpu;
mod error;
mod executor;
mod groups;
mod hessian;
mod prune;
pub mod schedule;
mod score;
mod steps;
pub mod trace;
mod wgpu;

pub use self::wgpu::WgpuExecutor;
pub use cpu::{CpuExecutor, Real};
pub use error::ObsError;
pub use executor::{Executor, Refit, Removal};
pub use groups::{HeadLayout, HeadUnit};
pub use hessian::Hessian;
pub use prune::{Options, Pruned, prune_channels, prune_heads};
pub use score::Score;
pub use steps::ChannelSteps;
