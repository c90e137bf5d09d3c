//! A matrix as blocks of rows, each within what a kernel of its device binds.
//!
//! Most drivers bind 2 GiB at once and some 128 MiB; the embedding of a large vocabulary is larger, and so is the
//! Hessian of a wide layer. A matrix that fits is one block, for which every operation is that of the whole. Over
//! several blocks only rows and columns of a result are computed apart: no sum is taken in another order.

use std::ops::Range;

use burn::tensor::{Device as TensorDevice, Distribution, Int, Tensor, TensorData};

use super::driver;
use super::product::{PANEL_BYTES, in_steps, product, whole};
use super::readback::{ReadbackError, floats};

/// Rows of a block are these times a power of two: tiles of a Hessian end there, and halves of a factorisation.
const UNIT: usize = 128;

/// Of columns of several blocks so many bytes are put together at once.
pub const TOGETHER_BYTES: usize = PANEL_BYTES;

/// A matrix `(rows, width)` in one block or several.
#[derive(Clone, Debug)]
pub struct Panels {
    /// At least one.
    blocks: Vec<Tensor<2>>,
    /// Rows of every block but the last, which may have fewer.
    step: usize,
}

/// The rows of a block of a matrix `(rows, width)`, all of them where so many bytes are enough.
pub fn block_rows([rows, width]: [usize; 2], most_bytes: Option<u64>) -> usize {
    let row_bytes = (width.max(1) * size_of::<f32>()) as u64;
    let bindable = most_bytes.and_then(|most| usize::try_from(most / row_bytes).ok()).unwrap_or(usize::MAX);
    if rows <= bindable {
        return rows.max(1);
    }
    UNIT << (bindable / UNIT).max(1).ilog2()
}

/// Bytes of the smallest block of rows of such a width, which a device has to bind.
pub fn least_bytes(width: usize) -> u64 {
    (UNIT * width * size_of::<f32>()) as u64
}

/// Of so many bytes, those that a kernel of the device binds at once; all of them on the CPU.
pub fn bindable(bytes: usize, on: &TensorDevice) -> usize {
    let limit = driver::binding_limit(on).and_then(|limit| usize::try_from(limit).ok());
    limit.map_or(bytes, |limit| bytes.min(limit))
}

impl From<Tensor<2>> for Panels {
    fn from(matrix: Tensor<2>) -> Self {
        Self::stacked(vec![matrix])
    }
}

impl Panels {
    /// Zeros of this shape.
    pub fn zeros(shape: [usize; 2], on: &TensorDevice) -> Self {
        let [_, width] = shape;
        Self::made(shape, on, |rows| Tensor::zeros([rows.len(), width], on))
    }

    /// Random numbers of this shape.
    pub fn random(shape: [usize; 2], from: Distribution, on: &TensorDevice) -> Self {
        let [_, width] = shape;
        Self::made(shape, on, |rows| Tensor::random([rows.len(), width], from, on))
    }

    /// A matrix of the host, row by row.
    pub fn upload(values: &[f32], shape: [usize; 2], on: &TensorDevice) -> Self {
        let [_, width] = shape;
        let part = |rows: Range<usize>| values[rows.start * width..rows.end * width].to_vec();
        let block = |rows: Range<usize>| TensorData::new(part(rows.clone()), [rows.len(), width]);
        Self::made(shape, on, |rows| Tensor::from_data(block(rows), on))
    }

    /// Of this shape, with each block made of the numbers of its rows.
    pub fn made(shape: [usize; 2], on: &TensorDevice, block: impl Fn(Range<usize>) -> Tensor<2>) -> Self {
        let step = block_rows(shape, driver::binding_limit(on));
        let [rows, _] = shape;
        if rows <= step { block(0..rows).into() } else { Self::stacked(in_steps(rows, step).map(block).collect()) }
    }

    /// The same matrix in blocks of so many rows.
    pub fn cut(matrix: Tensor<2>, step: usize) -> Self {
        let [rows, width] = matrix.dims();
        Self::stacked(in_steps(rows, step).map(|rows| matrix.clone().slice([rows, 0..width])).collect())
    }

