//! Which of llama.cpp's architectures holds a model, and the keys that describe it.
//!
//! | model | architecture |
//! |---|---|
//! | LLaMA, Mistral, all layers alike | `llama` |
//! | Qwen2, all layers alike and heads as wide as the residual stream | `qwen2` |
//! | Qwen3, all layers alike | `qwen3` |
//! | layers that differ, some perhaps without attention but the first, or biases that the ones above lack | `deci` |
//! | Qwen3 with a tied head, layers that differ | `openelm` |
//! | SmolLM3, OLMo 2, Granite, Gemma 2 and 3, all layers alike | their own: `own.rs` |

use super::{ExportError, FileType, Value, own};
use crate::gguf::{Arch, key};
use crate::shape::{Family, LayerShape, ModelConfig, Site};

const TARGET: &str = "GGUF";
/// The version of ggml's layouts of blocks (`GGML_QNT_VERSION`), which quantised files name.
const QUANTISATION: u32 = 2;

impl Arch {
    /// The architecture for a model.
    ///
    /// # Errors
    /// When there is none that computes what the model computes.
    pub fn of(config: &ModelConfig) -> Result<Self, ExportError> {
        let arch = match (config.design.is_plain(), config.qk_norm) {
            (false, _) => own::arch(config).map_err(|reason| refused(reason, other_form(config)))?,
            (true, true) => with_head_norms(config)?,
            (true, false) => without_head_norms(config),
        };
        refuse_halves(arch, config)?;
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
        let own = self.sizes(config).into_iter().chain(own::keys(self, config));
        keys.extend(own.map(|(key, value)| (format!("{}.{key}", self.name()), value)));
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
            PADDED,
        )),
    }
}

/// Refuses layers that lack a half, but for those that the architecture computes rightly: `deci` without attention behind
/// the first layer. Without channels llama.cpp leaves out what attention adds too.
fn refuse_halves(arch: Arch, config: &ModelConfig) -> Result<(), ExportError> {
    let lacks = |site: Site| config.layers.iter().position(|layer| !layer.has(site));
    let reason = match (lacks(Site::Heads), lacks(Site::Channels)) {
        (_, Some(layer)) => {
            format!("layer {layer} has no feed-forward part, and llama.cpp computes such a layer wrongly")
        }
        (Some(0), _) => "its first layer has no attention, and llama.cpp does not open that".into(),
        (Some(layer), _) if arch != Arch::Deci => {
            format!("layer {layer} has no attention, and llama.cpp's {} has it in every layer", arch.name())
        }
        _ => return Ok(()),
    };
    Err(refused(reason, PADDED))
}

/// What helps where layers may not differ, or may not lack a half.
const PADDED: &str = "make its layers alike with `slimgpt export padded`, and export that folder to GGUF";

/// What helps where an architecture has one size for all layers, or else what is left.
fn other_form(config: &ModelConfig) -> &'static str {
    // A Phi-3 that gets here turns otherwise than LLaMA, alike or not.
    match config.is_uniform() || config.family == Family::Phi3 {
        true => "use the folder with transformers",
        false => PADDED,
    }
}

fn refused(reason: String, remedy: &'static str) -> ExportError {
    ExportError::CannotHold { target: TARGET, reason, remedy }
}
