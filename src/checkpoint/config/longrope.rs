//! Rotary positions of Phi-3: of a part of a head, and stretched from one context to a longer one by a list
//! (LongRoPE, arXiv 2402.13753). There are two lists, for texts within the first context and for longer ones; the
//! first is computed with, and the context ends where it does.

use serde_json::Value;

use super::rope::{FIRST_CONTEXT, kind, own_place};
use super::{LONGEST, Reader, wrong};
use crate::checkpoint::ReadError;
use crate::shape::{Design, Rope, Stretch};

/// What of the heads turns and by how much, and the base.
pub(super) fn turning(config: &Reader<'_>, head_dim: usize) -> Result<(Design, Rope), ReadError> {
    let (place, own) = own_place(config.0)?;
    let own = Reader(own);
    let number = |key: &str, is_right: fn(f64) -> bool| match own.number(key, is_right)? {
        None => config.number(key, is_right),
        found => Ok(found),
    };
    let theta = number("rope_theta", |theta| theta > 0.0)?.unwrap_or(1e4);
    let part = number("partial_rotary_factor", |part| part > 0.0 && part <= 1.0)?.unwrap_or(1.0);
    // As Python's int does.
    let rotated = (head_dim as f64 * part) as usize;
    if rotated == 0 || !rotated.is_multiple_of(2) {
        return Err(wrong(format!(
            "partial_rotary_factor {part} of {head_dim} dimensions are {rotated}; rotary positions need pairs"
        )));
    }
    let stretch = match kind(own.0) {
        "default" => None,
        // The older name of the same.
        "longrope" | "su" => Some(stretch(config, place, &own, rotated / 2)?),
        other => return Err(wrong(format!("{place} of type \"{other}\" is not supported; default and longrope are"))),
    };
    let rotated = Some(rotated).filter(|&rotated| rotated < head_dim);
    Ok((Design { rotated, stretch, ..Design::default() }, Rope { theta, scaling: None }))
}

fn stretch(config: &Reader<'_>, place: &str, own: &Reader<'_>, pairs: usize) -> Result<Stretch, ReadError> {
    let context = match config.optional_count(FIRST_CONTEXT, LONGEST)? {
        None => own.optional_count(FIRST_CONTEXT, LONGEST)?,
        found => found,
    };
    let context = context.ok_or_else(|| wrong(format!("\"{FIRST_CONTEXT}\" is missing, which longrope needs")))?;
    let positive = |number: f64| number > 0.0;
    let whole = config.optional_count("max_position_embeddings", LONGEST)?.unwrap_or(context);
    let longer = own.number("factor", positive)?.unwrap_or(whole as f64 / context as f64);
    // Scores of more tokens are spread wider; this brings them back (§ 3.3 of the paper).
    let usual = if longer <= 1.0 { 1.0 } else { (1.0 + longer.ln() / (context as f64).ln()).sqrt() };
    let factor = own.number("attention_factor", positive)?.unwrap_or(usual);
    let divisors = own.0["short_factor"].as_array().filter(|all| all.len() == pairs);
    let divisors: Option<Vec<f64>> = divisors.and_then(|all| all.iter().map(divisor).collect());
    let divisors = divisors.ok_or_else(|| {
        wrong(format!("{place}: short_factor is no list of {pairs} positive numbers, one for each pair that turns"))
    })?;
    if !factor.is_finite() {
        return Err(wrong(format!("\"{FIRST_CONTEXT}\" is {context}, too short for longrope")));
    }
    Ok(Stretch { divisors, factor, context })
}

fn divisor(value: &Value) -> Option<f64> {
    value.as_f64().filter(|&divisor| divisor > 0.0)
}
