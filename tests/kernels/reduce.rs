//! Sums of squares, whose terms all have one sign: γₙ bounds the relative error of each.

use burn::tensor::{Tensor, TensorData};
use slimgpt::gpu::{gather, reduce};

use crate::support::rounding::{DIVISION, assert_within, gamma};
use crate::support::{doubles, matrix, random, software_gpu};

/// Values of very different size: the last are a millionth of the first.
fn spread(n: usize, seed: u64) -> Vec<f32> {
    random(n, seed).into_iter().enumerate().map(|(i, v)| v * 1e-6f32.powf(i as f32 / n as f32)).collect()
}

#[test]
fn column_norms_are_the_squared_lengths_of_columns() {
    let device = software_gpu();
    for (rows, columns) in [(1, 1), (3, 63), (4, 64), (5, 65), (129, 7), (1000, 130)] {
        let w = spread(rows * columns, 3);
        let square = |i: usize, j: usize| f64::from(w[i * columns + j]).powi(2);
        let want: Vec<f64> = (0..columns).map(|j| (0..rows).map(|i| square(i, j)).sum()).collect();
        let got = doubles(reduce::column_norms(&matrix(&w, [rows, columns], &device)));
        assert_within(&got, &want, |j| gamma(rows + 1) * want[j], &format!("{rows}x{columns}"));
    }
}

#[test]
fn sums_of_squares_are_the_squared_lengths_of_vectors() {
    let device = software_gpu();
    for (vectors, a, b) in [(1, 1, 1), (2, 3, 5), (3, 1, 255), (4, 16, 16), (5, 1, 257), (70, 13, 81)] {
        let v = spread(vectors * a * b, 8);
        let want: Vec<f64> = v.chunks(a * b).map(|v| v.iter().map(|&x| f64::from(x).powi(2)).sum()).collect();
        let tensor = Tensor::from_data(TensorData::new(v, [vectors, a, b]), device.tensor_device());
        let what = format!("{vectors} of {a}x{b}");
        assert_within(&doubles(reduce::sum_squares(&tensor)), &want, |i| gamma(a * b + 1) * want[i], &what);
    }
}

#[test]
fn pivot_scores_divide_the_norms_of_a_group_by_its_pivots() {
    let device = software_gpu();
    for (blocks, n) in [(1, 1), (3, 5), (63, 2), (64, 3), (65, 4), (130, 17)] {
        let l: Vec<f32> = random(blocks * n * n, 2).into_iter().map(|v| v + 2.0).collect();
        let norms: Vec<f32> = spread(blocks * n, 4).into_iter().map(f32::abs).collect();
        let groups: Vec<Vec<usize>> =
            (0..blocks).map(|b| (0..n).map(|k| (k * blocks + b) % (blocks * n)).collect()).collect();
        let term = |b: usize, k: usize| f64::from(norms[groups[b][k]]) / f64::from(l[(b * n + k) * n + k]).powi(2);
        let want: Vec<f64> = (0..blocks).map(|b| (0..n).map(|k| term(b, k)).sum()).collect();
        let on = device.tensor_device();
        let factors = Tensor::from_data(TensorData::new(l, [blocks, n, n]), on);
        let lengths = Tensor::from_data(TensorData::new(norms, [blocks * n]), on);
        let got = doubles(reduce::pivot_scores(&factors, &lengths, &gather::index(&groups, on)));
        assert_within(&got, &want, |b| gamma(n + 1 + DIVISION) * want[b], &format!("{blocks} of {n}"));
    }
}
