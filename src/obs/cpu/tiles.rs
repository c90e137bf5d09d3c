//! Copies that turn rows into columns. They halve the matrix down to squares that stay in the
//! cache, where copying column by column would fetch a line for every element.

use faer::{MatMut, MatRef};

use super::real::Real;

/// Side of a square that is copied at once: two of them fit the first cache.
const TILE: usize = 32;

/// Copies between matrices that may lie across each other.
pub(super) fn copy<T: Real>(mut to: MatMut<'_, T>, from: MatRef<'_, T>) {
    let (rows, columns) = (to.nrows(), to.ncols());
    // 2 · 32² elements of at most 8 bytes are 16 KiB.
    if rows.max(columns) <= TILE {
        to.copy_from(from);
    } else if rows >= columns {
        let (to, from) = (to.split_at_row_mut(rows / 2), from.split_at_row(rows / 2));
        copy(to.0, from.0);
        copy(to.1, from.1);
    } else {
        let (to, from) = (to.split_at_col_mut(columns / 2), from.split_at_col(columns / 2));
        copy(to.0, from.0);
        copy(to.1, from.1);
    }
}

/// Copies the lower triangle over the upper one.
pub(super) fn mirror<T: Real>(mut a: MatMut<'_, T>) {
    let n = a.nrows();
    if n <= TILE {
        for j in 0..n {
            for i in 0..j {
                a[(i, j)] = a[(j, i)];
            }
        }
        return;
    }
    let (first, upper, lower, second) = a.split_at_mut(n / 2, n / 2);
    copy(upper, lower.transpose());
    mirror(first);
    mirror(second);
}
