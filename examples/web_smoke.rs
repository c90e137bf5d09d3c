//! The smoke page's module: does the library run in a browser, and does its GPU path agree there
//! with its CPU path? `tests/browser` builds it, opens its `index.html` and reads the report.
//!
//! [`answers`] is the one list to extend: it runs every computation on the device it is given, and
//! the page compares what the GPU answers with what the CPU answers. Nothing here may block: a
//! page that waits for its GPU never gets the answer, because the answer arrives on the thread
//! that waits.

// On other targets `cargo test` builds this example too: as a library with nothing in it.
#![cfg(target_arch = "wasm32")]
#![allow(missing_docs, reason = "what wasm_bindgen generates is not ours to document")]

use std::collections::BTreeMap;

use burn::tensor::{Device as TensorDevice, Tensor, TensorData};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use slimgpt::device::{Device, DeviceChoice};
use slimgpt::gpu::KERNELS;
use slimgpt::obs::{
    ChannelSteps, CpuExecutor, Executor, HeadCut, HeadLayout, HeadUnit, Hessian, Options, Pruned, Score, WgpuExecutor,
    prune_channels, prune_heads,
};
use wasm_bindgen::prelude::*;

/// What the page shows and the test asserts.
#[derive(Serialize)]
struct Report {
    /// The GPU that ran the checks; `None` when the browser gives none.
    gpu: Option<String>,
    /// Why there is no GPU, in the words of whoever refused it.
    no_gpu: Option<String>,
    /// Every check that ran, in order.
    checks: Vec<Check>,
}

/// One comparison and by how much it missed.
#[derive(Serialize)]
struct Check {
    name: String,
    /// Largest |got − want| over all elements; `None` (JSON's null) when there is no such number.
    worst: Option<f64>,
    /// What `worst` may be.
    tolerance: f64,
    passed: bool,
}

/// What one computation gave on one device.
struct Answer {
    name: String,
    /// By how much two devices may differ in any element.
    tolerance: f64,
    values: Vec<f32>,
}

/// Every computation, on one device. Together the prunings launch every kernel there is; a new
/// kernel that none of them launches gets a line here.
async fn answers<E: Executor>(executor: &E, device: &TensorDevice) -> Result<Vec<Answer>, JsError> {
    let mut answers = vec![product(device).await?, softmax(device).await?];
    for score in [Score::Exact, Score::GroupedCholesky, Score::Diagonal] {
        answers.extend(heads(executor, device, score).await?);
    }
    for steps in [ChannelSteps::OneByOne, ChannelSteps::Fixed(8)] {
        answers.extend(channels(executor, device, steps).await?);
    }
    Ok(answers)
}

/// The text of every shader of the browser's by name, for the page to show what the browser's compiler says.
///
/// # Errors
/// When they cannot be written as JSON: never, as things are.
#[wasm_bindgen]
pub fn shaders() -> Result<String, JsError> {
    let texts: BTreeMap<_, _> = KERNELS.iter().filter(|k| !k.on_matrix_units()).map(|k| (k.name, k.source)).collect();
    Ok(serde_json::to_string(&texts)?)
}

/// Runs everything and returns a [`Report`] as JSON.
///
/// # Errors
/// When there is no adapter, or a step fails.
#[wasm_bindgen]
pub async fn run() -> Result<String, JsError> {
    // Without it a panic is nothing but "unreachable" in the console.
    console_error_panic_hook::set_once();
    // In f64: the oracle.
    let cpu = answers(&CpuExecutor::<f64>::new(), Device::cpu().tensor_device()).await?;
    let mut report = Report { gpu: None, no_gpu: None, checks: vec![noticing(), arithmetic(&cpu), plausible(&cpu)] };
    match Device::open(&DeviceChoice::Gpu).await {
        Ok(gpu) => {
            report.gpu = Some(gpu.name().to_owned());
            let device = gpu.tensor_device();
            let got = answers(&WgpuExecutor::new(device), device).await?;
            report.checks.extend(got.iter().zip(&cpu).map(|(got, want)| {
                Check::new(format!("{}: GPU = CPU", got.name), got.tolerance, &got.values, &want.values)
            }));
        }
        Err(reason) => report.no_gpu = Some(reason.to_string()),
    }
    Ok(serde_json::to_string(&report)?)
}

