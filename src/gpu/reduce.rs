//! Sums of squares: of columns, of vectors, and of columns over pivots.

use burn::tensor::{Int, Tensor};

use super::buffer::Buffer;
use super::kernel::{kernel, launch, launch_over};

kernel!(ColumnNorms = "column_norms", [64, 4, 1], { rows: u32, columns: u32 }, |p| 64 * u64::from(p.rows), |p| {
    4 * 64 * u64::from(p.rows + 1)
});
kernel!(SumSquares = "sum_squares", [256, 1, 1], { vectors: u32, length: u32 }, |p| u64::from(p.length));
kernel!(PivotScores = "pivot_scores", [64, 1, 1], { blocks: u32, n: u32 }, |p| 64 * u64::from(p.n));

/// ‖W_:j‖² of every column of `w` `(rows, columns)`.
pub fn column_norms(w: &Tensor<2>) -> Tensor<1> {
    let [rows, columns] = w.dims();
    let norms = Buffer::write(Tensor::<1>::empty([columns], &w.device()));
    let w = Buffer::read(w);
    launch_over([columns, 1, 1], &[&w, &norms], ColumnNorms { rows: rows as u32, columns: columns as u32 });
    norms.tensor()
}

/// ‖v_b‖² of every matrix of a batch `(vectors, …)`.
pub fn sum_squares(v: &Tensor<3>) -> Tensor<1> {
    let [vectors, a, b] = v.dims();
    let out = Buffer::write(Tensor::<1>::empty([vectors], &v.device()));
    let v = Buffer::read(v);
    launch([vectors, 1, 1], &[&v, &out], SumSquares { vectors: vectors as u32, length: (a * b) as u32 });
    out.tensor()
}

/// Σ_{j∈b} norms_j / (L_b)_jj² for the factors `l` `(blocks, n, n)` of the groups `columns` `(blocks, n)`.
pub fn pivot_scores(l: &Tensor<3>, norms: &Tensor<1>, columns: &Tensor<2, Int>) -> Tensor<1> {
    let [blocks, n, _] = l.dims();
    let scores = Buffer::write(Tensor::<1>::empty([blocks], &l.device()));
    let (l, norms, columns) = (Buffer::read(l), Buffer::read(norms), Buffer::read_index(columns));
    let params = PivotScores { blocks: blocks as u32, n: n as u32 };
    launch_over([blocks, 1, 1], &[&l, &norms, &columns, &scores], params);
    scores.tensor()
}
