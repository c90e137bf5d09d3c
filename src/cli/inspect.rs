//! `slimgpt inspect`.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use serde_json::json;
use slimgpt::checkpoint::Checkpoint;
use slimgpt::shape::{LayerShape, ModelConfig};

use super::show;

/// Arguments of `inspect`.
#[derive(Args)]
pub struct Inspect {
    /// Folder of a checkpoint, dense or pruned
    model: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl Inspect {
    /// Runs the command.
    pub fn run(&self) -> Result<()> {
        let checkpoint = Checkpoint::open(&self.model)?;
        let config = checkpoint.config();
        if self.json {
            let per_layer: Vec<_> = config.layers.iter().enumerate().map(|(i, l)| {
                json!({ "layer": i, "shape": l, "parameters": config.layer_parameters(*l), "bytes": checkpoint.layer_bytes(i) })
            }).collect();
            let object = json!({
                "family": config.family, "hidden_size": config.hidden_size, "head_dim": config.head_dim,
                "vocab_size": config.vocab_size, "max_position_embeddings": config.max_positions,
                "tie_word_embeddings": config.tied_head, "dtype": checkpoint.dtype(),
                "parameters": config.parameters(), "bytes": total_bytes(&checkpoint),
                "dense": config.dense, "dense_parameters": config.unpruned().parameters(), "layers": per_layer,
            });
            println!("{object:#}");
            return Ok(());
        }
        println!("{}", head(&checkpoint));
        println!("{}", layers(&checkpoint));
        Ok(())
    }
}

fn total_bytes(checkpoint: &Checkpoint) -> usize {
    checkpoint.config().parameters() * checkpoint.dtype().bytes()
}

fn head(checkpoint: &Checkpoint) -> String {
    let config = checkpoint.config();
    let ModelConfig { family, hidden_size, head_dim, vocab_size, max_positions, .. } = config;
    let size = format!("{} parameters, {} in {}", show::count(config.parameters()), show::bytes(total_bytes(checkpoint) as u64), checkpoint.dtype());
    let shape = format!("{family:?}, {} layers, hidden {hidden_size}, head {head_dim}, vocabulary {vocab_size}, context {max_positions}", config.layers.len());
    let dense = config.unpruned().parameters();
    let gone = 1.0 - config.parameters() as f64 / dense as f64;
    match gone > 0.0 {
        true => format!("{shape}\n{size}: {} less than the {} it had", show::percent(gone), show::count(dense)),
        false => format!("{shape}\n{size}"),
    }
}

fn layers(checkpoint: &Checkpoint) -> comfy_table::Table {
    let config = checkpoint.config();
    let of = |now: usize, dense: usize| if now == dense { now.to_string() } else { format!("{now} of {dense}") };
    let rows: Vec<Vec<String>> = config.layers.iter().enumerate().map(|(i, layer)| {
        let LayerShape { heads, kv_heads, channels } = *layer;
        vec![
            (i + 1).to_string(),
            of(kv_heads, config.dense.kv_heads),
            of(heads, config.dense.heads),
            of(channels, config.dense.channels),
            show::count(config.layer_parameters(*layer)),
            show::bytes(checkpoint.layer_bytes(i) as u64),
        ]
    }).collect();
    show::table(&["layer", "K/V heads", "query heads", "channels", "parameters", "bytes"], &rows)
}
