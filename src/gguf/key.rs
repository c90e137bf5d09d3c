//! Names of the keys that describe a model and its tokenizer. Those of a model's sizes stand behind the
//! name of its architecture and a point.

/// Which architecture of llama.cpp it is.
pub const ARCHITECTURE: &str = "general.architecture";
/// What the model is called.
pub const NAME: &str = "general.name";

/// Number of decoder layers.
pub const LAYERS: &str = "block_count";
/// Longest context, in tokens.
pub const CONTEXT: &str = "context_length";
/// Width of the residual stream.
pub const HIDDEN: &str = "embedding_length";
/// Rows of the embedding.
pub const VOCABULARY: &str = "vocab_size";
/// Feed-forward channels, of all layers or of each.
pub const CHANNELS: &str = "feed_forward_length";
/// Query heads, of all layers or of each.
pub const HEADS: &str = "attention.head_count";
/// Key/value heads, of all layers or of each.
pub const KV_HEADS: &str = "attention.head_count_kv";
/// Dimensions of a query or key head.
pub const KEY_LENGTH: &str = "attention.key_length";
/// Dimensions of a value head.
pub const VALUE_LENGTH: &str = "attention.value_length";
/// Dimensions of a head that are turned by its position.
pub const ROTATED: &str = "rope.dimension_count";
/// θ of the rotary positions.
pub const THETA: &str = "rope.freq_base";
/// ε of the norms.
pub const EPSILON: &str = "attention.layer_norm_rms_epsilon";
/// How many tokens a token sees where layers slide.
pub const WINDOW: &str = "attention.sliding_window";
/// Factor of embeddings.
pub const EMBEDDING_SCALE: &str = "embedding_scale";
/// Factor of what is added to the residual stream.
pub const RESIDUAL_SCALE: &str = "residual_scale";
/// Factor of scores.
pub const SCORE_SCALE: &str = "attention.scale";
/// By what logits are divided.
pub const LOGIT_SCALE: &str = "logit_scale";
/// c of c · tanh(score / c).
pub const SCORE_CAP: &str = "attn_logit_softcapping";
/// c of c · tanh(logit / c).
pub const LOGIT_CAP: &str = "final_logit_softcapping";

/// Names of the tensors outside the layers.
pub mod tensor {
    /// The embedding.
    pub const EMBEDDING: &str = "token_embd.weight";
    /// The last norm.
    pub const FINAL_NORM: &str = "output_norm.weight";
    /// The output head; without it llama.cpp takes the embedding.
    pub const HEAD: &str = "output.weight";
    /// By what each rotary frequency is divided.
    pub const DIVISORS: &str = "rope_freqs.weight";
    /// What stands before the name of everything in a layer: this, its number and a point.
    pub const LAYER: &str = "blk.";
}

/// Names of the tokenizer's keys.
pub mod tokenizer {
    /// What stands before all of them but the chat template's.
    pub const START: &str = "tokenizer.ggml.";
    /// The kind of tokenizer.
    pub const MODEL: &str = "tokenizer.ggml.model";
    /// The rule by which text is cut into words.
    pub const RULE: &str = "tokenizer.ggml.pre";
    /// The tokens by their numbers.
    pub const TOKENS: &str = "tokenizer.ggml.tokens";
    /// The kind of each token.
    pub const KINDS: &str = "tokenizer.ggml.token_type";
    /// The score of each token, of SentencePiece's kind.
    pub const SCORES: &str = "tokenizer.ggml.scores";
    /// The merges in their order, of byte-level BPE.
    pub const MERGES: &str = "tokenizer.ggml.merges";
    /// Whether a space is put before a text, of SentencePiece's kind.
    pub const SPACE: &str = "tokenizer.ggml.add_space_prefix";
    /// Whether a text begins with the begin token.
    pub const ADD_BOS: &str = "tokenizer.ggml.add_bos_token";
    /// Whether a text ends with the end token.
    pub const ADD_EOS: &str = "tokenizer.ggml.add_eos_token";
    /// Number of the token that begins a text.
    pub const BOS: &str = "tokenizer.ggml.bos_token_id";
    /// Number of the token that ends a text.
    pub const EOS: &str = "tokenizer.ggml.eos_token_id";
    /// Number of the token for what has none.
    pub const UNKNOWN: &str = "tokenizer.ggml.unknown_token_id";
    /// Number of the token that fills up.
    pub const PADDING: &str = "tokenizer.ggml.padding_token_id";
    /// The chat template; others stand behind its name, a point and their own.
    pub const TEMPLATE: &str = "tokenizer.chat_template";
    /// SentencePiece's kind of [`MODEL`].
    pub const SENTENCE_PIECE: &str = "llama";
    /// Byte-level BPE's kind of [`MODEL`].
    pub const BYTE_LEVEL: &str = "gpt2";
}
