//! Gathers move elements and compute nothing: every element is the one it should be.

use slimgpt::gpu::gather::{columns, diagonal, diagonal_blocks, gather, index, rows};

use crate::support::{doubles, matrix, random, software_gpu};

/// Of a matrix of this height and width: rows, and columns, of so many blocks. Around one
/// workgroup of 64 columns.
const CASES: [(usize, usize, usize, usize, usize); 7] = [
    (1, 1, 1, 1, 1),
    (3, 5, 2, 4, 3),
    (7, 63, 5, 63, 2),
    (9, 64, 9, 64, 1),
    (66, 65, 33, 65, 3),
    (130, 129, 64, 128, 2),
    (2, 300, 1, 257, 5),
];

/// Numbers below `n` in no order, with repetitions; the last one and the first are among them.
fn some(n: usize, count: usize, seed: usize) -> Vec<usize> {
    (0..count).map(|i| (n - 1 + i * (7 + seed) + i * i) % n).collect()
}

#[test]
fn every_block_has_its_own_rows_and_columns() {
    let device = software_gpu();
    for (height, width, n_rows, n_columns, blocks) in CASES {
        let values = random(height * width, (height * width) as u64);
        let row_sets: Vec<_> = (0..blocks).map(|b| some(height, n_rows, b)).collect();
        let column_sets: Vec<_> = (0..blocks).map(|b| some(width, n_columns, b + 2)).collect();
        let on = device.tensor_device();
        let a = matrix(&values, [height, width], &device).into();
        let got = gather(&a, &index(&row_sets, on), &index(&column_sets, on));
        assert_eq!(got.dims(), [blocks, n_rows, n_columns]);
        let want: Vec<f64> = (0..blocks)
            .flat_map(|b| row_sets[b].iter().flat_map(move |&i| [(b, i)]))
            .flat_map(|(b, i)| column_sets[b].iter().map(move |&j| (i, j)))
            .map(|(i, j)| values[i * width + j].into())
            .collect();
        assert_eq!(doubles(got), want, "{height}x{width}, {blocks} of {n_rows}x{n_columns}");
    }
}

#[test]
fn rows_and_columns_come_in_the_order_they_are_asked_for() {
    let device = software_gpu();
    for (height, width, n_rows, n_columns, _) in CASES {
        let values = random(height * width, 5);
        let a = matrix(&values, [height, width], &device);
        let (i, j) = (some(height, n_rows, 1), some(width, n_columns, 3));
        let at = |i: usize, j: usize| f64::from(values[i * width + j]);
        let want: Vec<f64> = i.iter().flat_map(|&i| (0..width).map(move |j| (i, j))).map(|(i, j)| at(i, j)).collect();
        assert_eq!(doubles(rows(&a, &i)), want, "rows of {height}x{width}");
        let want: Vec<f64> = (0..height).flat_map(|i| j.iter().map(move |&j| (i, j))).map(|(i, j)| at(i, j)).collect();
        assert_eq!(doubles(columns(&a, &j)), want, "columns of {height}x{width}");
    }
}

#[test]
fn diagonals_and_diagonal_blocks_lie_on_the_diagonal() {
    let device = software_gpu();
    for n in [1, 2, 63, 64, 65, 130] {
        let values = random(n * n, n as u64);
        let a = matrix(&values, [n, n], &device).into();
        let want: Vec<f64> = (0..n).map(|i| values[i * (n + 1)].into()).collect();
        assert_eq!(doubles(diagonal(&a)), want, "order {n}");
        let sets = [some(n, n.min(3), 1), some(n, n.min(3), 4)];
        let got = doubles(diagonal_blocks(&a, &index(&sets, device.tensor_device())));
        let of = |g: &Vec<usize>| -> Vec<f64> {
            g.iter().flat_map(|&i| g.iter().map(move |&j| (i, j))).map(|(i, j)| values[i * n + j].into()).collect()
        };
        assert_eq!(got, sets.iter().flat_map(of).collect::<Vec<_>>(), "order {n}");
    }
}

#[test]
#[should_panic(expected = "gather: bindings 1 and 2 are the same buffer")]
fn a_buffer_that_is_bound_twice_is_noticed() {
    let device = software_gpu();
    let a = matrix(&random(16, 1), [4, 4], &device).into();
    let index = index(&[vec![0, 2]], device.tensor_device());
    gather(&a, &index, &index);
}
