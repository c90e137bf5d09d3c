//! What several processes cost and save, in words.

use slimgpt::format;
use slimgpt::pipeline::{Plan, Sharing};
use slimgpt::shape::ModelConfig;

/// Bytes a second of one line of 200 Gbit/s, as machines with eight cards have several.
const LINE: f64 = 25e9;
/// Floating-point operations a second of a card of the H200's class in our products, in single precision.
const CARD: f64 = 30e12;

/// What goes between them beside what they save, a layer; nothing of one alone.
pub fn lines(plan: &Plan, config: &ModelConfig) -> Vec<String> {
    let (sharing, layers) = (Sharing::of(plan, config), plan.layers.len().max(1));
    if sharing.ranks == 1 {
        return Vec::new();
    }
    let bytes = |all: u64| format::bytes(all / layers as u64);
    let seconds = |all: f64| format::seconds(all / layers as f64);
    vec![
        format!(
            "a layer: the first of {} receives sums of {} and sends weights of {}, {} at {:.0} GB/s",
            sharing.ranks,
            bytes(sharing.summed_bytes),
            bytes(sharing.told_bytes),
            seconds(sharing.seconds_of_messages(LINE)),
            LINE / 1e9,
        ),
        format!(
            "a layer: its passes are {:.1} TFLOP, of which sharing saves {} at {:.0} TFLOP/s; solving is the first's alone",
            sharing.operations / layers as f64 / 1e12,
            seconds(sharing.seconds_saved(CARD)),
            CARD / 1e12,
        ),
    ]
}
