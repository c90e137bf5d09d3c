//! The config.json of what we write, and which class of transformers it asks for.
//!
//! - A model whose layers differ has `model_type` slim_llama, which no program knows by itself:
//!   without the Python files beside it, it fails to load, rather than load wrongly. Globals keep
//!   the dense values, because they divide the hidden size, which loaders check; every layer
//!   overrides them under `per_layer_config`.
//! - A model whose layers are all alike has its family's own class where that class can hold it.
//! - A family with classes of its own ([`Classes`]) keeps the keys of its source, but for its sizes: what they say
//!   of factors, caps, windows and rotation holds of what is left too.
//!
//! Baichuan's fused projections are written split, under LLaMA's names and as a LLaMA: so they
//! open in every program that knows LLaMA, and need no code of their own.

use serde_json::{Map, Value, json};

use super::config::{DENSE_KEY, FAMILY_KEY, OURS};
use super::{Classes, Dtype};
use crate::shape::{Family, ModelConfig, RopeScaling};

/// Keys of a source that would contradict what is written in their place.
const REPLACED: [&str; 6] =
    ["auto_map", "dtype", "rope_parameters", "rope_scaling", "layer_types", "quantization_config"];

/// The class of transformers that opens a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModelClass {
    /// Nothing went: that of the source, whose config.json holds as it is.
    OfSource,
    /// All layers alike: a class that transformers has itself.
    BuiltIn {
        /// Its `model_type` in config.json.
        model_type: &'static str,
        /// Its name in Python, for `architectures`.
        class: &'static str,
    },
    /// Layers of different sizes: the class in our Python files beside the weights.
    Custom,
}

impl ModelClass {
    /// The class for which a model of these sizes is written.
    pub fn of(config: &ModelConfig) -> Self {
        if config.family != Family::Baichuan && config.layers.iter().all(|l| *l == config.dense) {
            return Self::OfSource;
        }
        if config.is_uniform() { built_in(config).unwrap_or(Self::Custom) } else { Self::Custom }
    }
}

/// The class for layers that are all alike, if there is one that every release of transformers
/// since 4.46 reads rightly.
fn built_in(config: &ModelConfig) -> Option<ModelClass> {
    // No class builds a layer without attention or without a feed-forward part.
    let heads = config.layers.first().filter(|layer| layer.is_whole())?.heads;
    // Releases before 4.48 take Qwen2's head to be hidden_size / heads wide, whatever config.json says.
    let has_its_own_width = heads * config.head_dim == config.hidden_size;
    // LLaMA's class refuses heads that do not divide the hidden size.
    let divides = config.hidden_size.is_multiple_of(heads);
    // Mistral's knows no biases, and before 4.57 passed over LLaMA 3.1's scaling without a word.
    let fits_mistral = !config.qkv_bias && !config.mlp_bias && config.rope.scaling.is_none();
    if let Some(own) = Classes::of(config.family) {
        // Phi-3's counts the pairs that turn by the hidden size and the heads, and holds the list of divisors to that.
        let is_counted = config.design.stretch.is_none() || config.hidden_size / heads == config.head_dim;
        let fits = (divides || !own.divides) && is_counted;
        return fits.then_some(ModelClass::BuiltIn { model_type: own.model_type, class: own.causal });
    }
    let (model_type, class) = match config.family.written() {
        Family::Qwen2 if has_its_own_width => ("qwen2", "Qwen2ForCausalLM"),
        Family::Qwen3 => ("qwen3", "Qwen3ForCausalLM"),
        Family::Llama if divides => ("llama", "LlamaForCausalLM"),
        Family::Llama | Family::Mistral if fits_mistral => ("mistral", "MistralForCausalLM"),
        // A family that nobody looked at here yet is not given to a class that may compute otherwise.
        _ => return None,
    };
    Some(ModelClass::BuiltIn { model_type, class })
}

