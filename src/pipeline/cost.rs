//! Operations of a pruning, counted before any work: what a calibration token costs in each layer.
//!
//! A multiplication and its addition are two. With hidden width d, q = heads · head_dim, k = kv_heads · head_dim, c
//! channels, the same behind the cut as q' and c', p pairs that a query meets on average, and s the share of tokens on
//! which losses are measured:
//!
//! ```text
//! projections   2 d (q + 2 k)
//! attention     4 q p
//! Hessians      q (q + 1) + c (c + 1)            of each the lower triangle, where the site loses something
//! feed-forward  4 d c + (1 − s) 4 d c' + s 4 d c  gate and up, for the Hessian and then for the output; of what is
//!                                                measured the last only where it was not kept
//! outputs       2 d q' + 2 d c'                  o_proj and down_proj
//! losses        s (2 d q + 2 d c)                where the site loses something
//! ```
//!
//! Norms, rotary positions, softmax and gathers are left out, and solving, which does not grow with the tokens
//! ([`obs::cost`](crate::obs::cost)).

use super::measure::most_tokens;
use super::{Plan, Propagate};
use crate::allocate::LayerPlan;
use crate::model::pairs_per_token;
use crate::shape::{LayerShape, ModelConfig};

/// Operations of one token in one layer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Operations {
    /// q, k and v.
    pub projections: f64,
    /// Scores, and the sums they weigh.
    pub attention: f64,
    /// Both sums of squares.
    pub hessians: f64,
    /// gate and up, in both passes.
    pub feed_forward: f64,
    /// o_proj and down_proj.
    pub outputs: f64,
    /// What the new weights lose.
    pub losses: f64,
}

impl Operations {
    /// All parts together.
    pub fn total(&self) -> f64 {
        self.projections + self.attention + self.hessians + self.feed_forward + self.outputs + self.losses
    }
}

/// What a token costs in each layer of the planned pruning of a model of these sizes.
pub fn operations_per_token(plan: &Plan, config: &ModelConfig) -> Vec<Operations> {
    plan.layers.iter().map(|layer| of_layer(plan, config, layer)).collect()
}

fn of_layer(plan: &Plan, config: &ModelConfig, layer: &LayerPlan) -> Operations {
    let request = &plan.request;
    let widths = |shape: LayerShape| {
        [shape.heads * config.head_dim, shape.kv_heads * config.head_dim, shape.channels].map(|width| width as f64)
    };
    let d = config.hidden_size as f64;
    let ([q, k, c], [q_left, _, c_left]) = (widths(layer.before), widths(layer.after));
    let is_pruned = request.propagate == Propagate::Pruned;
    let behind = |before: f64, left: f64| if is_pruned { left } else { before };
    let measured = most_tokens(request) as f64 / ((request.windows * request.window_tokens).max(1)) as f64;
    let [heads_go, channels_go] =
        [layer.head_units_removed(), layer.channels_removed()].map(|removed| if removed > 0 { 1.0 } else { 0.0 });
    let again = if plan.memory.keep_inner { 0.0 } else { measured * c };
    Operations {
        projections: 2.0 * d * (q + 2.0 * k),
        attention: 4.0 * q * pairs_per_token(request.window_tokens),
        hessians: heads_go * q * (q + 1.0) + channels_go * c * (c + 1.0),
        feed_forward: 4.0 * d * (c + (1.0 - measured) * behind(c, c_left) + again),
        outputs: 2.0 * d * (behind(q, q_left) + behind(c, c_left)),
        losses: measured * 2.0 * d * (heads_go * q + channels_go * c),
    }
}
