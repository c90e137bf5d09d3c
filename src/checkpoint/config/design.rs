//! What a family computes otherwise than LLaMA, as its config.json says it. What a file leaves out
//! has the default of its class in transformers.

use serde_json::{Value, json};

use super::longrope::turning as turning_of;
use super::rope::rope;
use super::{LONGEST, Reader, WIDEST, wrong};
use crate::checkpoint::ReadError;
use crate::shape::{Activation, Design, Family, Norms, Reach, Rope};

/// The name of a layer whose tokens see a window, and of one whose tokens see all before them.
const KINDS: [(&str, bool); 2] = [("sliding_attention", true), ("full_attention", false)];
/// GELU by its approximation with tanh.
const GELU: &str = "gelu_pytorch_tanh";

/// What a model of `layers` layers and heads of `head_dim` dimensions computes, and its rotary positions.
pub(super) fn design(
    config: &Reader<'_>,
    family: Family,
    layers: usize,
    head_dim: usize,
) -> Result<(Design, Rope), ReadError> {
    let of_layers = |reaches: Vec<Reach>| {
        // One way to say that there is nothing to say.
        if reaches.iter().all(|reach| *reach == Reach::default()) { Vec::new() } else { reaches }
    };
    let design = match family {
        Family::Phi3 => return turning_of(config, head_dim),
        Family::SmolLm3 => Design { layers: of_layers(turning(config, layers)?), ..Design::default() },
        Family::Olmo2 => Design { norms: Norms::Behind, binds_heads: true, ..Design::default() },
        Family::Granite => multiplied(config)?,
        Family::Gemma2 => Design { layers: of_layers(sliding(config, layers, 2)?), ..gemma2(config)? },
        Family::Gemma3 => {
            let (design, rope) = gemma3(config)?;
            let pattern = config.optional_count("sliding_window_pattern", WIDEST)?.unwrap_or(6);
            return Ok((Design { layers: of_layers(sliding(config, layers, pattern)?), ..design }, rope));
        }
        _ => Design::default(),
    };
    let usual = if family == Family::SmolLm3 { 2e6 } else { 1e4 };
    Ok((design, rope(config, usual)?))
}

/// SmolLM3's `no_rope_layers`: 1 where a layer turns by positions, 0 where it knows none.
fn turning(config: &Reader<'_>, layers: usize) -> Result<Vec<Reach>, ReadError> {
    const KEY: &str = "no_rope_layers";
    let interval = config.optional_count("no_rope_layer_interval", WIDEST)?.unwrap_or(4);
    let list: Vec<bool> = match &config.0[KEY] {
        Value::Null => (1..=layers).map(|i| !i.is_multiple_of(interval)).collect(),
        Value::Array(all) if all.len() >= layers => {
            let turns = |value: &Value| match (value.as_u64(), value.as_bool()) {
                (Some(0), _) | (_, Some(false)) => Ok(false),
                (Some(1), _) | (_, Some(true)) => Ok(true),
                _ => Err(wrong(format!("\"{KEY}\" has {value}, which is neither 0 nor 1"))),
            };
            all[..layers].iter().map(turns).collect::<Result<_, _>>()?
        }
        other => {
            let found = other.as_array().map_or_else(|| other.to_string(), |all| format!("{} numbers", all.len()));
            return Err(wrong(format!("\"{KEY}\" is {found}, not a list of one for each of the {layers} layers")));
        }
    };
    Ok(list.into_iter().map(|turns| Reach { turns, slides: false }).collect())
}

/// Granite's factors.
fn multiplied(config: &Reader<'_>) -> Result<Design, ReadError> {
    let factor = |key| Ok::<_, ReadError>(config.number(key, is_positive)?.unwrap_or(1.0));
    Ok(Design {
        embedding_scale: factor("embedding_multiplier")?,
        residual_scale: factor("residual_multiplier")?,
        score_scale: Some(factor("attention_multiplier")?),
        logit_scale: 1.0 / factor("logits_scaling")?,
        ..Design::default()
    })
}

fn is_positive(number: f64) -> bool {
    number > 0.0
}

