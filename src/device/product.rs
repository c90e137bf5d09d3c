//! Products of large matrices, in launches that each end in time.
//!
//! Windows takes a GPU for lost that works on one launch for two seconds, and resets it. A product is therefore cut
//! along its rows: a row of the result is computed the same whichever rows are computed with it.

use std::ops::Range;

use burn::tensor::{Device, Tensor};

/// Multiply-adds of one launch at most: 1.4 s on a GPU that does a tenth of a TFLOP a second, which is slower than
/// any that people would wait for, and milliseconds on a large one.
pub const MOST_WORK: u64 = 1 << 36;

/// Rows are cut at multiples of this, where matrix kernels have whole tiles.
const WHOLE: usize = 64;

/// Bytes of a product that is taken from another matrix at once, so that no second matrix of that size is needed.
pub(super) const PANEL_BYTES: usize = 64 << 20;

/// `0..count` in runs of items that, with `each` multiply-adds an item, are within [`MOST_WORK`]. An item is never cut.
pub fn runs(count: usize, each: u64) -> impl Iterator<Item = Range<usize>> {
    in_steps(count, at_once(each))
}

/// How many items of so many multiply-adds are within [`MOST_WORK`].
fn at_once(each: u64) -> usize {
    usize::try_from((MOST_WORK / each.max(1)).max(1)).unwrap_or(usize::MAX)
}

/// `0..count` in runs of so many items.
pub fn in_steps(count: usize, step: usize) -> impl Iterator<Item = Range<usize>> {
    (0..count).step_by(step).map(move |from| from..count.min(from.saturating_add(step)))
}

/// The rows of a product `(rows, inner) · (inner, columns)` that one launch computes, launch after launch.
pub fn row_runs(rows: usize, inner: usize, columns: usize) -> impl Iterator<Item = Range<usize>> {
    in_steps(rows, whole(at_once(inner as u64 * columns as u64)))
}

/// The largest multiple of [`WHOLE`] within so many rows, if there is one.
pub(super) fn whole(rows: usize) -> usize {
    if rows < WHOLE { rows } else { rows / WHOLE * WHOLE }
}

/// A B for `a` `(rows, inner)` and `b` `(inner, columns)`.
pub fn product(a: Tensor<2>, b: Tensor<2>) -> Tensor<2> {
    let ([rows, inner], [_, columns]) = (a.dims(), b.dims());
    let device = a.device();
    let mut runs = row_runs(rows, inner, columns).peekable();
    let is_short = runs.peek().is_none_or(|first| first.len() == rows);
    // Nobody resets a CPU. What autodiff computes on the way back is not ours to cut.
    if is_short || device == Device::flex() || device.is_autodiff() {
        return a.matmul(b);
    }
    in_runs(a, b, runs)
}

fn in_runs(a: Tensor<2>, b: Tensor<2>, runs: impl Iterator<Item = Range<usize>>) -> Tensor<2> {
    let ([rows, inner], [_, columns]) = (a.dims(), b.dims());
    // Not zeroed: the runs are all rows.
    runs.fold(Tensor::empty([rows, columns], &a.device()), |done, run| {
        let part = a.clone().slice([run.clone(), 0..inner]).matmul(b.clone());
        done.slice_assign([run, 0..columns], part)
    })
}

/// M − A B for `m` `(rows, columns)`, which is written over where nobody else holds it.
pub fn minus_product(m: Tensor<2>, a: Tensor<2>, b: Tensor<2>) -> Tensor<2> {
    let ([rows, columns], [_, inner]) = (m.dims(), a.dims());
    let held = whole((PANEL_BYTES / (columns * size_of::<f32>()).max(1)).max(1));
    let step = held.min(whole(at_once(inner as u64 * columns as u64)));
    if step >= rows { m - a.matmul(b) } else { minus_in_runs(m, a, b, in_steps(rows, step)) }
}

fn minus_in_runs(m: Tensor<2>, a: Tensor<2>, b: Tensor<2>, runs: impl Iterator<Item = Range<usize>>) -> Tensor<2> {
    let ([_, columns], [_, inner]) = (m.dims(), a.dims());
    runs.fold(m, |m, run| {
        let part = a.clone().slice([run.clone(), 0..inner]).matmul(b.clone());
        let part = m.clone().slice([run.clone(), 0..columns]) - part;
        m.slice_assign([run, 0..columns], part)
    })
}

#[cfg(test)]
mod tests {
    use burn::tensor::TensorData;

    use super::*;

    /// A matrix of small whole numbers, whose products and sums are exact.
    fn whole_numbers(rows: usize, columns: usize, seed: usize) -> Tensor<2> {
        let values: Vec<f32> = (0..rows * columns).map(|i| ((i * 31 + seed) % 17) as f32 - 8.0).collect();
        Tensor::from_data(TensorData::new(values, [rows, columns]), &Device::flex())
    }

    fn elements(a: Tensor<2>) -> Vec<f32> {
        pollster::block_on(crate::device::readback::floats(a)).unwrap()
    }

    #[test]
    fn what_is_cut_is_the_same_product() {
        for (rows, inner, columns, step) in [(1, 1, 1, 1), (7, 5, 3, 2), (130, 33, 65, 64), (64, 9, 4, 64)] {
            let [a, b, m] = [(rows, inner, 1), (inner, columns, 2), (rows, columns, 3)]
                .map(|(r, c, seed)| whole_numbers(r, c, seed));
            let what = format!("{rows}x{inner}x{columns} by {step}");
            let whole = a.clone().matmul(b.clone());
            assert_eq!(
                elements(in_runs(a.clone(), b.clone(), in_steps(rows, step))),
                elements(whole.clone()),
                "{what}"
            );
            let less = minus_in_runs(m.clone(), a, b, in_steps(rows, step));
            assert_eq!(elements(less), elements(m - whole), "{what}");
        }
    }

    #[test]
    fn runs_are_within_the_cap_and_leave_nothing_out() {
        for (count, each) in [(0, 5), (1, u64::MAX), (7, 1), (1000, MOST_WORK / 7), (5, MOST_WORK + 1), (9, 0)] {
            let all: Vec<Range<usize>> = runs(count, each).collect();
            assert!(all.iter().all(|run| run.len() == 1 || run.len() as u64 * each <= MOST_WORK), "{count} {each}");
            assert_eq!(all.into_iter().flatten().collect::<Vec<_>>(), (0..count).collect::<Vec<_>>());
        }
    }

    #[test]
    fn rows_are_cut_where_tiles_end() {
        let of_7b: Vec<Range<usize>> = row_runs(4096, 4096, 11008).collect();
        assert_eq!(of_7b, [0..1472, 1472..2944, 2944..4096]);
        // Where not even a tile of rows is within the cap, as many as are.
        assert_eq!(row_runs(10, 1 << 17, 1 << 17).collect::<Vec<_>>(), [0..4, 4..8, 8..10]);
        assert_eq!(row_runs(64, 576, 1536).map(|run| (run.start, run.end)).collect::<Vec<_>>(), [(0, 64)]);
    }
}
