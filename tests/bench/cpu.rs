//! The CPU executor beside faer called directly on its own matrices, and attention beside burn's.

use burn::tensor::module::attention;
use burn::tensor::ops::AttentionModuleOptions;
use burn::tensor::{Distribution, Tensor};
use faer::linalg::matmul::triangular::{self, BlockStructure};
use faer::linalg::solvers::{DenseSolveCore, Llt};
use faer::{Accum, Mat, Side};
use pollster::block_on;
use slimgpt::cpu::{Scores, Spans, attend};
use slimgpt::device::Device;
use slimgpt::obs::{CpuExecutor, Executor};

use crate::clock::{Bench, Work};

/// Dimensions of a head.
const WIDTH: usize = 64;

/// Accumulation, factorisation and one-by-one elimination at side `n`, and attention of as many heads as are so wide.
pub fn run(bench: &Bench, device: &Device, n: usize, tokens: usize) {
    if bench.wants("attention") {
        attending(bench, device, n.div_ceil(WIDTH), tokens);
    }
    let executor = CpuExecutor::<f32>::new();
    let x = Tensor::<2>::random([tokens, n], Distribution::Normal(0.0, 1.0), device.tensor_device());
    let zero = || executor.zero_sum(n);
    let size = format!("{tokens} × {n}");
    if bench.wants("Hessian") {
        let flops = Work::Flops(tokens as f64 * n as f64 * (n as f64 + 1.0));
        let direct = direct_accumulation(bench, flops, n, tokens);
        let mut sum = Some(zero());
        bench.row("Hessian accumulation, executor / faer", &size, flops, direct, || {
            sum = sum.take().map(|s| block_on(executor.accumulate(s, &x)).expect("accumulates"));
        });
    }
    let sum = block_on(executor.accumulate(zero(), &x)).expect("accumulates");
    let weight = Tensor::<2>::random([n, n], Distribution::Normal(0.0, 1.0), device.tensor_device());
    let factor = |w: &Tensor<2>| block_on(executor.factor(&sum, w, 1.0, &[])).expect("positive definite");
    if bench.wants("inverse") {
        let flops = Work::Flops((n as f64).powi(3));
        let matrix = Mat::<f32>::from_fn(n, n, |i, j| sum[(i.max(j), i.min(j))] + if i == j { 1.0 } else { 0.0 });
        let direct = bench.rate(flops, || {
            let llt = Llt::new(matrix.as_ref(), Side::Lower).expect("positive definite");
            std::hint::black_box(llt.inverse());
        });
        // One row of weights: to take over all of them is no part of what faer is asked for.
        let row = weight.clone().slice([0..1, 0..n]);
        bench.row("damp, factor and inverse, executor / faer", &n.to_string(), flops, direct, || {
            std::hint::black_box(factor(&row));
        });
    }
    if bench.wants("one by one") {
        // Each removal moves W and H⁻¹ by a product of rank one: 2·(n² + n²) operations.
        let count = n / 8;
        let work = Work::Flops(count as f64 * 4.0 * (n * n) as f64);
        let a = Mat::<f32>::from_fn(n, n, |i, j| ((i * 7 + j * 3) % 11) as f32);
        let product = bench.rate(Work::Flops(2.0 * (n as f64).powi(3)), || {
            std::hint::black_box(&a * &a);
        });
        bench.row("channels one by one / faer's product", &format!("{count} of {n}"), work, product, || {
            let mut problem = factor(&weight);
            block_on(executor.eliminate_cheapest(&mut problem, count)).expect("finite");
        });
    }
}

/// Causal attention; a row for the most tokens and for as few as training has.
fn attending(bench: &Bench, device: &Device, heads: usize, tokens: usize) {
    for (sequences, t) in [(1, tokens), (tokens.div_ceil(256), 256.min(tokens))] {
        let random = || {
            Tensor::<4>::random([sequences, heads, t, WIDTH], Distribution::Normal(0.0, 1.0), device.tensor_device())
        };
        let [q, k, v] = [random(), random(), random()];
        let scale = 1.0 / (WIDTH as f64).sqrt();
        // Two products of the pairs that may look.
        let pairs = (sequences * heads * t * (t + 1) / 2) as f64;
        let flops = Work::Flops(4.0 * pairs * WIDTH as f64);
        let options = AttentionModuleOptions { scale: Some(scale), is_causal: true, ..Default::default() };
        let theirs = bench.rate(flops, || {
            std::hint::black_box(attention(q.clone(), k.clone(), v.clone(), None, None, options));
        });
        let spans = Spans::new(0, t, None);
        let size = format!("{sequences} × {heads} × {t}");
        bench.row("causal attention, ours / burn's", &size, flops, theirs, || {
            std::hint::black_box(attend([&q, &k, &v].map(Clone::clone), Scores { spans: &spans, scale, cap: None }));
        });
    }
}

fn direct_accumulation(bench: &Bench, flops: Work, n: usize, tokens: usize) -> f64 {
    let x = Mat::<f32>::from_fn(tokens, n, |i, j| ((i * 31 + j * 17) % 13) as f32 - 6.0);
    let mut sum = Mat::<f32>::zeros(n, n);
    bench.rate(flops, || {
        triangular::matmul(
            sum.as_mut(),
            BlockStructure::TriangularLower,
            Accum::Add,
            x.transpose(),
            BlockStructure::Rectangular,
            x.as_ref(),
            BlockStructure::Rectangular,
            1.0,
            faer::get_global_parallelism(),
        );
    })
}
