//! One host file per shader (or per family that is always launched together): parameters,
//! bindings, dispatch. Knows linear algebra, no pruning.
//!
//! Kernels run on burn's own buffers through burn's own client, so nothing is copied between two
//! worlds and the order of launches is the order of burn's operations.

pub mod attend;
pub mod block_cholesky;
mod buffer;
pub mod cholesky;
pub mod dropout;
pub mod eliminate;
pub mod gather;
pub mod halves;
pub mod hessian;
mod kernel;
pub mod products;
pub mod reduce;

use kernel::Params;
pub use kernel::{Field, Kernel, Launched, launched};

/// Every kernel of the program, for tests that hold the texts to what the host believes of them.
pub static KERNELS: &[&Kernel] = &[
    hessian::HessianAccumulate::KERNEL,
    hessian::MirrorLower::KERNEL,
    block_cholesky::CholeskyBlock::KERNEL,
    block_cholesky::TriangularSolve::KERNEL,
    reduce::SumSquares::KERNEL,
    reduce::ColumnNorms::KERNEL,
    reduce::PivotScores::KERNEL,
    gather::Gather::KERNEL,
    dropout::DropoutMask::KERNEL,
    products::RowLargest::KERNEL,
    products::ColumnLargest::KERNEL,
    products::ToHalf::KERNEL,
    products::SplitColumns::KERNEL,
    products::MultiplyHalf::KERNEL,
    attend::AttendHalf::KERNEL,
    halves::Widen::KERNEL,
    halves::Narrow::KERNEL,
    eliminate::RemoveColumn::KERNEL,
    eliminate::RemovedColumns::KERNEL,
    eliminate::SubtractProduct::KERNEL,
];

#[cfg(test)]
mod tests {
    use super::kernel::{groups_over, work};
    use super::*;
    use crate::device::SPLIT_AT_ONCE;
    use crate::device::product::MOST_WORK;

    fn check<P: Params>(groups: [usize; 3], params: P) {
        let done = work(groups, &params);
        assert!(done > 0 && done <= MOST_WORK, "{}: {done} in one launch of {groups:?}", P::KERNEL.name);
    }

    fn check_over<P: Params>(extent: [usize; 3], params: P) {
        check(groups_over::<P>(extent), params);
    }

    /// As their host files launch them for layers of 7B, 13B and 70B models; the sums that become Hessians, and what is
    /// subtracted from them, are counted where they are cut. Nothing runs.
    #[test]
    fn no_launch_takes_long_at_the_sizes_of_large_models() {
        for (out, n) in [(4096, 4096), (4096, 11008), (5120, 13824), (8192, 8192), (8192, 28672)] {
            let (rows, columns, depth, step) = (out as u32, n as u32, 127, 127);
            let (width, block) = (columns, 128);
            check_over([n, n, 1], hessian::MirrorLower { rows: columns, width: columns, first: 0, damping: 0.0 });
            check_over([n, 1, 1], reduce::ColumnNorms { rows, columns });
            let whole = gather::Gather { blocks: 1, rows: columns, columns, width: columns, first: 0, height: columns };
            check_over([n, n, 1], whole);
            let extent @ [stride, ..] = halves::extent(out * n / 2);
            let (count, stride) = (rows * columns, stride as u32);
            check_over(extent, halves::Widen { count, stride, is_bf16: 0 });
            check_over(extent, halves::Narrow { count, stride });
            let (first, parts) = (0, 14);
            let removal = eliminate::RemoveColumn { columns, width, block, step, depth, first, rows: columns, parts };
            check_over([n, 1, 1], removal);
            check_over([out, 1, 1], eliminate::RemovedColumns { rows, columns, width, block, first: 0, depth });
            check([products::ROWS_AT_ONCE, 1, 1], products::RowLargest { width: columns, first: 0 });
            let tokens = SPLIT_AT_ONCE as u32;
            check_over([n, 1, 1], products::ColumnLargest { rows: tokens, width: columns });
            let words = columns / 2;
            check_over(
                [n / 2, products::ROWS_AT_ONCE, 1],
                products::ToHalf { rows: 0, width: columns, words, first: 0 },
            );
            let (squares, words) = (SPLIT_AT_ONCE / products::SIDE, tokens / 2);
            check([squares, n / products::SIDE, 1], products::SplitColumns { tokens, features: columns, words });
            // Heads of 128 columns, scored together.
            let heads = n / 128;
            let (blocks, size) = (heads as u32, 128);
            check([heads, 1, 1], block_cholesky::CholeskyBlock { blocks, n: size });
            check_over([out, heads, 1], block_cholesky::TriangularSolve { blocks, n: size, columns: rows });
            check([heads, 1, 1], reduce::SumSquares { vectors: blocks, length: size * rows });
            check_over([heads, 1, 1], reduce::PivotScores { blocks, n: size });
        }
    }
}
