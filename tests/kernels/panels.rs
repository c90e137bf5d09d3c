//! Kernels and products over a matrix in several blocks: bit for bit those over the same matrix in one.

use burn::tensor::Tensor;
use pollster::block_on;
use slimgpt::device::Device;
use slimgpt::device::panels::Panels;
use slimgpt::gpu::cholesky::inverse_factor;
use slimgpt::gpu::eliminate::{self, Elimination};
use slimgpt::gpu::{gather, hessian};

use crate::support::{activations, doubles, gpu_choice, matrix, random, software_gpu};

/// The software adapter, of which no more than a megabyte is bound at once.
fn narrow() -> Device {
    block_on(Device::open_binding(&gpu_choice(), 1 << 20)).expect("the software adapter")
}

fn floats(a: Panels) -> Vec<f32> {
    block_on(a.floats()).expect("the device answers")
}

/// Widths and rows of a block: two blocks, three, and a last one of a row.
const CUTS: [(usize, usize); 4] = [(200, 128), (391, 128), (257, 128), (300, 256)];

#[test]
fn a_sum_in_blocks_has_the_bits_of_a_sum_in_one() {
    let device = software_gpu();
    for (n, step) in CUTS {
        let zero = Tensor::zeros([n, n], device.tensor_device());
        let (mut whole, mut cut) = (Panels::from(zero.clone()), Panels::cut(zero, step));
        for tokens in [1, 9, 40] {
            let x = matrix(&activations(tokens, n, tokens as u64), [tokens, n], &device);
            (whole, cut) = (hessian::accumulate(whole, &x), hessian::accumulate(cut, &x));
        }
        assert!(cut.clone().into_blocks().len() > 1, "{n} by {step}");
        assert_eq!(floats(cut.clone()), floats(whole.clone()), "{n} by {step}");
        let [whole, cut] = [whole, cut].map(|sum| floats(hessian::mirrored(sum, 0.25)));
        assert_eq!(cut, whole, "{n} by {step}: mirrored");
        assert!((0..n * n).all(|k| cut[k] == cut[k % n * n + k / n]), "{n} by {step}: not symmetric");
    }
}

#[test]
fn a_triangle_in_blocks_has_the_gram_matrix_of_the_whole() {
    let device = software_gpu();
    // Blocks are of at least as many rows as are summed at once.
    let (n, step) = (700, 512);
    let mut j = random(n * n, 6);
    (0..n).for_each(|i| j[i * n + i + 1..(i + 1) * n].fill(0.0));
    let j = matrix(&j, [n, n], &device);
    let [whole, cut] = [Panels::from(j.clone()), Panels::cut(j, step)].map(|j| floats(hessian::gram_of_lower(&j)));
    assert!(cut == whole && whole[n * n - 1] != 0.0);
}

#[test]
fn what_is_gathered_from_blocks_is_what_the_whole_has() {
    let device = software_gpu();
    for (n, step) in CUTS {
        let a = matrix(&random(n * n, n as u64), [n, n], &device);
        let (whole, cut) = (Panels::from(a.clone()), Panels::cut(a, step));
        let what = format!("{n} by {step}");
        assert_eq!(doubles(gather::diagonal(&cut)), doubles(gather::diagonal(&whole)), "{what}");
        // From every block, in no order, more than a block has.
        let some: Vec<usize> = (0..n - 1).map(|i| (i * 89 + 5) % n).collect();
        for rows in [&some[..3], &some[..]] {
            assert_eq!(floats(gather::panel_rows(&cut, rows)), floats(gather::panel_rows(&whole, rows)), "{what}");
            let [got, want] = [&cut, &whole].map(|a| floats(gather::panel_columns(a, rows)));
            assert_eq!(got, want, "{what}");
        }
        let groups = [some[..60].to_vec(), some[60..120].to_vec()];
        let index = gather::index(&groups, device.tensor_device());
        let [got, want] = [&cut, &whole].map(|a| doubles(gather::diagonal_blocks(a, &index)));
        assert_eq!(got, want, "{what}");
    }
}