impl Check {
    fn new(name: String, tolerance: f64, got: &[f32], want: &[f32]) -> Self {
        let worst = worst_difference(got, want);
        Self { name, worst, tolerance, passed: worst.is_some_and(|worst| worst <= tolerance) }
    }
}

/// Largest |got − want|; `None` when a length differs or a value is not finite, so that no such
/// answer can pass.
fn worst_difference(got: &[f32], want: &[f32]) -> Option<f64> {
    let comparable = got.len() == want.len() && got.iter().chain(want).all(|v| v.is_finite());
    let differences = got.iter().zip(want).map(|(&g, &w)| (f64::from(g) - f64::from(w)).abs());
    comparable.then(|| differences.fold(0.0, f64::max))
}

/// Wrong answers and missing ones must fail, or the other checks prove nothing.
fn noticing() -> Check {
    let wrong: [(&[f32], &[f32]); 3] = [(&[1.0, 2.5], &[1.0, 2.0]), (&[f32::NAN], &[1.0]), (&[], &[1.0])];
    let passed = wrong.iter().filter(|(got, want)| Check::new(String::new(), 0.1, got, want).passed).count();
    Check { name: "wrong answers are noticed".into(), worst: Some(passed as f64), tolerance: 0.0, passed: passed == 0 }
}

/// Sizes that no tile divides.
const ROWS: usize = 33;
const INNER: usize = 17;
const COLUMNS: usize = 5;

/// Whole numbers from −`half` to `half`: their products and short sums are exact in `f32`.
fn whole_numbers(count: usize, half: usize) -> Vec<f32> {
    (0..count).map(|i| (i * 7 % (2 * half + 1)) as f32 - half as f32).collect()
}

fn operands() -> (Vec<f32>, Vec<f32>) {
    (whole_numbers(ROWS * INNER, 3), whole_numbers(INNER * COLUMNS, 2))
}

/// A product of burn's, (33, 17) · (17, 5), exact on whole numbers.
async fn product(device: &TensorDevice) -> Result<Answer, JsError> {
    let (a, b) = operands();
    let a = Tensor::<2>::from_data(TensorData::new(a, [ROWS, INNER]), device);
    let b = Tensor::<2>::from_data(TensorData::new(b, [INNER, COLUMNS]), device);
    Ok(Answer { name: "matrix product".into(), tolerance: 0.0, values: read(a.matmul(b)).await? })
}

/// A reduction and an exponential of burn's: what attention is made of.
async fn softmax(device: &TensorDevice) -> Result<Answer, JsError> {
    let scores = Tensor::<2>::from_data(TensorData::new(operands().0, [ROWS, INNER]), device);
    // Each probability is at most 1 and comes from INNER + 1 roundings and one exponential, for
    // which WGSL allows 3 + 2·|x| units in the last place, |x| ≤ 6 here.
    let tolerance = (INNER + 16) as f64 * f64::from(f32::EPSILON);
    Ok(Answer { name: "softmax".into(), tolerance, values: read(burn::tensor::activation::softmax(scores, 1)).await? })
}

/// The CPU's product against three loops: it is what the GPU is then held to.
fn arithmetic(cpu: &[Answer]) -> Check {
    let (a, b) = operands();
    let mut want = vec![0.0; ROWS * COLUMNS];
    for row in 0..ROWS {
        for column in 0..COLUMNS {
            for k in 0..INNER {
                want[row * COLUMNS + column] += a[row * INNER + k] * b[k * COLUMNS + column];
            }
        }
    }
    Check::new("matrix product: CPU = plain loops".into(), 0.0, &cpu[0].values, &want)
}

