//! The keys of a GGUF as a config.json, with every key that a folder of the same model would have: what it
//! asks for is then checked where that of a folder is, and written to what is made of the model.

use serde_json::{Map, Value, json};

use crate::checkpoint::config::{DENSE_KEY, FAMILY_KEY, LONGEST, OURS, WIDEST};
use crate::gguf::{Arch, GgufError, Header, ids, key, scaling_of};
use crate::shape::{LayerShape, ModelConfig, Part, Projection};

/// Keys that change what is computed, behind the architecture's name, with the numbers that change nothing.
const REFUSED: [(&str, &[f64]); 10] = [
    ("expert_count", &[0.0]),
    (key::SCORE_SCALE, &[0.0]),
    ("attention.clamp_kqv", &[0.0]),
    ("attention.max_alibi_bias", &[0.0]),
    (key::SCORE_CAP, &[0.0]),
    (key::LOGIT_CAP, &[0.0]),
    (key::LOGIT_SCALE, &[0.0, 1.0]),
    (key::RESIDUAL_SCALE, &[0.0, 1.0]),
    (key::EMBEDDING_SCALE, &[0.0, 1.0]),
    // A factor of the turned queries and keys, with or without a scaling of the frequencies.
    ("rope.scaling.attn_factor", &[1.0]),
];
/// Granite's factors, and what they are called in its config.json.
const FACTORS: [(&str, &str); 4] = [
    (key::EMBEDDING_SCALE, "embedding_multiplier"),
    (key::RESIDUAL_SCALE, "residual_multiplier"),
    (key::SCORE_SCALE, "attention_multiplier"),
    (key::LOGIT_SCALE, "logits_scaling"),
];
/// Whether a token sees only those before it; where nothing says so it does.
const CAUSAL: &str = "attention.causal";

/// The architecture of a file.
pub(super) fn arch(header: &Header) -> Result<Arch, GgufError> {
    let found = header.text(key::ARCHITECTURE)?.unwrap_or("(missing)");
    Arch::named(found).ok_or_else(|| GgufError::Architecture { found: found.into() })
}

/// The config.json of a file whose rotary frequencies are divided by `divisors`.
pub(super) fn config(header: &Header, arch: Arch, divisors: Option<&[f32]>) -> Result<Value, GgufError> {
    let keys = Keys { header, arch };
    keys.refuse_unsupported()?;
    let layers = keys.layers()?;
    let hidden = keys.size(key::HIDDEN, WIDEST)?;
    let head_dim = keys.head_dim(hidden, &layers)?;
    let epsilon = keys.number(key::EPSILON)?.ok_or_else(|| keys.wrong(key::EPSILON, "is missing"))?;
    let (bos, eos) = ids(header)?;
    let theta = keys.number(key::THETA)?.unwrap_or(10_000.0);
    let (model_type, class) = keys.class();
    let mut json = json!({
        "architectures": [class], "model_type": model_type, "hidden_size": hidden, "head_dim": head_dim,
        "num_hidden_layers": layers.len(), "vocab_size": keys.vocabulary()?,
        "max_position_embeddings": keys.size(key::CONTEXT, LONGEST)?, "rms_norm_eps": epsilon,
        "rope_theta": theta, "rope_scaling": keys.scaling(theta, divisors, head_dim)?, "hidden_act": "silu",
        "attention_bias": keys.has_bias(Projection::O), "mlp_bias": keys.has_bias(Projection::Down),
        "tie_word_embeddings": header.tensor(key::tensor::HEAD).is_none(), "torch_dtype": "float16",
        "bos_token_id": bos, "eos_token_id": eos,
    });
    keys.put_rotated(&mut json, head_dim)?;
    keys.put_window(&mut json)?;
    keys.put_factors(&mut json, head_dim)?;
    keys.put_sizes(&mut json, &layers, hidden, head_dim);
    Ok(json)
}

/// The keys of a file, by their names behind that of its architecture.
struct Keys<'a> {
    header: &'a Header,
    arch: Arch,
}

