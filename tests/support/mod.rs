//! What several tests share: small models, the f64 oracle, seeded matrices, tolerances, the software adapter.
#![allow(dead_code, reason = "each test binary uses its own part")]

pub mod checkpoint;
pub mod oracle;
pub mod pruned;

use std::path::{Path, PathBuf};

use burn::tensor::{Tensor, TensorData};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use slimgpt::device::{Device, DeviceChoice};

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

/// The software Vulkan adapter. A machine without one fails the test: it is never skipped.
pub fn software_gpu() -> Device {
    pollster::block_on(Device::open(&DeviceChoice::Named("llvmpipe".into())))
        .expect("GPU tests need the software Vulkan driver: apt-get install mesa-vulkan-drivers, or run tests/run")
}

/// The largest |got − want| / max|want|, or an error where a value is missing or not a number.
pub fn worst_relative(got: &[f64], want: &[f64]) -> f64 {
    assert_eq!(got.len(), want.len(), "lengths differ");
    let scale = want.iter().fold(0.0f64, |m, w| m.max(w.abs())).max(f64::MIN_POSITIVE);
    got.iter().zip(want).fold(0.0, |worst: f64, (g, w)| {
        let off = (g - w).abs() / scale;
        if off.is_nan() { f64::INFINITY } else { worst.max(off) }
    })
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
