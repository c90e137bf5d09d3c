//! Removing columns one at a time, cheapest first, without moving W or the whole inverse for each.
//!
//! A removal changes W by −e uᵀ, H⁻¹ by −u uᵀ and M = WᵀW by −z uᵀ − u zᵀ, with u = [H⁻¹]_p: / r, e = W_:p / r,
//! z = M_p: / r − ‖e‖²/2 u and r = √[H⁻¹]_pp. Up to [`BLOCK`] such pairs are kept aside: picking the next column needs
//! only the diagonals of H⁻¹ and M, which are kept up to date, and one row of each, corrected on the fly. With M at hand no
//! removal reads W. A flush then applies the whole block in place, to the lower triangles of H⁻¹ and M and to W.
//!
//! H⁻¹ and M come in blocks of rows, of which there are several where a kernel cannot bind the whole. A removal then
//! takes a launch for each; no sum is taken in another order.
//!
//! M rounds as H⁻¹ does, all removals long; its diagonal is taken from W anew after every flush.

use burn::tensor::{Int, Tensor};

use super::buffer::Buffer;
use super::hessian::{self, TILE, folded_triangle};
use super::kernel::{Launched, groups_over, kernel, launch, launch_over, moved};
use super::reduce::ColumnNorms;
use crate::device::panels::Panels;
use crate::device::product::runs;

/// Removals between two flushes.
const BLOCK: usize = 128;

/// Columns of a workgroup that removes one.
const COLUMNS_OF_GROUP: u32 = 64;

/// Numbers that are told of a removal: column, score, root.
const TOLD: usize = 3;

/// Numbers that a workgroup tells of its cheapest column.
const RANK: usize = 4;

kernel!(RemoveColumn = "remove_column", [64, 1, 1], {
    columns: u32, width: u32, block: u32, step: u32, depth: u32, first: u32, rows: u32, parts: u32,
}, |p| 64 * u64::from(2 * p.depth + 1), |p| {
    // A row of H⁻¹ and one of M, the pairs and what is read and written of a column; all tell all their cheapest.
    let (group, groups) = (u64::from(COLUMNS_OF_GROUP), u64::from(p.columns.div_ceil(COLUMNS_OF_GROUP)));
    4 * (group * u64::from(2 * p.depth + 10) + u64::from(2 * p.depth) + RANK as u64 * (groups + 1))
});
kernel!(RemovedColumns = "removed_columns", [64, 1, 1], {
    rows: u32, columns: u32, width: u32, block: u32, first: u32, depth: u32,
}, |p| 64 * u64::from(p.depth).pow(2), |p| {
    let depth = u64::from(p.depth);
    // Of W and e one number a removal, and all earlier e.
    4 * 64 * (2 * depth + depth * depth / 2)
});
kernel!(SubtractProduct = "subtract_product", [256, 1, 1], {
    first: u32, rows: u32, columns: u32, quads: u32, lower: u32, folded: u32, band: u32, depth: u32, half: u32,
    x_first: u32, y_first: u32, x_second: u32, y_second: u32,
}, |p| (TILE * TILE) as u64 * u64::from(p.depth), |p| {
    // The tile read and written, and both sides of the product.
    4 * TILE as u64 * (2 * TILE as u64 + 2 * u64::from(p.depth))
});

/// What a launch of [`RemoveColumn`] does, as its shader calls it.
const READS: u32 = 1;
const FETCHES: u32 = 2;
const GOES: u32 = 4;
const TELLS: u32 = 8;

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

/// Removes the `count` columns that are cheapest at their time. Nothing is read back.
pub fn cheapest(state: &mut Elimination, count: usize) -> Removals {
    let [rows, columns] = state.w.dims();
    let sizes = Sizes::new(rows, columns, state.h_inv.step(), count);
    let buffers = Buffers::new(state, &sizes, count);
    sizes.steps(count).for_each(|step| buffers.launch(step));
    buffers.end(state, columns, count)
}

/// What the launches of [`cheapest`] are and move, for W `(rows, columns)` and H⁻¹ in one block: M, which comes first, and
/// making H⁻¹ whole at the end left out. Nothing runs.
pub fn counted(rows: usize, columns: usize, count: usize) -> Launched {
    Sizes::new(rows, columns, columns, count).steps(count).fold(Launched::default(), |sum, step| {
        let bytes = match step {
            Step::Norms(params) => moved(groups_over::<ColumnNorms>([columns, 1, 1]), &params),
            Step::Remove(params) => moved(groups_over::<RemoveColumn>([columns, 1, 1]), &params),
            Step::Solve(params) => moved(groups_over::<RemovedColumns>([rows, 1, 1]), &params),
            Step::Subtract(_, groups, params) => moved(groups, &params),
        };
        Launched { launches: sum.launches + 1, bytes: sum.bytes + bytes }
    })
}