impl Keys<'_> {
    fn full(&self, key: &str) -> String {
        format!("{}.{key}", self.arch.name())
    }

    fn wrong(&self, key: &str, reason: impl Into<String>) -> GgufError {
        GgufError::key(&self.full(key), reason)
    }

    fn number(&self, key: &str) -> Result<Option<f64>, GgufError> {
        let number = self.header.number(&self.full(key))?;
        match number.filter(|number| !number.is_finite()) {
            // JSON has no way to say it.
            Some(number) => Err(self.wrong(key, format!("is {number}"))),
            None => Ok(number),
        }
    }

    fn whole(&self, key: &str) -> Result<Option<u64>, GgufError> {
        self.header.whole(&self.full(key))
    }

    /// A size that must be there, and is at most `most`.
    fn size(&self, key: &str, most: usize) -> Result<u64, GgufError> {
        let found = self.whole(key)?.ok_or_else(|| self.wrong(key, "is missing"))?;
        self.bounded(key, found, most)
    }

    fn bounded(&self, key: &str, found: u64, most: usize) -> Result<u64, GgufError> {
        match found {
            0 => Err(self.wrong(key, "is 0")),
            _ if found > most as u64 => Err(GgufError::TooMany { what: self.full(key), found, most: most as u64 }),
            _ => Ok(found),
        }
    }

    fn refuse_unsupported(&self) -> Result<(), GgufError> {
        if self.header.flag(&self.full(CAUSAL))? == Some(false) {
            return Err(self.wrong(CAUSAL, "is false, and models whose tokens see those after them are not supported"));
        }
        let is_known = |key: &str| self.arch == Arch::Granite && FACTORS.iter().any(|(factor, _)| *factor == key);
        for (key, neutral) in REFUSED.into_iter().filter(|(key, _)| !is_known(key)) {
            if let Some(number) = self.number(key)?.filter(|number| !neutral.contains(number)) {
                return Err(self.wrong(key, format!("is {number}, and models with it are not supported")));
            }
        }
        Ok(())
    }

    /// Rows of the embedding: the key of that name is left out of many files.
    fn vocabulary(&self) -> Result<usize, GgufError> {
        let embedding = self.header.tensor(key::tensor::EMBEDDING);
        embedding.map(|t| t.shape[0]).ok_or_else(|| GgufError::tensor(key::tensor::EMBEDDING, "is missing"))
    }

    /// Dimensions of a head, which are those of the residual stream shared among the first layer's heads
    /// where no key says so, as llama.cpp has it.
    fn head_dim(&self, hidden: u64, layers: &[LayerShape]) -> Result<u64, GgufError> {
        let of_keys = self.whole(key::KEY_LENGTH)?.unwrap_or(hidden / layers[0].heads as u64);
        match self.whole(key::VALUE_LENGTH)?.filter(|&of_values| of_values != of_keys) {
            Some(of_values) => {
                let reason = format!("is {of_values}, and keys have {of_keys} dimensions; one number for both is read");
                Err(self.wrong(key::VALUE_LENGTH, reason))
            }
            None => self.bounded(key::KEY_LENGTH, of_keys, WIDEST),
        }
    }

    /// The sizes of every layer.
    fn layers(&self) -> Result<Vec<LayerShape>, GgufError> {
        let count = self.size(key::LAYERS, ModelConfig::MOST_LAYERS)? as usize;
        // A layer of this one may lack attention; without channels llama.cpp computes it wrongly.
        let may_lack = |key: &str| self.arch == Arch::Deci && [key::HEADS, key::KV_HEADS].contains(&key);
        let of = |key: &str| match self.header.per_layer(&self.full(key), count)? {
            None => Ok(None),
            Some(all) => all
                .into_iter()
                .map(|n| if may_lack(key) && n == 0 { Ok(0) } else { Ok(self.bounded(key, n, WIDEST)? as usize) })
                .collect::<Result<Vec<_>, GgufError>>()
                .map(Some),
        };
        let heads = of(key::HEADS)?.ok_or_else(|| self.wrong(key::HEADS, "is missing"))?;
        let kv_heads = of(key::KV_HEADS)?.unwrap_or_else(|| heads.clone());
        let channels = of(key::CHANNELS)?.ok_or_else(|| self.wrong(key::CHANNELS, "is missing"))?;
        let shape = |((heads, kv_heads), channels)| LayerShape { heads, kv_heads, channels };
        let layers: Vec<LayerShape> = heads.into_iter().zip(kv_heads).zip(channels).map(shape).collect();
        if layers[0].heads == 0 || layers[0].kv_heads == 0 {
            return Err(self.wrong(key::HEADS, "is 0 in the first layer, which llama.cpp does not open"));
        }
        if layers.iter().any(|layer| *layer != layers[0]) && !self.arch.has_layers_that_differ() {
            let reason = "or another size differs from layer to layer, which this architecture has not";
            return Err(self.wrong(key::HEADS, reason));
        }
        Ok(layers)
    }

    fn has_bias(&self, of: Projection) -> bool {
        // What one layer has, all have.
        let name = self.arch.tensor_in_layer(0, Part::Bias(of));
        name.is_some_and(|name| self.header.tensor(&name).is_some())
    }

    /// The `model_type`, and its class in transformers.
    fn class(&self) -> (&'static str, &'static str) {
        let only_qkv = self.has_bias(Projection::Q) && !self.has_bias(Projection::O);
        match self.arch {
            Arch::Qwen3 | Arch::OpenElm => ("qwen3", "Qwen3ForCausalLM"),
            Arch::Qwen2 => ("qwen2", "Qwen2ForCausalLM"),
            Arch::SmolLm3 => ("smollm3", "SmolLM3ForCausalLM"),
            Arch::Olmo2 => ("olmo2", "Olmo2ForCausalLM"),
            Arch::Granite => ("granite", "GraniteForCausalLM"),
            Arch::Gemma2 => ("gemma2", "Gemma2ForCausalLM"),
            Arch::Gemma3 => ("gemma3_text", "Gemma3ForCausalLM"),
            Arch::Llama | Arch::Deci if only_qkv => ("qwen2", "Qwen2ForCausalLM"),
            // LLaMA's class has no windows.
            Arch::Llama | Arch::Deci if matches!(self.window(), Ok(Some(_))) => ("mistral", "MistralForCausalLM"),
            Arch::Llama | Arch::Deci => ("llama", "LlamaForCausalLM"),
        }
    }

    fn window(&self) -> Result<Option<u64>, GgufError> {
        Ok(self.whole(key::WINDOW)?.filter(|&window| window > 0))
    }

    fn put_window(&self, json: &mut Value) -> Result<(), GgufError> {
        if let Some(window) = self.window()? {
            json["sliding_window"] = json!(window);
            json["use_sliding_window"] = json!(true);
        }
        Ok(())
    }

    /// What a factor is that no key says: none, but for the scores that of the size of a head.
    fn put_factors(&self, json: &mut Value, head_dim: u64) -> Result<(), GgufError> {
        if self.arch != Arch::Granite {
            return Ok(());
        }
        for (key, name) in FACTORS {
            let usual = if key == key::SCORE_SCALE { 1.0 / (head_dim as f64).sqrt() } else { 1.0 };
            // Zero is how a file says that there is none.
            json[name] = json!(self.number(key)?.filter(|&factor| factor != 0.0).unwrap_or(usual));
        }
        Ok(())
    }

    /// Heads that are turned in part have a key for it in a config.json too.
    fn put_rotated(&self, json: &mut Value, head_dim: u64) -> Result<(), GgufError> {
        if let Some(rotated) = self.whole(key::ROTATED)?.filter(|&rotated| rotated != head_dim) {
            json["partial_rotary_factor"] = json!(rotated as f64 / head_dim as f64);
        }
        Ok(())
    }

    /// The `rope_scaling`; null where nothing is scaled.
    fn scaling(&self, theta: f64, divisors: Option<&[f32]>, head_dim: u64) -> Result<Value, GgufError> {
        let factor = match self.number("rope.scaling.factor")? {
            None => self.number("rope.scale_linear")?,
            factor => factor,
        };
        let kind = self.header.text(&self.full("rope.scaling.type"))?;
        // llama.cpp takes a factor without a type for this one.
        let kind = kind.unwrap_or("linear");
        let is_scaled = kind != "none" && factor.is_some_and(|factor| ![0.0, 1.0].contains(&factor));
        match (is_scaled, divisors) {
            (true, _) => Ok(json!({ "rope_type": kind, "factor": factor })),
            (false, None) => Ok(Value::Null),
            // Of heads of another size they would be taken for another scaling.
            (false, Some(divisors)) if 2 * divisors.len() as u64 != head_dim => {
                let reason =
                    format!("has {} numbers, not half as many as a head has dimensions ({head_dim})", divisors.len());
                Err(GgufError::tensor(key::tensor::DIVISORS, reason))
            }
            (false, Some(divisors)) => scaling_of(divisors, theta).ok_or_else(|| {
                let reason = "divides the rotary frequencies otherwise than LLaMA 3.1 does, which is not supported";
                GgufError::tensor(key::tensor::DIVISORS, reason)
            }),
        }
    }

    /// The sizes of all layers, or of each, and of the layers before they were pruned.
    fn put_sizes(&self, json: &mut Value, layers: &[LayerShape], hidden: u64, head_dim: u64) {
        let first = layers[0];
        let differ = layers.iter().any(|layer| *layer != first);
        // As many heads as are as wide as the residual stream: what a LLaMA has before any goes.
        let is_llama = self.arch.pairs_lie_side_by_side();
        let whole = if is_llama { (hidden / head_dim) as usize } else { 0 };
        let dense = dense(layers, whole);
        let globals = if differ { dense } else { first };
        if let (Some(json), Value::Object(sizes)) = (json.as_object_mut(), json!(globals)) {
            json.extend(sizes);
        }
        if differ {
            let numbered = layers.iter().enumerate().map(|(i, layer)| (i.to_string(), json!(layer)));
            json["per_layer_config"] = Value::Object(numbered.collect::<Map<_, _>>());
            json[FAMILY_KEY] = json["model_type"].take();
            json["model_type"] = json!(OURS);
        } else if !hidden.is_multiple_of(first.heads as u64) && dense != first {
            // No LLaMA is made with heads that do not divide its width: some of them went.
            json[DENSE_KEY] = json!(dense);
        }
    }
}