    /// A matrix of its blocks, which are of equally many rows but for the last.
    pub fn stacked(blocks: Vec<Tensor<2>>) -> Self {
        let step = blocks[0].dims()[0].max(1);
        Self { blocks, step }
    }

    /// Rows and columns.
    pub fn dims(&self) -> [usize; 2] {
        let [_, width] = self.blocks[0].dims();
        [self.blocks.iter().map(|block| block.dims()[0]).sum(), width]
    }

    /// Where it lies.
    pub fn device(&self) -> TensorDevice {
        self.blocks[0].device()
    }

    /// Rows of every block but the last.
    pub fn step(&self) -> usize {
        self.step
    }

    /// Every block with the number of its first row.
    pub fn blocks(&self) -> impl Iterator<Item = (usize, &Tensor<2>)> {
        self.blocks.iter().enumerate().map(|(i, block)| (i * self.step, block))
    }

    /// Its blocks alone.
    pub fn into_blocks(self) -> Vec<Tensor<2>> {
        self.blocks
    }

    /// The whole where it is one block; itself where it is several.
    ///
    /// # Errors
    /// Itself, which is in several blocks.
    pub fn single(mut self) -> Result<Tensor<2>, Self> {
        match self.blocks.pop() {
            Some(only) if self.blocks.is_empty() => Ok(only),
            last => {
                self.blocks.extend(last);
                Err(self)
            }
        }
    }

    /// In one piece, which the device may not bind: for what is known to be small.
    pub fn whole(self) -> Tensor<2> {
        joined(self.blocks, 0)
    }

    /// A block made of each block, of which the first row's number is told. What is given is held by nobody else.
    pub fn map(self, mut made: impl FnMut(usize, Tensor<2>) -> Tensor<2>) -> Self {
        let Self { blocks, step } = self;
        Self::stacked(blocks.into_iter().enumerate().map(|(i, block)| made(i * step, block)).collect())
    }

    /// As [`Self::map`], written over the blocks.
    pub fn inplace(&mut self, mut made: impl FnMut(usize, Tensor<2>) -> Tensor<2>) {
        for (i, block) in self.blocks.iter_mut().enumerate() {
            block.inplace(|block| made(i * self.step, block));
        }
    }

    /// The first rows, so many that whole blocks have them, and the others.
    pub fn split_at(mut self, rows: usize) -> (Self, Self) {
        debug_assert!(rows.is_multiple_of(self.step), "{rows} rows of blocks of {}", self.step);
        let later = self.blocks.split_off(rows / self.step);
        (Self::stacked(self.blocks), Self::stacked(later))
    }

    /// Some columns of every row.
    pub fn columns(&self, range: Range<usize>) -> Self {
        let cut = |block: &Tensor<2>| match block.dims() {
            // A slice is a copy, which the whole needs not.
            [_, width] if range.len() == width => block.clone(),
            [rows, _] => block.clone().slice([0..rows, range.clone()]),
        };
        Self::stacked(self.blocks.iter().map(cut).collect())
    }

    /// Some rows in one piece.
    pub fn rows(&self, range: Range<usize>) -> Tensor<2> {
        let within = |(first, block): (usize, &Tensor<2>)| {
            let [rows, width] = block.dims();
            let own = range.start.max(first)..range.end.min(first + rows);
            match own.len() {
                0 => None,
                all if all == rows => Some(block.clone()),
                _ => Some(block.clone().slice([own.start - first..own.end - first, 0..width])),
            }
        };
        joined(self.blocks().filter_map(within).collect(), 0)
    }

    /// The rows with these numbers, `(numbers, width)`.
    pub fn select(&self, numbers: Tensor<1, Int>) -> Tensor<2> {
        let ([count], [_, width]) = (numbers.dims(), self.dims());
        let of = |first: usize, block: &Tensor<2>| {
            let last = block.dims()[0] as i32 - 1;
            // Rows of other blocks must name some row of this one; they are written over.
            block.clone().select(0, numbers.clone().sub_scalar(first as i32).clamp(0, last))
        };
        match &self.blocks[..] {
            [only] => only.clone().select(0, numbers),
            blocks => self.blocks().skip(1).fold(of(0, &blocks[0]), |found, (first, block)| {
                let here = numbers.clone().greater_equal_elem(first as i32).unsqueeze_dim::<2>(1);
                found.mask_where(here.expand([count, width]), of(first, block))
            }),
        }
    }