/// The config.json of a model with the layers of `config`, made from that of its source.
pub fn output_config(source: &Value, config: &ModelConfig, dtype: Dtype) -> Value {
    let mut out = source.clone();
    let has_fewer_layers = source["num_hidden_layers"] != json!(config.layers.len());
    if has_fewer_layers {
        out["num_hidden_layers"] = json!(config.layers.len());
    }
    let written = match ModelClass::of(config) {
        // Its lists of layers would be those of the source, so all of them are written anew.
        ModelClass::OfSource if has_fewer_layers => built_in(config).unwrap_or(ModelClass::OfSource),
        // Only a method that adds biases makes a source without `mlp_bias` have one.
        ModelClass::OfSource if config.mlp_bias && source["mlp_bias"] != json!(true) => ModelClass::Custom,
        class => class,
    };
    match written {
        ModelClass::OfSource => {
            out["torch_dtype"] = json!(dtype.torch_name());
            // The newer name of the same key would keep the type of the source.
            if let Some(keys) = out.as_object_mut() {
                keys.shift_remove("dtype");
                // What is read is plain, whatever a tool left behind.
                keys.shift_remove("quantization_config");
                // It has an entry for each layer of the source.
                if has_fewer_layers {
                    keys.shift_remove("layer_types");
                }
            }
            // What is stored may have contradicted the flag, and only the one of them is written.
            if out["tie_word_embeddings"].as_bool().unwrap_or(false) != config.tied_head {
                out["tie_word_embeddings"] = json!(config.tied_head);
            }
        }
        ModelClass::BuiltIn { model_type, class } => {
            write_common(&mut out, config, dtype);
            write_built_in(&mut out, config, model_type, class);
        }
        ModelClass::Custom => {
            write_common(&mut out, config, dtype);
            write_own(&mut out, config);
        }
    }
    out
}

/// The config.json of a model that no program is to see as pruned, in a class that transformers
/// has itself; `None` where no class holds it.
pub fn plain_config(source: &Value, config: &ModelConfig, dtype: Dtype) -> Option<Value> {
    let ModelClass::BuiltIn { model_type, class } = built_in(config).filter(|_| config.is_uniform())? else {
        return None;
    };
    let mut out = source.clone();
    write_common(&mut out, config, dtype);
    write_built_in(&mut out, config, model_type, class);
    out.as_object_mut()?.shift_remove(DENSE_KEY);
    Some(out)
}

/// What every release must find, whatever the source's spelling of it.
fn write_common(out: &mut Value, config: &ModelConfig, dtype: Dtype) {
    if Classes::of(config.family).is_some() {
        return write_kept(out, config, dtype);
    }
    if let Some(keys) = out.as_object_mut() {
        REPLACED.iter().for_each(|key| drop(keys.shift_remove(*key)));
    }
    // By its older name, which every release reads.
    out["torch_dtype"] = json!(dtype.torch_name());
    out[FAMILY_KEY] = json!(config.family.written());
    out["hidden_act"] = json!("silu");
    out["head_dim"] = json!(config.head_dim);
    out["attention_bias"] = json!(config.o_bias);
    out["mlp_bias"] = json!(config.mlp_bias);
    out["tie_word_embeddings"] = json!(config.tied_head);
    out["max_position_embeddings"] = json!(config.max_positions);
    out["rope_theta"] = json!(config.rope.theta);
    if let Some(own) = &config.rope.scaling {
        out["rope_scaling"] = scaling(own);
    }
    // Within the positions that are left, no window ever slides.
    out["sliding_window"] = Value::Null;
    out["use_sliding_window"] = json!(false);
}

/// What changes in the keys of a family that keeps its own.
fn write_kept(out: &mut Value, config: &ModelConfig, dtype: Dtype) {
    if let Some(keys) = out.as_object_mut() {
        ["auto_map", "dtype", "quantization_config"].iter().for_each(|key| drop(keys.shift_remove(*key)));
    }
    out["torch_dtype"] = json!(dtype.torch_name());
    out[FAMILY_KEY] = json!(config.family);
    // Left out it would follow from the heads that there are.
    out["head_dim"] = json!(config.head_dim);
    out["tie_word_embeddings"] = json!(config.tied_head);
}

fn scaling(scaling: &RopeScaling) -> Value {
    let mut out = json!(scaling);
    out["rope_type"] = json!("llama3");
    out
}

fn write_built_in(out: &mut Value, config: &ModelConfig, model_type: &str, class: &str) {
    out["architectures"] = json!([class]);
    out["model_type"] = json!(model_type);
    // What the layers were is kept for ourselves; other programs pass over it.
    out[DENSE_KEY] = json!(config.dense);
    if let Some(Value::Object(sizes)) = config.layers.first().map(|l| json!(l)) {
        sizes.into_iter().for_each(|(key, value)| out[key] = value);
    }
    if let Some(keys) = out.as_object_mut() {
        // Traces of a source whose layers differed.
        OWN_KEYS.iter().for_each(|key| drop(keys.shift_remove(*key)));
    }
}

/// Keys that only a config.json for our own class has.
const OWN_KEYS: [&str; 5] =
    ["per_layer_config", "allow_global_per_layer_attribute_access", "layer_head_num", "layer_inter_size", "layer_num"];

