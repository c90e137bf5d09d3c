//! What several tests share: small models, the f64 oracle, seeded matrices, tolerances, the software adapter.
#![allow(dead_code, reason = "each test binary uses its own part")]

pub mod channels;
pub mod checkpoint;
pub mod folders;
pub mod gguf;
pub mod hub;
pub mod oracle;
pub mod parquet;
pub mod pruned;
pub mod rounding;
pub mod zip;

use std::path::{Path, PathBuf};

use burn::tensor::{Tensor, TensorData};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use slimgpt::device::{Device, DeviceChoice};
use slimgpt::ranks::{Kind, Machine, Post};

/// Values in [−1, 1) from a seed.
pub fn random(n: usize, seed: u64) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..n).map(|_| rng.random_range(-1.0f32..1.0)).collect()
}

/// Token ids below `vocabulary` from a seed.
pub fn tokens(n: usize, vocabulary: usize, seed: u64) -> Vec<u32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..n).map(|_| rng.random_range(0..vocabulary as u32)).collect()
}

/// Inputs whose columns are correlated and of different size, as activations are: `(tokens, features)`.
pub fn activations(tokens: usize, features: usize, seed: u64) -> Vec<f32> {
    let noise = random(tokens * features, seed);
    let common = random(tokens, seed + 1);
    (0..tokens * features)
        .map(|i| {
            let (t, j) = (i / features, i % features);
            (noise[i] + 0.5 * common[t]) * (0.3 + (j % 7) as f32 / 5.0)
        })
        .collect()
}

/// A matrix on a device.
pub fn matrix(values: &[f32], shape: [usize; 2], device: &Device) -> Tensor<2> {
    Tensor::from_data(TensorData::new(values.to_vec(), shape), device.tensor_device())
}

/// The folder of the model that ships with the program.
pub fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/tiny_model")
}

/// The software adapter, or the one that `SLIMGPT_TEST_GPU` names, so that a card can be held to the same tests.
pub fn gpu_choice() -> DeviceChoice {
    DeviceChoice::Named(std::env::var("SLIMGPT_TEST_GPU").unwrap_or_else(|_| "llvmpipe".into()))
}

/// The software Vulkan adapter. A machine without one fails the test: it is never skipped.
pub fn software_gpu() -> Device {
    pollster::block_on(Device::open(&gpu_choice()))
        .expect("GPU tests need the software Vulkan driver: apt-get install mesa-vulkan-drivers, or run tests/run")
}

/// A float tensor on the host, in double precision.
pub fn doubles<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    pollster::block_on(slimgpt::device::readback::doubles(tensor)).expect("the device answers")
}

/// Fails unless this is an error whose message has every one of these words.
#[track_caller]
pub fn assert_says<T, E: std::fmt::Display>(result: Result<T, E>, words: &[&str]) {
    let Err(error) = result else { panic!("accepted, but should say {words:?}") };
    let message = error.to_string();
    for word in words {
        assert!(message.contains(word), "\"{word}\" is not in: {message}");
    }
}
