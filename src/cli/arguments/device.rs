//! Where to compute.

use std::path::Path;

use anyhow::Result;
use clap::Args;
use clap::builder::TypedValueParser;
use pollster::block_on;
use slimgpt::device::{Device, DeviceChoice, DeviceError, Opened, Precision, adapters, typed};
use slimgpt::format;
use slimgpt::pipeline::{CAUTIOUS_DEVICE_BYTES, Limits};

use crate::cli::choice::{choice, suggesting};
use crate::cli::exit::Usage;
use crate::cli::{out, processes, variables};

/// Where to compute: the same flag in every command.
#[derive(Args, Clone)]
pub struct DeviceArgument {
    /// Where to compute; `slimgpt devices` shows what can be typed here
    ///
    /// Besides the words below: gpu:1 (the second best GPU), vulkan:0, metal:0 or dx12:0, or part of an
    /// adapter's name.
    #[arg(long, default_value = "auto", value_name = "DEVICE", value_parser = device_parser(), env = variables::DEVICE)]
    pub device: DeviceChoice,
    #[command(flatten)]
    precision: PrecisionArgument,
}

/// In what to compute: beside the device in every command.
#[derive(Args, Clone)]
pub struct PrecisionArgument {
    /// In what the products of the model are computed; sums are in f32 in both
    #[arg(long, value_name = "NAME", value_parser = choice::<Precision>(), default_value = "half", hide_short_help = true)]
    precision: Precision,
}

impl DeviceArgument {
    /// Opens the device. `auto` takes a GPU that works, else the CPU, and says so in one line.
    pub fn open(&self) -> Result<Device> {
        self.open_in(self.precision.precision)
    }

    /// Opens the device for a training, whose gradients are in f32 and so is what they are taken of.
    pub fn open_for_training(&self) -> Result<Device> {
        self.open_in(Precision::F32)
    }

    fn open_in(&self, precision: Precision) -> Result<Device> {
        if let Some(crew) = processes::crew() {
            out::note(format_args!("note: this command computes in the first of the {} processes alone", crew.count()));
        }
        open(&self.device, precision)
    }
}

/// Where to compute, for commands whose work several devices can share.
#[derive(Args, Clone)]
pub struct DevicesArgument {
    /// Where to compute; `slimgpt devices` shows what can be typed here
    ///
    /// Besides the words below: gpu:1 (the second best GPU), vulkan:0, metal:0 or dx12:0, or part of an
    /// adapter's name. Given several times (--device gpu:0 --device gpu:1), the devices share the windows
    /// of text: each computes with its share, and the first does what is left to be done once. Of several
    /// processes (mpirun) each has one device: its own of those that are given, or of the GPUs.
    #[arg(
        id = "device",
        long = "device",
        default_value = "auto",
        value_name = "DEVICE",
        value_parser = device_parser(),
        env = variables::DEVICE
    )]
    devices: Vec<DeviceChoice>,
    #[command(flatten)]
    precision: PrecisionArgument,
}

impl DevicesArgument {
    /// Opens the device, or all devices as one on which the work is shared.
    pub fn open(&self) -> Result<Device> {
        if self.devices.len() > 1 && self.devices.contains(&DeviceChoice::Auto) {
            return Err(Usage(AUTO_AMONG_OTHERS.into()).into());
        }
        let precision = self.precision.precision;
        if let Some(crew) = processes::crew() {
            return Ok(said(Device::open_everywhere(crew, &self.devices)?, precision));
        }
        let mut opened = self.devices.iter().map(|device| open(device, precision));
        // There is always one: the default.
        let first = opened.next().unwrap_or_else(|| Ok(Device::cpu()))?;
        Ok(first.with(opened.collect::<Result<_>>()?)?)
    }
}

const AUTO_AMONG_OTHERS: &str = "--device auto is any device that works, so it stands alone: of several devices each is \
named, as in --device gpu:0 --device gpu:1";

/// Opens a device, and says which it is.
fn open(choice: &DeviceChoice, precision: Precision) -> Result<Device> {
    Ok(said(block_on(Device::open_or_fall_back(choice))?, precision))
}

/// Says which device was opened, and why it is no GPU.
fn said(opened: Opened, precision: Precision) -> Device {
    if let Some(error) = &opened.instead_of_gpu {
        // Standard output is for results, which programs may read.
        out::note(format_args!("note: {}", without_gpu(error)));
    }
    let device = opened.device.in_precision(precision);
    told(&device);
    device
}