    /// x Mᵀ for `x` `(n, width)`: `(n, rows)`.
    pub fn times_transposed(&self, x: Tensor<2>) -> Tensor<2> {
        let [n, _] = x.dims();
        self.beside_each(n, |block| product(x.clone(), block.clone().transpose()))
    }

    /// What is made of every block, `(n, rows of the block)`, side by side: `(n, rows)`.
    pub fn beside_each(&self, n: usize, made: impl Fn(&Tensor<2>) -> Tensor<2>) -> Tensor<2> {
        if let [only] = &self.blocks[..] {
            return made(only);
        }
        let [rows, _] = self.dims();
        let of = |(first, block): (usize, &Tensor<2>)| (first..first + block.dims()[0], made(block));
        beside([n, rows], &self.device(), self.blocks().map(of))
    }

    /// x M for `x` `(n, rows)`: `(n, width)`. The sums go over all blocks, so that as many columns as are little
    /// memory are put together, and multiplied.
    pub fn left_times(&self, x: Tensor<2>) -> Tensor<2> {
        if let [only] = &self.blocks[..] {
            return product(x, only.clone());
        }
        let ([n, _], [rows, width]) = (x.dims(), self.dims());
        let step = whole((bindable(TOGETHER_BYTES, &x.device()) / (rows * size_of::<f32>())).max(1));
        let of = |columns: Range<usize>| (columns.clone(), product(x.clone(), self.columns(columns).whole()));
        beside([n, width], &x.device(), in_steps(width, step).map(of))
    }

    /// M b for `b` `(width, n)`: `(rows, n)`.
    pub fn times(&self, b: &Tensor<2>) -> Tensor<2> {
        joined(self.blocks.iter().map(|block| product(block.clone(), b.clone())).collect(), 0)
    }

    /// Its elements, row by row.
    ///
    /// # Errors
    /// When the device lost the work.
    pub async fn floats(self) -> Result<Vec<f32>, ReadbackError> {
        let [rows, width] = self.dims();
        let mut all = Vec::with_capacity(rows * width);
        for block in self.blocks {
            all.extend(floats(block).await?);
        }
        Ok(all)
    }
}

/// Parts one after the other along an axis; one is itself, and not copied.
fn joined(mut parts: Vec<Tensor<2>>, axis: usize) -> Tensor<2> {
    if parts.len() == 1 { parts.remove(0) } else { Tensor::cat(parts, axis) }
}

/// A matrix of its columns, part by part. Written one by one, so that the parts need not wait for the last.
fn beside(shape: [usize; 2], on: &TensorDevice, parts: impl Iterator<Item = (Range<usize>, Tensor<2>)>) -> Tensor<2> {
    if on.is_autodiff() {
        // Of every writing autodiff would keep the result.
        return Tensor::cat(parts.map(|(_, part)| part).collect(), 1);
    }
    let [rows, _] = shape;
    // Not zeroed: the parts are all columns.
    parts.fold(Tensor::empty(shape, on), |done, (columns, part)| done.slice_assign([0..rows, columns], part))
}

#[cfg(test)]
mod tests {
    use pollster::block_on;

    use super::*;

    /// Small whole numbers, whose products and sums are exact in any order.
    fn whole_numbers([rows, width]: [usize; 2], seed: usize) -> Tensor<2> {
        let values: Vec<f32> = (0..rows * width).map(|i| ((i * 31 + seed) % 17) as f32 - 8.0).collect();
        Tensor::from_data(TensorData::new(values, [rows, width]), &TensorDevice::flex())
    }

    fn elements(a: Tensor<2>) -> Vec<f32> {
        block_on(floats(a)).unwrap()
    }

