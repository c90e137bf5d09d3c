//! The kernels that sum up H and invert it, at the sizes where tiles, quads and launches end.

use pollster::block_on;
use slimgpt::device::panels::Panels;
use slimgpt::gpu::cholesky::inverse_factor;
use slimgpt::gpu::hessian;

use crate::support::rounding::{DIVISION, assert_within, gamma};
use crate::support::{activations, doubles, matrix, random, software_gpu};

/// Around one element, a quad, half a tile, a tile and several.
const FEATURES: [usize; 12] = [1, 3, 4, 5, 63, 64, 127, 128, 129, 256, 257, 391];

fn magnitudes(x: &[f32]) -> Vec<f32> {
    x.iter().map(|v| v.abs()).collect()
}

/// The lower triangle of `a` `(n, n)`, zeros above.
fn lower(mut a: Vec<f64>, n: usize) -> Vec<f64> {
    (0..n).for_each(|i| a[i * n + i + 1..(i + 1) * n].fill(0.0));
    a
}

/// The lower triangle of XᵀX.
fn gram(x: &[f32], tokens: usize, n: usize) -> Vec<f64> {
    let mut sum = vec![0.0; n * n];
    for t in 0..tokens {
        let row = &x[t * n..][..n];
        for i in 0..n {
            for j in 0..=i {
                sum[i * n + j] += f64::from(row[i]) * f64::from(row[j]);
            }
        }
    }
    sum
}

#[test]
fn the_sum_is_xtx_at_every_awkward_size() {
    let device = software_gpu();
    for n in FEATURES {
        let mut sum = Panels::zeros([n, n], device.tensor_device());
        let (mut want, mut magnitude) = (vec![0.0; n * n], vec![0.0; n * n]);
        let batches = [1, 7, 8, 9, 40];
        for tokens in batches {
            let x = activations(tokens, n, (n + tokens) as u64);
            sum = hessian::accumulate(sum, &matrix(&x, [tokens, n], &device));
            want.iter_mut().zip(gram(&x, tokens, n)).for_each(|(a, b)| *a += b);
            magnitude.iter_mut().zip(gram(&magnitudes(&x), tokens, n)).for_each(|(a, b)| *a += b);
        }
        // A product, an addition for each token of its batch, and one for each batch.
        let roundings = 1 + batches[4] + batches.len();
        let bound = |i: usize| gamma(roundings) * magnitude[i];
        assert_within(&lower(doubles(sum.whole()), n), &want, bound, &format!("{n} features"));
    }
}

#[test]
fn tokens_beyond_one_launch_are_all_counted() {
    let device = software_gpu();
    let (tokens, n) = (2 * 4096 + 3, 5);
    let x = vec![0.5; tokens * n];
    let zero = Panels::zeros([n, n], device.tensor_device());
    let sum = lower(doubles(hessian::accumulate(zero, &matrix(&x, [tokens, n], &device)).whole()), n);
    assert_eq!(sum, lower(vec![0.25 * tokens as f64; n * n], n));
}

#[test]
fn a_lower_triangle_gives_its_gram_matrix() {
    let device = software_gpu();
    for n in FEATURES {
        let j: Vec<f32> = lower(random(n * n, n as u64).into_iter().map(f64::from).collect(), n)
            .into_iter()
            .map(|v| v as f32)
            .collect();
        let got = lower(doubles(hessian::gram_of_lower(&matrix(&j, [n, n], &device).into()).whole()), n);
        let magnitude = gram(&magnitudes(&j), n, n);
        assert_within(&got, &gram(&j, n, n), |i| gamma(n + 1) * magnitude[i], &format!("order {n}"));
    }
}

/// J = I + a shift below the diagonal: JᵀJ is 2 on the diagonal (1 at its end), 1 beside it.
#[test]
fn a_triangle_of_more_rows_than_a_launch_takes_is_summed_from_the_right_row_on() {
    let device = software_gpu();
    let n = 4096 + 130;
    let mut j = vec![0.0f32; n * n];
    (0..n).for_each(|i| j[i * n + i] = 1.0);
    (1..n).for_each(|i| j[i * n + i - 1] = 1.0);
    let got = doubles(hessian::gram_of_lower(&matrix(&j, [n, n], &device).into()).whole());
    for i in 0..n {
        assert_eq!(got[i * n + i], if i + 1 < n { 2.0 } else { 1.0 }, "element ({i}, {i})");
        assert!(i == 0 || got[i * n + i - 1] == 1.0, "element ({i}, {})", i - 1);
    }
    let total: f64 = (0..n).map(|i| got[i * n..=i * n + i].iter().sum::<f64>()).sum();
    assert_eq!(total, (2 * n - 1 + n - 1) as f64);
}

#[test]
fn a_triangle_is_mirrored_and_damped_and_a_dead_input_gets_a_one() {
    let device = software_gpu();
    for n in [1, 15, 16, 17, 33, 129] {
        let mut values = random(n * n, n as u64);
        values[(n / 2) * (n + 1)] = 0.0;
        for damping in [0.0f32, 0.25] {
            let at = |i: usize, j: usize| match (i == j, values[i.max(j) * n + i.min(j)]) {
                (true, diagonal) if diagonal + damping == 0.0 => 1.0,
                (true, diagonal) => diagonal + damping,
                (false, value) => value,
            };
            let want: Vec<f64> = (0..n * n).map(|k| at(k / n, k % n).into()).collect();
            assert_eq!(
                doubles(hessian::mirrored(matrix(&values, [n, n], &device).into(), damping).whole()),
                want,
                "order {n}"
            );
        }
    }
}

/// |XA − I| ≤ γ |X| d dᵀ: with A = LLᵀ and d_i² = a_ii, no element of |L||L|ᵀ is above that of d dᵀ.
/// Factor, inverse of the factor and their product round an element n times each.
#[test]
fn the_inverse_times_the_matrix_is_the_identity() {
    let device = software_gpu();
    for n in [1, 2, 63, 64, 65, 128, 129, 200, 257] {
        let x = activations(2 * n, n, n as u64);
        let half = gram(&x, 2 * n, n);
        let at = |i: usize, j: usize| half[i.max(j) * n + i.min(j)] + if i == j { n as f64 } else { 0.0 };
        let singles: Vec<f32> = (0..n * n).map(|k| at(k / n, k % n) as f32).collect();
        let a: Vec<f64> = singles.iter().map(|&v| v.into()).collect();
        let factor = inverse_factor(matrix(&singles, [n, n], &device).into());
        assert_eq!(block_on(factor.bad_pivot()).unwrap(), None);
        let inverse = doubles(factor.inverse().whole());
        let product = |i: usize, j: usize| -> f64 { (0..n).map(|k| inverse[i * n + k] * a[k * n + j]).sum() };
        let got: Vec<f64> = (0..n * n).map(|k| product(k / n, k % n)).collect();
        let identity: Vec<f64> = (0..n * n).map(|k| f64::from(u8::from(k / n == k % n))).collect();
        let root = |i: usize| a[i * n + i].sqrt();
        let scale = |i: usize| -> f64 { (0..n).map(|k| inverse[i * n + k].abs() * root(k)).sum() };
        let rows: Vec<f64> = (0..n).map(scale).collect();
        let bound = |k: usize| gamma(3 * n + 4 * DIVISION) * rows[k / n] * root(k % n);
        assert_within(&got, &identity, bound, &format!("order {n}"));
        assert!((0..n * n).all(|k| inverse[k] == inverse[k % n * n + k / n]), "order {n}: not symmetric");
    }
}
