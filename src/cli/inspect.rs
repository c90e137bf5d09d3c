//! `slimgpt inspect`.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};
use slimgpt::checkpoint::Checkpoint;
use slimgpt::disk;
use slimgpt::eval::EvalRecord;
use slimgpt::export::compat::{Opens, clients};
use slimgpt::format;
use slimgpt::pipeline::Report;
use slimgpt::shape::{LayerShape, ModelConfig};

use super::hub::{Given, Online, model_called};
use super::{arguments, out, show, summary};

const EXAMPLES: &str = "\
Examples:
  slimgpt inspect ./Llama-2-7b-hf
  slimgpt inspect ./model.gguf                          and in which types it is stored
  slimgpt inspect ./slim --compat                       which programs open it, and how
  slimgpt inspect ./slim --json";

#[derive(Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Inspect {
    /// Folder of a checkpoint, dense or pruned, a GGUF file, or a name on the hub (org/name)
    model: PathBuf,
    #[command(flatten)]
    online: Online,
    /// Only list which programs open this folder, how, and why not otherwise
    #[arg(long)]
    compat: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl Inspect {
    /// What may be a name on the hub.
    pub fn given(&mut self) -> Given<'_> {
        let (online, models, json) = (self.online, vec![&mut self.model], self.json);
        Given::of(online, models, json)
    }

    pub fn run(&self) -> Result<()> {
        let checkpoint = arguments::open_weights(&self.model)?;
        if self.compat {
            return self.compat(&checkpoint);
        }
        let report = report(&self.model);
        if self.json {
            return out::json(&object(&checkpoint, report.as_ref()));
        }
        out::line(head(&checkpoint))?;
        out::line(layers(&checkpoint))?;
        if let Some(report) = report {
            out::line(format_args!("\npruned from {}", report.source.as_deref().unwrap_or("a model in memory")))?;
            out::line(summary::layers(&report))?;
            out::line(summary::totals(&report))?;
        }
        Ok(())
    }
}

impl Inspect {
    fn compat(&self, checkpoint: &Checkpoint) -> Result<()> {
        let clients = clients(checkpoint.config(), checkpoint.folder());
        if self.json {
            return out::json(&json!({ "model": model_called(&self.model), "clients": clients }));
        }
        let opens = |opens| match opens {
            Opens::Folder => "yes",
            Opens::Export => "after export",
            Opens::Untried => "untried",
            Opens::No => "no",
        };
        let rows: Vec<Vec<String>> =
            clients.into_iter().map(|c| vec![c.program.into(), opens(c.opens).into(), c.how, c.why_not]).collect();
        Ok(out::line(show::table(&["program", "opens", "how", "why not as it stands"], &rows))?)
    }
}

/// The report of a folder that this program pruned.
fn report(folder: &Path) -> Option<Report> {
    // A dense folder has none.
    let json = disk::read_within(&folder.join(Report::FILE), disk::REPORT).ok()?;
    match serde_json::from_slice(&json) {
        Ok(report) => Some(report),
        // The folder itself can be shown without its report.
        Err(error) => {
            out::note(format_args!(
                "note: {} is of another version of this program and is left out ({error})",
                Report::FILE
            ));
            None
        }
    }
}

fn object(checkpoint: &Checkpoint, report: Option<&Report>) -> Value {
    let config = checkpoint.config();
    let layer = |(i, l): (usize, &LayerShape)| json!({ "layer": i, "shape": l, "parameters": config.layer_parameters(*l), "bytes": checkpoint.layer_bytes(i) });
    json!({
        "family": config.family, "hidden_size": config.hidden_size, "head_dim": config.head_dim,
        "vocab_size": config.vocab_size, "max_position_embeddings": config.max_positions,
        "tie_word_embeddings": config.tied_head, "dtype": checkpoint.dtype(), "stored_in": checkpoint.stored_in(),
        "parameters": config.parameters(), "bytes": checkpoint.bytes(),
        "dense": config.dense, "dense_parameters": config.unpruned().parameters(),
        "layers": config.layers.iter().enumerate().map(layer).collect::<Vec<_>>(),
        "report": report,
        // A model that was never measured has none.
        "evaluation": checkpoint.folder().and_then(|folder| EvalRecord::read(folder).ok()).map(|record| record.entries),
    })
}

fn head(checkpoint: &Checkpoint) -> String {
    let config = checkpoint.config();
    let ModelConfig { family, hidden_size, head_dim, vocab_size, max_positions, .. } = config;
    let tied = if config.tied_head { "tied head" } else { "head of its own" };
    let shape = format!(
        "{family:?}, {} layers, hidden {hidden_size}, head {head_dim}, vocabulary {vocab_size} ({tied}), context {max_positions}",
        config.layers.len()
    );
    let bytes = format::bytes(checkpoint.bytes());
    let types = arguments::types(checkpoint);
    let size = format!("{} parameters, {bytes} in {types}", format::count(config.parameters()));
    let dense = config.unpruned().parameters();
    let gone = 1.0 - config.parameters() as f64 / dense as f64;
    match gone > 0.0 {
        true => format!("{shape}\n{size}: {} less than the {} it had", format::percent(gone), format::count(dense)),
        false => format!("{shape}\n{size}"),
    }
}

fn layers(checkpoint: &Checkpoint) -> comfy_table::Table {
    let config = checkpoint.config();
    let of = |now: usize, dense: usize| if now == dense { now.to_string() } else { format!("{now} of {dense}") };
    let rows: Vec<Vec<String>> = config
        .layers
        .iter()
        .enumerate()
        .map(|(i, layer)| {
            let LayerShape { heads, kv_heads, channels } = *layer;
            vec![
                i.to_string(),
                of(kv_heads, config.dense.kv_heads),
                of(heads, config.dense.heads),
                of(channels, config.dense.channels),
                format::count(config.layer_parameters(*layer)),
                format::bytes(checkpoint.layer_bytes(i) as u64),
            ]
        })
        .collect();
    show::table(&["layer", "K/V heads", "query heads", "channels", "parameters", "bytes"], &rows)
}