fn write_own(out: &mut Value, config: &ModelConfig) {
    let per_layer: Map<String, Value> =
        config.layers.iter().enumerate().map(|(i, l)| (i.to_string(), json!(l))).collect();
    let (model_type, module, [class_of_config, model, causal]) = match Classes::of(config.family) {
        None => (OURS.to_owned(), "slimllama".to_owned(), ["LlamaConfig", "LlamaModel", "LlamaForCausalLM"]),
        Some(own) => {
            (format!("slim_{}", own.module), format!("slim{}", own.module), [own.config, own.model, own.causal])
        }
    };
    out["architectures"] = json!([format!("Slim{causal}")]);
    out["model_type"] = json!(model_type);
    // vLLM reads them in this order.
    out["auto_map"] = json!({
        "AutoConfig": format!("configuration_{module}.Slim{class_of_config}"),
        "AutoModel": format!("modeling_{module}.Slim{model}"),
        "AutoModelForCausalLM": format!("modeling_{module}.Slim{causal}"),
    });
    out["num_attention_heads"] = json!(config.dense.heads);
    out["num_key_value_heads"] = json!(config.dense.kv_heads);
    out["intermediate_size"] = json!(config.dense.channels);
    out["per_layer_config"] = Value::Object(per_layer);
    out["allow_global_per_layer_attribute_access"] = json!(true);
    // Qwen3's layers ask for these; no other family's do.
    if config.family == Family::Qwen3 {
        out["layer_types"] = json!(vec!["full_attention"; config.layers.len()]);
        out["max_window_layers"] = json!(config.layers.len());
    }
    // rtp-llm's spelling.
    out["layer_head_num"] = json!(config.layers.iter().map(|l| l.heads).collect::<Vec<_>>());
    out["layer_inter_size"] = json!(config.layers.iter().map(|l| l.channels).collect::<Vec<_>>());
    out["layer_num"] = json!(config.layers.len());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::parse_config;
    use crate::shape::{LayerShape, Site};

    fn source(changes: &Value) -> Value {
        let mut config = json!({
            "model_type": "llama", "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2,
            "num_attention_heads": 8, "num_key_value_heads": 4, "vocab_size": 32, "rope_theta": 5e4,
        });
        changes.as_object().into_iter().flatten().for_each(|(k, v)| config[k] = v.clone());
        config
    }

    /// What becomes of `changes` to the LLaMA when its layers have these sizes.
    fn written<const N: usize>(changes: &Value, layers: [LayerShape; N]) -> (ModelClass, Value) {
        let source = source(changes);
        let config = ModelConfig { layers: layers.to_vec(), ..parse_config(&source).unwrap() };
        let out = output_config(&source, &config, Dtype::F32);
        let read = parse_config(&out).unwrap();
        let family = config.family.written();
        assert_eq!(read, ModelConfig { family, ..config.clone() }, "what is written reads as it was");
        (ModelClass::of(&config), out)
    }

    const FOUR: LayerShape = LayerShape { heads: 4, kv_heads: 2, channels: 64 };
    const SIX: LayerShape = LayerShape { heads: 6, kv_heads: 3, channels: 64 };

    fn class(changes: &Value, layer: LayerShape) -> String {
        written(changes, [layer; 2]).1["architectures"][0].as_str().unwrap().to_owned()
    }

    #[test]
    fn layers_all_alike_need_no_code() {
        assert_eq!(class(&json!({}), FOUR), "LlamaForCausalLM");
        assert_eq!(class(&json!({}), SIX), "MistralForCausalLM");
        assert_eq!(class(&json!({ "model_type": "mistral", "sliding_window": 48 }), FOUR), "MistralForCausalLM");
        assert_eq!(class(&json!({ "model_type": "qwen3", "head_dim": 6 }), SIX), "Qwen3ForCausalLM");
        assert_eq!(
            class(&json!({ "model_type": "baichuan", "num_key_value_heads": 8, "max_position_embeddings": 99 }), FOUR),
            "LlamaForCausalLM"
        );
        assert!(written(&json!({ "auto_map": {} }), [SIX; 2]).1["auto_map"].is_null());
    }

    #[test]
    fn no_class_is_chosen_that_would_compute_something_else() {
        let scaled = json!({ "rope_scaling": {
            "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
            "original_max_position_embeddings": 64,
        } });
        assert_eq!(class(&scaled, FOUR), "LlamaForCausalLM");
        assert_eq!(class(&scaled, SIX), "SlimLlamaForCausalLM");
        assert_eq!(class(&json!({ "attention_bias": true }), SIX), "SlimLlamaForCausalLM");
        assert_eq!(class(&json!({ "model_type": "qwen2" }), FOUR), "SlimLlamaForCausalLM");
        let wide = LayerShape { channels: 64, ..source_shape() };
        assert_eq!(class(&json!({ "model_type": "qwen2" }), wide), "Qwen2ForCausalLM");
    }

    #[test]
    fn a_family_with_classes_of_its_own_keeps_its_keys() {
        for (name, class_name, own) in [
            ("phi3", "Phi3ForCausalLM", "SlimPhi3ForCausalLM"),
            ("smollm3", "SmolLM3ForCausalLM", "SlimSmolLM3ForCausalLM"),
            ("olmo2", "Olmo2ForCausalLM", "SlimOlmo2ForCausalLM"),
            ("granite", "GraniteForCausalLM", "SlimGraniteForCausalLM"),
            ("gemma2", "Gemma2ForCausalLM", "SlimGemma2ForCausalLM"),
            ("gemma3_text", "Gemma3ForCausalLM", "SlimGemma3ForCausalLM"),
        ] {
            let changes = json!({
                "model_type": name, "head_dim": 8, "no_rope_layers": [1, 0], "residual_multiplier": 0.5,
                "sliding_window": 16, "max_position_embeddings": 64, "tie_word_embeddings": false,
            });
            assert_eq!(class(&changes, FOUR), class_name);
            let (found, out) = written(&changes, [FOUR, SIX]);
            assert_eq!((found, out["architectures"][0].as_str()), (ModelClass::Custom, Some(own)));
            assert_eq!((&out["sliding_window"], &out["no_rope_layers"]), (&json!(16), &json!([1, 0])));
            assert_eq!(out["slimgpt_family"], name);
            // Only a Gemma's class refuses heads that do not divide the width.
            assert_eq!(class(&changes, SIX), if name.starts_with("gemma") { own } else { class_name });
        }
    }

    fn source_shape() -> LayerShape {
        LayerShape { heads: 8, kv_heads: 4, channels: 96 }
    }

    #[test]
    fn layers_that_differ_keep_the_dense_globals() {
        for family in ["llama", "mistral", "qwen2", "qwen3"] {
            let (class, out) = written(&json!({ "model_type": family }), [FOUR, SIX]);
            assert_eq!((class, &out["num_attention_heads"]), (ModelClass::Custom, &json!(8)));
            assert_eq!(out["per_layer_config"]["1"], json!(SIX));
            assert_eq!(out["model_type"], OURS);
        }
    }

    #[test]
    fn a_half_that_a_layer_lacks_is_built_by_no_class_of_others() {
        for family in ["llama", "mistral", "qwen2", "qwen3"] {
            for layers in [[FOUR.without(Site::Heads), FOUR], [FOUR, FOUR.without(Site::Channels)]] {
                let (class, out) = written(&json!({ "model_type": family }), layers);
                assert_eq!((class, &out["model_type"]), (ModelClass::Custom, &json!(OURS)), "{family}");
            }
            // All alike, but no class has a switch for it.
            let (class, _) = written(&json!({ "model_type": family }), [FOUR.without(Site::Heads); 2]);
            assert_eq!(class, ModelClass::Custom, "{family}");
        }
    }

    #[test]
    fn a_model_with_fewer_layers_is_of_its_family_and_says_how_many() {
        for (family, name) in [("llama", "LlamaForCausalLM"), ("qwen3", "Qwen3ForCausalLM")] {
            let lists =
                json!({ "model_type": family, "head_dim": 8, "layer_types": ["full_attention", "full_attention"] });
            let (class, out) = written(&lists, [source_shape()]);
            assert_eq!((class, &out["num_hidden_layers"]), (ModelClass::OfSource, &json!(1)), "{family}");
            assert_eq!((&out["architectures"][0], &out["layer_types"]), (&json!(name), &Value::Null), "{family}");
        }
        let (_, out) = written(&json!({}), [FOUR, SIX, SIX]);
        assert_eq!(out["num_hidden_layers"], 3);
    }

    #[test]
    fn nothing_but_the_element_type_changes_where_nothing_went() {
        let (class, out) = written(&json!({ "dtype": "float16" }), [source_shape(); 2]);
        let mut want = source(&json!({}));
        want["torch_dtype"] = json!("float32");
        assert_eq!((class, out), (ModelClass::OfSource, want));
    }

    #[test]
    fn the_new_place_of_rotary_numbers_is_written_in_the_old_one() {
        let moved = json!({ "rope_theta": null, "rope_parameters": { "rope_theta": 7e5, "rope_type": "default" } });
        let (_, out) = written(&moved, [FOUR, SIX]);
        assert_eq!((&out["rope_theta"], &out["rope_parameters"]), (&json!(7e5), &Value::Null));
    }
}
