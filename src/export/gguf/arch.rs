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
use crate::gguf::{Arch, key};
use crate::shape::{Family, LayerShape, ModelConfig};

const TARGET: &str = "GGUF";
/// The version of ggml's layouts of blocks (`GGML_QNT_VERSION`), which quantised files name.
const QUANTISATION: u32 = 2;

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
        // Only these read the divisors, in which llama.cpp has the scaling.
        if config.rope.scaling.is_some() && !arch.pairs_lie_side_by_side() {
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

    /// The keys that describe the model, with those every file has.
    pub(super) fn keys(self, config: &ModelConfig, file_type: FileType, name: &str) -> Vec<(String, Value)> {
        let mut keys = vec![
            (key::ARCHITECTURE.into(), Value::String(self.name().into())),
            ("general.type".into(), Value::String("model".into())),
            (key::NAME.into(), Value::String(name.into())),
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
            (key::LAYERS, number(config.layers.len())),
            (key::CONTEXT, number(config.max_positions)),
            (key::HIDDEN, number(config.hidden_size)),
            (key::VOCABULARY, number(config.vocab_size)),
            (key::CHANNELS, self.per_layer(config, |l| l.channels)),
            (key::HEADS, self.per_layer(config, |l| l.heads)),
            (key::KV_HEADS, self.per_layer(config, |l| l.kv_heads)),
            // Without these the width would be guessed from the first layer's heads.
            (key::KEY_LENGTH, head_dim.clone()),
            (key::VALUE_LENGTH, head_dim.clone()),
            // llama.cpp refuses any number but the key's length here.
            (key::ROTATED, head_dim),
            (key::THETA, Value::F32(config.rope.theta as f32)),
            (key::EPSILON, Value::F32(config.rms_norm_eps as f32)),
        ]
    }

    /// A number for each layer, or one for all where the architecture has only one.
    fn per_layer(self, config: &ModelConfig, of: fn(&LayerShape) -> usize) -> Value {
        match (self.has_layers_that_differ(), config.layers.first()) {
            (false, Some(first)) => Value::U32(of(first) as u32),
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
