//! Classes of transformers that a family has to itself. What is written of such a family keeps its own keys
//! and names; the other families are written as LLaMAs, or as what is nearest to one.

use crate::shape::Family;

/// How transformers names what computes a family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Classes {
    /// Its `model_type`.
    pub model_type: &'static str,
    /// The folder of its module under `transformers.models`.
    pub module: &'static str,
    /// Its configuration.
    pub config: &'static str,
    /// Its decoder without the head.
    pub model: &'static str,
    /// Its decoder with the head.
    pub causal: &'static str,
    /// One of its layers.
    pub layer: &'static str,
    /// Whether it refuses heads that do not divide the hidden size.
    pub(super) divides: bool,
}

macro_rules! classes {
    ($model_type:literal, $module:literal, $stem:literal, $text:literal, $divides:literal) => {
        Classes {
            model_type: $model_type,
            module: $module,
            config: concat!($stem, $text, "Config"),
            model: concat!($stem, $text, "Model"),
            causal: concat!($stem, "ForCausalLM"),
            layer: concat!($stem, "DecoderLayer"),
            divides: $divides,
        }
    };
}

impl Classes {
    /// Those of a family that has its own.
    pub fn of(family: Family) -> Option<Self> {
        Some(match family {
            Family::Phi3 => classes!("phi3", "phi3", "Phi3", "", false),
            Family::SmolLm3 => classes!("smollm3", "smollm3", "SmolLM3", "", false),
            Family::Olmo2 => classes!("olmo2", "olmo2", "Olmo2", "", false),
            Family::Granite => classes!("granite", "granite", "Granite", "", false),
            Family::Gemma2 => classes!("gemma2", "gemma2", "Gemma2", "", true),
            Family::Gemma3 => classes!("gemma3_text", "gemma3", "Gemma3", "Text", true),
            Family::Llama | Family::Mistral | Family::Qwen2 | Family::Qwen3 | Family::Baichuan => return None,
        })
    }
}
