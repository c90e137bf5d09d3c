//! Our kernels beside burn's matmul and a copy, on a wgpu device.

use burn::tensor::{Device as TensorDevice, Distribution, Int, Tensor};
use slimgpt::device::Device;
use slimgpt::device::panels::Panels;
use slimgpt::gpu::cholesky::inverse_factor;
use slimgpt::gpu::eliminate::{self, Elimination};
use slimgpt::gpu::{Launched, attend, block_cholesky, gather, hessian, launched, products, reduce};

use crate::clock::{Bench, Work};

/// Columns of a head, for the grouped kernels.
const GROUP: usize = 128;

/// A device, a side, and the yardsticks measured on them.
struct On<'a> {
    bench: &'a Bench,
    device: &'a TensorDevice,
    n: usize,
    /// GFLOP/s of burn's matmul.
    matmul: f64,
    /// GB/s of a copy.
    copy: f64,
}

/// Every kernel at side `n`.
pub fn run(bench: &Bench, device: &Device, n: usize, tokens: usize) {
    let has_matrix_units = device.has_matrix_units();
    let device = device.tensor_device();
    let square = random(device, [n, n]);
    let matmul = bench.rate(Work::Flops(2.0 * (n as f64).powi(3)), || {
        done(device, square.clone().matmul(square.clone()));
    });
    let copy = bench.rate(Work::Bytes(8.0 * (n * n) as f64), || done(device, square.clone().add_scalar(1.0)));
    let on = On { bench, device, n, matmul, copy };
    println!("| *burn's matmul* | {n} | | {matmul:.2} GFLOP/s | | |");
    println!("| *copy* | {n} | | {copy:.2} GB/s | | |");
    on.accumulation(tokens);
    if has_matrix_units {
        on.halves(tokens);
    }
    on.factorisation();
    on.groups();
    on.reductions(&square);
    on.gathers(&square);
    on.elimination();
}

fn random<const D: usize>(device: &TensorDevice, shape: [usize; D]) -> Tensor<D> {
    Tensor::random(shape, Distribution::Normal(0.0, 1.0), device)
}

/// Waits until the work is done; the result is dropped unread.
fn done<T>(device: &TensorDevice, result: T) {
    device.sync().expect("the device finishes its work");
    drop(result);
}

