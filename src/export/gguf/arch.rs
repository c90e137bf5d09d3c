//! Which of llama.cpp's architectures holds a model, and the keys that describe it.
//!
//! | model | architecture |
//! |---|---|
//! | LLaMA, Mistral, all layers alike | `llama` |
//! | Qwen2, all layers alike and heads as wide as the residual stream | `qwen2` |
//! | Qwen3, all layers alike | `qwen3` |
//! | layers that differ, or biases that the ones above lack | `deci` |
//! | Qwen3 with a tied head, layers that differ | `openelm` |

use super::{ExportError, FileType, Value};
use crate::export::fused::QKV;
use crate::shape::{Family, LayerShape, ModelConfig, Norm, Part, Projection};

const TARGET: &str = "GGUF";
/// The version of ggml's layouts of blocks (`GGML_QNT_VERSION`), which quantised files name.
const QUANTISATION: u32 = 2;

/// An architecture of llama.cpp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arch {
    /// LLaMA: one size for all layers.
    Llama,
    /// Qwen2: biases on q, k and v, one size for all layers.
    Qwen2,
    /// Qwen3: norms on heads, one size for all layers.
    Qwen3,
    /// DeciLM: LLaMA with a size for each layer, and biases where there are any.
    Deci,
    /// OpenELM: norms on heads, a tied head, and a size for each layer.
    OpenElm,
}

impl Arch {
    /// The architecture for a model.
    ///
    /// # Errors
    /// When there is none that computes what the model computes.
    pub fn of(config: &ModelConfig) -> Result<Self, ExportError> {
        let arch = if config.qk_norm { with_head_norms(config)? } else { without_head_norms(config) };
        if let Some(part) = config.parts().find(|&part| arch.tensor_name(part).is_none()) {
            let reason = format!("it has {part}, and llama.cpp's {} has no place for it", arch.name());
            return Err(refused(reason, "use the folder with transformers"));
        }
        // Only these read `rope_freqs.weight`, in which llama.cpp has the scaling.
        let scales = matches!(arch, Self::Llama | Self::Deci);
        if config.rope.scaling.is_some() && !scales {
            return Err(refused(
                format!(
                    "its rotary positions are scaled as LLaMA 3.1's, which llama.cpp's {} does not do",
                    arch.name()
                ),
                "use the folder with transformers",
            ));
        }
        Ok(arch)
    }

