//! The published rule on a layer of LLaMA-7B, whose every group is drawn as wide as it is.

use leptos::prelude::*;
use slimgpt::obs::{ChannelSteps, cost};
use slimgpt::report::figures::Svg;

use super::{State, listed};
use crate::kit::{Plot, Slider, amount};
use crate::state::Kept;
use crate::text::say;

/// Channels of a layer.
const CHANNELS: usize = 11_008;
/// The smallest group of the published code; the paper's text says 8.
const RULE: ChannelSteps = ChannelSteps::Dynamic { floor: 64 };
/// Percentages that can be asked for.
pub const LEAST: usize = 5;
pub const MOST: usize = 75;
/// The strip that stands for all channels.
const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 36.0;

fn sizes(ratio: usize) -> Vec<usize> {
    RULE.sizes((CHANNELS as f64 * ratio as f64 / 100.0).round() as usize)
}

/// The sentence that tells what is drawn, and what it would take.
fn told(ratio: usize) -> String {
    let sizes = sizes(ratio);
    let count = sizes.iter().sum();
    let one_by_one = cost::inverting(CHANNELS, &ChannelSteps::OneByOne.sizes(count));
    say::six_llama(
        ratio,
        amount(count as f64),
        sizes.len(),
        listed(&sizes),
        amount(cost::inverting(CHANNELS, &sizes)),
        amount(one_by_one),
        amount(cost::correcting(CHANNELS, count)),
    )
}

fn strip(ratio: usize) -> Svg {
    let mut svg = Svg::new(WIDTH, HEIGHT, say::six_strip(), &told(ratio));
    let place = |channels: usize| WIDTH * channels as f64 / CHANNELS as f64;
    let mut gone = 0;
    for (i, size) in sizes(ratio).into_iter().enumerate() {
        // Two tones in turn: the groups of 64 are too narrow for gaps.
        let class = if i % 2 == 0 { "dot s0" } else { "dot s0 pale" };
        let tooltip = say::six_strip_group(i + 1, size);
        svg.rect([place(gone), 4.0, place(size), HEIGHT - 8.0], class, &tooltip);
        gone += size;
    }
    let kept = say::six_strip_kept(amount((CHANNELS - gone) as f64));
    svg.rect([place(gone), 4.0, place(CHANNELS - gone), HEIGHT - 8.0], "gone", &kept);
    svg
}

/// The groups of a layer of LLaMA-7B, for a ratio that the reader drags.
#[component]
pub fn Groups(kept: Kept<State>) -> AnyView {
    let ratio = Memo::new(move |_| kept.with(|s| s.ratio));
    view! {
        <div class="controls">
            <Slider
                label=say::six_ratio().to_owned()
                value=Signal::derive(move || ratio.get() as f64)
                least=LEAST as f64
                most=MOST as f64
                step=1.0
                text=Signal::derive(move || say::six_percent(ratio.get()))
                on=Callback::new(move |v: f64| kept.change("ratio", |s| s.ratio = v.round() as usize))
            />
        </div>
        <Plot svg=Signal::derive(move || strip(ratio.get()).inline())/>
        <p class="readout">{move || told(ratio.get())}</p>
    }.into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quarter_leaves_as_the_text_says() {
        assert_eq!(listed(&sizes(25)), "1024, 304, 22 \u{d7} 64, 16");
        let drawn = strip(25).inline();
        assert_eq!(drawn.matches("<rect").count(), 26);
        // 1024 of 11,008 on 720.
        assert!(drawn.contains("width=\"66.98\""), "{drawn}");
        assert!(told(25).contains("2,752"), "{}", told(25));
    }
}
