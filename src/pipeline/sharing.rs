//! What it costs and saves that several devices or processes share the windows, counted before any work.
//!
//! With hidden width d, and q = heads · head_dim inputs of o_proj and c of down_proj, of which q' and c' stay:
//!
//! ```text
//! summed        4 (q² + c²) / 2        each rank's lower triangles
//! told          4 d (q' + c')          Ŵ, to each rank
//! shared        the passes over all windows (`operations_per_token`)
//! ```
//!
//! What the first rank solves is shared by nobody.

use super::Plan;
use super::cost::operations_per_token;
use crate::shape::ModelConfig;

const F32: u64 = 4;

/// What sharing the windows comes to in a run, over all layers.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Sharing {
    /// Those who share.
    pub ranks: u64,
    /// Bytes that the first rank receives from all others.
    pub summed_bytes: u64,
    /// Bytes that it sends to all others.
    pub told_bytes: u64,
    /// Operations of the passes over all windows, which are shared.
    pub operations: f64,
}

impl Sharing {
    /// For the ranks of a plan for a model of the sizes `config`.
    pub fn of(plan: &Plan, config: &ModelConfig) -> Self {
        let ranks = plan.ranks as u64;
        let d = config.hidden_size as u64;
        let tokens = (plan.request.windows * plan.request.window_tokens) as f64;
        let mut sum = Self { ranks, summed_bytes: 0, told_bytes: 0, operations: 0.0 };
        for (layer, of_token) in plan.layers.iter().zip(operations_per_token(plan, config)) {
            let width = |heads: usize| (heads * config.head_dim) as u64;
            let (q, c) = (width(layer.before.heads), layer.before.channels as u64);
            let (q_left, c_left) = (width(layer.after.heads), layer.after.channels as u64);
            sum.summed_bytes += (ranks - 1) * ((q * q + c * c) / 2) * F32;
            sum.told_bytes += (ranks - 1) * d * (q_left + c_left) * F32;
            sum.operations += tokens * of_token.total();
        }
        sum
    }

    /// Seconds that the messages take where the first rank sends and receives so many bytes a second.
    pub fn seconds_of_messages(&self, bytes_per_second: f64) -> f64 {
        (self.summed_bytes + self.told_bytes) as f64 / bytes_per_second
    }

    /// Seconds that are saved where a rank does so many floating-point operations a second.
    pub fn seconds_saved(&self, operations_per_second: f64) -> f64 {
        let ranks = self.ranks as f64;
        self.operations / operations_per_second * (ranks - 1.0) / ranks
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::allocate::Target;
    use crate::pipeline::{Limits, Request, plan};

    fn sharing(ranks: usize) -> Sharing {
        let config = include_str!("../../examples/tiny_model/config.json");
        let config = crate::checkpoint::parse_config(&serde_json::from_str(config).unwrap()).unwrap();
        let plan = plan(&Request::to(Target::Ratio(0.5)), &config, &Limits { ranks, ..Limits::default() }).unwrap();
        Sharing::of(&plan, &config)
    }

    #[test]
    fn one_alone_sends_and_saves_nothing() {
        let one = sharing(1);
        assert_eq!((one.summed_bytes, one.told_bytes), (0, 0));
        assert_eq!((one.seconds_of_messages(1.0), one.seconds_saved(1.0)), (0.0, 0.0));
        assert!(one.operations > 0.0);
    }

    #[test]
    fn more_ranks_send_more_and_save_less_each() {
        let [two, eight] = [2, 8].map(sharing);
        assert_eq!((eight.summed_bytes, eight.told_bytes), (7 * two.summed_bytes, 7 * two.told_bytes));
        assert_eq!(eight.operations, two.operations, "the work is the same");
        assert_eq!(two.seconds_saved(two.operations), 0.5);
        assert_eq!(eight.seconds_saved(two.operations), 0.875);
    }
}
