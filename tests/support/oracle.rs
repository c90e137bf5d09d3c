//! The forward pass once more, in f64 and plain loops, from the files alone: it shares no code
//! with the library, so that the two can only agree by both being right.

use std::collections::HashMap;
use std::path::Path;

use safetensors::{Dtype, SafeTensors};
use serde_json::Value;

/// A matrix or vector, row-major.
struct Tensor {
    shape: Vec<usize>,
    values: Vec<f64>,
}

/// A model as its files describe it.
pub struct Oracle {
    config: Value,
    tensors: HashMap<String, Tensor>,
}

/// `(tokens, width)`, one row a token.
type Rows = Vec<Vec<f64>>;

impl Oracle {
    pub fn new(config_json: &[u8], safetensors: &[u8]) -> Self {
        let mut oracle = Self { config: serde_json::from_slice(config_json).unwrap(), tensors: HashMap::new() };
        oracle.read(safetensors);
        oracle
    }

    /// A folder with any number of safetensors files.
    pub fn open(folder: &Path) -> Self {
        let config = serde_json::from_slice(&std::fs::read(folder.join("config.json")).unwrap()).unwrap();
        let mut oracle = Self { config, tensors: HashMap::new() };
        let files = std::fs::read_dir(folder).unwrap().map(|f| f.unwrap().path());
        for file in files.filter(|f| f.extension().is_some_and(|e| e == "safetensors")) {
            oracle.read(&std::fs::read(file).unwrap());
        }
        oracle
    }

    fn read(&mut self, file: &[u8]) {
        for (name, view) in SafeTensors::deserialize(file).unwrap().iter() {
            let tensor = Tensor { shape: view.shape().to_vec(), values: widened(view.dtype(), view.data()) };
            self.tensors.insert(name.to_owned(), tensor);
        }
    }

    /// Logits `(tokens · vocabulary)` of one sequence.
    pub fn logits(&self, tokens: &[u32]) -> Vec<f64> {
        let embedding = self.tensor("model.embed_tokens.weight");
        let mut hidden: Rows = tokens.iter().map(|&token| embedding.row(token as usize).to_vec()).collect();
        for layer in 0..self.number("num_hidden_layers").unwrap() as usize {
            hidden = self.layer(layer, hidden);
        }
        // A head that is there counts, whatever the flag says; beside a tied one it is the same.
        let stored = self.tensors.contains_key("lm_head.weight");
        let head = if stored { self.tensor("lm_head.weight") } else { embedding };
        // Baichuan2 has its head's rows of length one whenever it runs.
        let normed = self.config["model_type"] == "baichuan" && embedding.shape[0] == 125_696;
        let lengths: Vec<f64> =
            (0..head.shape[0]).map(|i| if normed { dot(head.row(i), head.row(i)).sqrt() } else { 1.0 }).collect();
        let logits = |row: &Vec<f64>| -> Vec<f64> {
            head.times(row).iter().zip(&lengths).map(|(logit, length)| logit / length).collect()
        };
        self.norm("model.norm.weight", &hidden).iter().flat_map(logits).collect()
    }

    /// Σ −log p of every token of a window but the first.
    pub fn nll(&self, window: &[u32]) -> f64 {
        let logits = self.logits(window);
        let rows = logits.chunks(logits.len() / window.len());
        let loss = |(row, &next): (&[f64], &u32)| {
            let top = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            top + row.iter().map(|l| (l - top).exp()).sum::<f64>().ln() - row[next as usize]
        };
        rows.zip(&window[1..]).map(loss).sum()
    }

    /// The tolerance of logits that were computed in f32: each of the products on the way (scores,
    /// contexts, o, up, down for a layer, and the head) errs by at most γₙ ≈ n ε of its result
    /// (Higham, Accuracy and Stability, §3.1), n being the longest of them.
    pub fn tolerance(&self, tokens: usize, logits: &[f64]) -> f64 {
        let layers = self.number("num_hidden_layers").unwrap();
        let widest = self.tensors.values().filter_map(|t| t.shape.get(1)).max().copied().unwrap_or(0);
        let largest = logits.iter().fold(0.0f64, |m, l| m.max(l.abs()));
        (5.0 * layers + 1.0) * widest.max(tokens) as f64 * f64::from(f32::EPSILON) * largest
    }

