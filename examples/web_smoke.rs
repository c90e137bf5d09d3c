//! The smoke page's module: does the library run in a browser, and does its GPU path agree there
//! with its CPU path? `tests/browser.rs` builds it, opens `web/index.html` and reads the report.
//!
//! [`answers`] is the one list to extend: it runs every computation on the device it is given, and
//! the page compares what the GPU answers with what the CPU answers. Nothing here may block: a
//! page that waits for its GPU never gets the answer, because the answer arrives on the thread
//! that waits.

// On other targets `cargo test` builds this example too: as a library with nothing in it.
#![cfg(target_arch = "wasm32")]
#![allow(missing_docs)] // What wasm_bindgen generates is not ours to document.

use burn::tensor::{Device, Tensor, TensorData};
use serde::Serialize;
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
    name: &'static str,
    /// By how much two devices may differ in any element.
    tolerance: f64,
    values: Vec<f32>,
}

/// Every computation, on `device`. A new kernel gets one line here.
async fn answers(device: &Device) -> Result<Vec<Answer>, JsError> {
    Ok(vec![product(device).await?, softmax(device).await?])
}

/// Runs everything and returns a [`Report`] as JSON.
#[wasm_bindgen]
pub async fn run() -> Result<String, JsError> {
    console_error_panic_hook::set_once();
    let cpu = answers(&Device::flex()).await?;
    let mut report = Report { gpu: None, no_gpu: None, checks: vec![noticing(), arithmetic(&cpu)] };
    match Device::wgpu_options().init_with_setup_async().await {
        Ok((gpu, setup)) => {
            report.gpu = Some(format!("{:?}", setup.adapter.get_info()));
            let gpu = answers(&gpu).await?;
            report.checks.extend(gpu.iter().zip(&cpu).map(|(got, want)| {
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
async fn product(device: &Device) -> Result<Answer, JsError> {
    let (a, b) = operands();
    let a = Tensor::<2>::from_data(TensorData::new(a, [ROWS, INNER]), device);
    let b = Tensor::<2>::from_data(TensorData::new(b, [INNER, COLUMNS]), device);
    Ok(Answer { name: "matrix product", tolerance: 0.0, values: read(a.matmul(b)).await? })
}

/// A reduction and an exponential of burn's: what attention is made of.
async fn softmax(device: &Device) -> Result<Answer, JsError> {
    let scores = Tensor::<2>::from_data(TensorData::new(operands().0, [ROWS, INNER]), device);
    // Each probability is at most 1 and comes from INNER + 1 roundings and one exponential, for
    // which WGSL allows 3 + 2·|x| units in the last place, |x| ≤ 6 here.
    let tolerance = (INNER + 16) as f64 * f64::from(f32::EPSILON);
    Ok(Answer { name: "softmax", tolerance, values: read(burn::tensor::activation::softmax(scores, 1)).await? })
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

async fn read(tensor: Tensor<2>) -> Result<Vec<f32>, JsError> {
    let data = tensor.into_data_async().await.map_err(|e| JsError::new(&format!("{e:?}")))?;
    data.try_to_vec().map_err(|e| JsError::new(&format!("{e:?}")))
}