/// Of W `(rows, columns)`, of the blocks of H⁻¹, and of a block of removals.
struct Sizes {
    rows: usize,
    columns: usize,
    /// Rows of each block of H⁻¹ and M but the last, which may have fewer: all, or a multiple of a tile.
    height: usize,
    block: usize,
}

/// One launch.
enum Step {
    Norms(ColumnNorms),
    Remove(RemoveColumn),
    Solve(RemovedColumns),
    Subtract(Matrix, [usize; 3], SubtractProduct),
}

/// What a block of removals is subtracted from.
#[derive(Clone, Copy)]
enum Matrix {
    Inverse,
    Gram,
    Weight,
}

impl Sizes {
    fn new(rows: usize, columns: usize, height: usize, count: usize) -> Self {
        Self { rows, columns, height, block: BLOCK.min(count) }
    }

    /// Of a row of pairs: whole quads of the longer side.
    fn width(&self) -> usize {
        self.rows.max(self.columns).next_multiple_of(4)
    }

    /// The first row of every block of H⁻¹, and how many it has.
    fn blocks(&self) -> impl Iterator<Item = (usize, usize)> {
        let (all, height) = (self.columns, self.height);
        (0..all.div_ceil(height)).map(move |i| (i * height, height.min(all - i * height)))
    }

    /// Every launch of `count` removals, in order.
    fn steps(&self, count: usize) -> impl Iterator<Item = Step> {
        // Longer blocks move H⁻¹ less often, but every removal within one is corrected by more pairs.
        (0..count).step_by(BLOCK).flat_map(move |first| {
            let depth = BLOCK.min(count - first);
            let norms = ColumnNorms { rows: self.rows as u32, columns: self.columns as u32 };
            // The norms are taken anew in every block, so that the updates of a removal round over one block only.
            let begin = std::iter::once(Step::Norms(norms)).chain(self.removal(first, 0, READS, TELLS));
            let removals = (0..depth).flat_map(move |k| self.removal(first + k, k, FETCHES, GOES | TELLS));
            begin.chain(removals).chain(self.flush(first as u32, depth as u32))
        })
    }

    /// A launch for every block, of which the last does what needs all.
    fn removal(&self, step: usize, depth: usize, each: u32, last: u32) -> impl Iterator<Item = Step> {
        self.blocks().map(move |(first, rows)| {
            let is_last = first + rows == self.columns;
            Step::Remove(RemoveColumn {
                columns: self.columns as u32,
                width: self.width() as u32,
                block: self.block as u32,
                step: step as u32,
                depth: depth as u32,
                first: first as u32,
                rows: rows as u32,
                parts: if is_last { each | last } else { each },
            })
        })
    }

    fn flush(&self, first: u32, depth: u32) -> impl Iterator<Item = Step> {
        let (rows, columns, block) = (self.rows as u32, self.columns as u32, self.block as u32);
        let solve = RemovedColumns { rows, columns, width: self.width() as u32, block, first, depth };
        let (u, z, e) = (0, block, 2 * block);
        let of_triangle = self.blocks().flat_map(move |(first, rows)| {
            let inverse = self.product(depth, [u, u], [u, u]).of_rows(first, rows);
            // Both products of M at once, so that it is read and written once.
            let gram = self.product(depth, [z, u], [u, z]).of_rows(first, rows);
            [(Matrix::Inverse, inverse), (Matrix::Gram, SubtractProduct { depth: 2 * depth, ..gram })]
        });
        let weight = SubtractProduct { rows, ..self.product(depth, [e, e], [u, u]) };
        let products = of_triangle.chain([(Matrix::Weight, weight)]);
        let cut = products.flat_map(|(from, params)| {
            launches(params).map(move |(groups, band)| {
                Step::Subtract(from, groups, SubtractProduct { band: band as u32, ..params })
            })
        });
        std::iter::once(Step::Solve(solve)).chain(cut)
    }

    /// Of so many pairs, whose sides begin at these rows: the first, and where there are more, the others.
    fn product(&self, depth: u32, x: [u32; 2], y: [u32; 2]) -> SubtractProduct {
        SubtractProduct {
            first: 0,
            rows: 0,
            columns: self.columns as u32,
            quads: self.width() as u32 / 4,
            lower: 0,
            folded: 0,
            band: 0,
            depth,
            half: depth,
            x_first: x[0],
            y_first: y[0],
            x_second: x[1],
            y_second: y[1],
        }
    }
}

impl SubtractProduct {
    /// The same from some rows of a triangle.
    fn of_rows(self, first: usize, rows: usize) -> Self {
        let folded = u32::from(rows == self.columns as usize);
        Self { first: first as u32, rows: rows as u32, lower: 1, folded, ..self }
    }
}

