//! `slimgpt devices`.

use anyhow::Result;
use clap::Args;
use pollster::block_on;
use serde_json::json;
use slimgpt::device::{Adapter, adapters, room, typed};
use slimgpt::format;

use super::{out, show};

const EXAMPLES: &str = "\
Examples:
  slimgpt devices
  slimgpt bench ./slim --device gpu:1                   the second best GPU
  slimgpt bench ./slim --device vulkan:0                the first adapter that Vulkan shows
  slimgpt bench ./slim --device 4090                    by a part of its name, in any case
  slimgpt bench ./slim --device cpu

GPUs are counted from the best: discrete before integrated. Software adapters (llvmpipe) compute on the
CPU, more slowly than the CPU executor, and are used only when they are asked for. Of the memory that is
free (of all, where the driver does not tell) 80 % is used unless --memory says otherwise.";

#[derive(Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Devices {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl Devices {
    pub fn run(&self) -> Result<()> {
        let adapters = block_on(adapters());
        let words = typed(&adapters);
        if self.json {
            let with_words = |(adapter, words): (&Adapter, &Vec<String>)| {
                let mut value = serde_json::to_value(adapter)?;
                value["device"] = json!(words);
                Ok(value)
            };
            let adapters = adapters.iter().zip(&words).map(with_words).collect::<Result<Vec<_>>>()?;
            return out::json(&json!({ "adapters": adapters, "cpu": true }));
        }
        let mut rows: Vec<Vec<String>> = adapters
            .iter()
            .zip(&words)
            .map(|(a, words)| {
                vec![
                    a.name.clone(),
                    words.join(" or "),
                    a.kind.into(),
                    a.backend.clone(),
                    memory(a.memory_bytes, a.free_bytes),
                    format::bytes(a.max_binding_bytes),
                    if a.matrix_units { "half" } else { "f32" }.into(),
                    a.driver.clone(),
                ]
            })
            .collect();
        // No adapter of wgpu, but a device all the same.
        let host = memory(None, room::host_bytes());
        let own = ["cpu", "cpu", "CPU executor", "-", host.as_str(), "no limit", "f32", "-"];
        rows.push(own.map(str::to_owned).to_vec());
        out::line(show::table(
            &["name", "--device", "kind", "backend", "memory", "largest binding", "products", "driver"],
            &rows,
        ))?;
        // Where there are no adapters at all, this is true as well.
        let note = match adapters.iter().all(Adapter::is_software) {
            true => {
                "no hardware GPU with a driver: --device auto uses the CPU; a software adapter is used only when asked for"
            }
            false => {
                "--device takes auto, gpu, one of these words, or part of a name; auto and gpu take hardware only, discrete before integrated"
            }
        };
        Ok(out::line(note)?)
    }
}

/// "23.0 GiB of 24.0 GiB free", with what is known of it.
fn memory(all: Option<u64>, free: Option<u64>) -> String {
    match (all, free) {
        (Some(all), Some(free)) => format!("{} of {} free", format::bytes(free), format::bytes(all)),
        (None, Some(free)) => format!("{} free", format::bytes(free)),
        (Some(all), None) => format::bytes(all),
        (None, None) => "not told".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_of_the_memory_is_told() {
        let (all, free) = (Some(8 << 30), Some(6 << 30));
        assert_eq!(memory(all, free), "6.00 GiB of 8.00 GiB free");
        assert_eq!([memory(None, free), memory(all, None)], ["6.00 GiB free", "8.00 GiB"]);
        assert_eq!(memory(None, None), "not told");
    }
}
