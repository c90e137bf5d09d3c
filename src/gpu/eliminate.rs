//! Removing columns one at a time, cheapest first, without moving the whole inverse for each.
//!
//! A removal changes W by −e uᵀ and H⁻¹ by −u uᵀ (u = [H⁻¹]_p: / √[H⁻¹]_pp, e = W_:p / √[H⁻¹]_pp).
//! Up to [`BLOCK`] such pairs are kept aside: picking the next column needs only the diagonal of
//! H⁻¹ and the lengths of W's columns, which are kept up to date, and one row and one column that
//! are corrected on the fly. A flush then applies the whole block with two matrix products.

use burn::tensor::{Device, Int, Tensor};

use super::kernel::{self, BASIS_GRAM, Buffer, PICK_COLUMN, PIVOT_COLUMN, PIVOT_ROW, UPDATE_NORMS};
use super::{gather, reduce};

/// Removals between two flushes.
const BLOCK: usize = 32;

/// W and H⁻¹ while columns go, with which are still there.
pub struct Elimination {
    /// W `(rows, columns)`.
    pub w: Tensor<2>,
    /// H⁻¹ `(columns, columns)`.
    pub h_inv: Tensor<2>,
    /// 1 for a column that is there, 0 for one that is gone `(columns)`.
    pub alive: Tensor<1>,
}

/// The columns removed, in order, and what each cost: ‖W_:p‖² / [H⁻¹]_pp at its time.
pub struct Removals {
    /// `(count)`.
    pub order: Tensor<1, Int>,
    /// `(count)`.
    pub costs: Tensor<1>,
}

/// The buffers of one call.
struct Steps {
    order: Buffer,
    costs: Buffer,
    roots: Buffer,
    alive: Buffer,
}

/// Removes the `count` columns that are cheapest at their time. Nothing is read back.
pub fn cheapest(state: Elimination, count: usize) -> (Elimination, Removals) {
    let device = state.w.device();
    let steps = Steps {
        order: Buffer::write_index(Tensor::<1, Int>::zeros([count], &device)),
        costs: Buffer::write(Tensor::<1>::zeros([count], &device)),
        roots: Buffer::write(Tensor::<1>::zeros([count], &device)),
        alive: Buffer::write(state.alive),
    };
    let (mut w, mut h_inv) = (state.w, state.h_inv);
    for start in (0..count).step_by(BLOCK) {
        (w, h_inv) = block(w, h_inv, &steps, start, BLOCK.min(count - start), &device);
    }
    let alive = steps.alive.tensor();
    (Elimination { w, h_inv, alive }, Removals { order: steps.order.index(), costs: steps.costs.tensor() })
}

fn block(
    w: Tensor<2>,
    h_inv: Tensor<2>,
    steps: &Steps,
    start: usize,
    size: usize,
    device: &Device,
) -> (Tensor<2>, Tensor<2>) {
    let [rows, columns] = w.dims();
    let norms = Buffer::write(reduce::column_norms(&w));
    let pivots = Buffer::write(gather::diagonal(&h_inv));
    let e = Buffer::write(Tensor::<2>::zeros([size, rows], device));
    let u = Buffer::write(Tensor::<2>::zeros([size, columns], device));
    let g = Buffer::write(Tensor::<1>::zeros([size], device));
    let (w_base, h_base) = (Buffer::read(&w), Buffer::read(&h_inv));
    let (m, n) = (rows as u32, columns as u32);
    for depth in 0..size {
        let (k, step) = (depth as u32, (start + depth) as u32);
        let Steps { order, costs, roots, alive } = steps;
        kernel::launch(&PICK_COLUMN, [1, 1, 1], &[&norms, &pivots, alive, order, costs, roots], &[n, step]);
        let wide = [columns.div_ceil(64), 1, 1];
        kernel::launch(&PIVOT_ROW, wide, &[&h_base, &u, &pivots, alive, order, roots], &[n, step, k]);
        let tall = [rows.div_ceil(64), 1, 1];
        kernel::launch(&PIVOT_COLUMN, tall, &[&w_base, &e, &u, order, roots], &[m, n, step, k]);
        kernel::launch(&BASIS_GRAM, [depth + 1, 1, 1], &[&e, &g], &[m, k]);
        kernel::launch(&UPDATE_NORMS, wide, &[&w_base, &e, &u, &g, &norms], &[m, n, k]);
    }
    let (e, u): (Tensor<2>, Tensor<2>) = (e.tensor(), u.tensor());
    let w = w - e.transpose().matmul(u.clone());
    let h_inv = h_inv - u.clone().transpose().matmul(u);
    (w, h_inv)
}
