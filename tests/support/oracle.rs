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
        let scale = self.embedding_scale();
        let scaled = |&token: &u32| embedding.row(token as usize).iter().map(|x| x * scale).collect();
        let mut hidden: Rows = tokens.iter().map(scaled).collect();
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
            let scaling = self.number("logits_scaling").unwrap_or(1.0);
            let plain = head.times(row).into_iter().zip(&lengths).map(|(logit, length)| logit / length / scaling);
            plain.map(|logit| capped(logit, self.cap("final_logit_softcapping", 30.0))).collect()
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
        // Files may lack a half of a layer, which then adds nothing.
        let has = |part: &str| self.tensors.contains_key(&name(part));
        // A norm that is not there does nothing; what follows attention is named so only where one stands behind.
        let normed = |part: &str, rows: &Rows| if has(part) { self.norm(&name(part), rows) } else { rows.clone() };
        let is_behind = has("post_feedforward_layernorm.weight");
        let mut hidden = hidden;
        if has("self_attn.o_proj.weight") {
            let context = self.attention(i, &normed("input_layernorm.weight", &hidden));
            let mut attended = self.linear(&name("self_attn.o_proj"), &context);
            if is_behind {
                attended = normed("post_attention_layernorm.weight", &attended);
            }
            hidden = self.sum(&hidden, &attended);
        }
        if !has("mlp.down_proj.weight") {
            return hidden;
        }
        let before = if is_behind { "pre_feedforward_layernorm.weight" } else { "post_attention_layernorm.weight" };
        let input = normed(before, &hidden);
        let [gate, up] = self.gate_and_up(i, &input);
        let silu = |x: f64| x / (1.0 + (-x).exp());
        let gelu = |x: f64| 0.5 * x * (1.0 + ((2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x * x * x)).tanh());
        let active = |x: f64| if self.is_gemma() { gelu(x) } else { silu(x) };
        let inner: Rows =
            gate.iter().zip(&up).map(|(g, u)| g.iter().zip(u).map(|(g, u)| active(*g) * u).collect()).collect();
        let fed = self.linear(&name("mlp.down_proj"), &inner);
        self.sum(&hidden, &normed("post_feedforward_layernorm.weight", &fed))
    }

    fn family(&self) -> &str {
        self.config["slimgpt_family"].as_str().or(self.config["model_type"].as_str()).unwrap_or_default()
    }

    fn is_gemma(&self) -> bool {
        self.family().starts_with("gemma")
    }

    /// Granite says it, and Gemma's is the root of the width.
    fn embedding_scale(&self) -> f64 {
        let root = || if self.is_gemma() { self.number("hidden_size").unwrap().sqrt() } else { 1.0 };
        self.number("embedding_multiplier").unwrap_or_else(root)
    }

    /// A cap that Gemma 2 has where the file does not mention it.
    fn cap(&self, key: &str, usual: f64) -> Option<f64> {
        match self.config.get(key) {
            None => (self.family() == "gemma2").then_some(usual),
            Some(said) => said.as_f64(),
        }
    }

    fn score_scale(&self) -> f64 {
        match (self.number("attention_multiplier"), self.is_gemma()) {
            (Some(scale), _) => scale,
            // Where its file says nothing, Granite does not scale at all.
            (None, false) if self.family() == "granite" => 1.0,
            (None, true) => self.number("query_pre_attn_scalar").unwrap_or(256.0).powf(-0.5),
            (None, false) => (self.head_dim() as f64).powf(-0.5),
        }
    }

    /// The window of layer `i`, if it has one, and whether its queries and keys are turned.
    fn reach(&self, i: usize) -> (Option<usize>, bool) {
        let every = |n: usize| !(i + 1).is_multiple_of(n);
        let slides = match (self.config["layer_types"][i].as_str(), self.family()) {
            (Some(kind), _) => kind == "sliding_attention",
            (None, "gemma2") => every(2),
            (None, "gemma3_text") => every(self.number("sliding_window_pattern").unwrap_or(6.0) as usize),
            _ => false,
        };
        let turns = match (&self.config["no_rope_layers"][i], self.family()) {
            (Value::Null, "smollm3") => every(self.number("no_rope_layer_interval").unwrap_or(4.0) as usize),
            (said, _) => *said != 0,
        };
        (slides.then(|| self.number("sliding_window").unwrap() as usize), turns)
    }

    fn sum(&self, a: &Rows, b: &Rows) -> Rows {
        let factor = self.number("residual_multiplier").unwrap_or(1.0);
        a.iter().zip(b).map(|(a, b)| a.iter().zip(b).map(|(a, b)| a + factor * b).collect()).collect()
    }

    /// Gate and up, which Phi-3 keeps in one matrix.
    fn gate_and_up(&self, i: usize, x: &Rows) -> [Rows; 2] {
        let name = |part: &str| format!("model.layers.{i}.mlp.{part}");
        if self.tensors.contains_key(&name("gate_up_proj.weight")) {
            let all = self.linear(&name("gate_up_proj"), x);
            return [0, 1].map(|half| all.iter().map(|r| r.chunks(r.len() / 2).nth(half).unwrap().to_vec()).collect());
        }
        ["gate_proj", "up_proj"].map(|part| self.linear(&name(part), x))
    }

    /// The heads' contexts side by side.
    fn attention(&self, i: usize, x: &Rows) -> Rows {
        let name = |part: &str| format!("model.layers.{i}.self_attn.{part}");
        let (heads, d) = (self.of_layer(i, "num_attention_heads"), self.head_dim());
        let per_group = heads / self.config_or(i, "num_key_value_heads", heads);
        let [q, k, v] = self.projected(i, x);
        let (window, turns) = self.reach(i);
        let [q, k] = [("q_norm.weight", q), ("k_norm.weight", k)].map(|(norm, rows)| {
            let normed = self.norm_heads(&name(norm), rows);
            if turns { self.rotated(normed, window.is_some()) } else { normed }
        });
        let (scale, cap) = (self.score_scale(), self.cap("attn_logit_softcapping", 50.0));
        let mut context = vec![vec![0.0; heads * d]; x.len()];
        for head in 0..heads {
            let (own, shared) = (head * d, head / per_group * d);
            for t in 0..x.len() {
                let score = |s: usize| capped(scale * dot(&q[t][own..own + d], &k[s][shared..shared + d]), cap);
                let first = window.map_or(0, |window| (t + 1).saturating_sub(window));
                let weights = softmax(&(first..=t).map(score).collect::<Vec<_>>());
                for (s, weight) in (first..).zip(weights) {
                    for j in 0..d {
                        context[t][own + j] += weight * v[s][shared + j];
                    }
                }
            }
        }
        context
    }

    /// q, k and v, which Baichuan and Phi-3 keep in one matrix.
    fn projected(&self, i: usize, x: &Rows) -> [Rows; 3] {
        let name = |part: &str| format!("model.layers.{i}.self_attn.{part}");
        if self.tensors.contains_key(&name("W_pack.weight")) {
            let all = self.linear(&name("W_pack"), x);
            let third = |part: usize| all.iter().map(|r| r.chunks(r.len() / 3).nth(part).unwrap().to_vec()).collect();
            return [third(0), third(1), third(2)];
        }
        if self.tensors.contains_key(&name("qkv_proj.weight")) {
            let all = self.linear(&name("qkv_proj"), x);
            let heads = self.of_layer(i, "num_attention_heads");
            let (q, kv) = (heads * self.head_dim(), self.config_or(i, "num_key_value_heads", heads) * self.head_dim());
            return [0..q, q..q + kv, q + kv..q + 2 * kv]
                .map(|of| all.iter().map(|r| r[of.clone()].to_vec()).collect());
        }
        ["q_proj", "k_proj", "v_proj"].map(|part| self.linear(&name(part), x))
    }

    /// Qwen3 norms every head by itself, OLMo 2 all together; where there is no such tensor nothing is done.
    fn norm_heads(&self, name: &str, rows: Rows) -> Rows {
        match self.tensors.get(name) {
            None => return rows,
            Some(scale) if scale.values.len() == rows[0].len() => return self.norm(name, &rows),
            Some(_) => {}
        }
        let heads = |row: Vec<f64>| row.chunks(self.head_dim()).map(<[f64]>::to_vec).collect();
        rows.into_iter().map(|row| self.norm(name, &heads(row)).concat()).collect()
    }

    /// Every head of every token turned by its position: dimension j against j + d/2.
    fn rotated(&self, mut rows: Rows, slides: bool) -> Rows {
        let (d, factor) = (self.turning(), self.long_factor());
        for (position, row) in rows.iter_mut().enumerate() {
            for head in row.chunks_mut(self.head_dim()) {
                for j in 0..d / 2 {
                    let (sin, cos) = (position as f64 * self.frequency(j, slides)).sin_cos();
                    let (sin, cos) = (factor * sin, factor * cos);
                    let (a, b) = (head[j], head[j + d / 2]);
                    (head[j], head[j + d / 2]) = (a * cos - b * sin, b * cos + a * sin);
                }
            }
        }
        rows
    }

    /// θ^(−2j/d), stretched as LLaMA 3.1 does by wavelength.
    fn frequency(&self, j: usize, slides: bool) -> f64 {
        let mut parameters = &self.config["rope_parameters"];
        let (mut base, mut usual) = ("rope_theta", if self.family() == "smollm3" { 2e6 } else { 10000.0 });
        if self.family() == "gemma3_text" {
            parameters = &parameters[if slides { "sliding_attention" } else { "full_attention" }];
            (base, usual) = if slides { ("rope_local_base_freq", 1e4) } else { (base, 1e6) };
        }
        let theta = self.config[base].as_f64().or(parameters["rope_theta"].as_f64()).unwrap_or(usual);
        let plain = 1.0 / theta.powf(2.0 * j as f64 / self.turning() as f64);
        if let Some(divisor) = self.rope("short_factor")[j].as_f64() {
            return plain / divisor;
        }
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

    /// A key of the rotary positions, wherever it stands.
    fn rope(&self, key: &str) -> &Value {
        let places = [&self.config["rope_scaling"], &self.config["rope_parameters"], &self.config];
        places.into_iter().map(|place| &place[key]).find(|value| !value.is_null()).unwrap_or(&Value::Null)
    }

    /// Dimensions of a head that turn.
    fn turning(&self) -> usize {
        (self.head_dim() as f64 * self.rope("partial_rotary_factor").as_f64().unwrap_or(1.0)) as usize
    }

    /// Phi-3's factor of what turns where it was stretched.
    fn long_factor(&self) -> f64 {
        if self.rope("short_factor").is_null() {
            return 1.0;
        }
        let first = self.rope("original_max_position_embeddings").as_f64().unwrap();
        (1.0 + (self.number("max_position_embeddings").unwrap() / first).max(1.0).ln() / first.ln()).sqrt()
    }

    fn norm(&self, name: &str, rows: &Rows) -> Rows {
        let scale = &self.tensor(name).values;
        let eps = self.number("rms_norm_eps").unwrap_or(1e-6);
        // Gemma keeps how far its scales are from one.
        let offset = if self.is_gemma() { 1.0 } else { 0.0 };
        let normed = |row: &Vec<f64>| {
            let root = (dot(row, row) / row.len() as f64 + eps).sqrt();
            row.iter().zip(scale).map(|(x, s)| x / root * (offset + s)).collect()
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
        // Writers of numbers with leading zeros name the same layer.
        let mut layers = self.config["per_layer_config"].as_object().into_iter().flatten();
        let own = layers.find(|(layer, _)| layer.parse() == Ok(i)).map(|(_, own)| &own[key]);
        own.and_then(Value::as_u64).or(self.config[key].as_u64()).unwrap_or_else(|| panic!("{key}")) as usize
    }

    fn config_or(&self, i: usize, key: &str, otherwise: usize) -> usize {
        if self.config[key].is_null() { otherwise } else { self.of_layer(i, key) }
    }

    fn head_dim(&self) -> usize {
        let derived = || self.number("hidden_size").unwrap() / self.number("num_attention_heads").unwrap();
        self.number("head_dim").unwrap_or_else(derived) as usize
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

/// c · tanh(x / c).
fn capped(x: f64, cap: Option<f64>) -> f64 {
    cap.map_or(x, |cap| cap * (x / cap).tanh())
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