/// Values in [−1, 1) from a seed, `(rows, columns)`.
fn random(rows: usize, columns: usize, seed: u64, device: &TensorDevice) -> Tensor<2> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let values: Vec<f32> = (0..rows * columns).map(|_| rng.random_range(-1.0..1.0)).collect();
    Tensor::from_data(TensorData::new(values, [rows, columns]), device)
}

/// A weight `(OUT, features)` and the Hessian of `TOKENS` inputs, in two batches.
async fn layer<E: Executor>(
    executor: &E,
    device: &TensorDevice,
    features: usize,
) -> Result<(Tensor<2>, Hessian<E>), JsError> {
    let mut hessian = Hessian::new(executor, features);
    for seed in [1, 2] {
        hessian.accumulate(executor, &random(TOKENS / 2, features, seed, device)).await?;
    }
    Ok((random(OUT, features, 3, device), hessian))
}

const OUT: usize = 37;
// More than the widest layer has inputs, so that H has its full rank.
const TOKENS: usize = 600;

/// Two of four K/V heads go.
async fn heads<E: Executor>(executor: &E, device: &TensorDevice, score: Score) -> Result<[Answer; 3], JsError> {
    let layout = HeadLayout { heads: 8, kv_heads: 4, head_dim: 9 };
    let (weight, hessian) = layer(executor, device, 72).await?;
    let options = Options::scored(score);
    let pruned = prune_heads(executor, &weight, &hessian, layout, HeadCut::of(HeadUnit::KeyValue, 2), &options).await?;
    pruning(format!("heads by {score:?}"), pruned).await
}

/// A third of the channels goes; their number is more than one block of any kernel.
async fn channels<E: Executor>(
    executor: &E,
    device: &TensorDevice,
    steps: ChannelSteps,
) -> Result<[Answer; 3], JsError> {
    let (weight, hessian) = layer(executor, device, 290).await?;
    let pruned = prune_channels(executor, &weight, &hessian, 97, steps, &Options::default()).await?;
    pruning(format!("channels, {steps:?}"), pruned).await
}

/// What a pruning decided, what it made of the weights and what it says that costs.
async fn pruning(name: String, pruned: Pruned) -> Result<[Answer; 3], JsError> {
    let kept = pruned.kept_units.iter().map(|&unit| unit as f32).collect();
    let loss = pruned.predicted_loss;
    // f32 through a factorisation of order n: √n·ε·κ, as roundings go up as often as down, with
    // n ≤ 290 and a damped Hessian whose condition number κ is about 30. The weights and the
    // logarithm of the loss are of order one.
    let tolerance = 290f64.sqrt() * f64::from(f32::EPSILON) * 30.0;
    Ok([
        Answer { name: format!("{name}: what stays"), tolerance: 0.0, values: kept },
        Answer { name: format!("{name}: weights"), tolerance, values: read(pruned.weight).await? },
        Answer { name: format!("{name}: log of the loss"), tolerance, values: vec![loss.ln() as f32] },
    ])
}

/// The CPU kept as many units as were asked for, and removing them cost something.
fn plausible(cpu: &[Answer]) -> Check {
    let counts: Vec<f32> =
        cpu.iter().filter(|a| a.name.ends_with("what stays")).map(|a| a.values.len() as f32).collect();
    Check::new("the CPU keeps as many as it should".into(), 0.0, &counts, &[2.0, 2.0, 2.0, 193.0, 193.0])
}

async fn read(tensor: Tensor<2>) -> Result<Vec<f32>, JsError> {
    let data = tensor.into_data_async().await.map_err(|e| JsError::new(&format!("{e:?}")))?;
    data.try_to_vec().map_err(|e| JsError::new(&format!("{e:?}")))
}