/// The grids in which a product is subtracted, each with the rows of the grid before it.
fn launches(params: SubtractProduct) -> impl Iterator<Item = ([usize; 3], usize)> {
    let tiles = |length: u32| (length as usize).div_ceil(TILE);
    let [width, height, _] = match (params.folded, params.lower) {
        (1, _) => folded_triangle(tiles(params.rows)),
        // Right of a block's last diagonal element there is nothing.
        (_, 1) => [tiles(params.first + params.rows), tiles(params.rows), 1],
        _ => [tiles(params.columns), tiles(params.rows), 1],
    };
    let of_a_row = (width * TILE * TILE) as u64 * u64::from(params.depth);
    runs(height, of_a_row).map(move |rows| ([width, rows.len(), 1], rows.start))
}

/// The buffers of one call.
struct Buffers {
    /// W at the last flush `(rows, columns)`.
    w: Buffer,
    /// H⁻¹ and M at the last flush, lower triangles `(columns, columns)` in blocks of as many rows.
    h_inv: Vec<Buffer>,
    gram: Vec<Buffer>,
    /// Rows of each block but the last.
    height: usize,
    /// u, z and e of the removals since `(3 block, width)`.
    pairs: Buffer,
    /// ‖W_:j‖², [H⁻¹]_jj, and whether column j is there `(3, columns)`.
    diagonals: Buffer,
    /// What each workgroup told of its cheapest column, twice.
    cheapest: Buffer,
    chosen: Buffer,
}

impl Buffers {
    /// Takes W and H⁻¹ out of the state, so that nobody else holds them when they move.
    fn new(state: &mut Elimination, sizes: &Sizes, count: usize) -> Self {
        let Sizes { columns, height, block, .. } = *sizes;
        let device = state.w.device();
        // In blocks as H⁻¹ is.
        let zeros = state.h_inv.clone().map(|_, block| Tensor::zeros(block.dims(), &device));
        let gram = hessian::accumulate(zeros, &state.w);
        let before = Tensor::<1>::zeros([2 * columns], &device);
        let groups = columns.div_ceil(COLUMNS_OF_GROUP as usize);
        let nothing = || Tensor::empty([1, 1], &device);
        let h_inv = std::mem::replace(&mut state.h_inv, nothing().into());
        let buffers = |panels: Panels| panels.into_blocks().into_iter().map(Buffer::write).collect();
        Self {
            w: Buffer::write(std::mem::replace(&mut state.w, nothing())),
            h_inv: buffers(h_inv),
            gram: buffers(gram),
            height,
            // Zeros behind the last column, which products read in whole quads.
            pairs: Buffer::write(Tensor::<2>::zeros([3 * block, sizes.width()], &device)),
            diagonals: Buffer::write(Tensor::cat(vec![before, state.alive.clone()], 0)),
            cheapest: Buffer::write(Tensor::<2>::zeros([2 * groups, RANK], &device)),
            chosen: Buffer::write(Tensor::<2>::zeros([count, TOLD], &device)),
        }
    }

    fn launch(&self, step: Step) {
        let Self { w, h_inv, gram, pairs, diagonals, cheapest, chosen, .. } = self;
        let of_row = |first: u32| first as usize / self.height;
        match step {
            Step::Norms(params) => launch_over([params.columns as usize, 1, 1], &[w, diagonals], params),
            Step::Remove(params) => {
                let place = of_row(params.first);
                let all = [&h_inv[place], &gram[place], pairs, diagonals, cheapest, chosen];
                launch_over([params.columns as usize, 1, 1], &all, params);
            }
            Step::Solve(params) => launch_over([params.rows as usize, 1, 1], &[w, pairs, chosen], params),
            Step::Subtract(from, groups, params) => {
                let from = match from {
                    Matrix::Inverse => &h_inv[of_row(params.first)],
                    Matrix::Gram => &gram[of_row(params.first)],
                    Matrix::Weight => w,
                };
                launch(groups, &[pairs, from], params);
            }
        }
    }

    /// Puts back what is left.
    fn end(self, state: &mut Elimination, columns: usize, count: usize) -> Removals {
        state.w = self.w.tensor();
        let blocks = self.h_inv.into_iter().map(Buffer::tensor).collect();
        state.h_inv = hessian::mirrored(Panels::stacked(blocks), 0.0);
        // Slices share their memory with what else was told, which is small.
        let diagonals: Tensor<1> = self.diagonals.tensor();
        state.alive = diagonals.narrow(0, 2 * columns, columns);
        let chosen: Tensor<2> = self.chosen.tensor();
        let told = |i: usize| chosen.clone().slice([0..count, i..i + 1]).reshape([count]);
        // Column numbers are exact as floats up to 2²⁴.
        Removals { order: told(0).int(), costs: told(1), roots: told(2) }
    }
}

#[cfg(test)]
mod tests;