/// What both Gemmas have.
fn gemma(config: &Reader<'_>) -> Result<Design, ReadError> {
    match &config.0["hidden_activation"] {
        Value::Null => {}
        Value::String(name) if name == GELU => {}
        other => return Err(wrong(format!("hidden_activation {other} is not supported; only {GELU} is"))),
    }
    if config.flag("use_bidirectional_attention") {
        return Err(wrong(
            "use_bidirectional_attention is true; only models whose tokens see those before them are supported".into(),
        ));
    }
    let hidden = config.count("hidden_size", WIDEST)? as f64;
    let scalar = config.number("query_pre_attn_scalar", is_positive)?.unwrap_or(256.0);
    Ok(Design {
        norms: Norms::Around,
        norm_offset: 1.0,
        activation: Activation::GeluTanh,
        embedding_scale: hidden.sqrt(),
        score_scale: Some(1.0 / scalar.sqrt()),
        logit_cap: config.number("final_logit_softcapping", is_positive)?,
        window: match config.0.get("sliding_window") {
            None => Some(4096),
            Some(_) => config.optional_count("sliding_window", LONGEST)?,
        },
        ..Design::default()
    })
}

fn gemma2(config: &Reader<'_>) -> Result<Design, ReadError> {
    // What is left out is capped, and what is null is not.
    let cap = |key: &str, usual: f64| match config.0.get(key) {
        None => Ok(Some(usual)),
        Some(_) => config.number(key, is_positive),
    };
    Ok(Design {
        logit_cap: cap("final_logit_softcapping", 30.0)?,
        score_cap: cap("attn_logit_softcapping", 50.0)?,
        ..gemma(config)?
    })
}

fn gemma3(config: &Reader<'_>) -> Result<(Design, Rope), ReadError> {
    if !config.0["attn_logit_softcapping"].is_null() {
        // Its class in transformers reads the key and computes without it.
        return Err(wrong("attn_logit_softcapping is set; scores of a gemma3_text are not capped".into()));
    }
    let whole = rope_of(config, "full_attention", "rope_theta", 1e6)?;
    let window = rope_of(config, "sliding_attention", "rope_local_base_freq", 1e4)?;
    Ok((Design { window_rope: Some(window), ..gemma(config)? }, whole))
}

/// The rotary positions of layers of one kind: since transformers 5 under its name in `rope_parameters`, before
/// with the base at the top, and a scaling for the layers that see all alone.
fn rope_of(config: &Reader<'_>, kind: &str, base: &str, usual: f64) -> Result<Rope, ReadError> {
    let own = &config.0["rope_parameters"][kind];
    let scaling = if kind == "full_attention" { &config.0["rope_scaling"] } else { &Value::Null };
    let said = json!({
        "rope_theta": config.0[base], "rope_parameters": own, "rope_scaling": scaling,
        "max_position_embeddings": config.0["max_position_embeddings"],
    });
    rope(&Reader(&said), usual)
}

/// Which layers slide: `layer_types`, or all but every `pattern`-th.
fn sliding(config: &Reader<'_>, layers: usize, pattern: usize) -> Result<Vec<Reach>, ReadError> {
    let slides: Vec<bool> = match &config.0["layer_types"] {
        Value::Null => (1..=layers).map(|i| !i.is_multiple_of(pattern)).collect(),
        Value::Array(all) if all.len() == layers => {
            let slides = |value: &Value| {
                let known = KINDS.iter().find(|(name, _)| value == name);
                known.map(|(_, slides)| *slides).ok_or_else(|| {
                    wrong(format!("\"layer_types\" has {value}; {} and {} are known", KINDS[0].0, KINDS[1].0))
                })
            };
            all.iter().map(slides).collect::<Result<_, _>>()?
        }
        _ => return Err(wrong(format!("\"layer_types\" is no list of one for each of the {layers} layers"))),
    };
    // Without a window there is nothing that slides, but the layers have their own positions all the same.
    Ok(slides.into_iter().map(|slides| Reach { turns: true, slides }).collect())
}
