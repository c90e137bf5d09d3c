//! Each of the steps by itself on the software adapter, given whatever inputs, at sizes around a workgroup and a tile.

use burn::tensor::{Device, TensorData};
use pollster::block_on;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::device::readback::doubles;
use crate::device::{Device as OpenDevice, DeviceChoice};
use rounding::{DIVISION, assert_within, gamma};

#[path = "../../../tests/support/rounding.rs"]
mod rounding;
mod whole;

/// Rows, columns, and removals since the last flush.
const CASES: [(usize, usize, usize); 6] =
    [(1, 1, 0), (3, 63, 1), (4, 64, 5), (5, 65, 31), (129, 257, 127), (700, 70, 2)];
/// The removal's number among all: not its number since the last flush.
const STEP: usize = 130;

/// What stands on the device before a step, in single precision.
struct Given {
    rows: usize,
    columns: usize,
    k: usize,
    w: Vec<f32>,
    h_inv: Vec<f32>,
    gram: Vec<f32>,
    pairs: Vec<f32>,
    diagonals: Vec<f32>,
    p: usize,
}

/// ‖W_:p‖² and [H⁻¹]_pp of the column that goes.
const NORM: f64 = 3.0;
const PIVOT: f64 = 2.25;
const ROOT: f64 = 1.5;

impl Given {
    fn new((rows, columns, k): (usize, usize, usize)) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64((rows * columns) as u64);
        let mut some = |n: usize| -> Vec<f32> { (0..n).map(|_| rng.random_range(-1.0f32..1.0)).collect() };
        let sizes = Sizes { rows, columns, height: columns, block: k + 1 };
        let [w, h_inv, gram] = [rows, columns, columns].map(|height| some(height * columns));
        let pairs = some(3 * sizes.block * sizes.width());
        let [norms, pivots] = [some(columns), some(columns)].map(|v| v.into_iter().map(|x| 3.0 + x));
        let p = columns / 2;
        // Every fifth column is gone already.
        let alive = (0..columns).map(|j| f32::from(j == p || j % 5 != 3));
        let diagonals = norms.chain(pivots).chain(alive).collect();
        Self { rows, columns, k, w, h_inv, gram, pairs, diagonals, p }
    }

    fn sizes(&self) -> Sizes {
        Sizes { rows: self.rows, columns: self.columns, height: self.columns, block: self.k + 1 }
    }

    /// Element `j` of pair `i`: of u, z or e as `kind` is 0, 1 or 2.
    fn pair(&self, kind: usize, i: usize, j: usize) -> f64 {
        self.pairs[(kind * (self.k + 1) + i) * self.sizes().width() + j].into()
    }

    fn is_there(&self, j: usize) -> bool {
        self.diagonals[2 * self.columns + j] != 0.0
    }
}

fn software() -> Device {
    let adapter = DeviceChoice::Named("llvmpipe".into());
    block_on(OpenDevice::open(&adapter)).expect("the software Vulkan driver").tensor_device().clone()
}

fn buffer(values: &[f32], device: &Device) -> Buffer {
    Buffer::write(Tensor::<1>::from_data(TensorData::new(values.to_vec(), [values.len()]), device))
}

fn read(buffer: Buffer) -> Vec<f64> {
    block_on(doubles::<1>(buffer.tensor())).expect("the device answers")
}

/// base − Σ terms, and the sum of the magnitudes.
fn less(base: f64, terms: impl Iterator<Item = f64>) -> (f64, f64) {
    terms.fold((base, base.abs()), |(value, size), term| (value - term, size + term.abs()))
}

/// The element of the lower triangle that stands for (i, j).
fn symmetric(a: &[f32], n: usize, i: usize, j: usize) -> f64 {
    a[i.max(j) * n + i.min(j)].into()
}

