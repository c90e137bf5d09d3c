//! Where the numbers of the rotary positions stand: since transformers 5 in `rope_parameters`,
//! before at the top and in `rope_scaling`. Tools of the one read files of the other and leave
//! defaults behind, so the places are asked in transformers 5's order.

use serde_json::{Value, json};

use super::{Reader, wrong};
use crate::checkpoint::ReadError;
use crate::shape::{Rope, RopeScaling};

/// The context of the first training, which may stand at the top too.
pub(super) const FIRST_CONTEXT: &str = "original_max_position_embeddings";

/// The rotary positions of a config.json; `usual` is the base where none is named.
pub(super) fn rope(config: &Reader<'_>, usual: f64) -> Result<Rope, ReadError> {
    let (place, own) = own_place(config.0)?;
    if let Some((key, _)) = own.as_object().into_iter().flatten().find(|(_, value)| value.is_object()) {
        return Err(wrong(format!(
            "{place} has numbers of its own for \"{key}\"; one base for all layers is supported"
        )));
    }
    let own = Reader(own);
    own.refuse_partial()?;
    let base = |of: &Reader<'_>| of.number("rope_theta", |theta| theta > 0.0);
    // Read in any case: a base that is no number is a mistake also where another goes before it.
    let top = base(config)?;
    let theta = base(&own)?.or(top).unwrap_or(usual);
    Ok(Rope { theta, scaling: scaling(config, place, own.0)? })
}

/// The object that counts, with its name: `rope_scaling` where it says anything, as in
/// transformers 5; null where there is none.
pub(super) fn own_place(config: &Value) -> Result<(&'static str, &Value), ReadError> {
    let says = |key: &str| config[key].as_object().is_some_and(|keys| !keys.is_empty());
    match (says("rope_scaling"), says("rope_parameters")) {
        (true, true) => {
            agree(&config["rope_scaling"], &config["rope_parameters"])?;
            Ok(("rope_scaling", &config["rope_scaling"]))
        }
        (true, false) => Ok(("rope_scaling", &config["rope_scaling"])),
        (false, _) => Ok(("rope_parameters", &config["rope_parameters"])),
    }
}

/// Two places that say different things are two models, of which no rule tells the right one.
fn agree(scaling: &Value, parameters: &Value) -> Result<(), ReadError> {
    let (a, b) = (kind(scaling), kind(parameters));
    let differ = |key: &str, a: &dyn std::fmt::Display, b: &dyn std::fmt::Display| {
        Err(wrong(format!(
            "\"{key}\" is {a} in rope_scaling and {b} in rope_parameters; keep the one that the model was trained with"
        )))
    };
    if a != b {
        return differ("rope_type", &a, &b);
    }
    // A number that only one of them has is no contradiction, but transformers would pass it over.
    for key in ["rope_theta", "factor", "low_freq_factor", "high_freq_factor", FIRST_CONTEXT] {
        if scaling[key].as_f64() != parameters[key].as_f64() {
            return differ(key, &scaling[key], &parameters[key]);
        }
    }
    Ok(())
}

pub(super) fn kind(rope: &Value) -> &str {
    rope["rope_type"].as_str().or(rope["type"].as_str()).unwrap_or("default")
}

/// The stretching of LLaMA 3.1, if that is what stands there.
fn scaling(config: &Reader<'_>, place: &str, own: &Value) -> Result<Option<RopeScaling>, ReadError> {
    match kind(own) {
        "default" => Ok(None),
        "llama3" => {
            let mut own = own.clone();
            own[FIRST_CONTEXT] = first_context(config, &own)?;
            let scaling: RopeScaling =
                serde_json::from_value(own.clone()).map_err(|e| wrong(format!("{place}: {e}")))?;
            // The frequencies between the two factors are mixed by a division by their difference.
            let is_right = scaling.factor > 0.0 && scaling.low_freq_factor < scaling.high_freq_factor;
            is_right.then_some(Some(scaling)).ok_or_else(|| {
                wrong(format!("{place} {own}: factor must be above 0, and low_freq_factor below high_freq_factor"))
            })
        }
        other => Err(wrong(format!("{place} of type \"{other}\" is not supported; default and llama3 are"))),
    }
}

/// The context of the first training as a whole number, whichever way Python wrote it; the top
/// level goes first, and the present context stands in for it, as in transformers.
fn first_context(config: &Reader<'_>, own: &Value) -> Result<Value, ReadError> {
    let places = [&config.0[FIRST_CONTEXT], &own[FIRST_CONTEXT], &config.0["max_position_embeddings"]];
    let Some(found) = places.into_iter().find(|value| !value.is_null()) else { return Ok(Value::Null) };
    let whole = found.as_f64().filter(|n| n.fract() == 0.0 && (1.0..=f64::from(u32::MAX)).contains(n));
    let whole = whole.ok_or_else(|| wrong(format!("\"{FIRST_CONTEXT}\" is {found}, not a positive whole number")))?;
    Ok(json!(whole as u64))
}