impl On<'_> {
    /// Times and prints a row. The first result is read, because a kernel that was refused says so
    /// only there, and would otherwise be very fast.
    fn row<const D: usize>(
        &self,
        name: &str,
        size: &str,
        (work, yardstick): (Work, f64),
        mut operation: impl FnMut() -> Tensor<D>,
    ) {
        if self.bench.wants(name) {
            let largest = operation().abs().max().into_scalar::<f32>();
            assert!(largest.is_finite(), "{name} at {size} gives {largest}");
            self.bench.row(name, size, work, yardstick, || done(self.device, operation()));
        }
    }

    /// A symmetric positive definite matrix that is quick to make.
    fn positive(&self) -> Tensor<2> {
        let a = random(self.device, [self.n, self.n]);
        a.clone().matmul(a.transpose()) / self.n as f64 + Tensor::eye(self.n, self.device)
    }

    /// Products on matrix units: what a linear layer computes, a Hessian of split numbers, and attention.
    fn halves(&self, tokens: usize) {
        let n = self.n;
        let x = random(self.device, [tokens, n]);
        let weight = Panels::from(random(self.device, [n, n]));
        let flops = Work::Flops(2.0 * tokens as f64 * (n as f64).powi(2));
        let size = format!("{tokens} x {n}");
        self.row("halves: x Wᵀ", &size, (flops, self.matmul), || products::times_transposed(&x, &weight));
        let mut sum = Some(Panels::zeros([n, n], self.device));
        // What is asked for, whatever it takes: three products of halves for each.
        let flops = Work::Flops(tokens as f64 * (n as f64).powi(2));
        self.row("halves: H += XᵀX", &size, (flops, self.matmul), || {
            let done = products::accumulate(sum.take().expect("the sum of the run before"), &x);
            let corner = done.rows(0..1);
            sum = Some(done);
            corner
        });
        let heads = (n / GROUP).max(1);
        let qkv: [Tensor<4>; 3] = std::array::from_fn(|_| random(self.device, [1, heads, tokens, GROUP]));
        // Of the pairs that are seen, scores and values.
        let flops = Work::Flops(2.0 * (tokens as f64).powi(2) * (heads * GROUP) as f64);
        let size = format!("{heads} heads, {tokens}");
        self.row("halves: attention", &size, (flops, self.matmul), || attend::causal(qkv.each_ref(), 0.1));
    }

    fn accumulation(&self, tokens: usize) {
        let n = self.n;
        let x = random(self.device, [tokens, n]);
        let mut sum = Some(Panels::zeros([n, n], self.device));
        let flops = Work::Flops(tokens as f64 * n as f64 * (n as f64 + 1.0));
        self.row("hessian_accumulate", &format!("{tokens} × {n}"), (flops, self.matmul), || {
            let added = hessian::accumulate(sum.take().expect("put back below"), &x);
            sum.insert(added).clone().whole()
        });
        let lower: Tensor<2> = random(self.device, [n, n]);
        // Somebody holds the triangle, so that it is copied first.
        let bytes = Work::Bytes(12.0 * (n * n) as f64);
        self.row("mirror_lower", &n.to_string(), (bytes, self.copy), || {
            hessian::mirrored(lower.clone().into(), 0.1).whole()
        });
    }

    fn factorisation(&self) {
        if self.bench.wants("inverse from Cholesky") {
            let a = self.positive();
            let flops = Work::Flops((self.n as f64).powi(3));
            self.row("inverse from Cholesky", &self.n.to_string(), (flops, self.matmul), || {
                inverse_factor(a.clone().into()).inverse().whole()
            });
        }
    }

    fn groups(&self) {
        let count = self.n / GROUP;
        if count == 0 || !(self.bench.wants("cholesky_block") || self.bench.wants("triangular_solve")) {
            return;
        }
        let groups: Vec<Vec<usize>> = (0..count).map(|g| (g * GROUP..(g + 1) * GROUP).collect()).collect();
        let blocks = gather::diagonal_blocks(&self.positive().into(), &gather::index(&groups, self.device));
        let size = format!("{count} of {GROUP}");
        let cube = count as f64 * (GROUP as f64).powi(3);
        self.row("cholesky_block", &size, (Work::Flops(cube / 3.0), self.matmul), || {
            block_cholesky::factor(blocks.clone()).0
        });
        let (l, _) = block_cholesky::factor(blocks);
        let right = random(self.device, [count, GROUP, self.n]);
        let flops = Work::Flops(count as f64 * (GROUP * GROUP * self.n) as f64);
        self.row("triangular_solve", &format!("{size}, {} columns", self.n), (flops, self.matmul), || {
            block_cholesky::solve(&l, right.clone())
        });
        let norms = random(self.device, [self.n]);
        let index = gather::index(&groups, self.device);
        let bytes = Work::Bytes(8.0 * self.n as f64);
        self.row("pivot_scores", &size, (bytes, self.copy), || reduce::pivot_scores(&l, &norms, &index));
    }

    fn reductions(&self, square: &Tensor<2>) {
        let bytes = Work::Bytes(4.0 * (self.n * self.n) as f64);
        let size = self.n.to_string();
        self.row("column_norms", &size, (bytes, self.copy), || reduce::column_norms(square));
        let groups = square.clone().reshape([self.n / 8, 8, self.n]);
        self.row("sum_squares", &size, (bytes, self.copy), || reduce::sum_squares(&groups));
    }

    fn gathers(&self, square: &Tensor<2>) {
        let every_other = |from: usize| -> Vec<usize> { (from..self.n).step_by(2).collect() };
        let (rows, columns) = (every_other(0), every_other(1));
        let index = |of: &Vec<usize>| -> Tensor<2, Int> { gather::index(std::slice::from_ref(of), self.device) };
        let (rows, columns) = (index(&rows), index(&columns));
        let square = square.clone().into();
        let bytes = Work::Bytes(2.0 * (self.n * self.n) as f64);
        self.row("gather (half the rows and columns)", &self.n.to_string(), (bytes, self.copy), || {
            gather::gather(&square, &rows, &columns)
        });
    }

    /// remove_column, removed_columns and subtract_product, which are always launched together, and how often.
    fn elimination(&self) {
        if !self.bench.wants("one by one") {
            return;
        }
        let count = self.n / 8;
        let (w, h_inv) = (random(self.device, [self.n, self.n]), self.positive());
        let bytes = Work::Bytes(eliminate::counted(self.n, self.n, count).bytes as f64);
        self.row("channels one by one", &format!("{count} of {}", self.n), (bytes, self.copy), || {
            let alive = Tensor::ones([self.n], self.device);
            let mut state = Elimination { w: w.clone(), h_inv: h_inv.clone().into(), alive };
            eliminate::cheapest(&mut state, count);
            state.w
        });
        let before = launched();
        let mut state = Elimination { w, h_inv: h_inv.into(), alive: Tensor::ones([self.n], self.device) };
        eliminate::cheapest(&mut state, count);
        let Launched { launches, .. } = launched();
        println!("| *launches of {count} removals* | {} | | {} | | |", self.n, launches - before.launches);
    }
}
