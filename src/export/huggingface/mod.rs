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
pub use carry::{carry, left_behind, tokenizer_has_code};
#[cfg(not(target_arch = "wasm32"))]
pub use name::name;
pub use trained::TrainedCard;

use crate::checkpoint::ModelClass;
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