    fn layer(&self, i: usize, hidden: Rows) -> Rows {
        let name = |part: &str| format!("model.layers.{i}.{part}");
        let normed = self.norm(&name("input_layernorm.weight"), &hidden);
        let context = self.attention(i, &normed);
        let hidden = sum(&hidden, &self.linear(&name("self_attn.o_proj"), &context));
        let normed = self.norm(&name("post_attention_layernorm.weight"), &hidden);
        let gate = self.linear(&name("mlp.gate_proj"), &normed);
        let up = self.linear(&name("mlp.up_proj"), &normed);
        let silu = |x: f64| x / (1.0 + (-x).exp());
        let inner: Rows =
            gate.iter().zip(&up).map(|(g, u)| g.iter().zip(u).map(|(g, u)| silu(*g) * u).collect()).collect();
        sum(&hidden, &self.linear(&name("mlp.down_proj"), &inner))
    }

    /// The heads' contexts side by side.
    fn attention(&self, i: usize, x: &Rows) -> Rows {
        let name = |part: &str| format!("model.layers.{i}.self_attn.{part}");
        let (heads, d) = (self.of_layer(i, "num_attention_heads"), self.head_dim());
        let per_group = heads / self.config_or(i, "num_key_value_heads", heads);
        let [q, k, v] = self.projected(i, x);
        let [q, k] = [("q_norm.weight", q), ("k_norm.weight", k)]
            .map(|(norm, rows)| self.rotated(self.norm_heads(&name(norm), rows)));
        let mut context = vec![vec![0.0; heads * d]; x.len()];
        for head in 0..heads {
            let (own, shared) = (head * d, head / per_group * d);
            for t in 0..x.len() {
                let score = |s: usize| dot(&q[t][own..own + d], &k[s][shared..shared + d]) / (d as f64).sqrt();
                let weights = softmax(&(0..=t).map(score).collect::<Vec<_>>());
                for (s, weight) in weights.into_iter().enumerate() {
                    for j in 0..d {
                        context[t][own + j] += weight * v[s][shared + j];
                    }
                }
            }
        }
        context
    }

    /// q, k and v, which Baichuan keeps in one matrix.
    fn projected(&self, i: usize, x: &Rows) -> [Rows; 3] {
        let name = |part: &str| format!("model.layers.{i}.self_attn.{part}");
        if self.tensors.contains_key(&name("W_pack.weight")) {
            let all = self.linear(&name("W_pack"), x);
            let third = |part: usize| all.iter().map(|r| r.chunks(r.len() / 3).nth(part).unwrap().to_vec()).collect();
            return [third(0), third(1), third(2)];
        }
        ["q_proj", "k_proj", "v_proj"].map(|part| self.linear(&name(part), x))
    }

    /// Qwen3 norms every head by itself; where there is no such tensor nothing is done.
    fn norm_heads(&self, name: &str, rows: Rows) -> Rows {
        if !self.tensors.contains_key(name) {
            return rows;
        }
        let heads = |row: Vec<f64>| row.chunks(self.head_dim()).map(<[f64]>::to_vec).collect();
        rows.into_iter().map(|row| self.norm(name, &heads(row)).concat()).collect()
    }

    /// Every head of every token turned by its position: dimension j against j + d/2.
    fn rotated(&self, mut rows: Rows) -> Rows {
        let d = self.head_dim();
        for (position, row) in rows.iter_mut().enumerate() {
            for head in row.chunks_mut(d) {
                for j in 0..d / 2 {
                    let (sin, cos) = (position as f64 * self.frequency(j)).sin_cos();
                    let (a, b) = (head[j], head[j + d / 2]);
                    (head[j], head[j + d / 2]) = (a * cos - b * sin, b * cos + a * sin);
                }
            }
        }
        rows
    }