/// Says which device it is, and which there are besides, to those who want to know.
pub fn told(device: &Device) {
    // Looking for adapters takes a moment, which only those pay.
    if !out::is_verbose() {
        return;
    }
    let there = block_on(adapters());
    for (adapter, words) in there.iter().zip(typed(&there)) {
        let words = words.join(" or ");
        out::detail(format_args!("adapter: {} ({}, {}): {words}", adapter.name, adapter.kind, adapter.driver));
    }
    out::detail(format_args!("device: {}", device.name()));
}

/// What the device and this machine can hold, with activations perhaps on the disk of `folder`, and with the bytes of
/// `memory` if so many were allowed. Says so where a GPU's memory had to be guessed.
pub fn limits(device: &Device, folder: &Path, memory: Option<u64>) -> Limits {
    let limits = Limits::of(device, Some(folder)).within(memory);
    match limits.device_bytes {
        Some(bytes) => out::detail(format_args!("memory of the device: {} may be used", format::bytes(bytes))),
        None if limits.is_gpu => out::note(format_args!(
            "note: the driver tells nothing of the device's memory, so activations stay there only up to {}; --memory \
             says how much there is",
            format::bytes(CAUTIOUS_DEVICE_BYTES)
        )),
        None => {}
    }
    limits
}

/// Takes a device by any of its words.
pub fn device_parser() -> impl TypedValueParser<Value = DeviceChoice> {
    const WORDS: [(&str, &str); 3] = [
        ("auto", "a hardware GPU if there is one, else the CPU"),
        ("gpu", "the best hardware GPU"),
        ("cpu", "the CPU, on all cores"),
    ];
    suggesting(device, WORDS)
}

/// A device, unless it is called as elsewhere or its number is none.
fn device(text: &str) -> Result<DeviceChoice, String> {
    let lower = text.trim().to_lowercase();
    let (word, number) = lower.split_once(':').map_or((lower.as_str(), None), |(word, n)| (word, Some(n)));
    let here = match word {
        "cuda" | "hip" | "rocm" | "xpu" | "opencl" | "dml" | "directml" => "gpu",
        "mps" => "metal",
        "gpu" | "vulkan" | "metal" | "dx12" if number.is_some_and(|n| n.parse::<usize>().is_err()) => {
            return Err(format!("{text} has no number after the colon; the first is {word}:0"));
        }
        // Whatever else is asked for is a device of ours, or part of a name, which may have a colon too.
        _ => return Ok(text.parse().unwrap_or_default()),
    };
    let number = number.filter(|n| n.parse::<usize>().is_ok()).map_or(String::new(), |n| format!(":{n}"));
    Err(format!(
        "{word} is another program's word: GPUs are used through Vulkan, Metal or DX12 here; type {here}{number} (see \
         `slimgpt devices`)"
    ))
}

fn without_gpu(error: &DeviceError) -> String {
    match error {
        DeviceError::NoGpu { .. } => {
            "no usable GPU driver was found, so the CPU computes (see `slimgpt devices`)".into()
        }
        other => format!("the CPU computes: {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_other_programs_are_answered_with_ours() {
        for (typed, ours) in [
            ("cuda", "type gpu "),
            ("CUDA:1", "type gpu:1 "),
            ("mps", "type metal "),
            ("rocm", "type gpu "),
            ("hip:0", "type gpu:0 "),
            ("cuda:x", "type gpu "),
        ] {
            let words = device(typed).unwrap_err();
            assert!(words.contains(ours), "{typed}: {words}");
            // What the advice says to type is taken.
            let advised = words.split("type ").nth(1).unwrap().split(' ').next().unwrap();
            assert!(matches!(device(advised), Ok(DeviceChoice::Gpu | DeviceChoice::Nth(_) | DeviceChoice::Of(..))));
        }
        assert!(device("gpu:one").unwrap_err().contains("gpu:0"));
    }

    #[test]
    fn names_stay_names() {
        for name in ["NVIDIA GeForce RTX 4090", "llvmpipe (LLVM 15.0.7, 256 bits)", "Barracuda: 2"] {
            assert_eq!(device(name), Ok(DeviceChoice::Named(name.into())));
        }
    }
}
