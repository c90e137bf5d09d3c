//! `cargo bench --workspace --bench kernels [-- --device NAME --sizes 1024,2048 --seconds 2 --only hessian]`
//!
//! Every kernel on one device: its rate, and beside it burn's matmul (for kernels that multiply) or
//! a copy (for those that move) on the same device. On the CPU: our executor beside faer called
//! directly. Prints a Markdown table.

mod clock;
mod cpu;
mod gpu;

use clap::Parser;
use pollster::block_on;
use slimgpt::device::{Device, DeviceChoice};

/// Time the kernels.
#[derive(Parser)]
struct Arguments {
    /// auto, gpu, cpu, or an adapter's name (software adapters only by name).
    #[arg(long, default_value = "auto")]
    device: DeviceChoice,
    /// Sides of the matrices.
    #[arg(long, value_delimiter = ',', default_value = "1024,2048,4096")]
    sizes: Vec<usize>,
    /// Tokens of an accumulation.
    #[arg(long, default_value_t = 4096)]
    tokens: usize,
    /// Shortest time to spend on a measurement.
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,
    /// Only rows whose name contains this.
    #[arg(long, default_value = "")]
    only: String,
    /// What `cargo bench` passes to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let device = block_on(Device::open(&arguments.device))?;
    println!("Device: {}\n", device.name());
    println!("| what | size | ms | rate | yardstick | of it |");
    println!("|---|--:|--:|--:|--:|--:|");
    let bench = clock::Bench::new(arguments.seconds, &arguments.only);
    for &n in &arguments.sizes {
        match device.is_gpu() {
            true => gpu::run(&bench, &device, n, arguments.tokens),
            false => cpu::run(&bench, &device, n, arguments.tokens),
        }
    }
    Ok(())
}
