//! How long a plan will take: multiplications counted, over the rate that a device showed before.

use slimgpt::pipeline::Plan;
use slimgpt::shape::ModelConfig;

/// Multiplications of a run: what the tokens cost, and what the matrices cost.
///
/// Per token a layer multiplies each of its parameters once, and adds to the Hessians q² / 2 and
/// c² / 2. A site of n inputs inverts its Hessian for about n³, and each of k removals touches W
/// and one row of the inverse, so k · n · (d + n).
pub fn multiplications(plan: &Plan, config: &ModelConfig) -> f64 {
    // As planned: a text with fewer windows is known only when it is cut.
    let tokens = (plan.request.windows * plan.request.window_tokens) as f64;
    let d = config.hidden_size as f64;
    // A site that keeps everything has no Hessian, and so nothing to sum or to invert.
    let site = |inputs: usize, removed: usize| {
        let (n, k) = (inputs as f64, removed as f64);
        if removed == 0 { 0.0 } else { tokens * n * n / 2.0 + n * n * n + k * n * (d + n) }
    };
    let layer = |l: &slimgpt::allocate::LayerPlan| {
        let heads = l.before.heads * config.head_dim;
        let heads_gone = (l.before.heads - l.after.heads) * config.head_dim;
        // QKᵀ and its product with V: q for each of two, over half a window of keys on the average.
        let attention = tokens * plan.request.window_tokens as f64 * heads as f64;
        tokens * l.parameters_before as f64
            + attention
            + site(heads, heads_gone)
            + site(l.before.channels, l.channels_removed())
    };
    plan.layers.iter().map(layer).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Model;
    use slimgpt::allocate::Target;
    use slimgpt::pipeline::{Limits, Request, plan};

    fn work(windows: usize, ratio: f64) -> f64 {
        let model = Model::shipped_in_memory().unwrap();
        let config = model.checkpoint.config();
        let target = Target::Ratio(ratio);
        let request = Request { windows, window_tokens: 64, ..Request::to(target) };
        multiplications(&plan(&request, config, &Limits::default()).unwrap(), config)
    }

    #[test]
    fn twice_the_text_is_less_than_twice_the_work_because_the_matrices_stay() {
        let (once, twice) = (work(16, 0.3), work(32, 0.3));
        assert!(once < twice && twice < 2.0 * once, "{once} {twice}");
        assert!(work(16, 0.2) < work(16, 0.5));
    }
}