    #[test]
    fn what_fits_is_one_block_and_what_does_not_is_cut_where_tiles_end() {
        for (shape, most, rows) in [
            ([1000, 10], None, 1000),
            ([1000, 10], Some(40_000), 1000),
            ([1000, 10], Some(39_999), 512),
            ([0, 10], Some(1), 1),
            // 70B's channels and Qwen2.5-7B's vocabulary, where 2 GiB are bound.
            ([28_672, 28_672], Some(2 << 30), 16_384),
            ([152_064, 3584], Some(2 << 30), 131_072),
            ([28_672, 28_672], Some(4 << 30), 28_672),
        ] {
            assert_eq!(block_rows(shape, most), rows, "{shape:?} within {most:?}");
        }
        for limit in [1 << 20, 128 << 20, (2 << 30) - 1] {
            for width in [64, 1000, 2048] {
                let rows = block_rows([usize::MAX, width], Some(limit));
                assert!(rows * width * 4 <= limit as usize && rows.is_multiple_of(UNIT), "{rows} of {width}");
            }
        }
    }

    #[test]
    fn every_operation_is_that_of_the_whole() {
        for (shape, step) in [([1, 1], 1), ([7, 5], 7), ([7, 5], 3), ([300, 70], 128), ([256, 33], 128)] {
            let [rows, width] = shape;
            let whole = whole_numbers(shape, 1);
            let cut = Panels::cut(whole.clone(), step);
            let what = format!("{shape:?} by {step}");
            assert_eq!((cut.dims(), cut.step()), (shape, step.min(rows)), "{what}");
            assert_eq!(block_on(cut.clone().floats()).unwrap(), elements(whole.clone()), "{what}");
            assert_eq!(elements(cut.clone().whole()), elements(whole.clone()), "{what}");
            let [x, y, z] = [[3, width], [3, rows], [width, 4]].map(|shape| whole_numbers(shape, 5));
            let want = x.clone().matmul(whole.clone().transpose());
            assert_eq!(elements(cut.times_transposed(x)), elements(want), "{what}");
            assert_eq!(elements(cut.left_times(y.clone())), elements(y.matmul(whole.clone())), "{what}");
            assert_eq!(elements(cut.times(&z)), elements(whole.clone().matmul(z)), "{what}");
            let part = rows / 3..rows.min(rows / 3 + step + 1);
            let want = whole.clone().slice([part.clone(), 0..width]);
            assert_eq!(elements(cut.rows(part)), elements(want), "{what}");
            let columns = width / 3..width;
            let want = whole.clone().slice([0..rows, columns.clone()]);
            assert_eq!(elements(cut.columns(columns).whole()), elements(want), "{what}");
            // Unordered, twice, and at both ends.
            let numbers: Vec<i32> = [rows - 1, 0, rows / 2, rows - 1, 0].map(|i| i as i32).to_vec();
            let numbers = Tensor::<1, Int>::from_data(TensorData::new(numbers, [5]), &TensorDevice::flex());
            let want = whole.clone().select(0, numbers.clone());
            assert_eq!(elements(cut.select(numbers)), elements(want), "{what}");
            let marked = cut.map(|first, block| block.add_scalar(first as f32));
            let want = (0..rows * width).map(|i| (i / width / step * step) as f32);
            let want: Vec<f32> = elements(whole).into_iter().zip(want).map(|(a, b)| a + b).collect();
            assert_eq!(block_on(marked.floats()).unwrap(), want, "{what}");
        }
    }

    #[test]
    fn a_matrix_is_split_where_a_block_ends() {
        let whole = whole_numbers([10, 3], 2);
        let (first, rest) = Panels::cut(whole.clone(), 4).split_at(8);
        assert_eq!((first.dims(), rest.dims()), ([8, 3], [2, 3]));
        assert_eq!(elements(joined(vec![first.whole(), rest.whole()], 0)), elements(whole.clone()));
        assert!(Panels::cut(whole.clone(), 4).single().is_err_and(|cut| cut.dims() == [10, 3]));
        assert!(Panels::from(whole).single().is_ok());
    }
}
