//! Small checkpoints with random weights, in the layout of Hugging Face.

use std::path::Path;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde_json::{Value, json};
use slimgpt::checkpoint::{Checkpoint, parse_config};
use slimgpt::shape::{Family, Site};

/// A config.json and the tensors it asks for.
pub struct Model {
    pub config: Value,
    pub dtype: Dtype,
    pub tensors: Vec<Stored>,
}

/// A tensor before it is narrowed to the file's element type.
pub struct Stored {
    pub name: String,
    pub shape: Vec<usize>,
    pub values: Vec<f32>,
}

/// config.json of a LLaMA with 4 query heads of 4 dimensions on 2 K/V heads, with `changes`; a
/// change to null takes a key out.
pub fn config(changes: Value) -> Value {
    let mut config = json!({
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 16, "intermediate_size": 40,
        "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 32,
        "max_position_embeddings": 64, "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "hidden_act": "silu",
        "tie_word_embeddings": true, "torch_dtype": "float32", "bos_token_id": 1,
    });
    for (key, value) in changes.as_object().expect("changes are an object") {
        match value {
            Value::Null => config.as_object_mut().unwrap().shift_remove(key),
            value => config.as_object_mut().unwrap().insert(key.clone(), value.clone()),
        };
    }
    config
}

impl Model {
    /// The LLaMA of [`config`] in f32.
    pub fn llama(changes: Value) -> Self {
        Self::random(config(changes), Dtype::F32, 7)
    }

    /// Norms near one, small biases, and matrices that keep the size of what goes through them.
    pub fn random(config: Value, dtype: Dtype, seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let tensors = shapes(&config).into_iter().map(|(name, shape)| {
            let (middle, spread) = match shape[..] {
                _ if name.ends_with("bias") => (0.0, 0.5),
                [_, columns] => (0.0, 1.7 / (columns as f32).sqrt()),
                _ => (1.0, 0.1),
            };
            let count: usize = shape.iter().product();
            let values = (0..count).map(|_| middle + spread * rng.random_range(-1.0f32..1.0)).collect();
            Stored { name, shape, values }
        });
        Self { tensors: tensors.collect(), config, dtype }
    }

    /// The tensor whose name ends so.
    pub fn tensor(&mut self, end: &str) -> &mut Stored {
        self.tensors.iter_mut().find(|t| t.name.ends_with(end)).expect("a tensor of this name")
    }

    /// The same model whose layers lack these halves: their tensors are not there, and config.json says so.
    pub fn without(mut self, halves: &[(usize, Site)]) -> Self {
        let read = parse_config(&self.config).expect("a config.json that is read");
        let mut layers = read.layers;
        halves.iter().for_each(|&(layer, site)| layers[layer] = layers[layer].without(site));
        let own = layers.iter().enumerate().map(|(i, layer)| (i.to_string(), json!(layer)));
        self.config["slimgpt_family"] = self.config["model_type"].take();
        self.config["model_type"] = json!("slim_llama");
        self.config["head_dim"] = json!(read.head_dim);
        self.config["per_layer_config"] = own.collect::<serde_json::Map<_, _>>().into();
        self.tensors.retain(|tensor| !halves.iter().any(|&(layer, site)| is_of(&tensor.name, layer, site)));
        self
    }

    /// The same model in which these halves add nothing: what takes them back to the residual stream is zero.
    pub fn silenced(mut self, halves: &[(usize, Site)]) -> Self {
        for (layer, site) in halves {
            let last = if *site == Site::Heads { "self_attn.o_proj" } else { "mlp.down_proj" };
            self.tensor(&format!("layers.{layer}.{last}.weight")).values.fill(0.0);
        }
        self
    }

    /// The same model without this layer; later ones move up.
    pub fn without_layer(mut self, layer: usize) -> Self {
        let count = self.config["num_hidden_layers"].as_u64().expect("a number of layers") as usize;
        self.tensors.retain(|tensor| !tensor.name.contains(&format!(".layers.{layer}.")));
        for later in layer + 1..count {
            let (from, to) = (format!(".layers.{later}."), format!(".layers.{}.", later - 1));
            self.tensors.iter_mut().for_each(|tensor| tensor.name = tensor.name.replace(&from, &to));
        }
        self.config["num_hidden_layers"] = json!(count - 1);
        self
    }

