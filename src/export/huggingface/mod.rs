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

use crate::checkpoint::{Classes, Dtype, ModelClass, output_config};
use crate::shape::ModelConfig;

/// The files that a folder of [`ModelClass::Custom`] needs, by name.
const PYTHON: [(&str, &str); 2] = [
    ("configuration_slimllama.py", include_str!("configuration_slimllama.py")),
    ("modeling_slimllama.py", include_str!("modeling_slimllama.py")),
];

/// The same files of a family with classes of its own, whose names stand in for those in braces.
const OWN_PYTHON: [(&str, &str); 2] = [
    ("configuration_slim{MODULE}.py", include_str!("configuration_slim.py")),
    ("modeling_slim{MODULE}.py", include_str!("modeling_slim.py")),
];

/// The Python files, by name, that a folder with these layers needs; none for a plain class.
pub fn python_files(config: &ModelConfig) -> Vec<(String, String)> {
    if ModelClass::of(config) != ModelClass::Custom {
        return Vec::new();
    }
    match Classes::of(config.family) {
        None => PYTHON.map(|(name, text)| (name.to_owned(), text.to_owned())).to_vec(),
        Some(own) => OWN_PYTHON.map(|(name, text)| (named(name, own), named(text, own))).to_vec(),
    }
}

/// A text with a family's names for those in braces.
fn named(text: &str, own: Classes) -> String {
    let Classes { module, config, model, causal, layer, .. } = own;
    [("{MODULE}", module), ("{CONFIG}", config), ("{MODEL}", model), ("{CAUSAL}", causal), ("{LAYER}", layer)]
        .iter()
        .fold(text.to_owned(), |text, (place, name)| text.replace(place, name))
}

/// config.json and the Python files of a model with the layers of `config`, made from a source with the config.json
/// `raw`.
pub fn model_texts(raw: &Value, config: &ModelConfig, dtype: Dtype) -> Vec<(String, String)> {
    // From the source's own JSON, so that keys we do not read are kept.
    let json = ("config.json".to_owned(), format!("{:#}\n", output_config(raw, config, dtype)));
    std::iter::once(json).chain(python_files(config)).collect()
}
