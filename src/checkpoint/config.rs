//! config.json to the numbers we need; what we do not support is refused, not ignored.

use serde_json::Value;

use super::ReadError;
use crate::shape::{Family, LayerShape, ModelConfig};

mod design;
mod longrope;
mod rope;

/// The `model_type` of the folders we write.
pub(super) const OURS: &str = "slim_llama";
/// Where such a folder keeps the family it was made from.
pub(super) const FAMILY_KEY: &str = "slimgpt_family";
/// Where a folder whose layers were pruned alike keeps the sizes they had.
pub(super) const DENSE_KEY: &str = "slimgpt_dense";

/// Largest width (hidden, heads · head_dim, channels, vocabulary): far beyond any model, and small
/// enough that the bytes of [`ModelConfig::MOST_LAYERS`] layers still count in 64 bits.
pub(super) const WIDEST: usize = 1 << 22;
/// Keys of which a mixture of experts has one.
const EXPERTS: [&str; 4] = ["num_experts", "num_local_experts", "n_routed_experts", "moe_num_experts"];
/// Longest context that is read, in tokens.
pub(super) const LONGEST: usize = u32::MAX as usize;

/// Reads a config.json.
///
/// # Errors
/// When a key is missing or wrong, or asks for something that is not supported.
pub fn parse_config(raw: &Value) -> Result<ModelConfig, ReadError> {
    let config = Reader(raw);
    let family = config.family()?;
    let heads = config.count("num_attention_heads", LayerShape::MOST_HEADS)?;
    let hidden_size = config.count("hidden_size", WIDEST)?;
    let globals = LayerShape {
        heads,
        kv_heads: config.optional_count("num_key_value_heads", WIDEST)?.unwrap_or(heads),
        channels: config.count("intermediate_size", WIDEST)?,
    };
    config.refuse_unsupported(family)?;
    let layers = config.layers(globals)?;
    let head_dim = config.optional_count("head_dim", WIDEST)?.unwrap_or(match family {
        // The default of its class in transformers, which does not depend on the other sizes.
        Family::Qwen3 => 128,
        Family::Gemma2 | Family::Gemma3 => 256,
        // 0 where there are more heads than dimensions, which `check` tells.
        _ => hidden_size / heads,
    });
    let (design, rope) = design::design(&config, family, layers.len(), head_dim)?;
    let context = config.context(family)?;
    let parsed = ModelConfig {
        family,
        vocab_size: config.count("vocab_size", WIDEST)?,
        hidden_size,
        head_dim,
        dense: config.dense(globals)?,
        layers,
        // Longer texts are computed with other divisors.
        max_positions: design.stretch.as_ref().map_or(context, |stretch| context.min(stretch.context)),
        // What a file leaves out has the default of its class in transformers, here and below.
        rms_norm_eps: config.number("rms_norm_eps", |eps| eps >= 0.0)?.unwrap_or(match family {
            Family::Phi3 | Family::Olmo2 => 1e-5,
            _ => 1e-6,
        }),
        rope,
        qkv_bias: family == Family::Qwen2 || config.attention_bias(family),
        o_bias: config.attention_bias(family),
        // The others' classes in transformers do not know this key.
        mlp_bias: matches!(family, Family::Llama | Family::SmolLm3 | Family::Granite) && config.flag("mlp_bias"),
        qk_norm: matches!(family, Family::Qwen3 | Family::Olmo2 | Family::Gemma3),
        design,
        tied_head: config
            .flag_or("tie_word_embeddings", matches!(family, Family::SmolLm3 | Family::Gemma2 | Family::Gemma3)),
        bos_token: config.tokens("bos_token_id").first().copied(),
        eos_tokens: config.tokens("eos_token_id"),
    };
    check(&parsed)?;
    Ok(parsed)
}

fn check(config: &ModelConfig) -> Result<(), ReadError> {
    if config.head_dim == 0 {
        let (d, heads) = (config.hidden_size, config.dense.heads);
        return Err(wrong(format!("\"hidden_size\" {d} is less than \"num_attention_heads\" {heads}")));
    }
    if config.family == Family::Baichuan && config.dense.kv_heads * config.head_dim != config.hidden_size {
        let LayerShape { heads, kv_heads, .. } = config.dense;
        return Err(wrong(format!(
            "a baichuan has one key/value head for each query head, together as wide as \"hidden_size\" {}; here are {kv_heads} for {heads} of {} dimensions",
            config.hidden_size, config.head_dim
        )));
    }
    check_layer("num_attention_heads", config.dense, config.head_dim)?;
    for (i, &layer) in config.layers.iter().enumerate() {
        check_layer(&format!("layer {i}"), layer, config.head_dim)?;
    }
    if !config.head_dim.is_multiple_of(2) {
        return Err(wrong(format!("head_dim {} is odd; rotary positions need pairs", config.head_dim)));
    }
    Ok(())
}

