//! Why no sizes come of a request: which layer, which number, what to change.

use super::{CurveError, TimeBudget};
use crate::remedy::{Remedied, Remedy};
use crate::shape::{Family, LayerShape, Site};

/// Why no sizes come of a request.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum AllocateError {
    /// Neither a target nor a schedule that says how much goes.
    #[error("nothing says how much is to go")]
    NoTarget,
    /// Exact sizes leave nothing for a target to decide.
    #[error("the sizes of every layer are said already, so there can be no target beside them")]
    TargetBesideShapes,
    /// Scores leave nothing for ratios to decide.
    #[error("scores of all units say how much goes from which layer and site, so there can be no ratios beside them")]
    RatioBesideScores,
    /// Scores that are not those of the model.
    #[error("layer {layer}: the scores are not those of its heads and channels")]
    Scores {
        /// Index of the layer, from 0.
        layer: usize,
    },
    /// The curve's own errors.
    #[error(transparent)]
    Curve(#[from] CurveError),
    /// A list of another length.
    #[error("the list has {given} entries but the model has {layers} layers")]
    ListLength {
        /// Entries of the list.
        given: usize,
        /// Layers of the model.
        layers: usize,
    },
    /// A ratio, perhaps after scaling, is not in [0, 1).
    #[error("layer {layer}: the ratio {ratio:.4} is not in [0, 1)")]
    ListRatio {
        /// Index of the layer, from 0.
        layer: usize,
        /// The ratio of its heads or of its channels.
        ratio: f64,
    },
    /// A list of zeros cannot be scaled to a target.
    #[error("the list's ratios are all zero, so they cannot be scaled to the target")]
    EmptyList,
    /// A factor that is no number of at least zero.
    #[error("the factor {0} is not a number of at least 0")]
    Factor(f64),
    /// A layer that is to be kept is not there.
    #[error("there is no layer {layer} to keep: the model's {layers} layers are counted from 0")]
    NoSuchLayer {
        /// What was asked for.
        layer: usize,
        /// Layers of the model.
        layers: usize,
    },
    /// A multiple of zero.
    #[error("the channel multiple must be at least 1")]
    ZeroMultiple,
    /// Query heads cannot go alone.
    #[error("layer {layer}: every key/value head has one query head, so query heads cannot go without it")]
    NoGroups {
        /// Index of the layer, from 0.
        layer: usize,
    },
    /// Sizes that a layer cannot come out with.
    #[error(
        "layer {layer}: {} query heads, {} key/value heads and {} channels cannot become {}, {} and {}: {why}",
        before.heads, before.kv_heads, before.channels, after.heads, after.kv_heads, after.channels
    )]
    Shape {
        /// Index of the layer, from 0.
        layer: usize,
        /// The sizes it has now.
        before: LayerShape,
        /// The sizes that were asked for.
        after: LayerShape,
        /// Which rule they break.
        why: &'static str,
    },
    /// A half of a layer would go, which is allowed only on request.
    #[error(
        "layer {layer} would lose its whole {}, and not every program opens a layer without one", site.half()
    )]
    WholeSite {
        /// Index of the layer, from 0.
        layer: usize,
        /// Of which nothing would stay.
        site: Site,
    },
    /// A half of a layer would go that adds a bias.
    #[error(
        "layer {layer} cannot lose its whole {}: {} adds a bias, of which something would be left", site.half(), site.projection()
    )]
    WholeWithBias {
        /// Index of the layer, from 0.
        layer: usize,
        /// Of which nothing would stay.
        site: Site,
    },
    /// A half of a layer would go in a family whose classes build both.
    #[error(
        "layer {layer} cannot lose its whole {}: the classes that open a {family:?} build both halves of every layer",
        site.half()
    )]
    WholeOfFamily {
        /// Index of the layer, from 0.
        layer: usize,
        /// Of which nothing would stay.
        site: Site,
        /// Of the model.
        family: Family,
    },
    /// Every layer would leave the model.
    #[error("every layer would lose both its halves, and of the model nothing but the embedding would be left")]
    NoLayers,
    /// Nothing or too little would stay.
    #[error(
        "layer {layer}: the ratio {ratio:.3} would leave {left} of {present} {what}, and at least {least} must stay"
    )]
    Emptied {
        /// Index of the layer, from 0.
        layer: usize,
        /// The ratio of the site that would be emptied.
        ratio: f64,
        /// "K/V heads", "query heads" or "channels".
        what: &'static str,
        /// How many would stay.
        left: usize,
        /// How many there are.
        present: usize,
        /// How many must stay.
        least: usize,
    },
    /// More parameters wanted than there are.
    #[error("the target of {wanted} parameters is not below the model's {dense}")]
    TargetTooLarge {
        /// Parameters that the whole model was to have.
        wanted: usize,
        /// Parameters of the model as it is.
        dense: usize,
    },
    /// No file can be so small, whatever goes from the layers.
    #[error(
        "{bytes} bytes are too few for any pruning: embeddings, norms and all else that stays have {least} in the types that are written"
    )]
    BytesTooFew {
        /// Bytes that the files were to have at most.
        bytes: u64,
        /// Of what stays when the layers lose everything.
        least: u64,
    },
    /// The files are no larger as it is.
    #[error("nothing need go for {bytes} bytes: in the types that are written the whole model has {dense}")]
    BytesEnough {
        /// Bytes that the files were to have at most.
        bytes: u64,
        /// Of the model as it is.
        dense: u64,
    },
    /// Ratios and curves know no times.
    #[error("a time of {0} for a token is no target of a schedule of ratios: only sizes that are searched for meet it")]
    TimeOfRatios(TimeBudget),
    /// Fewer parameters wanted than can be reached.
    #[error(
        "the target of {wanted} parameters cannot be reached: with this schedule the smallest model has {smallest} (ratio {ratio:.3})"
    )]
    TargetTooSmall {
        /// Parameters that the whole model was to have.
        wanted: usize,
        /// Parameters of the smallest model there is.
        smallest: usize,
        /// The mean ratio that makes it.
        ratio: f64,
    },
}

impl Remedied for AllocateError {
    fn remedy(&self) -> Option<Remedy> {
        match self {
            Self::NoTarget => Some(Remedy::SayHowMuch),
            Self::NoGroups { .. } => Some(Remedy::WholeGroups),
            Self::Emptied { .. } => Some(Remedy::RemoveLess),
            Self::WholeSite { .. } => Some(Remedy::WholeSites),
            Self::TargetTooSmall { .. } => Some(Remedy::ShareEvenly),
            Self::TimeOfRatios(_) => Some(Remedy::MeasureTimes),
            _ => None,
        }
    }
}
