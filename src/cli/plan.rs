//! `slimgpt plan`: what would be done, without a device and without reading weights.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use slimgpt::checkpoint::Checkpoint;
use slimgpt::pipeline::{Limits, Place, Plan, plan};

use super::arguments::{CalibrationSize, Pruning};
use super::show;

/// Arguments of `plan`.
#[derive(Args)]
pub struct PlanCommand {
    /// Folder of a Hugging Face checkpoint
    model: PathBuf,
    #[command(flatten)]
    pruning: Pruning,
    #[command(flatten)]
    size: CalibrationSize,
    /// Print the plan as one JSON object
    #[arg(long)]
    json: bool,
}

impl PlanCommand {
    /// Runs the command.
    pub fn run(&self) -> Result<()> {
        let checkpoint = Checkpoint::open(&self.model)?;
        let config = checkpoint.config();
        let request = self.pruning.request(self.size.samples, self.size.length(config), 0);
        let plan = plan(&request, config, &Limits { is_gpu: true, ..Limits::default() })?;
        match self.json {
            true => println!("{}", serde_json::to_string_pretty(&plan)?),
            false => println!("{}\n{}\n{}", layers(&plan), totals(&plan), memory_lines(&plan)),
        }
        Ok(())
    }
}

fn layers(plan: &Plan) -> comfy_table::Table {
    let rows: Vec<Vec<String>> = plan.layers.iter().enumerate().map(|(i, l)| {
        vec![
            (i + 1).to_string(),
            show::percent(l.ratio),
            format!("{} → {}", l.before.kv_heads, l.after.kv_heads),
            format!("{} → {}", l.before.heads, l.after.heads),
            format!("{} → {}", l.before.channels, l.after.channels),
            show::count(l.parameters_after),
        ]
    }).collect();
    show::table(&["layer", "ratio", "K/V heads", "query heads", "channels", "parameters"], &rows)
}

fn totals(plan: &Plan) -> String {
    let gone = 1.0 - plan.parameters_after as f64 / plan.parameters_before as f64;
    format!(
        "{} → {} parameters: {} less, {} of the decoder layers",
        show::count(plan.parameters_before),
        show::count(plan.parameters_after),
        show::percent(gone),
        show::percent(plan.decoder_ratio()),
    )
}

/// The bytes that the work takes, where, and what for.
pub fn memory_lines(plan: &Plan) -> String {
    let sum = |place: Place, bytes: u64, name: &str| {
        let parts = plan.memory.parts.iter().filter(|p| p.place == place && p.bytes > 0);
        let parts: Vec<String> = parts.map(|p| format!("{} {}", p.what, show::bytes(p.bytes))).collect();
        (bytes > 0).then(|| format!("memory on the {name}: {} ({})", show::bytes(bytes), parts.join(", ")))
    };
    let memory = &plan.memory;
    let lines = [sum(Place::Device, memory.device_bytes, "device"), sum(Place::Host, memory.host_bytes, "host")];
    lines.into_iter().flatten().collect::<Vec<_>>().join("\n")
}
