//! `slimgpt devices`.

use anyhow::Result;
use clap::Args;
use pollster::block_on;
use serde_json::json;
use slimgpt::device::{Adapter, adapters};
use slimgpt::format;

use super::{out, show};

#[derive(Args)]
pub struct Devices {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl Devices {
    pub fn run(&self) -> Result<()> {
        let adapters = block_on(adapters());
        if self.json {
            return out::json(&json!({ "adapters": adapters, "cpu": true }));
        }
        let mut rows: Vec<Vec<String>> = adapters
            .iter()
            .map(|a| {
                vec![
                    a.name.clone(),
                    a.kind.into(),
                    a.backend.clone(),
                    format::bytes(a.max_binding_bytes),
                    a.driver.clone(),
                ]
            })
            .collect();
        // No adapter of wgpu, but a device all the same.
        rows.push(vec!["cpu".into(), "CPU executor".into(), "-".into(), "no limit".into(), "-".into()]);
        out::line(show::table(&["name", "kind", "backend", "largest binding", "driver"], &rows))?;
        // Where there are no adapters at all, this is true as well.
        let note = match adapters.iter().all(Adapter::is_software) {
            true => {
                "no hardware GPU with a driver: --device auto uses the CPU; a software adapter is used only when named"
            }
            false => {
                "--device takes auto, gpu, cpu, or part of a name; auto and gpu take hardware only, discrete before integrated"
            }
        };
        Ok(out::line(note)?)
    }
}