    pub fn config_json(&self) -> Vec<u8> {
        self.config.to_string().into_bytes()
    }

    /// The one file of the model.
    pub fn safetensors(&self) -> Vec<u8> {
        file(&self.tensors, self.dtype)
    }

    /// The one file of the model, each tensor in the element type that `of` gives its name.
    pub fn mixed(&self, of: impl Fn(&str) -> Dtype) -> Vec<u8> {
        file_of(&self.tensors, of)
    }

    pub fn open(&self) -> Checkpoint {
        Checkpoint::from_bytes(&self.config_json(), self.safetensors()).unwrap()
    }

    /// The model as a folder of one file, which is made.
    pub fn write(&self, folder: &Path) {
        std::fs::create_dir_all(folder).unwrap();
        std::fs::write(folder.join("config.json"), self.config_json()).unwrap();
        std::fs::write(folder.join("model.safetensors"), self.safetensors()).unwrap();
    }
}

/// The bytes of a safetensors file.
pub fn file(tensors: &[Stored], dtype: Dtype) -> Vec<u8> {
    file_of(tensors, |_| dtype)
}

fn file_of(tensors: &[Stored], of: impl Fn(&str) -> Dtype) -> Vec<u8> {
    let bytes: Vec<Vec<u8>> = tensors.iter().map(|t| narrowed(&t.values, of(&t.name))).collect();
    let views = tensors
        .iter()
        .zip(&bytes)
        .map(|(t, bytes)| (t.name.as_str(), TensorView::new(of(&t.name), t.shape.clone(), bytes).unwrap()));
    safetensors::serialize(views, None).unwrap()
}

fn narrowed(values: &[f32], dtype: Dtype) -> Vec<u8> {
    match dtype {
        Dtype::F32 => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
        Dtype::F16 => values.iter().flat_map(|&v| half::f16::from_f32(v).to_le_bytes()).collect(),
        Dtype::BF16 => values.iter().flat_map(|&v| half::bf16::from_f32(v).to_le_bytes()).collect(),
        Dtype::I32 => values.iter().flat_map(|&v| (v as i32).to_le_bytes()).collect(),
        other => panic!("no test writes {other:?}"),
    }
}

/// Whether a tensor belongs to this half of this layer.
fn is_of(name: &str, layer: usize, site: Site) -> bool {
    let Some(part) = name.strip_prefix(&format!("model.layers.{layer}.")) else { return false };
    let of_attention = part.starts_with("self_attn.") || part.starts_with("input_layernorm.");
    of_attention == (site == Site::Heads)
}

/// Names and shapes of the tensors that a config.json asks for. The f64 oracle, which reads the same
/// files, spells the names by itself.
fn shapes(config: &Value) -> Vec<(String, Vec<usize>)> {
    let read = parse_config(config).expect("a config.json that is read");
    let (d, vocabulary) = (read.hidden_size, read.vocab_size);
    let mut all =
        vec![("model.embed_tokens.weight".into(), vec![vocabulary, d]), ("model.norm.weight".into(), vec![d])];
    for (i, &layer) in read.layers.iter().enumerate() {
        let parts = read.parts_of(layer).map(|part| (part.to_string(), part.shape(&read, layer)));
        let mut parts: Vec<_> = parts.collect();
        if read.family == Family::Baichuan {
            let fused = ["self_attn.q_proj.weight", "self_attn.k_proj.weight", "self_attn.v_proj.weight"];
            parts.retain(|(name, _)| !fused.contains(&&**name));
            parts.push(("self_attn.W_pack.weight".into(), vec![3 * d, d]));
        }
        if read.family == Family::Phi3 {
            let fused = ["q_proj", "k_proj", "v_proj", "gate_proj", "up_proj"];
            parts.retain(|(name, _)| !fused.iter().any(|part| name.contains(part)));
            let rows = (layer.heads + 2 * layer.kv_heads) * read.head_dim;
            parts.push(("self_attn.qkv_proj.weight".into(), vec![rows, d]));
            parts.push(("mlp.gate_up_proj.weight".into(), vec![2 * layer.channels, d]));
        }
        all.extend(parts.into_iter().map(|(part, shape)| (format!("model.layers.{i}.{part}"), shape)));
    }
    if !read.tied_head {
        all.push(("lm_head.weight".into(), vec![vocabulary, d]));
    }
    all
}