/// p, its score and root, and who is left, when one column of such norms and pivots goes.
fn picked(norms: &[f32], pivots: &[f32], alive: &[f32]) -> (usize, f64, f64, Vec<f64>) {
    let (device, n) = (software(), norms.len());
    let sizes = Sizes::new(1, n, n, 1);
    let inverse: Vec<f32> = (0..n * n).map(|i| if i.is_multiple_of(n + 1) { pivots[i / n] } else { 0.0 }).collect();
    let diagonals = [norms, &vec![0.0; n], alive].concat();
    let buffers = Buffers {
        w: buffer(&[0.0], &device),
        h_inv: vec![buffer(&inverse, &device)],
        gram: vec![buffer(&vec![0.0; n * n], &device)],
        height: n,
        pairs: buffer(&vec![0.0; 3 * sizes.width()], &device),
        diagonals: buffer(&diagonals, &device),
        cheapest: buffer(&vec![0.0; 2 * RANK * n.div_ceil(64)], &device),
        chosen: buffer(&[0.0; TOLD], &device),
    };
    for (each, last) in [(READS, TELLS), (FETCHES, GOES | TELLS)] {
        sizes.removal(0, 0, each, last).for_each(|step| buffers.launch(step));
    }
    let (chosen, diagonals) = (read(buffers.chosen), read(buffers.diagonals));
    (chosen[0] as usize, chosen[1], chosen[2], diagonals[2 * n..].to_vec())
}

#[test]
fn the_cheapest_column_still_there_is_picked_and_of_equals_the_lowest() {
    for n in [1, 5, 63, 64, 65, 257] {
        // Powers of two, so that scores and roots are exact; 3/4 comes often, 1/4 only where gone.
        let norms: Vec<f32> = (0..n).map(|j| [3.0, 12.0, 1.0, 48.0][j % 4]).collect();
        let pivots: Vec<f32> = (0..n).map(|j| [4.0, 16.0, 4.0, 4.0][j % 4]).collect();
        let alive: Vec<f32> = (0..n).map(|j| f32::from(j % 4 != 2 && (j != 0 || n < 3))).collect();
        let (p, cost, root, left) = picked(&norms, &pivots, &alive);
        let want = usize::from(n >= 3);
        assert_eq!((p, cost, root), (want, 0.75, [2.0, 4.0][want]), "{n} columns");
        let still = |j: usize| f64::from(alive[j]) * f64::from(u8::from(j != want));
        assert_eq!(left, (0..n).map(still).collect::<Vec<_>>(), "{n} columns");
    }
}

#[test]
fn a_pivot_that_is_not_positive_or_a_score_that_is_no_number_goes_before_all_others() {
    let (norms, pivots, alive) = (vec![1.0f32; 300], vec![4.0f32; 300], vec![1.0f32; 300]);
    for (at, pivot) in [(0, -2.0f32), (7, 0.0), (270, -0.5)] {
        let mut bad = pivots.clone();
        bad[at] = pivot;
        let (p, _, root, _) = picked(&norms, &bad, &alive);
        assert_eq!((p, root), (at, pivot.into()));
    }
    // Of several the lowest is told, whatever its score.
    let mut bad = pivots.clone();
    (bad[40], bad[241]) = (-4.0, -0.5);
    assert_eq!(picked(&norms, &bad, &alive).0, 40);
    let mut bad = pivots.clone();
    bad[299] = f32::NAN;
    let (p, _, root, _) = picked(&norms, &bad, &alive);
    assert!(p == 299 && root.is_nan(), "{p} {root}");
    let mut endless = norms.clone();
    endless[260] = f32::INFINITY;
    let (p, cost, root, _) = picked(&endless, &pivots, &alive);
    assert_eq!((p, cost, root), (260, f64::INFINITY, 2.0));
}

