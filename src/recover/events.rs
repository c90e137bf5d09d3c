//! What a recovery tells while it works: plain data for the progress bar, the JSON lines and the window.

use serde::Serialize;

use super::{HeldOut, RecoveryPlan, Settings, StepRecord};

/// What a recovery tells.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// It begins.
    Planned {
        /// What was asked for.
        settings: Box<Settings>,
        /// How much memory it takes, and where.
        plan: Box<RecoveryPlan>,
        /// Sequences that are learnt from.
        examples: usize,
        /// Sequences that are held out.
        held_out: usize,
        /// Steps in all.
        steps: usize,
        /// Numbers that are learnt.
        parameters: usize,
    },
    /// The device had no room. The same run goes on with less on it, and tells its plan again.
    OutOfMemory {
        /// Sequences that go through a layer together from now on.
        micro_batch: usize,
        /// Whether it begins again: micro-batches of another size have other last bits.
        from_the_first_step: bool,
    },
    /// The state of an interrupted run was found.
    Resumed {
        /// Steps that are done.
        done: usize,
        /// Steps in all.
        steps: usize,
    },
    /// Work on a step or a look at the held-out sequences: layers forward and back.
    Layer {
        /// Layers that were gone through.
        done: usize,
        /// Of how many.
        total: usize,
    },
    /// A step is done.
    Step(StepRecord),
    /// The held-out sequences were looked at.
    HeldOut(HeldOut),
    /// The held-out loss has not become better for so many looks.
    Patience {
        /// The step that is kept.
        kept: usize,
    },
    /// The result is put together.
    Writing,
    /// The result has its name.
    Finished {
        /// The step whose numbers it has.
        kept: usize,
        /// Its held-out loss, if anything was held out.
        held_out: Option<f64>,
    },
}

pub use crate::pipeline::Flow;
