//! Why a request cannot be done to a model: which layer, which number, what to change.

use crate::obs::schedule::ScheduleError;
use crate::pipeline::MemoryError;
use crate::shape::Family;

/// Why a request cannot be done to a model.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// Neither a target nor a list of ratios.
    #[error(
        "nothing says how much is to go: give --target 0.2, --target-params 5.4B, or a --schedule file with one ratio for each layer"
    )]
    NoTarget,
    /// The schedule's own errors.
    #[error(transparent)]
    Schedule(#[from] ScheduleError),
    /// A list of another length.
    #[error("the schedule has {given} ratios but the model has {layers} layers")]
    ListLength {
        /// Ratios in the list.
        given: usize,
        /// Layers of the model.
        layers: usize,
    },
    /// A ratio of a list, perhaps after scaling, is not in [0, 1).
    #[error("layer {layer}: the ratio {ratio} of the schedule is not in [0, 1)")]
    ListRatio {
        /// The layer.
        layer: usize,
        /// Its ratio.
        ratio: f64,
    },
    /// A multiple of zero.
    #[error("--channel-multiple must be at least 1")]
    ZeroMultiple,
    /// The damping is no fraction.
    #[error("--damping {0} is not a number of at least 0; 0.01 is usual")]
    Damping(f64),
    /// More text than can be counted in bytes.
    #[error(
        "--samples {windows} of --seq-len {length} are more than {most} tokens, more than any calibration needs; \
         256 samples are usual"
    )]
    TooMuchText {
        /// Windows.
        windows: usize,
        /// Tokens of one.
        length: usize,
        /// The limit.
        most: usize,
    },
    /// The family has no place for the biases that the method adds.
    #[error(
        "the method flap adds a bias to every projection, which a {family:?} model has no place for; \
         use another --method, or a model of LLaMA's layout"
    )]
    NoBiases {
        /// The family.
        family: Family,
    },
    /// Query heads cannot go alone.
    #[error(
        "layer {layer}: every key/value head has one query head, so --heads query can remove nothing; use --heads kv"
    )]
    NoGroups {
        /// The layer.
        layer: usize,
    },
    /// Nothing or too little would stay.
    #[error(
        "layer {layer}: the ratio {ratio:.3} would leave {left} of {present} {what}, and at least {least} must stay; \
         lower the target, or raise --first-ratio so that the other layers lose more"
    )]
    Emptied {
        /// The layer.
        layer: usize,
        /// Its ratio.
        ratio: f64,
        /// "K/V heads", "channels"…
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
        /// Wanted.
        wanted: usize,
        /// There.
        dense: usize,
    },
    /// Fewer parameters wanted than can be reached.
    #[error(
        "the target of {wanted} parameters cannot be reached: with this schedule the smallest model has {smallest} \
         (ratio {ratio:.3}); remove less (a smaller --target, a larger --target-params), or try --schedule uniform"
    )]
    TargetTooSmall {
        /// Wanted.
        wanted: usize,
        /// The smallest there is.
        smallest: usize,
        /// Its ratio.
        ratio: f64,
    },
    /// It does not fit.
    #[error(transparent)]
    Memory(#[from] MemoryError),
}
