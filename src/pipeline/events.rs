//! What the driver tells while it works: plain data, one stream for the progress bar, the JSON
//! lines, the panels and the page.
//!
//! Events carry no times, because the library has no clock; who receives them stamps them.

use serde::{Deserialize, Serialize};

use super::{LayerRecord, Plan};
use crate::activations::Placement;
use crate::allocate::LayerRatio;
use crate::obs::Removal;
use crate::shape::{LayerShape, Site};

/// One of the three passes over the calibration tokens that a layer takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pass {
    /// Attention contexts, for the Hessian of o_proj.
    Attention,
    /// Inner feed-forward activations behind the new o_proj, for the Hessian of down_proj.
    Feedforward,
    /// The layer's output behind the new down_proj: the next layer's input.
    Output,
    /// All three at once with weights that are already there, when a run goes on.
    Replay,
}

/// One thing that happened in a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The run begins; nothing is computed yet.
    Planned {
        /// What will be done.
        // Boxed: a plan is large, and an event is as large as its largest variant.
        plan: Box<Plan>,
    },
    /// Layers of an interrupted run were found.
    Resumed {
        /// How many are finished.
        finished: usize,
        /// How many there are.
        layers: usize,
    },
    /// The device had no room. The same run goes on with less on it, and tells its plan again.
    OutOfMemory {
        /// Windows that run together from now on.
        batch_windows: usize,
        /// Where the activations lie from now on.
        activations: Placement,
        /// Whether it starts again from its first layer: smaller batches have other last bits, and one
        /// result is made in batches of one size.
        from_the_first_layer: bool,
    },
    /// What may go is chosen before the first layer: by gradients of the whole model or by training, in layers forward
    /// and back, or by a pass of the model as it is, in batches of windows through a layer.
    Choosing {
        /// How many were gone through.
        done: usize,
        /// Of how many.
        total: usize,
    },
    /// A layer begins, to be pruned or replayed.
    LayerStarted {
        /// Index of the layer, from 0.
        layer: usize,
        /// How many there are.
        layers: usize,
        /// Whether it is only replayed with weights that are already there.
        replayed: bool,
        /// The ratios its counts were rounded from.
        ratio: LayerRatio,
        /// Its sizes as it is.
        before: LayerShape,
        /// The sizes it is to have afterwards.
        after: LayerShape,
    },
    /// A batch of windows went through a pass.
    Batch {
        /// Index of the layer, from 0.
        layer: usize,
        /// Which of the passes over the calibration tokens.
        pass: Pass,
        /// Batches done in this pass.
        done: usize,
        /// Batches of a pass.
        total: usize,
        /// Tokens done in this pass.
        tokens: usize,
    },
    /// It is decided what goes from a site.
    Pruned {
        /// Index of the layer, from 0.
        layer: usize,
        /// Which of the layer's two prunable projections.
        site: Site,
        /// Units that stay: K/V heads, query heads or channels, by their index before pruning.
        kept: Vec<usize>,
        /// Units that went, in order.
        removed: Vec<Removal>,
        /// The score of every unit before the first went, by its index; empty where nothing goes.
        scores: Vec<f64>,
        /// The squared error that the mathematics predicts.
        predicted_loss: f64,
    },
    /// The calibration tokens went through the new weights.
    Measured {
        /// Index of the layer, from 0.
        layer: usize,
        /// Which of the layer's two prunable projections.
        site: Site,
        /// The squared error that was predicted.
        predicted_loss: f64,
        /// The squared error that the tokens see.
        measured_loss: f64,
    },
    /// A layer is finished and stored whole; from here an interrupted run goes on. It is stored while the next one is
    /// worked on, so this comes among the events of the next layer, before that one is finished.
    LayerDone {
        /// What went from it, and what that cost.
        record: Box<LayerRecord>,
    },
    /// All layers are done; the output is put together.
    Writing,
    /// The output is whole.
    Finished {
        /// Parameters of the model as it was.
        parameters_before: usize,
        /// Parameters that are left.
        parameters_after: usize,
        /// Calibration tokens of all windows together.
        tokens: usize,
    },
}

/// The observer's answer to an event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Flow {
    /// The run goes on with its next step.
    #[default]
    Continue,
    /// Stop here. The layers that are stored stay; the same run goes on from them.
    Stop,
}
