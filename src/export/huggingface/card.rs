//! README.md of a pruned folder: what it was made from, what went, and the lines that load it.

use std::fmt::Write;

use crate::checkpoint::ModelClass;
use crate::format::{moved, percent};
use crate::shape::{LayerShape, ModelConfig, places};

/// What a model card tells.
pub struct Card<'a> {
    /// Name of the model that was pruned.
    pub source: Option<String>,
    /// In which types its weights were stored, if it was quantised.
    pub quantisation: Option<String>,
    /// The model as it is.
    pub config: &'a ModelConfig,
    /// Whether its tokenizer is a class of its own, in Python files beside it.
    pub tokenizer_has_code: bool,
    /// The program and its version.
    pub version: &'a str,
    /// Parameters before and after, embeddings included.
    pub parameters: [usize; 2],
    /// Bytes of the weights before and after.
    pub bytes: [u64; 2],
    /// Share of the decoder layers' parameters that went.
    pub decoder_ratio: f64,
    /// Tokens it was calibrated on.
    pub calibration_tokens: usize,
    /// Sizes of each layer before and after; a layer with neither half afterwards has left the model.
    pub layers: Vec<[LayerShape; 2]>,
    /// Squared error of each layer's two outputs over the calibration tokens, as measured.
    pub errors: Vec<f64>,
}

impl Card<'_> {
    /// The file's name in the folder.
    pub const FILE: &'static str = "README.md";

    /// The card as Markdown.
    pub fn to_markdown(&self) -> String {
        let name = self.source.as_deref().unwrap_or("a model");
        let [before, after] = self.parameters;
        format!(
            "---\nlibrary_name: transformers\npipeline_tag: text-generation\ntags:\n- pruned\n- slimgpt\n---\n\n\
             # {name}, pruned by {percent}\n\n\
             Made from `{name}` by slimgpt {version}: whole attention heads and feed-forward channels were removed, \
             and the weights that stay were refitted by Optimal Brain Surgeon on {tokens} calibration tokens. \
             Nothing was trained afterwards.{quantised}\n\n{figures}\n{load}\n{layers}",
            percent = percent(1.0 - after as f64 / before as f64),
            version = self.version,
            tokens = self.calibration_tokens,
            quantised = quantised(self.quantisation.as_deref()),
            figures = self.figures(),
            load = load_lines(self.config, self.tokenizer_has_code),
            layers = self.layers(),
        )
    }

    fn figures(&self) -> String {
        let [p0, p1] = self.parameters;
        let [b0, b1] = self.bytes;
        let less = |a: f64, b: f64| format!("{} less", percent(1.0 - b / a));
        format!(
            "| | before | after | |\n|---|---:|---:|---|\n\
             | parameters | {p0} | {p1} | {} |\n| bytes of weights | {b0} | {b1} | {} |\n\
             | parameters of the decoder layers | | | {} less |\n",
            less(p0 as f64, p1 as f64),
            less(b0 as f64, b1 as f64),
            percent(self.decoder_ratio),
        )
    }

    fn layers(&self) -> String {
        let mut table = String::from(
            "## Layers\n\n| layer | key/value heads | query heads | channels | squared error |\n|---:|---:|---:|---:|---:|\n",
        );
        let of = |a: usize, b: usize| if a == b { a.to_string() } else { format!("{b} of {a}") };
        let places = places(self.layers.iter().map(|[_, after]| *after));
        let rows = self.layers.iter().zip(places).zip(&self.errors).enumerate();
        for (i, (([a, b], place), error)) in rows {
            let (kv, heads) = (of(a.kv_heads, b.kv_heads), of(a.heads, b.heads));
            let (layer, channels) = (moved(i, place), of(a.channels, b.channels));
            // Writing to a string does not fail.
            let _ = writeln!(table, "| {layer} | {kv} | {heads} | {channels} | {error:.4e} |");
        }
        table
    }
}

/// A sentence about the weights that were read, where they were quantised: what was lost before is no loss
/// of ours.
pub(super) fn quantised(quantisation: Option<&str>) -> String {
    let of =
        |types| format!(" The weights it was made from are quantised, {types}, and were read as what they stand for.");
    quantisation.map_or(String::new(), of)
}

/// How a folder with these layers is loaded.
pub(super) fn load_lines(config: &ModelConfig, tokenizer_has_code: bool) -> String {
    let (remark, argument) = match ModelClass::of(config) {
        ModelClass::Custom => (
            "Its layers differ in size, which no class of transformers can hold by itself; the two small Python files \
             in this folder build each layer at its own size from transformers' own classes, so loading needs \
             `trust_remote_code=True`. Without it loading fails (its `model_type` is unknown); nothing is computed wrongly.",
            ", trust_remote_code=True",
        ),
        ModelClass::OfSource | ModelClass::BuiltIn { .. } => {
            ("All its layers are of one size: it opens wherever its class is known, without code of its own.", "")
        }
    };
    // transformers asks for each by itself: a tokenizer may have code where the model has none.
    let of_tokenizer = if tokenizer_has_code { ", trust_remote_code=True" } else { "" };
    format!(
        "## Loading\n\n{remark}\n\n```python\nfrom transformers import AutoModelForCausalLM, AutoTokenizer\n\n\
         model = AutoModelForCausalLM.from_pretrained(\"PATH\"{argument})\n\
         tokenizer = AutoTokenizer.from_pretrained(\"PATH\"{of_tokenizer})\n```\n\n\
         llama.cpp, LM Studio, llama-cpp-python, koboldcpp: `slimgpt export gguf PATH --out model.gguf`.\n\
         mlx-lm: `slimgpt export mlx PATH --out DIR`. Anything else: `slimgpt export padded PATH --out DIR`.\n\
         `slimgpt inspect --compat PATH` lists who opens it, and how.\n"
    )
}
