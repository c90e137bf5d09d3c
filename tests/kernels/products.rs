//! Products on matrix units: their tiles on the software adapter, with the units' squares spelled out, and what the units
//! themselves compute on a card.

use half::f16;
use slimgpt::device::panels::Panels;
use slimgpt::gpu::products;

use crate::support::rounding::{UNIT, assert_within};
use crate::support::{activations, doubles, matrix, random, software_gpu};
use crate::units::Bound::{Halves, Singles};
use crate::units::{Bound, run, spelled_out};

/// What is multiplied: numbers in half precision and the factors of their rows.
struct Factor {
    /// `(parts, rows, inner)`
    halves: Vec<f16>,
    scales: Vec<f32>,
    rows: usize,
}

impl Factor {
    fn random(parts: usize, rows: usize, inner: usize, seed: u64) -> Self {
        let halves = random(parts * rows * inner, seed).into_iter().map(f16::from_f32).collect();
        let scales = (0..rows).map(|row| 2f32.powi(row as i32 % 5 - 2)).collect();
        Self { halves, scales, rows }
    }

    fn at(&self, part: usize, row: usize, inner: usize) -> impl Iterator<Item = f64> {
        self.halves[(part * self.rows + row) * inner..][..inner].iter().map(|half| half.to_f64())
    }
}

/// A launch of the kernel: sizes, and what is bound of the result.
#[derive(Clone, Copy)]
struct Launch {
    inner: usize,
    parts: usize,
    band: usize,
    origin: usize,
    height: usize,
    gram: bool,
}

/// What the kernel makes of `c`.
fn made(a: &Factor, b: &Factor, c: &[f32], launch: Launch) -> Vec<f64> {
    let Launch { inner, parts, band, origin, height, gram } = launch;
    let params = [a.rows, b.rows, inner, parts, band, origin, height, usize::from(gram)].map(|n| n as u32);
    let [words, scales] = [[a, b].map(|f| Halves(&f.halves)), [a, b].map(|f| Singles(&f.scales))];
    let bound: Vec<Bound> = words.into_iter().chain(scales).chain([Singles(c)]).collect();
    let groups = [b.rows.div_ceil(128), height.div_ceil(128) - band, 1];
    run(spelled_out("multiply_half", 1), &bound, &params, groups)
}

/// Σ over the products of parts that the kernel takes, for a row of A and one of B, and the sum of their magnitudes.
fn dot(a: &Factor, b: &Factor, [i, j]: [usize; 2], launch: Launch) -> [f64; 2] {
    let pairs: &[[usize; 2]] = if launch.parts == 3 { &[[0, 0], [0, 1], [1, 0]] } else { &[[0, 0]] };
    let scale = f64::from(a.scales[i]) * f64::from(b.scales[j]);
    let terms = pairs.iter().flat_map(|&[p, q]| a.at(p, i, launch.inner).zip(b.at(q, j, launch.inner)));
    terms.fold([0.0; 2], |[sum, size], (x, y)| [sum + x * y * scale, size + (x * y * scale).abs()])
}

fn check(a: &Factor, b: &Factor, launch: Launch) {
    let there: Vec<f32> = random(launch.height * b.rows, 3);
    let got = made(a, b, &there, launch);
    let first = launch.origin + launch.band * 128;
    let of = |at: usize| {
        let [i, j] = [launch.origin + at / b.rows, at % b.rows];
        let before = f64::from(there[at]);
        let is_made = i >= first && (!launch.gram || j <= i);
        match (is_made, launch.gram) {
            (false, _) => [before, 0.0],
            (true, true) => {
                let [sum, size] = dot(a, b, [i, j], launch);
                [before + sum, size + before.abs()]
            }
            (true, false) => dot(a, b, [i, j], launch),
        }
    };
    let want: Vec<[f64; 2]> = (0..there.len()).map(of).collect();
    let bound = |at: usize| (launch.inner * launch.parts + 2) as f64 * UNIT * 1.01 * want[at][1];
    let sums: Vec<f64> = want.iter().map(|[sum, _]| *sum).collect();
    let Launch { inner, parts, band, origin, height, .. } = launch;
    let what = format!("{}x{}x{inner}, {parts} parts, {band}, {origin}+{height}", a.rows, b.rows);
    assert_within(&got, &sums, bound, &what);
}

