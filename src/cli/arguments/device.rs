//! Where to compute.

use anyhow::Result;
use clap::Args;
use pollster::block_on;
use slimgpt::device::{Device, DeviceChoice, DeviceError};

use crate::cli::out;

/// Where to compute: the same flag in every command.
#[derive(Args, Clone)]
pub struct DeviceArgument {
    /// auto (a hardware GPU if there is one, else the CPU), gpu, cpu, or part of an adapter's name
    #[arg(long, default_value = "auto", value_name = "auto|gpu|cpu|NAME")]
    pub device: DeviceChoice,
}

impl DeviceArgument {
    /// Opens the device. `auto` takes a GPU that works, else the CPU, and says so in one line.
    pub fn open(&self) -> Result<Device> {
        let opened = block_on(Device::open_or_fall_back(&self.device))?;
        if let Some(error) = &opened.instead_of_gpu {
            // Standard output is for results, which programs may read.
            out::note(format_args!("note: {}", without_gpu(error)));
        }
        Ok(opened.device)
    }
}

fn without_gpu(error: &DeviceError) -> String {
    match error {
        DeviceError::NoGpu { .. } => {
            "no usable GPU driver was found, so the CPU computes (see `slimgpt devices`)".into()
        }
        other => format!("the CPU computes: {other}"),
    }
}
