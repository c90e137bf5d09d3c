//! Why no sizes were found.

use crate::activations::CacheError;
use crate::checkpoint::ReadError;
use crate::device::readback::ReadbackError;
use crate::eval::{EvalError, TimesError};
use crate::obs::ObsError;
use crate::pipeline::{PipelineError, PlanError};
use crate::remedy::{Remedied, Remedy};
use crate::shape::Site;

/// Why a search ended early, or found nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SearchError {
    /// The observer said stop. Not a fault: the map has the layers that were probed.
    #[error("stopped with {probed} of {layers} layers probed; the same command goes on from there")]
    Stopped {
        /// Layers whose costs are known.
        probed: usize,
        /// Layers of the model.
        layers: usize,
    },
    /// The observer said stop in a climb. Not a fault: what was tried is kept.
    #[error("stopped with {steps} candidates of the climb judged; the same command goes on from there")]
    ClimbStopped {
        /// Candidates that were pruned and judged.
        steps: usize,
    },
    /// Sizes or a pruning that no climb can begin with.
    #[error("there is no climb {0}")]
    NoClimb(&'static str),
    /// A complete model's divergence is no number.
    #[error(
        "the divergence of a complete candidate is {0}; activations or weights are not finite: check the checkpoint"
    )]
    Judged(f64),
    /// There is nothing to probe with, or to calibrate on.
    #[error("there is no text for the {0}: not one window of at least two tokens was given")]
    NoWindows(&'static str),
    /// The same windows serve for both.
    #[error(
        "the probe is the calibration text itself, on which every cut looks better than it is; give another text or another seed"
    )]
    SameText,
    /// Heads are cut to see what they cost, and all are normed together.
    #[error(
        "a {0:?} norms the queries of all its heads together, and the keys, so that none goes by itself: prune its channels \
         by a curve or a list instead of searching"
    )]
    BoundHeads(crate::shape::Family),
    /// Layers are to lose halves in a family whose classes build both.
    #[error("the classes that open a {0:?} build both halves of every layer: search without whole sites")]
    NoWholeSites(crate::shape::Family),
    /// More is to go than the stages reach.
    #[error(
        "the target asks for {asked} parameters to go, and the largest cuts that were probed take {most}; ask for less"
    )]
    TooMuch {
        /// Parameters that are to go.
        asked: usize,
        /// That can go.
        most: usize,
    },
    /// A time that is no budget.
    #[error(
        "a token is to take {asked:.3} ms, and the model takes {now:.3} ms as it is: ask for less time than that, and more than none"
    )]
    Time {
        /// Milliseconds that were asked for.
        asked: f64,
        /// By the measured times.
        now: f64,
    },
    /// More time is to be saved than the stages reach.
    #[error(
        "each token is to take {asked:.3} ms less, and the largest cuts that were probed save {most:.3} ms; allow more time"
    )]
    TooFast {
        /// Milliseconds that are to be saved.
        asked: f64,
        /// That can be saved.
        most: f64,
    },
    /// No times, or those of something else.
    #[error(transparent)]
    Times(#[from] TimesError),
    /// Every layer would leave the model.
    #[error("the target leaves no layer: all would lose both their halves; ask for less")]
    NoLayers,
    /// Layers that differ too much for one shape.
    #[error("the layers differ so much that no one shape can be made of all of them; search without one shape for all")]
    NoCommonShape,
    /// No candidate stays within the rise of perplexity.
    #[error(
        "no size was found within a rise of {most:.1} %: the largest that was pruned and measured, of {parameters} parameters, rises by {least:.1} %; allow more"
    )]
    NoneWithin {
        /// Per cent that perplexity may rise by.
        most: f64,
        /// Of the candidate with the most.
        parameters: usize,
        /// Per cent that its perplexity rises by.
        least: f64,
    },
    /// A target that means nothing.
    #[error("{0}")]
    Target(String),
    /// A plan of another model.
    #[error("the plan was searched for another model: {0}; search again with this one")]
    OtherModel(String),
    /// A file that is no plan.
    #[error("{0}")]
    File(String),
    /// The mathematics of a site failed.
    #[error("layer {layer}, {site} ({projection}): {cause}", projection = .site.projection())]
    Site {
        /// Index of the layer, from 0.
        layer: usize,
        /// Which of the layer's two prunable projections.
        site: Site,
        /// What the mathematics of the site refused.
        cause: ObsError,
    },
    /// A divergence is no number.
    #[error(
        "layer {layer}, {site}: the divergence is {value}; activations or weights are not finite: check the checkpoint"
    )]
    NotFinite {
        /// Index of the layer, from 0.
        layer: usize,
        /// Which site was cut.
        site: Site,
        /// What was measured.
        value: f64,
    },
    /// The pruning that it is for cannot be carried out.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// A candidate could not be pruned, or a text has tokens that the model does not know.
    #[error(transparent)]
    Pruning(#[from] PipelineError),
    /// The checkpoint could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The disk refused something; the cause names the path.
    #[cfg(not(target_arch = "wasm32"))]
    #[error(transparent)]
    Disk(#[from] crate::disk::DiskError),
    /// The device refused work that nobody waited for.
    #[error(transparent)]
    Device(#[from] crate::device::DeviceError),
    /// Activations are not where they should be.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// The device lost its work.
    #[error(transparent)]
    Readback(#[from] ReadbackError),
    /// A divergence could not be measured.
    #[error(transparent)]
    Eval(#[from] EvalError),
}

impl Remedied for SearchError {
    fn remedy(&self) -> Option<Remedy> {
        match self {
            Self::NoWindows(_) => Some(Remedy::MoreText),
            Self::TooMuch { .. } | Self::NoLayers => Some(Remedy::RemoveLess),
            Self::Plan(error) => error.remedy(),
            Self::Pruning(error) => error.remedy(),
            Self::Times(error) => error.remedy(),
            Self::Readback(error) => error.remedy(),
            Self::Eval(error) => error.remedy(),
            _ => None,
        }
    }
}
