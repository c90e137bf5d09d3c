//! Small checkpoints with random weights, in the layout of Hugging Face.

use std::path::Path;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde_json::{Value, json};
use slimgpt::checkpoint::{Checkpoint, parse_config};
use slimgpt::shape::Family;

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

/// Names and shapes of the tensors that a config.json asks for. The f64 oracle, which reads the same
/// files, spells the names by itself.
fn shapes(config: &Value) -> Vec<(String, Vec<usize>)> {
    let read = parse_config(config).expect("a config.json that is read");
    let (d, vocabulary) = (read.hidden_size, read.vocab_size);
    let mut all =
        vec![("model.embed_tokens.weight".into(), vec![vocabulary, d]), ("model.norm.weight".into(), vec![d])];
    for (i, &layer) in read.layers.iter().enumerate() {
        let parts = read.parts().map(|part| (part.to_string(), part.shape(&read, layer)));
        let mut parts: Vec<_> = parts.collect();
        if read.family == Family::Baichuan {
            let fused = ["self_attn.q_proj.weight", "self_attn.k_proj.weight", "self_attn.v_proj.weight"];
            parts.retain(|(name, _)| !fused.contains(&&**name));
            parts.push(("self_attn.W_pack.weight".into(), vec![3 * d, d]));
        }
        all.extend(parts.into_iter().map(|(part, shape)| (format!("model.layers.{i}.{part}"), shape)));
    }
    if !read.tied_head {
        all.push(("lm_head.weight".into(), vec![vocabulary, d]));
    }
    all
}
