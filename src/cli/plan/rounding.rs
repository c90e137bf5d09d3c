//! What rounding does to a plan, in words.

use slimgpt::allocate::{LayerPlan, Rounding, Target};
use slimgpt::pipeline::Plan;

use slimgpt::format;

/// Lines that say how far counts are from what their ratios ask for; none where that is little.
pub fn lines(plan: &Plan) -> Vec<String> {
    // Sizes that are said outright are not rounded.
    if plan.request.allocation.schedule.is_exact() {
        return Vec::new();
    }
    let coarse: Vec<&LayerPlan> = plan.layers.iter().filter(|l| l.coarse_unit().is_some()).collect();
    match plan.request.allocation.rounding() {
        Rounding::Model => by_model(&coarse, plan.layers.len()).into_iter().collect(),
        Rounding::Layer => by_layer(&coarse).into_iter().chain(missed(plan)).collect(),
    }
}

fn by_model(coarse: &[&LayerPlan], layers: usize) -> Option<String> {
    let unit = coarse.iter().filter_map(|l| l.coarse_unit()).fold(0.0, f64::max);
    let giving = coarse.iter().filter(|l| l.head_units_removed() > 0).count();
    (!coarse.is_empty()).then(|| {
        format!(
            "rounding: one head unit is up to {} of a layer's attention, so heads go from the {giving} of {layers} layers where the \
             schedule's rounding error is largest, and channels make up for the rest",
            format::percent(unit)
        )
    })
}

fn by_layer(coarse: &[&LayerPlan]) -> Option<String> {
    let off = |l: &&&LayerPlan| (l.head_share_removed() - l.ratio.heads).abs();
    let worst = coarse.iter().max_by(|a, b| off(a).total_cmp(&off(b)))?;
    Some(format!(
        "rounding: layer by layer, so a ratio of {} becomes {} of a layer's attention",
        format::percent(worst.ratio.heads),
        format::percent(worst.head_share_removed())
    ))
}

/// By how much the decoder layers miss a target that was a ratio.
fn missed(plan: &Plan) -> Option<String> {
    let Some(Target::Ratio(asked)) = plan.request.allocation.target else { return None };
    let found = plan.decoder_ratio();
    // Less than this is not seen in the line that follows.
    ((found - asked).abs() >= 0.0005).then(|| {
        format!(
            "rounding: the decoder layers lose {} instead of {}; rounding by model would meet it",
            format::percent(found),
            format::percent(asked)
        )
    })
}