    /// θ^(−2j/d), stretched as LLaMA 3.1 does by wavelength.
    fn frequency(&self, j: usize) -> f64 {
        let parameters = &self.config["rope_parameters"];
        let theta = self.config["rope_theta"].as_f64().or(parameters["rope_theta"].as_f64()).unwrap_or(10000.0);
        let plain = 1.0 / theta.powf(2.0 * j as f64 / self.head_dim() as f64);
        let scaling = if self.config["rope_scaling"].is_object() { &self.config["rope_scaling"] } else { parameters };
        if scaling["rope_type"] != "llama3" {
            return plain;
        }
        let of = |key: &str| scaling[key].as_f64().unwrap();
        let (factor, context) = (of("factor"), of("original_max_position_embeddings"));
        let wavelength = 2.0 * std::f64::consts::PI / plain;
        if wavelength < context / of("high_freq_factor") {
            plain
        } else if wavelength > context / of("low_freq_factor") {
            plain / factor
        } else {
            let smooth =
                (context / wavelength - of("low_freq_factor")) / (of("high_freq_factor") - of("low_freq_factor"));
            (1.0 - smooth) * plain / factor + smooth * plain
        }
    }

    fn norm(&self, name: &str, rows: &Rows) -> Rows {
        let scale = &self.tensor(name).values;
        let eps = self.number("rms_norm_eps").unwrap_or(1e-6);
        let normed = |row: &Vec<f64>| {
            let root = (dot(row, row) / row.len() as f64 + eps).sqrt();
            row.iter().zip(scale).map(|(x, s)| x / root * s).collect()
        };
        rows.iter().map(normed).collect()
    }

    fn linear(&self, part: &str, rows: &Rows) -> Rows {
        let weight = self.tensor(&format!("{part}.weight"));
        let bias = self.tensors.get(&format!("{part}.bias"));
        let one = |row: &Vec<f64>| {
            let mut y = weight.times(row);
            if let Some(bias) = bias {
                y.iter_mut().zip(&bias.values).for_each(|(y, b)| *y += b);
            }
            y
        };
        rows.iter().map(one).collect()
    }

    fn tensor(&self, name: &str) -> &Tensor {
        self.tensors.get(name).unwrap_or_else(|| panic!("{name} is not there"))
    }

    fn number(&self, key: &str) -> Option<f64> {
        self.config[key].as_f64()
    }

    /// A size of layer `i`: its own, or the model's.
    fn of_layer(&self, i: usize, key: &str) -> usize {
        let own = &self.config["per_layer_config"][i.to_string()][key];
        own.as_u64().or(self.config[key].as_u64()).unwrap_or_else(|| panic!("{key}")) as usize
    }

    fn config_or(&self, i: usize, key: &str, otherwise: usize) -> usize {
        if self.config[key].is_null() { otherwise } else { self.of_layer(i, key) }
    }

    fn head_dim(&self) -> usize {
        let given = self.config["head_dim"].as_u64();
        given.map_or_else(
            || (self.number("hidden_size").unwrap() / self.number("num_attention_heads").unwrap()) as usize,
            |d| d as usize,
        )
    }
}

impl Tensor {
    fn row(&self, i: usize) -> &[f64] {
        &self.values[i * self.shape[1]..(i + 1) * self.shape[1]]
    }

    fn times(&self, x: &[f64]) -> Vec<f64> {
        assert_eq!(self.shape[1], x.len(), "the widths of a product");
        (0..self.shape[0]).map(|i| dot(self.row(i), x)).collect()
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn sum(a: &Rows, b: &Rows) -> Rows {
    a.iter().zip(b).map(|(a, b)| a.iter().zip(b).map(|(a, b)| a + b).collect()).collect()
}

fn softmax(scores: &[f64]) -> Vec<f64> {
    let top = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let powers: Vec<f64> = scores.iter().map(|s| (s - top).exp()).collect();
    let total: f64 = powers.iter().sum();
    powers.into_iter().map(|p| p / total).collect()
}

fn widened(dtype: Dtype, bytes: &[u8]) -> Vec<f64> {
    let pairs = || bytes.chunks(2).map(|b| [b[0], b[1]]);
    match dtype {
        Dtype::F32 => bytes.chunks(4).map(|b| f32::from_le_bytes(b.try_into().unwrap()).into()).collect(),
        Dtype::F16 => pairs().map(|b| half::f16::from_le_bytes(b).into()).collect(),
        Dtype::BF16 => pairs().map(|b| half::bf16::from_le_bytes(b).into()).collect(),
        other => panic!("no model has {other:?}"),
    }
}
