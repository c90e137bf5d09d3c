//! `slimgpt devices`.

use anyhow::Result;
use clap::Args;
use pollster::block_on;
use serde_json::json;
use slimgpt::device::adapters;

use super::show;

/// Arguments of `devices`.
#[derive(Args)]
pub struct Devices {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl Devices {
    /// Runs the command.
    pub fn run(&self) -> Result<()> {
        let adapters = block_on(adapters());
        if self.json {
            println!("{:#}", json!({ "adapters": adapters, "cpu": true }));
            return Ok(());
        }
        let mut rows: Vec<Vec<String>> = adapters.iter().map(|a| {
            vec![a.name.clone(), a.kind.into(), a.backend.clone(), show::bytes(a.max_binding_bytes), a.driver.clone()]
        }).collect();
        rows.push(vec!["cpu".into(), "CPU executor".into(), "-".into(), "no limit".into(), "-".into()]);
        println!("{}", show::table(&["name", "kind", "backend", "largest binding", "driver"], &rows));
        if adapters.iter().all(slimgpt::device::Adapter::is_software) {
            println!("no hardware GPU with a driver: --device auto uses the CPU; a software adapter is used only when named");
        }
        Ok(())
    }
}