fn check_layer(name: &str, layer: LayerShape, head_dim: usize) -> Result<(), ReadError> {
    let LayerShape { heads, kv_heads, channels } = layer;
    if !heads.is_multiple_of(kv_heads) {
        return Err(wrong(format!("{name}: {heads} heads, which {kv_heads} key/value heads do not divide")));
    }
    if heads > LayerShape::MOST_HEADS
        || heads.checked_mul(head_dim).is_none_or(|width| width > WIDEST)
        || channels > WIDEST
    {
        let most = LayerShape::MOST_HEADS;
        let sizes = format!("{heads} heads of {head_dim} dimensions and {channels} channels");
        return Err(wrong(format!("{name}: {sizes} are more than any model has ({most} heads, a width of {WIDEST})")));
    }
    Ok(())
}

fn wrong(what: String) -> ReadError {
    ReadError::Config(what)
}

/// A token id, or a list of them; some checkpoints write −1 for none.
pub(super) fn token_ids(value: &Value) -> Vec<u32> {
    let one = |v: &Value| v.as_u64().and_then(|t| u32::try_from(t).ok());
    match value {
        Value::Array(all) => all.iter().filter_map(one).collect(),
        value => one(value).into_iter().collect(),
    }
}

struct Reader<'a>(&'a Value);