/// L of whole numbers with a unit diagonal and few entries below: L Lᵀ, L⁻¹ and their products are exact in any order.
/// With N = L − I, which has entries only in rows of the last third and columns of the first, N² = 0 and L⁻¹ = I − N.
fn exact(n: usize) -> (Vec<f32>, Vec<f32>) {
    let below = |i: usize, j: usize| if i >= n - n / 3 && j < n / 3 { ((i * 7 + j * 3) % 5) as f32 - 2.0 } else { 0.0 };
    let factor = |sign: f32| -> Vec<f32> {
        (0..n * n).map(|k| if k / n == k % n { 1.0 } else { sign * below(k / n, k % n) }).collect()
    };
    (factor(1.0), factor(-1.0))
}

/// A Bᵀ, or Aᵀ B.
fn product(a: &[f32], b: &[f32], n: usize, transposed: bool) -> Vec<f32> {
    let at = |m: &[f32], i: usize, k: usize| if transposed { m[k * n + i] } else { m[i * n + k] };
    let sum = |i: usize, j: usize| (0..n).map(|k| at(a, i, k) * at(b, j, k)).sum();
    (0..n * n).map(|k| sum(k / n, k % n)).collect()
}

#[test]
fn the_inverse_in_blocks_is_exact_where_the_numbers_are() {
    let device = software_gpu();
    for (n, step) in [(96, 96), (200, 128), (391, 128), (300, 256)] {
        let (l, j) = exact(n);
        let a = matrix(&product(&l, &l, n, false), [n, n], &device);
        let factor = inverse_factor(Panels::cut(a, step));
        assert_eq!(block_on(factor.bad_pivot()).unwrap(), None, "{n} by {step}");
        assert_eq!(floats(factor.j.clone()), j, "{n} by {step}");
        assert_eq!(floats(factor.inverse()), product(&j, &j, n, true), "{n} by {step}");
    }
}

#[test]
fn a_bad_pivot_is_told_by_its_row_in_the_whole() {
    let device = software_gpu();
    let n = 300;
    for bad in [3, 127, 128, 299] {
        let mut a = vec![0.0f32; n * n];
        (0..n).for_each(|i| a[i * n + i] = if i == bad { -2.0 } else { 4.0 });
        let factor = inverse_factor(Panels::cut(matrix(&a, [n, n], &device), 128));
        let told = block_on(factor.bad_pivot()).unwrap().expect("one is bad");
        assert_eq!((told.index, told.value), (bad, -2.0));
    }
}

#[test]
fn removals_from_blocks_are_those_from_the_whole() {
    let device = software_gpu();
    let (out, n, step, count) = (33, 300, 128, 70);
    let x = activations(2 * n, n, 9);
    let zero = Panels::zeros([n, n], device.tensor_device());
    let h = hessian::mirrored(hessian::accumulate(zero, &matrix(&x, [2 * n, n], &device)), 30.0);
    let h_inv = inverse_factor(h).inverse().whole();
    let removed = |h_inv: Panels| {
        let w = matrix(&random(out * n, 3), [out, n], &device);
        let mut state = Elimination { w, h_inv, alive: Tensor::ones([n], device.tensor_device()) };
        let removals = eliminate::cheapest(&mut state, count);
        let order = block_on(slimgpt::device::readback::indices(removals.order)).unwrap();
        (order, doubles(removals.costs), doubles(removals.roots), doubles(state.w), floats(state.h_inv))
    };
    let (whole, cut) = (removed(h_inv.clone().into()), removed(Panels::cut(h_inv, step)));
    // From every block.
    assert!((0..3).all(|block| whole.0.iter().any(|p| p / step == block)), "{:?}", whole.0);
    assert!(whole == cut, "{:?}", (&whole.0, &cut.0));
}

/// What no device binds is never made: the driver would refuse it.
#[test]
fn a_device_that_binds_a_megabyte_solves_what_is_larger() {
    let (usual, narrow) = (software_gpu(), narrow());
    assert_eq!(narrow.max_binding_bytes(), Some(1 << 20));
    // 1.9 MB in blocks of 256 rows.
    let n = 700;
    let (l, j) = exact(n);
    let a = product(&l, &l, n, false);
    let inverse = |device: &Device| {
        let a = Panels::upload(&a, [n, n], device.tensor_device());
        let blocks = a.clone().into_blocks().len();
        let factor = inverse_factor(a);
        assert_eq!(block_on(factor.bad_pivot()).unwrap(), None);
        (blocks, floats(factor.inverse()))
    };
    let ((one, whole), (three, cut)) = (inverse(&usual), inverse(&narrow));
    assert_eq!((one, three), (1, 3));
    assert!(cut == whole && cut == product(&j, &j, n, true));
}
