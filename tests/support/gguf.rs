//! GGUF files written by hand: any keys, any tensors, right or wrong.

use slimgpt::quant::{BlockType, quantise};

use super::checkpoint::{Model, Stored};

/// A file before it is bytes.
#[derive(Clone)]
pub struct File {
    pub version: u32,
    /// Name, number of the type, bytes of the value.
    pub keys: Vec<(String, u32, Vec<u8>)>,
    pub tensors: Vec<Tensor>,
    pub alignment: usize,
}

/// A line of the table, and what stands in the data.
#[derive(Clone)]
pub struct Tensor {
    pub name: String,
    /// Innermost first, as in the file.
    pub sizes: Vec<u64>,
    pub kind: u32,
    /// Where it begins, if not behind the one before it.
    pub offset: Option<u64>,
    pub data: Vec<u8>,
}

fn string(text: &str) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes()[..], text.as_bytes()].concat()
}

fn list(kind: u32, count: usize, elements: Vec<u8>) -> Vec<u8> {
    [&kind.to_le_bytes()[..], &(count as u64).to_le_bytes(), &elements].concat()
}

impl File {
    /// A file without keys and tensors.
    pub fn empty() -> Self {
        Self { version: 3, keys: vec![], tensors: vec![], alignment: 32 }
    }

    /// The bytes of the file.
    pub fn bytes(&self) -> Vec<u8> {
        let mut out = b"GGUF".to_vec();
        out.extend(self.version.to_le_bytes());
        out.extend((self.tensors.len() as u64).to_le_bytes());
        out.extend((self.keys.len() as u64).to_le_bytes());
        for (key, kind, value) in &self.keys {
            out.extend(string(key));
            out.extend(kind.to_le_bytes());
            out.extend(value);
        }
        let mut data = Vec::new();
        for tensor in &self.tensors {
            out.extend(string(&tensor.name));
            out.extend((tensor.sizes.len() as u32).to_le_bytes());
            tensor.sizes.iter().for_each(|n| out.extend(n.to_le_bytes()));
            out.extend(tensor.kind.to_le_bytes());
            out.extend(tensor.offset.unwrap_or(data.len() as u64).to_le_bytes());
            data.extend(&tensor.data);
            data.resize(data.len().next_multiple_of(self.alignment), 0);
        }
        out.resize(out.len().next_multiple_of(self.alignment), 0);
        out.extend(data);
        out
    }

    /// The same with a key, in place of one of its name if there is one.
    #[must_use]
    pub fn with(mut self, key: &str, kind: u32, value: Vec<u8>) -> Self {
        self.keys.retain(|(other, ..)| other != key);
        self.keys.push((key.into(), kind, value));
        self
    }

    #[must_use]
    pub fn without(mut self, key: &str) -> Self {
        self.keys.retain(|(other, ..)| other != key);
        self
    }

    #[must_use]
    pub fn text(self, key: &str, text: &str) -> Self {
        self.with(key, 8, string(text))
    }

    #[must_use]
    pub fn whole(self, key: &str, number: u32) -> Self {
        self.with(key, 4, number.to_le_bytes().into())
    }

    #[must_use]
    pub fn float(self, key: &str, number: f32) -> Self {
        self.with(key, 6, number.to_le_bytes().into())
    }

    #[must_use]
    pub fn flag(self, key: &str, flag: bool) -> Self {
        self.with(key, 7, vec![flag.into()])
    }

    #[must_use]
    pub fn texts(self, key: &str, texts: &[&str]) -> Self {
        self.with(key, 9, list(8, texts.len(), texts.iter().flat_map(|text| string(text)).collect()))
    }

    #[must_use]
    pub fn wholes(self, key: &str, numbers: &[i32]) -> Self {
        self.with(key, 9, list(5, numbers.len(), numbers.iter().flat_map(|n| n.to_le_bytes()).collect()))
    }

    #[must_use]
    pub fn floats(self, key: &str, numbers: &[f32]) -> Self {
        self.with(key, 9, list(6, numbers.len(), numbers.iter().flat_map(|n| n.to_le_bytes()).collect()))
    }

