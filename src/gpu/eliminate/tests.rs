//! Each of the five steps by itself on the software adapter, given whatever inputs, at sizes
//! around a workgroup.

use burn::tensor::TensorData;
use pollster::block_on;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::device::readback::{doubles, indices};
use crate::device::{Device as OpenDevice, DeviceChoice};
use rounding::{DIVISION, assert_within, gamma};

#[path = "../../../tests/support/rounding.rs"]
mod rounding;

/// Rows, columns, and removals since the last flush.
const CASES: [(usize, usize, usize); 6] = [(1, 1, 0), (3, 63, 1), (4, 64, 5), (5, 65, 31), (129, 257, 7), (700, 70, 2)];
/// The removal's number among all: not its number since the last flush.
const STEP: usize = 3;

/// What stands on the device before a step, in single precision.
struct Given {
    rows: usize,
    columns: usize,
    k: usize,
    w: Vec<f32>,
    h_inv: Vec<f32>,
    e: Vec<f32>,
    u: Vec<f32>,
    g: Vec<f32>,
    norms: Vec<f32>,
    pivots: Vec<f32>,
    alive: Vec<f32>,
    p: usize,
    root: f32,
}

impl Given {
    fn new((rows, columns, k): (usize, usize, usize)) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64((rows * columns) as u64);
        let mut some = |n: usize| -> Vec<f32> { (0..n).map(|_| rng.random_range(-1.0f32..1.0)).collect() };
        let [w, h_inv] = [some(rows * columns), some(columns * columns)];
        let [e, u, g] = [some((k + 1) * rows), some((k + 1) * columns), some(k + 1)];
        let [norms, pivots] = [some(columns), some(columns)].map(|v| v.into_iter().map(|x| 3.0 + x).collect());
        let p = columns / 2;
        // Every fifth column is gone already, and so is p: step 1 marks it before the others run.
        let alive = (0..columns).map(|j| f32::from(j != p && j % 5 != 3)).collect();
        Self { rows, columns, k, w, h_inv, e, u, g, norms, pivots, alive, p, root: 1.7 }
    }

    /// e, u and g are read at a row and the removal's number.
    fn e(&self, i: usize, row: usize) -> f64 {
        self.e[i * self.rows + row].into()
    }

    fn u(&self, i: usize, column: usize) -> f64 {
        self.u[i * self.columns + column].into()
    }

    fn w(&self, row: usize, column: usize) -> f64 {
        self.w[row * self.columns + column].into()
    }

    /// `order` and `roots` with this removal's column and root at its place.
    fn order_and_roots(&self, device: &Device) -> (Buffer, Buffer) {
        let (mut order, mut roots) = ([0; STEP + 2], [0.0; STEP + 2]);
        (order[STEP], roots[STEP]) = (self.p as i32, self.root);
        let order = Tensor::<1, Int>::from_data(TensorData::new(order.to_vec(), [STEP + 2]), device);
        (Buffer::write_index(order), buffer(&roots, device))
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

/// p, its cost and root, and who is left.
fn picked(norms: &[f32], pivots: &[f32], alive: &[f32]) -> (usize, f64, f64, Vec<f64>) {
    let device = software();
    let order = Buffer::write_index(Tensor::<1, Int>::zeros([STEP + 2], &device));
    let [costs, roots] = [0, 1].map(|_| buffer(&[0.0; STEP + 2], &device));
    let [norms_on, pivots_on, alive] = [norms, pivots, alive].map(|v| buffer(v, &device));
    let params = PickColumn { columns: norms.len() as u32, step: STEP as u32 };
    launch([1, 1, 1], &[&norms_on, &pivots_on, &alive, &order, &costs, &roots], params);
    let p = block_on(indices(order.index())).unwrap()[STEP];
    (p, read(costs)[STEP], read(roots)[STEP], read(alive))
}

#[test]
fn the_cheapest_column_still_there_is_picked_and_of_equals_the_lowest() {
    for n in [1, 5, 255, 256, 257, 1000] {
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
    (bad[40], bad[41]) = (-4.0, -0.5);
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
fn the_pivot_row_is_taken_from_the_deferred_inverse() {
    let device = software();
    for case in CASES {
        let given = Given::new(case);
        let (n, k, p) = (given.columns, given.k, given.p);
        let [h, u, pivots, alive] = [&given.h_inv, &given.u, &given.pivots, &given.alive].map(|v| buffer(v, &device));
        let (order, roots) = given.order_and_roots(&device);
        let params = PivotRow { columns: n as u32, step: STEP as u32, depth: k as u32, first: 0, height: n as u32 };
        launch_over([n, 1, 1], &[&h, &u, &pivots, &alive, &order, &roots], params);
        let (u, pivots, root) = (read(u), read(pivots), f64::from(given.root));
        let entry = |j: usize| less(given.h_inv[p * n + j].into(), (0..k).map(|i| given.u(i, j) * given.u(i, p)));
        let moves = |j: usize| j != p && given.alive[j] != 0.0;
        let want: Vec<f64> = (0..n)
            .map(|j| {
                if j == p {
                    root
                } else if moves(j) {
                    entry(j).0 / root
                } else {
                    0.0
                }
            })
            .collect();
        let bound = |j: usize| if moves(j) { gamma(k + 1 + DIVISION) * entry(j).1 / root } else { 0.0 };
        assert_within(&u[k * n..], &want, bound, &format!("{case:?}"));
        let before: Vec<f64> = given.u[..k * n].iter().map(|&v| v.into()).collect();
        assert_eq!(u[..k * n], before, "{case:?}: earlier rows");
        let terms = |j: usize| less(given.pivots[j].into(), [u[k * n + j].powi(2)].into_iter());
        let left: Vec<f64> = (0..n).map(|j| if moves(j) { terms(j).0 } else { given.pivots[j].into() }).collect();
        let bound = |j: usize| if moves(j) { gamma(2) * terms(j).1 } else { 0.0 };
        assert_within(&pivots, &left, bound, &format!("{case:?}: pivots"));
    }
}

#[test]
fn the_pivot_column_is_taken_from_the_deferred_weights() {
    let device = software();
    for case in CASES {
        let given = Given::new(case);
        let (m, n, k, p) = (given.rows, given.columns, given.k, given.p);
        let [w, e, u] = [&given.w, &given.e, &given.u].map(|v| buffer(v, &device));
        let (order, roots) = given.order_and_roots(&device);
        let params = PivotColumn { rows: m as u32, columns: n as u32, step: STEP as u32, depth: k as u32 };
        launch_over([m, 1, 1], &[&w, &e, &u, &order, &roots], params);
        let (e, root) = (read(e), f64::from(given.root));
        let entry = |row: usize| less(given.w(row, p), (0..k).map(|i| given.e(i, row) * given.u(i, p)));
        let want: Vec<f64> = (0..m).map(|row| entry(row).0 / root).collect();
        let bound = |row: usize| gamma(k + 1 + DIVISION) * entry(row).1 / root;
        assert_within(&e[k * m..], &want, bound, &format!("{case:?}"));
        let before: Vec<f64> = given.e[..k * m].iter().map(|&v| v.into()).collect();
        assert_eq!(e[..k * m], before, "{case:?}: earlier columns");
    }
}

#[test]
fn the_gram_products_are_those_of_the_newest_column() {
    let device = software();
    for case in CASES {
        let given = Given::new(case);
        let (m, k) = (given.rows, given.k);
        let [e, g] = [&given.e, &given.g].map(|v| buffer(v, &device));
        launch([k + 1, 1, 1], &[&e, &g], BasisGram { rows: m as u32, depth: k as u32 });
        let terms =
            |i: usize| less(0.0, (0..m).map(move |row| (i, row)).map(|(i, row)| -given.e(i, row) * given.e(k, row)));
        let want: Vec<f64> = (0..=k).map(|i| terms(i).0).collect();
        assert_within(&read(g), &want, |i| gamma(m + 1) * terms(i).1, &format!("{case:?}"));
    }
}

#[test]
fn the_norms_are_those_of_the_weights_after_the_removal() {
    let device = software();
    for case in CASES {
        let mut given = Given::new(case);
        // One norm that is all compensation, which rounding must not make negative.
        given.norms[given.p] = 0.0;
        let (m, n, k) = (given.rows, given.columns, given.k);
        let [w, e, u, g] = [&given.w, &given.e, &given.u, &given.g].map(|v| buffer(v, &device));
        let norms = buffer(&given.norms, &device);
        let params = UpdateNorms { rows: m as u32, columns: n as u32, depth: k as u32 };
        launch_over([n, 1, 1], &[&w, &e, &u, &g, &norms], params);
        let terms = |j: usize| {
            let u_j = given.u(k, j);
            let along_w = (0..m).map(|row| 2.0 * u_j * given.w(row, j) * given.e(k, row));
            let along_u = (0..k).map(|i| -2.0 * u_j * given.u(i, j) * f64::from(given.g[i]));
            less(given.norms[j].into(), along_w.chain(along_u).chain([-u_j * u_j * f64::from(given.g[k])]))
        };
        let want: Vec<f64> = (0..n).map(|j| terms(j).0.max(0.0)).collect();
        assert_within(&read(norms), &want, |j| gamma(m + k + 8) * terms(j).1, &format!("{case:?}"));
    }
}