#[test]
fn a_removal_is_made_of_deferred_rows_and_moves_both_diagonals() {
    let device = software();
    for case in CASES {
        let given = Given::new(case);
        let (n, k, p, sizes) = (given.columns, given.k, given.p, given.sizes());
        let groups = n.div_ceil(64);
        // Only the last workgroup has anything to tell, in the half that this launch reads.
        let mut told = vec![-1.0; 2 * RANK * groups];
        told[RANK * ((k % 2 + 1) * groups - 1)..][..RANK].copy_from_slice(&[
            (NORM / PIVOT) as f32,
            p as f32,
            NORM as f32,
            PIVOT as f32,
        ]);
        let on = |values: &[f32]| buffer(values, &device);
        let buffers = Buffers {
            w: on(&given.w),
            h_inv: vec![on(&given.h_inv)],
            gram: vec![on(&given.gram)],
            height: n,
            pairs: on(&given.pairs),
            diagonals: on(&given.diagonals),
            cheapest: on(&told),
            chosen: on(&vec![0.0; TOLD * (STEP + 2)]),
        };
        sizes.removal(STEP, k, FETCHES, GOES | TELLS).for_each(|step| buffers.launch(step));
        let (pairs, diagonals) = (read(buffers.pairs), read(buffers.diagonals));
        let row = |kind: usize, i: usize| pairs[(kind * sizes.block + i) * sizes.width()..][..n].to_vec();
        let (u, z) = (row(0, k), row(1, k));
        let half = 0.5 * NORM / PIVOT;
        let moves = |j: usize| j != p && given.is_there(j);
        let of_h = |j: usize| {
            let terms = (0..k).map(|i| given.pair(0, i, j) * given.pair(0, i, p));
            less(symmetric(&given.h_inv, n, p, j), terms)
        };
        let of_gram = |j: usize| {
            let terms = (0..k)
                .flat_map(|i| [given.pair(1, i, j) * given.pair(0, i, p), given.pair(0, i, j) * given.pair(1, i, p)]);
            less(symmetric(&given.gram, n, p, j), terms)
        };
        let value = |j: usize, there: f64, own: f64| match (j == p, moves(j)) {
            (true, _) => own,
            (_, true) => there,
            _ => 0.0,
        };
        let want_u: Vec<f64> = (0..n).map(|j| value(j, of_h(j).0 / ROOT, ROOT)).collect();
        let off_u = |j: usize| if moves(j) { gamma(k + 2 + DIVISION) * of_h(j).1 / ROOT } else { 0.0 };
        assert_within(&u, &want_u, off_u, &format!("{case:?}: u"));
        let exact_z = |j: usize| of_gram(j).0 / ROOT - half * want_u[j];
        let size_z = |j: usize| (of_gram(j).1 + half * of_h(j).1) / ROOT;
        let want_z: Vec<f64> = (0..n).map(|j| value(j, exact_z(j), half * ROOT)).collect();
        let off_z =
            |j: usize| if given.is_there(j) { gamma(2 * k + 8 + 3 * DIVISION) * size_z(j).max(ROOT) } else { 0.0 };
        assert_within(&z, &want_z, off_z, &format!("{case:?}: z"));
        let before: Vec<f64> =
            (0..k).flat_map(|i| (0..n).map(move |j| (i, j))).map(|(i, j)| given.pair(1, i, j)).collect();
        assert_eq!((0..k).flat_map(|i| row(1, i)).collect::<Vec<_>>(), before, "{case:?}: earlier rows");
        // From the pairs as they were written, so that each is held to its own roundings.
        let left = |j: usize| {
            let (norm, pivot) = (f64::from(given.diagonals[j]), f64::from(given.diagonals[n + j]));
            let (norm, pivot) = (less(norm, [2.0 * u[j] * z[j]].into_iter()), less(pivot, [u[j] * u[j]].into_iter()));
            (norm, pivot)
        };
        let stays = |j: usize| !moves(j);
        let norms: Vec<f64> =
            (0..n).map(|j| if stays(j) { given.diagonals[j].into() } else { left(j).0.0.max(0.0) }).collect();
        assert_within(&diagonals[..n], &norms, |j| gamma(3) * left(j).0.1, &format!("{case:?}: norms"));
        let pivots: Vec<f64> =
            (0..n).map(|j| if stays(j) { given.diagonals[n + j].into() } else { left(j).1.0 }).collect();
        assert_within(&diagonals[n..2 * n], &pivots, |j| gamma(3) * left(j).1.1, &format!("{case:?}: pivots"));
        let alive: Vec<f64> = (0..n).map(|j| f64::from(u8::from(j != p && given.is_there(j)))).collect();
        assert_eq!(diagonals[2 * n..], alive, "{case:?}");
        let chosen = read(buffers.chosen);
        assert_eq!(chosen[TOLD * STEP], p as f64, "{case:?}");
        assert!((chosen[TOLD * STEP + 1] - NORM / PIVOT).abs() < 1e-6 && (chosen[TOLD * STEP + 2] - ROOT).abs() < 1e-6);
        assert!(chosen[..TOLD * STEP].iter().chain(&chosen[TOLD * (STEP + 1)..]).all(|&v| v == 0.0), "{case:?}");
    }
}