    /// The tensor of this name.
    pub fn tensor(&mut self, name: &str) -> &mut Tensor {
        self.tensors.iter_mut().find(|tensor| tensor.name == name).expect("a tensor of this name")
    }

    /// A LLaMA with random weights, whose matrices are stored in this type: two layers of 4 query heads of
    /// 64 dimensions on 2 key/value heads, 512 channels, 32 tokens. All rows are of whole blocks.
    pub fn llama(kind: BlockType) -> Self {
        let model = Model::llama(serde_json::json!({
            "hidden_size": 256, "intermediate_size": 512, "max_position_embeddings": 64,
        }));
        let mut file = Self::empty()
            .text("general.architecture", "llama")
            .text("general.name", "By hand")
            .whole("llama.block_count", 2)
            .whole("llama.context_length", 64)
            .whole("llama.embedding_length", 256)
            .whole("llama.feed_forward_length", 512)
            .whole("llama.attention.head_count", 4)
            .whole("llama.attention.head_count_kv", 2)
            .whole("llama.rope.dimension_count", 64)
            .float("llama.rope.freq_base", 10_000.0)
            .float("llama.attention.layer_norm_rms_epsilon", 1e-5);
        file.tensors = model.tensors.iter().map(|tensor| Tensor::of(tensor, kind)).collect();
        file.with_letters()
    }

    /// The same with a byte-level tokenizer of 26 letters and two merges.
    #[must_use]
    pub fn with_letters(self) -> Self {
        let letters: Vec<String> = ('a'..='z').map(String::from).collect();
        let mut tokens = vec!["<unk>", "<s>", "</s>"];
        tokens.extend(letters.iter().map(String::as_str));
        tokens.extend(["ab", "abc", "[user]"]);
        let mut kinds = vec![1; 32];
        kinds[..3].fill(3);
        kinds[31] = 4;
        self.text("tokenizer.ggml.model", "gpt2")
            .text("tokenizer.ggml.pre", "gpt-2")
            .texts("tokenizer.ggml.tokens", &tokens)
            .wholes("tokenizer.ggml.token_type", &kinds)
            .texts("tokenizer.ggml.merges", &["a b", "ab c"])
            .whole("tokenizer.ggml.bos_token_id", 1)
            .whole("tokenizer.ggml.eos_token_id", 2)
            .whole("tokenizer.ggml.unknown_token_id", 0)
            .flag("tokenizer.ggml.add_bos_token", true)
            .text("tokenizer.chat_template", "{{ messages[0]['content'] }}")
    }
}

impl Tensor {
    /// A tensor of a folder under its name in a GGUF, its rows as they are; vectors are f32.
    pub fn of(tensor: &Stored, kind: BlockType) -> Self {
        let kind = if tensor.shape.len() > 1 { kind } else { BlockType::F32 };
        Self {
            name: name_of(&tensor.name),
            sizes: tensor.shape.iter().rev().map(|&n| n as u64).collect(),
            kind: kind.id(),
            offset: None,
            data: quantise(kind, &tensor.values).expect("whole blocks of finite values"),
        }
    }
}

/// What llama.cpp calls a tensor of a LLaMA.
pub fn name_of(name: &str) -> String {
    let outer = [
        ("model.embed_tokens.weight", "token_embd.weight"),
        ("model.norm.weight", "output_norm.weight"),
        ("lm_head.weight", "output.weight"),
    ];
    if let Some((_, own)) = outer.into_iter().find(|(hf, _)| *hf == name) {
        return own.into();
    }
    let parts = [
        ("input_layernorm", "attn_norm"),
        ("self_attn.q_proj", "attn_q"),
        ("self_attn.k_proj", "attn_k"),
        ("self_attn.v_proj", "attn_v"),
        ("self_attn.o_proj", "attn_output"),
        ("post_attention_layernorm", "ffn_norm"),
        ("mlp.gate_proj", "ffn_gate"),
        ("mlp.up_proj", "ffn_up"),
        ("mlp.down_proj", "ffn_down"),
    ];
    let name = name.replace("model.layers.", "blk.");
    parts.iter().fold(name, |name, (hf, own)| name.replace(hf, own))
}
