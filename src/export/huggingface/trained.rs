//! README.md of a folder that was trained: what it was made from, what was learnt, and the lines that load it.

use super::card::{load_lines, quantised};
use crate::shape::ModelConfig;

/// What a model card tells of a recovery.
pub struct TrainedCard<'a> {
    /// Name of the model that was trained.
    pub source: Option<String>,
    /// In which types its weights were stored, if it was quantised.
    pub quantisation: Option<String>,
    /// The model as it is.
    pub config: &'a ModelConfig,
    /// Whether its tokenizer is a class of its own, in Python files beside it.
    pub tokenizer_has_code: bool,
    /// The program's version.
    pub version: &'a str,
    /// What was trained for how long on what, without its full stop.
    pub trained: String,
    /// The held-out loss before and after.
    pub held_out: Option<[f64; 2]>,
}

impl TrainedCard<'_> {
    /// The file's name in the folder.
    pub const FILE: &'static str = "README.md";

    /// The card as Markdown.
    pub fn to_markdown(&self) -> String {
        let name = self.source.as_deref().unwrap_or("a model");
        let held_out = self.held_out.map_or(String::new(), |[before, after]| {
            format!(" The loss of what was held out went from {before:.4} to {after:.4}.")
        });
        let quantised = quantised(self.quantisation.as_deref());
        format!(
            "---\nlibrary_name: transformers\npipeline_tag: text-generation\ntags:\n- pruned\n- slimgpt\n---\n\n\
             # {name}, recovered\n\n\
             Made from `{name}` by slimgpt {}: {}.{held_out}{quantised} `slimgpt-recovery.json` has every step.\n\n{}",
            self.version,
            self.trained,
            load_lines(self.config, self.tokenizer_has_code),
        )
    }
}