/// The least sizes from which all layers can have been cut: at least `whole` heads, with as many to a
/// key/value head as the layers have, where all have as many.
fn dense(layers: &[LayerShape], whole: usize) -> LayerShape {
    let most = |of: fn(&LayerShape) -> usize| layers.iter().map(of).max().unwrap_or_default();
    let (heads, kv_heads, channels) = (most(|l| l.heads).max(whole), most(|l| l.kv_heads), most(|l| l.channels));
    let group = |l: &LayerShape| Some(l.heads_per_group()).filter(|group| group * l.kv_heads == l.heads);
    // Layers without attention say nothing of it.
    let mut attending = layers.iter().filter(|l| l.kv_heads > 0);
    let first = layers.first().and_then(group).filter(|&first| attending.all(|l| group(l) == Some(first)));
    match first {
        Some(group) => {
            let heads = heads.next_multiple_of(group);
            LayerShape { heads, kv_heads: heads / group, channels }
        }
        // Heads that went one by one have left every key/value head.
        None => LayerShape { heads: heads.next_multiple_of(kv_heads), kv_heads, channels },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(heads: usize, kv_heads: usize, channels: usize) -> LayerShape {
        LayerShape { heads, kv_heads, channels }
    }

    #[test]
    fn layers_were_cut_from_the_least_that_can_hold_them() {
        assert_eq!(dense(&[shape(6, 2, 40), shape(3, 1, 64)], 0), shape(6, 2, 64));
        assert_eq!(dense(&[shape(6, 2, 40), shape(3, 1, 64)], 9), shape(9, 3, 64));
        assert_eq!(dense(&[shape(3, 1, 40), shape(0, 0, 64)], 9), shape(9, 3, 64));
        // Heads by themselves: every layer keeps its key/value heads.
        assert_eq!(dense(&[shape(6, 3, 8), shape(3, 3, 8)], 9), shape(9, 3, 8));
        assert_eq!(dense(&[shape(6, 3, 8), shape(3, 3, 8)], 10), shape(12, 3, 8));
        // Sizes that no layer can have are refused where they are read.
        assert_eq!(dense(&[shape(5, 2, 8), shape(3, 2, 8)], 0), shape(6, 2, 8));
    }
}