    /// Its name in the file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Llama => "llama",
            Self::Qwen2 => "qwen2",
            Self::Qwen3 => "qwen3",
            Self::Deci => "deci",
            Self::OpenElm => "openelm",
        }
    }

    /// Its name of a part, without the ending; `None` where it has no place for it.
    pub(super) fn tensor_name(self, part: Part) -> Option<&'static str> {
        let has_head_norms = matches!(self, Self::Qwen3 | Self::OpenElm);
        let of = match part {
            Part::Norm(Norm::Input) => return Some("attn_norm"),
            Part::Norm(Norm::Query) if has_head_norms => return Some("attn_q_norm"),
            Part::Norm(Norm::Key) if has_head_norms => return Some("attn_k_norm"),
            Part::Norm(Norm::PostAttention) => return Some("ffn_norm"),
            Part::Weight(of) => of,
            Part::Bias(of) if self.has_bias(of) => of,
            _ => return None,
        };
        Some(match of {
            Projection::Q if self == Self::OpenElm => "attn_qkv",
            Projection::Q => "attn_q",
            Projection::K => "attn_k",
            Projection::V => "attn_v",
            Projection::O => "attn_output",
            Projection::Gate => "ffn_gate",
            Projection::Up => "ffn_up",
            Projection::Down => "ffn_down",
        })
    }

    fn has_bias(self, of: Projection) -> bool {
        match self {
            Self::Llama | Self::Qwen3 | Self::OpenElm => false,
            Self::Qwen2 => QKV.contains(&of),
            // Each is read where the file has it.
            Self::Deci => true,
        }
    }

    /// The projections that it keeps in one tensor.
    pub(super) fn fused(self) -> &'static [&'static [Projection]] {
        if self == Self::OpenElm { &[QKV] } else { &[] }
    }

    /// Whether rotary pairs lie side by side, so that rows of q and k must be put in that order.
    pub(super) fn pairs_lie_side_by_side(self) -> bool {
        matches!(self, Self::Llama | Self::Deci)
    }

    /// The keys that describe the model, with those every file has.
    pub(super) fn keys(self, config: &ModelConfig, file_type: FileType, name: &str) -> Vec<(String, Value)> {
        let mut keys = vec![
            ("general.architecture".into(), Value::String(self.name().into())),
            ("general.type".into(), Value::String("model".into())),
            ("general.name".into(), Value::String(name.into())),
            ("general.file_type".into(), Value::U32(file_type.number())),
        ];
        if file_type.is_mixture() {
            keys.push(("general.quantization_version".into(), Value::U32(QUANTISATION)));
        }
        keys.extend(self.sizes(config).into_iter().map(|(key, value)| (format!("{}.{key}", self.name()), value)));
        keys
    }

    fn sizes(self, config: &ModelConfig) -> Vec<(&'static str, Value)> {
        let number = |n: usize| Value::U32(n as u32);
        let head_dim = number(config.head_dim);
        vec![
            ("block_count", number(config.layers.len())),
            ("context_length", number(config.max_positions)),
            ("embedding_length", number(config.hidden_size)),
            ("vocab_size", number(config.vocab_size)),
            ("feed_forward_length", self.per_layer(config, |l| l.channels)),
            ("attention.head_count", self.per_layer(config, |l| l.heads)),
            ("attention.head_count_kv", self.per_layer(config, |l| l.kv_heads)),
            // Without these the width would be guessed from the first layer's heads.
            ("attention.key_length", head_dim.clone()),
            ("attention.value_length", head_dim.clone()),
            // llama.cpp refuses any number but the key's length here.
            ("rope.dimension_count", head_dim),
            ("rope.freq_base", Value::F32(config.rope.theta as f32)),
            ("attention.layer_norm_rms_epsilon", Value::F32(config.rms_norm_eps as f32)),
        ]
    }

    /// A number for each layer, or one for all where the architecture has only one.
    fn per_layer(self, config: &ModelConfig, of: fn(&LayerShape) -> usize) -> Value {
        match (self, config.layers.first()) {
            // These build every layer by the first one's number, whatever a list says.
            (Self::Llama | Self::Qwen2 | Self::Qwen3, Some(first)) => Value::U32(of(first) as u32),
            _ => Value::I32s(config.layers.iter().map(|l| of(l) as i32).collect()),
        }
    }
}

fn without_head_norms(config: &ModelConfig) -> Arch {
    let is_wide = config.layers.iter().all(|l| l.heads * config.head_dim == config.hidden_size);
    match (config.is_uniform(), config.has_biases()) {
        (true, false) => Arch::Llama,
        // Older programs that read Qwen2 assume this width.
        (true, true) if config.family == Family::Qwen2 && is_wide && config.rope.scaling.is_none() => Arch::Qwen2,
        _ => Arch::Deci,
    }
}

fn with_head_norms(config: &ModelConfig) -> Result<Arch, ExportError> {
    if config.has_biases() {
        let reason = "it has norms on its heads and biases too, and no architecture of llama.cpp has both";
        return Err(refused(reason.into(), "use the folder with transformers"));
    }
    match (config.is_uniform(), config.tied_head) {
        (true, _) => Ok(Arch::Qwen3),
        (false, true) => Ok(Arch::OpenElm),
        (false, false) => Err(refused(
            "its layers differ, it has norms on its heads and a head of its own, and llama.cpp's only architecture with \
             norms and layers that differ (openelm) ties the head"
                .into(),
            "make its layers alike with `slimgpt export padded`, and export that folder to GGUF",
        )),
    }
}

fn refused(reason: String, remedy: &'static str) -> ExportError {
    ExportError::CannotHold { target: TARGET, reason, remedy }
}