#[test]
fn the_columns_of_w_that_went_are_solved_for_in_their_order() {
    let device = software();
    for case in CASES {
        let mut given = Given::new(case);
        let (m, n, depth, sizes) = (given.rows, given.columns, given.k + 1, given.sizes());
        let first = 2;
        let order: Vec<usize> = (0..depth).map(|i| (i * 7 + 1) % n).collect();
        // Roots well away from zero, and small pairs: the solution stays of the size of W.
        given.pairs.iter_mut().for_each(|v| *v /= 8.0);
        for (i, &p) in order.iter().enumerate() {
            given.pairs[i * sizes.width() + p] = 1.5;
        }
        let mut told = vec![0.0; TOLD * (first + depth)];
        order.iter().enumerate().for_each(|(i, &p)| told[TOLD * (first + i)] = p as f32);
        let [w, pairs, chosen] = [&given.w, &given.pairs, &told].map(|v| buffer(v, &device));
        let params = RemovedColumns {
            rows: m as u32,
            columns: n as u32,
            width: sizes.width() as u32,
            block: sizes.block as u32,
            first: first as u32,
            depth: depth as u32,
        };
        launch_over([m, 1, 1], &[&w, &pairs, &chosen], params);
        let pairs = read(pairs);
        let e = |i: usize, row: usize| pairs[(2 * sizes.block + i) * sizes.width() + row];
        for (i, &p) in order.iter().enumerate() {
            let root = given.pair(0, i, p);
            // From the e of earlier columns as they were written.
            let exact = |row: usize| less(given.w[row * n + p].into(), (0..i).map(|l| e(l, row) * given.pair(0, l, p)));
            let want: Vec<f64> = (0..m).map(|row| exact(row).0 / root).collect();
            let got: Vec<f64> = (0..m).map(|row| e(i, row)).collect();
            let off = |row: usize| gamma(i + 1 + DIVISION) * exact(row).1 / root;
            assert_within(&got, &want, off, &format!("{case:?}: removal {i}"));
        }
    }
}

#[test]
fn products_are_subtracted_in_place_however_the_grid_is_cut() {
    let device = software();
    for (rows, columns, depth) in [(1, 1, 1), (3, 63, 2), (129, 257, 9), (300, 5, 128), (257, 260, 31)] {
        let given = Given::new((rows, columns, depth - 1));
        let sizes = given.sizes();
        let products: Vec<(Matrix, SubtractProduct)> = sizes
            .flush(0, depth as u32)
            .filter_map(|step| match step {
                Step::Subtract(from, _, params) => Some((from, params)),
                _ => None,
            })
            .collect();
        assert_eq!(products.len(), 3);
        for (from, params) in products {
            let (height, base, lower) = match from {
                Matrix::Inverse => (columns, &given.h_inv, true),
                Matrix::Gram => (columns, &given.gram, true),
                Matrix::Weight => (rows, &given.w, false),
            };
            let taken = |row: usize, column: usize| -> Vec<f64> {
                let of = |i: usize| match from {
                    Matrix::Inverse => vec![given.pair(0, i, row) * given.pair(0, i, column)],
                    Matrix::Gram => vec![
                        given.pair(1, i, row) * given.pair(0, i, column),
                        given.pair(0, i, row) * given.pair(1, i, column),
                    ],
                    Matrix::Weight => vec![given.pair(2, i, row) * given.pair(0, i, column)],
                };
                (0..depth).flat_map(of).collect()
            };
            let entry = |at: usize| {
                let (row, column) = (at / columns, at % columns);
                let terms = if lower && column > row { vec![] } else { taken(row, column) };
                less(base[at].into(), terms.into_iter())
            };
            let want: Vec<f64> = (0..height * columns).map(|at| entry(at).0).collect();
            let what = format!("{rows}x{columns}, {depth} removals");
            let whole = subtracted(&given, base, launches(params), params, &device);
            assert_within(&whole, &want, |at| gamma(2 * depth + 2) * entry(at).1, &what);
            // The same bits, a row of the grid at a time.
            let ([width, tall, _], _) = launches(params).next().unwrap();
            let cut = subtracted(&given, base, (0..tall).map(|row| ([width, 1, 1], row)), params, &device);
            assert_eq!(cut, whole, "{what}");
        }
    }
}

fn subtracted(
    given: &Given,
    base: &[f32],
    launches: impl Iterator<Item = ([usize; 3], usize)>,
    params: SubtractProduct,
    device: &Device,
) -> Vec<f64> {
    let (pairs, a) = (buffer(&given.pairs, device), buffer(base, device));
    for (groups, band) in launches {
        launch(groups, &[&pairs, &a], SubtractProduct { band: band as u32, ..params });
    }
    read(a)
}
