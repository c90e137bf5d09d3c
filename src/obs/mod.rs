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
//! *Selection* ([`prune_heads`], [`prune_channels`]) walks towards a good K by eliminating cheap
//! groups; *reconstruction* computes Ŵ_K once, from the original weights. Every elimination along
//! the way equals the refit of its own kept set, which is the property the tests hold everything to.
//!
//! Both are data ([`Options`]): the methods that Optimal Brain Surgeon is compared with select by a
//! [`Ranking`] of the columns as they are, and leave the others unchanged or shift the bias.

pub mod cost;
mod cpu;
mod error;
mod executor;
mod fluctuation;
mod groups;
mod heads;
mod hessian;
mod nested;
mod options;
mod prune;
mod rank;
mod reconstruct;
mod repeat;
mod score;
mod select;
mod shared;
mod site;
mod steps;
pub mod subsets;
mod swap;
pub mod toy;
pub mod trace;
#[cfg(feature = "gpu")]
mod wgpu;
mod whole;

#[cfg(feature = "gpu")]
pub use self::wgpu::WgpuExecutor;
pub use cpu::{CpuExecutor, Real};
pub use error::{FactoredMatrix, ObsError};
pub use executor::{Executor, Inspect, Refit, Removal};
pub use fluctuation::Fluctuation;
pub use groups::{HeadCut, HeadLayout, HeadUnit};
pub use heads::{HeadScores, mixed_cuts, prune_heads, prune_heads_by};
pub use hessian::Hessian;
pub use nested::{Nested, Stage, nested_channels, nested_heads};
pub use options::{Brought, Options, Ranking, Reconstruction, Selection};
pub use prune::{Pruned, prune_channels, prune_channels_by, remove_columns, remove_groups};
pub use repeat::SmallLayer;
pub use score::Score;
pub use shared::Shared;
pub use steps::ChannelSteps;
pub use whole::whole_output;
