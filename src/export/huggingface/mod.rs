//! What stands beside the weights of a folder so that transformers opens it: the Python files of
//! a model whose layers differ, and the model card.

mod card;
#[cfg(not(target_arch = "wasm32"))]
mod carry;
#[cfg(not(target_arch = "wasm32"))]
mod links;
#[cfg(not(target_arch = "wasm32"))]
mod name;
mod trained;

pub use card::Card;
#[cfg(not(target_arch = "wasm32"))]
pub use carry::{carry, left_behind, may_belong, tokenizer_has_code};
#[cfg(not(target_arch = "wasm32"))]
pub use name::name;
pub use trained::TrainedCard;

use serde_json::Value;

use crate::checkpoint::{Dtype, ModelClass, output_config};
use crate::shape::ModelConfig;

/// The files that a folder of [`ModelClass::Custom`] needs, by name.
const PYTHON: [(&str, &str); 2] = [
    ("configuration_slimllama.py", include_str!("configuration_slimllama.py")),
    ("modeling_slimllama.py", include_str!("modeling_slimllama.py")),
];

/// The Python files, by name, that a folder with these layers needs; none for a plain class.
pub fn python_files(config: &ModelConfig) -> &'static [(&'static str, &'static str)] {
    match ModelClass::of(config) {
        ModelClass::Custom => &PYTHON,
        ModelClass::OfSource | ModelClass::BuiltIn { .. } => &[],
    }
}

/// config.json and the Python files of a model with the layers of `config`, made from a source with the config.json
/// `raw`.
pub fn model_texts(raw: &Value, config: &ModelConfig, dtype: Dtype) -> Vec<(&'static str, String)> {
    // From the source's own JSON, so that keys we do not read are kept.
    let json = ("config.json", format!("{:#}\n", output_config(raw, config, dtype)));
    let python = python_files(config).iter().map(|&(name, text)| (name, text.to_owned()));
    std::iter::once(json).chain(python).collect()
}