#[test]
fn the_tiles_of_a_product_are_all_of_it() {
    for (rows, columns, inner) in [(1, 1, 32), (130, 200, 96), (128, 128, 64), (257, 17, 32), (16, 129, 160)] {
        let (a, b) = (Factor::random(1, rows, inner, 1), Factor::random(1, columns, inner, 2));
        let whole = Launch { inner, parts: 1, band: 0, origin: 0, height: rows, gram: false };
        check(&a, &b, whole);
    }
}

#[test]
fn a_gram_matrix_is_added_on_and_below_the_diagonal() {
    let (features, inner) = (300, 64);
    let x = Factor::random(2, features, inner, 5);
    let whole = Launch { inner, parts: 3, band: 0, origin: 0, height: features, gram: true };
    check(&x, &x, whole);
    // The last rows of a launch, and a block of rows of a matrix that the device does not bind whole.
    check(&x, &x, Launch { band: 1, ..whole });
    check(&x, &x, Launch { origin: 128, height: 128, ..whole });
}

/// Where there are matrix units: `SLIMGPT_TEST_GPU=NAME cargo test --test kernels -- --ignored matrix_units`.
#[test]
#[ignore = "needs a card with matrix units"]
fn matrix_units_multiply_and_sum() {
    let device = software_gpu();
    assert!(device.has_matrix_units(), "{} has none that our kernels use", device.name());
    for (n, rows, width) in [(1, 1, 1), (100, 130, 77), (300, 200, 4096)] {
        let (x, w) = (random(n * width, 1), random(rows * width, 2));
        let weight = Panels::from(matrix(&w, [rows, width], &device));
        let got = doubles(products::times_transposed(&matrix(&x, [n, width], &device), &weight));
        let (mut want, mut size) = (vec![0.0; n * rows], vec![0.0; n * rows]);
        for i in 0..n {
            for j in 0..rows {
                for k in 0..width {
                    let term = f64::from(x[i * width + k]) * f64::from(w[j * width + k]);
                    want[i * rows + j] += term;
                    size[i * rows + j] += term.abs();
                }
            }
        }
        // Two roundings to eleven bits, and a sum in single precision.
        let bound = |at: usize| size[at] * (2.0 * 2f64.powi(-11) + width as f64 * 2.0 * UNIT);
        assert_within(&got, &want, bound, &format!("{n}x{rows}x{width}"));
    }
    gram_is_as_good_as_in_single_precision(&device);
}

/// On numbers of very different magnitudes, as activations are.
fn gram_is_as_good_as_in_single_precision(device: &slimgpt::device::Device) {
    let (tokens, features) = (3000, 260);
    let x = activations(tokens, features, 7);
    let on = matrix(&x, [tokens, features], device);
    let zeros = || Panels::zeros([features; 2], device.tensor_device());
    let halves = doubles(products::accumulate(zeros(), &on).whole());
    let singles = doubles(slimgpt::gpu::hessian::accumulate(zeros(), &on).whole());
    let error = |got: &[f64]| {
        let mut worst = 0f64;
        for i in 0..features {
            for j in 0..=i {
                let terms = || (0..tokens).map(|t| [f64::from(x[t * features + i]), f64::from(x[t * features + j])]);
                let want: f64 = terms().map(|[a, b]| a * b).sum();
                let sizes = [0, 1].map(|side| terms().map(|pair| pair[side] * pair[side]).sum::<f64>().sqrt());
                worst = worst.max((got[i * features + j] - want).abs() / (sizes[0] * sizes[1]).max(f64::MIN_POSITIVE));
            }
        }
        worst
    };
    let (halves, singles) = (error(&halves), error(&singles));
    assert!(halves <= 4.0 * singles, "off by {halves:e} of the diagonal; in single precision by {singles:e}");
}
