//! What is in a checkpoint: the sizes of the model as lines of text, and a bar for every layer
//! that shows how much of it is left.

use std::path::PathBuf;

use eframe::egui;
use slimgpt::checkpoint::Checkpoint;
use slimgpt::shape::ModelConfig;

/// The panel, in one of its states.
#[derive(Default)]
pub enum ModelPanel {
    /// Nothing was opened.
    #[default]
    Empty,
    /// A folder is being read.
    Opening(PathBuf),
    /// A checkpoint.
    Open(Summary),
    /// What was wrong, in the words of the library.
    Failed(String),
}

/// A checkpoint in words and numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// What it is: (name, value), in the order of reading.
    pub facts: Vec<(&'static str, String)>,
    /// One for each decoder layer.
    pub layers: Vec<LayerLine>,
}

/// One decoder layer.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerLine {
    /// Its sizes, in words.
    pub text: String,
    /// Its parameters as a part of those it had before pruning, 0 to 1.
    pub left: f32,
}

impl Summary {
    /// The summary of an open checkpoint.
    pub fn of(checkpoint: &Checkpoint) -> Self {
        let config = checkpoint.config();
        let folder = checkpoint.folder().map(|f| ("folder", f.display().to_string()));
        let bytes: usize = (0..config.layers.len()).map(|i| checkpoint.layer_bytes(i)).sum();
        let stored = ("stored as", format!("{}, {:.1} MB of layers", checkpoint.dtype(), bytes as f64 / 1e6));
        let facts = folder.into_iter().chain(facts(config)).chain([stored]).collect();
        Self { facts, layers: layers(config) }
    }
}

fn facts(config: &ModelConfig) -> Vec<(&'static str, String)> {
    let (now, dense) = (config.parameters(), config.unpruned().parameters());
    let pruned = if now == dense { String::new() } else { format!(" of {}", millions(dense)) };
    vec![
        ("family", format!("{:?}", config.family)),
        ("parameters", format!("{}{pruned}", millions(now))),
        ("width", format!("{}, heads of {}", config.hidden_size, config.head_dim)),
        ("vocabulary", config.vocab_size.to_string()),
        ("context", format!("{} tokens", config.max_positions)),
    ]
}

fn layers(config: &ModelConfig) -> Vec<LayerLine> {
    let dense = config.layer_parameters(config.dense) as f32;
    let line = |(i, &shape): (usize, &slimgpt::shape::LayerShape)| LayerLine {
        text: format!("{i}: {} heads, {} K/V, {} channels", shape.heads, shape.kv_heads, shape.channels),
        left: config.layer_parameters(shape) as f32 / dense,
    };
    config.layers.iter().enumerate().map(line).collect()
}

fn millions(parameters: usize) -> String {
    format!("{:.2} M", parameters as f64 / 1e6)
}

impl ModelPanel {
    /// Draws it.
    pub fn ui(&self, ui: &mut egui::Ui) {
        ui.heading("slimgpt");
        match self {
            Self::Empty => {
                ui.label("Drop a checkpoint folder here (config.json and *.safetensors).");
            }
            Self::Opening(folder) => {
                ui.label(format!("Opening {} …", folder.display()));
                ui.spinner();
            }
            Self::Failed(reason) => {
                ui.colored_label(ui.visuals().error_fg_color, reason);
            }
            Self::Open(summary) => show(summary, ui),
        }
    }
}

fn show(summary: &Summary, ui: &mut egui::Ui) {
    egui::Grid::new("facts").num_columns(2).show(ui, |ui| {
        for (name, value) in &summary.facts {
            ui.label(*name);
            ui.label(value);
            ui.end_row();
        }
    });
    ui.separator();
    egui::ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
        for layer in &summary.layers {
            ui.add(egui::ProgressBar::new(layer.left).text(&layer.text));
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use slimgpt::shape::{Family, LayerShape, Rope};

    fn config() -> ModelConfig {
        let dense = LayerShape { heads: 8, kv_heads: 4, channels: 100 };
        let pruned = LayerShape { heads: 4, kv_heads: 2, channels: 50 };
        ModelConfig {
            family: Family::Llama,
            vocab_size: 512,
            hidden_size: 64,
            head_dim: 8,
            dense,
            layers: vec![dense, pruned],
            max_positions: 256,
            rms_norm_eps: 1e-5,
            rope: Rope { theta: 1e4, scaling: None },
            qkv_bias: false,
            o_bias: false,
            mlp_bias: false,
            qk_norm: false,
            tied_head: true,
            bos_token: None,
            eos_tokens: vec![],
        }
    }

    #[test]
    fn a_pruned_model_says_what_it_was() {
        let parameters = facts(&config()).into_iter().find(|(name, _)| *name == "parameters");
        assert_eq!(parameters, Some(("parameters", "0.08 M of 0.10 M".into())));
        let parameters = facts(&config().unpruned()).into_iter().find(|(name, _)| *name == "parameters");
        assert_eq!(parameters, Some(("parameters", "0.10 M".into())));
    }

    #[test]
    fn every_layer_says_its_sizes_and_what_is_left() {
        let lines = layers(&config());
        assert_eq!(lines[1].text, "1: 4 heads, 2 K/V, 50 channels");
        assert_eq!(lines[0].left, 1.0);
        assert!((lines[1].left - 0.5).abs() < 0.01, "{}", lines[1].left);
    }
}