impl Reader<'_> {
    fn family(&self) -> Result<Family, ReadError> {
        let found = self.0["model_type"].as_str().unwrap_or("(missing)");
        // A plain class may stand for another family: a LLaMA whose heads no longer divide the
        // hidden size is written as a Mistral.
        let kept = self.0[FAMILY_KEY].as_str();
        let name = kept.unwrap_or(if found == OURS { "llama" } else { found });
        if let Ok(family) = serde_json::from_value(Value::from(name)) {
            return Ok(family);
        }
        if EXPERTS.iter().any(|key| !self.0[*key].is_null()) {
            return Err(ReadError::Experts(name.into()));
        }
        if self.0["text_config"].is_object() {
            return Err(ReadError::Parts(name.into()));
        }
        Err(ReadError::Family {
            found: name.into(),
            known:
                "llama, mistral, qwen2, qwen3, baichuan (7B), phi3, smollm3, olmo2, granite, gemma2, gemma3_text and \
                    slim_llama"
                    .into(),
        })
    }

    fn optional_count(&self, key: &str, most: usize) -> Result<Option<usize>, ReadError> {
        match &self.0[key] {
            Value::Null => Ok(None),
            value => match value.as_u64() {
                Some(n) if n > most as u64 => {
                    Err(wrong(format!("\"{key}\" is {n}, more than any model has (at most {most} is read)")))
                }
                Some(n) if n > 0 => Ok(Some(n as usize)),
                _ => Err(wrong(format!("\"{key}\" is {value}, not a positive whole number"))),
            },
        }
    }

    fn count(&self, key: &str, most: usize) -> Result<usize, ReadError> {
        self.optional_count(key, most)?.ok_or_else(|| wrong(format!("\"{key}\" is missing")))
    }

    fn number(&self, key: &str, is_right: fn(f64) -> bool) -> Result<Option<f64>, ReadError> {
        match &self.0[key] {
            Value::Null => Ok(None),
            value => match value.as_f64().filter(|&n| is_right(n)) {
                None => Err(wrong(format!("\"{key}\" is {value}, not a number in its range"))),
                number => Ok(number),
            },
        }
    }

    /// The longest sequence that is computed as the model was made: where attention slides, the
    /// window, within which every token sees all before it.
    fn context(&self, family: Family) -> Result<usize, ReadError> {
        // 2048 is the default of LLaMA's class in transformers.
        let context = self.optional_count("max_position_embeddings", LONGEST)?.unwrap_or(2048);
        let slides = match family {
            // Every layer of these slides where there is a window.
            Family::Mistral | Family::Phi3 => true,
            Family::Qwen2 | Family::Qwen3 | Family::SmolLm3 => self.flag("use_sliding_window"),
            // Windows of Gemmas are computed as they are.
            _ => false,
        };
        let window = if slides { self.optional_count("sliding_window", LONGEST)? } else { None };
        Ok(window.map_or(context, |window| context.min(window)))
    }

    /// Whether q, k, v and o have biases. Qwen2 fixes which have, and Mistral, Baichuan and Phi-3 that none has,
    /// whatever this key says.
    fn attention_bias(&self, family: Family) -> bool {
        let is_fixed = matches!(family, Family::Mistral | Family::Qwen2 | Family::Baichuan | Family::Phi3);
        !is_fixed && self.flag("attention_bias")
    }

    fn flag(&self, key: &str) -> bool {
        self.flag_or(key, false)
    }

    fn flag_or(&self, key: &str, otherwise: bool) -> bool {
        self.0[key].as_bool().unwrap_or(otherwise)
    }

    fn tokens(&self, key: &str) -> Vec<u32> {
        token_ids(&self.0[key])
    }

    /// The sizes of an unpruned layer: the globals, unless all layers were pruned alike.
    fn dense(&self, globals: LayerShape) -> Result<LayerShape, ReadError> {
        match &self.0[DENSE_KEY] {
            Value::Null => Ok(globals),
            kept => serde_json::from_value(kept.clone()).map_err(|e| wrong(format!("\"{DENSE_KEY}\": {e}"))).and_then(
                |dense: LayerShape| match dense.heads * dense.kv_heads * dense.channels {
                    0 => Err(wrong(format!("\"{DENSE_KEY}\" has a size of zero"))),
                    _ => Ok(dense),
                },
            ),
        }
    }

    fn layers(&self, dense: LayerShape) -> Result<Vec<LayerShape>, ReadError> {
        let count = self.count("num_hidden_layers", ModelConfig::MOST_LAYERS)?;
        let Some(own) = self.0["per_layer_config"].as_object() else {
            return Ok(vec![dense; count]);
        };
        let mut layers = vec![dense; count];
        for (key, value) in own {
            let shape: LayerShape = serde_json::from_value(value.clone())
                .map_err(|e| wrong(format!("per_layer_config of layer {key}: {e}")))?;
            let slot = key.parse::<usize>().ok().and_then(|i| layers.get_mut(i));
            *slot
                .ok_or_else(|| wrong(format!("per_layer_config names layer {key}, but there are {count} layers")))? =
                shape;
        }
        // Only a folder of ours may lack a half of a layer: in any other a zero is a mistake.
        let may_lack = self.0["model_type"] == OURS;
        let is_one = |l: &LayerShape| l.is_whole() || (may_lack && !l.is_empty());
        match layers.iter().position(|l| !is_one(l) || (l.heads == 0) != (l.kv_heads == 0)) {
            Some(i) => Err(wrong(format!(
                "per_layer_config of layer {i} has a size of zero; a \"{OURS}\" may lack all heads of a layer, query and \
                 key/value heads together, or all channels, but not both"
            ))),
            None => Ok(layers),
        }
    }

    fn refuse_unsupported(&self, family: Family) -> Result<(), ReadError> {
        // The 13B models of this name have ALiBi in place of rotary positions, and their
        // config.json says so only by leaving the number of positions out.
        if family == Family::Baichuan && self.0["max_position_embeddings"].is_null() {
            return Err(wrong(
                "a baichuan without \"max_position_embeddings\" is the 13B model, whose ALiBi positions are not supported; \
                 the 7B models are"
                    .into(),
            ));
        }
        // A Gemma's stands under another key.
        let act = if matches!(family, Family::Gemma2 | Family::Gemma3) { None } else { self.0["hidden_act"].as_str() };
        match act {
            // Two names of one function.
            None | Some("silu" | "swish") => {}
            Some(other) => return Err(wrong(format!("hidden_act \"{other}\" is not supported; only silu is"))),
        }
        // Heads of a Phi-3 may turn in part.
        if family == Family::Phi3 { Ok(()) } else { self.refuse_partial() }
    }

    /// The key stands at the top, or with the other rotary numbers.
    fn refuse_partial(&self) -> Result<(), ReadError> {
        match self.number("partial_rotary_factor", f64::is_finite)?.filter(|&part| part != 1.0) {
            Some(part) => Err(wrong(format!("partial_rotary_factor {part} is not supported; only 1 is"))),
            None => Ok(()),
        }
    }
}
