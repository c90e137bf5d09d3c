//! Batched Cholesky and triangular solves. What is held to a bound is the residual, because that is
//! what rounding bounds entry by entry whatever the condition: |LLᵀ − A| ≤ γ |L||L|ᵀ and
//! |LX − B| ≤ γ |L||X| (Higham, Accuracy and Stability of Numerical Algorithms, §10.1 and §8.2).

use burn::tensor::{Tensor, TensorData};
use pollster::block_on;
use slimgpt::device::Device;
use slimgpt::gpu::block_cholesky::{BadPivot, bad_pivots, factor, solve};

use crate::support::rounding::{DIVISION, assert_within, gamma};
use crate::support::{doubles, random, software_gpu};

/// Blocks of so many rows, right-hand sides: around one workgroup of 64 columns, and the most rows.
const CASES: [(usize, usize, usize); 7] =
    [(1, 1, 1), (2, 2, 63), (3, 31, 64), (2, 64, 65), (1, 65, 130), (2, 255, 3), (1, 256, 2)];

fn batch(values: &[f32], shape: [usize; 3], device: &Device) -> Tensor<3> {
    Tensor::from_data(TensorData::new(values.to_vec(), shape), device.tensor_device())
}

/// Symmetric positive definite blocks whose diagonals span four decades.
fn positive(blocks: usize, n: usize) -> Vec<f32> {
    let noise = random(blocks * n * n, n as u64);
    let scale = |i: usize| 0.01f64.powf(i as f64 / n as f64);
    let entry = |b: usize, i: usize, j: usize| match i == j {
        true => 2.0 * scale(i).powi(2),
        false => f64::from(noise[(b * n + i.max(j)) * n + i.min(j)]) * scale(i) * scale(j) / n as f64,
    };
    (0..blocks * n * n).map(|k| entry(k / (n * n), k / n % n, k % n) as f32).collect()
}

/// Σ_k a_ik b_kj of square blocks and blocks of `columns`, and the sum of the magnitudes.
fn product(a: &[f64], b: &[f64], n: usize, columns: usize) -> (Vec<f64>, Vec<f64>) {
    let blocks = a.len() / (n * n);
    let term =
        |block: usize, i: usize, j: usize, k: usize| a[(block * n + i) * n + k] * b[(block * n + k) * columns + j];
    let sum = |of: &dyn Fn(f64) -> f64| -> Vec<f64> {
        let entry = |e: usize| (0..n).map(|k| of(term(e / (n * columns), e / columns % n, e % columns, k))).sum();
        (0..blocks * n * columns).map(entry).collect()
    };
    (sum(&|v| v), sum(&f64::abs))
}

fn transposed(a: &[f64], n: usize) -> Vec<f64> {
    (0..a.len()).map(|e| a[e / (n * n) * n * n + e % n * n + e / n % n]).collect()
}

#[test]
fn the_factor_times_its_transpose_is_the_block() {
    let device = software_gpu();
    for (blocks, n, _) in CASES {
        let a = positive(blocks, n);
        let (l, failures) = factor(batch(&a, [blocks, n, n], &device));
        assert!(block_on(bad_pivots(failures)).unwrap().iter().all(Option::is_none), "order {n}");
        let l = doubles(l);
        assert!((0..l.len()).all(|e| e % n <= e / n % n || l[e] == 0.0), "order {n}: not triangular");
        let (got, magnitude) = product(&l, &transposed(&l, n), n, n);
        let want: Vec<f64> = a.iter().map(|&v| v.into()).collect();
        let bound = |e: usize| gamma(n + 2 * DIVISION) * magnitude[e];
        assert_within(&got, &want, bound, &format!("{blocks} of order {n}"));
    }
}

#[test]
fn the_factor_times_the_solution_is_the_right_hand_side() {
    let device = software_gpu();
    for (blocks, n, columns) in CASES {
        let (l, _) = factor(batch(&positive(blocks, n), [blocks, n, n], &device));
        let b = random(blocks * n * columns, 9);
        let x = doubles(solve(&l, batch(&b, [blocks, n, columns], &device)));
        let (got, magnitude) = product(&doubles(l), &x, n, columns);
        let want: Vec<f64> = b.iter().map(|&v| v.into()).collect();
        let bound = |e: usize| gamma(n + DIVISION) * magnitude[e];
        assert_within(&got, &want, bound, &format!("{blocks} of order {n}, {columns} columns"));
    }
}

#[test]
fn each_block_tells_its_own_first_pivot_that_is_not_positive() {
    let device = software_gpu();
    let n = 5;
    let mut a = vec![0.0f32; 4 * n * n];
    (0..4 * n).for_each(|i| a[i * n + i % n] = 4.0);
    // Block 1 stops at once, block 3 at row 2, where 4 − 6²/4 is left.
    a[n * n] = -3.0;
    a[3 * n * n + 2 * n + 1] = 6.0;
    a[3 * n * n + n + 2] = 6.0;
    let (_, failures) = factor(batch(&a, [4, n, n], &device));
    let want = [None, Some(BadPivot { index: 0, value: -3.0 }), None, Some(BadPivot { index: 2, value: -5.0 })];
    assert_eq!(block_on(bad_pivots(failures)).unwrap(), want);
}
