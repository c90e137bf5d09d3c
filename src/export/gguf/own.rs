//! Architectures of families that compute otherwise than LLaMA: llama.cpp has one for each, with one size for
//! all layers, and fixes in its own code some of what a config.json says. What it fixes otherwise is refused.

use super::Value;
use crate::gguf::{Arch, key};
use crate::shape::{Design, Family, ModelConfig, Reach, Rope};

/// Every so many layers one knows no positions (SmolLM3), or sees all tokens (Gemma 2 and 3).
const STEPS: [(Arch, usize); 3] = [(Arch::SmolLm3, 4), (Arch::Gemma2, 2), (Arch::Gemma3, 6)];
/// Layers of the Gemmas whose scores llama.cpp scales by the width that a head has a share of.
const BY_WIDTH: [(Arch, usize); 2] = [(Arch::Gemma2, 46), (Arch::Gemma3, 62)];
/// Base of the rotary positions within windows.
const WINDOW_BASE: f64 = 10_000.0;

/// The architecture of a model that computes otherwise than LLaMA.
///
/// # Errors
/// In words, with what llama.cpp computes otherwise.
pub(super) fn arch(config: &ModelConfig) -> Result<Arch, String> {
    let arch = match config.family {
        Family::SmolLm3 => Arch::SmolLm3,
        Family::Granite => Arch::Granite,
        Family::Olmo2 => Arch::Olmo2,
        Family::Gemma2 => Arch::Gemma2,
        Family::Gemma3 => Arch::Gemma3,
        family => return Err(format!("what this {family:?} does to positions is written in no architecture here")),
    };
    if !config.is_uniform() {
        return Err(format!("its layers differ, and llama.cpp's {} has one size for all", arch.name()));
    }
    let otherwise = |what: &str| Err(format!("llama.cpp's {} {what}", arch.name()));
    if !is_in_step(arch, config) {
        return otherwise("has its layers of two kinds in another order");
    }
    if arch == Arch::SmolLm3 && config.rope.scaling.is_some() {
        return otherwise("does not scale rotary positions");
    }
    match arch {
        Arch::Gemma2 | Arch::Gemma3 => gemma(arch, config).map_or(Ok(arch), otherwise),
        Arch::Olmo2 => olmo2(config).map_or(Ok(arch), otherwise),
        _ => Ok(arch),
    }
}

/// Whether layers of two kinds follow each other as the architecture has them.
fn is_in_step(arch: Arch, config: &ModelConfig) -> bool {
    let Some((_, step)) = STEPS.into_iter().find(|(other, _)| *other == arch) else {
        return config.design.layers.is_empty();
    };
    let wanted = |i: usize| match ((i + 1).is_multiple_of(step), arch) {
        (is_last, Arch::SmolLm3) => Reach { turns: !is_last, slides: false },
        (is_last, _) => Reach { turns: true, slides: !is_last },
    };
    (0..config.layers.len()).all(|i| config.design.layer(i) == wanted(i))
}

/// What llama.cpp computes otherwise of an OLMo 2.
fn olmo2(config: &ModelConfig) -> Option<&'static str> {
    let is_wide = config.layers.iter().all(|layer| layer.heads * config.head_dim == config.hidden_size);
    if config.tied_head {
        return Some("has a head of its own");
    }
    (!is_wide).then_some("has heads that are together as wide as the residual stream")
}

/// What llama.cpp computes otherwise of a Gemma.
fn gemma(arch: Arch, config: &ModelConfig) -> Option<&'static str> {
    let Design { score_scale, score_cap, logit_cap, window, window_rope, .. } = &config.design;
    let heads = config.layers.first().map_or(1, |layer| layer.heads);
    let by_width = BY_WIDTH.contains(&(arch, config.layers.len()));
    let share = if by_width { config.hidden_size / heads } else { config.head_dim };
    // Root and quotient were rounded each.
    let is_scaled_so = score_scale.is_some_and(|scale| (scale * (share as f64).sqrt() - 1.0).abs() < 1e-6);
    let plain = Rope { theta: WINDOW_BASE, scaling: None };
    let (caps, is_capped) = (arch == Arch::Gemma2, [score_cap, logit_cap].map(Option::is_some));
    let amiss = [
        (!config.tied_head, "has the embedding as its head"),
        (window.is_none(), "has a window"),
        (!is_scaled_so, "scales scores by the size of a head"),
        (caps && is_capped != [true, true], "caps scores and logits"),
        (!caps && is_capped != [false, false], "caps neither scores nor logits"),
        (window_rope.is_some_and(|rope| rope != plain), "has the base 10000 within its windows"),
    ];
    amiss.into_iter().find_map(|(is_amiss, what)| is_amiss.then_some(what))
}

/// The keys that say what the architecture does not fix.
pub(super) fn keys(arch: Arch, config: &ModelConfig) -> Vec<(&'static str, Value)> {
    let design = &config.design;
    let number = |key, value: f64| (key, Value::F32(value as f32));
    let mut keys = Vec::new();
    if arch == Arch::Granite {
        keys.push(number(key::EMBEDDING_SCALE, design.embedding_scale));
        keys.push(number(key::RESIDUAL_SCALE, design.residual_scale));
        keys.extend(design.score_scale.map(|scale| number(key::SCORE_SCALE, scale)));
        // By which logits are divided.
        keys.push(number(key::LOGIT_SCALE, 1.0 / design.logit_scale));
    }
    keys.extend(design.score_cap.map(|cap| number(key::SCORE_CAP, cap)));
    keys.extend(design.logit_cap.map(|cap| number(key::LOGIT_CAP, cap)));
    keys.extend(design.window.map(|window| (key::WINDOW, Value::U32(window as u32))));
    keys
}
