//! Removing columns one at a time, cheapest first, without moving the whole inverse for each.
//!
//! A removal changes W by −e uᵀ and H⁻¹ by −u uᵀ (u = [H⁻¹]_p: / √[H⁻¹]_pp, e = W_:p / √[H⁻¹]_pp).
//! Up to [`BLOCK`] such pairs are kept aside: picking the next column needs only the diagonal of
//! H⁻¹ and the lengths of W's columns, which are kept up to date, and one row and one column that
//! are corrected on the fly. A flush then applies the whole block with two matrix products.

use burn::tensor::{Device, Int, Tensor};

use super::buffer::Buffer;
use super::kernel::{kernel, launch, launch_over};
use super::{gather, reduce};
use crate::device::panels::Panels;
use crate::device::product::minus_product;

/// Removals between two flushes.
const BLOCK: usize = 32;

kernel!(PickColumn = "pick_column", [256, 1, 1], { columns: u32, step: u32 }, |p| u64::from(p.columns));
kernel!(PivotRow = "pivot_row", [64, 1, 1], {
    columns: u32, step: u32, depth: u32, first: u32, height: u32,
}, |p| 64 * u64::from(p.depth + 1));
kernel!(PivotColumn = "pivot_column", [64, 1, 1], { rows: u32, columns: u32, step: u32, depth: u32 }, |p| 64 * u64::from(p.depth + 1));
kernel!(BasisGram = "basis_gram", [256, 1, 1], { rows: u32, depth: u32 }, |p| u64::from(p.rows));
kernel!(UpdateNorms = "update_norms", [64, 4, 1], { rows: u32, columns: u32, depth: u32 }, |p| 64 * u64::from(p.rows + p.depth));

/// W and H⁻¹ while columns go, with which are still there.
pub struct Elimination {
    /// W `(rows, columns)`, as the removals left it.
    pub w: Tensor<2>,
    /// H⁻¹ `(columns, columns)`; rows and columns of what is gone mean nothing.
    pub h_inv: Panels,
    /// 1 for a column that is there, 0 for one that is gone `(columns)`.
    pub alive: Tensor<1>,
}

/// The columns removed, in order, with what each cost.
pub struct Removals {
    /// p `(count)`, each a column of W before anything went.
    pub order: Tensor<1, Int>,
    /// ‖W_:p‖² / [H⁻¹]_pp at its time `(count)`.
    pub costs: Tensor<1>,
    /// √[H⁻¹]_pp, or a pivot that is not positive, from which on nothing means anything `(count)`.
    pub roots: Tensor<1>,
}

/// The buffers of one call.
struct Steps {
    order: Buffer,
    costs: Buffer,
    roots: Buffer,
    alive: Buffer,
}

/// Removes the `count` columns that are cheapest at their time. Nothing is read back.
pub fn cheapest(state: &mut Elimination, count: usize) -> Removals {
    let device = state.w.device();
    let steps = Steps {
        order: Buffer::write_index(Tensor::<1, Int>::zeros([count], &device)),
        costs: Buffer::write(Tensor::<1>::zeros([count], &device)),
        roots: Buffer::write(Tensor::<1>::zeros([count], &device)),
        alive: Buffer::write(state.alive.clone()),
    };
    // Longer blocks move H⁻¹ less often, but every removal within one is corrected by more pairs.
    for start in (0..count).step_by(BLOCK) {
        block(state, &steps, start, BLOCK.min(count - start), &device);
    }
    state.alive = steps.alive.tensor();
    Removals { order: steps.order.index(), costs: steps.costs.tensor(), roots: steps.roots.tensor() }
}

fn block(state: &mut Elimination, steps: &Steps, start: usize, size: usize, device: &Device) {
    let [height, width] = state.w.dims();
    // Anew in every block, so that the updates below round over one block only.
    let norms = Buffer::write(reduce::column_norms(&state.w));
    let pivots = Buffer::write(gather::diagonal(&state.h_inv));
    let e = Buffer::write(Tensor::<2>::zeros([size, height], device));
    let u = Buffer::write(Tensor::<2>::zeros([size, width], device));
    let g = Buffer::write(Tensor::<1>::zeros([size], device));
    let w_base = Buffer::read(&state.w);
    let h_base: Vec<_> =
        state.h_inv.blocks().map(|(first, block)| (first, block.dims()[0], Buffer::read(block))).collect();
    let Steps { order, costs, roots, alive } = steps;
    let (rows, columns) = (height as u32, width as u32);
    for k in 0..size {
        let (depth, step) = (k as u32, (start + k) as u32);
        // One workgroup, because every column is compared with every other.
        launch([1, 1, 1], &[&norms, &pivots, alive, order, costs, roots], PickColumn { columns, step });
        // Only the device knows in which block its row lies; in all others a launch does nothing.
        for (first, height, block) in &h_base {
            let row = PivotRow { columns, step, depth, first: *first as u32, height: *height as u32 };
            launch_over([width, 1, 1], &[block, &u, &pivots, alive, order, roots], row);
        }
        let column = PivotColumn { rows, columns, step, depth };
        launch_over([height, 1, 1], &[&w_base, &e, &u, order, roots], column);
        launch([k + 1, 1, 1], &[&e, &g], BasisGram { rows, depth });
        launch_over([width, 1, 1], &[&w_base, &e, &u, &g, &norms], UpdateNorms { rows, columns, depth });
    }
    // Nobody else may hold W and H⁻¹ when they move, or burn makes a second of each.
    drop((w_base, h_base));
    let (e, u): (Tensor<2>, Tensor<2>) = (e.tensor(), u.tensor());
    state.w.inplace(|w| minus_product(w, e.transpose(), u.clone()));
    state.h_inv.inplace(|first, block| {
        let rows = u.clone().slice([0..size, first..first + block.dims()[0]]);
        minus_product(block, rows.transpose(), u.clone())
    });
}

#[cfg(test)]
mod tests;
