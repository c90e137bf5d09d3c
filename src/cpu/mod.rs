//! Attention as the CPU computes it: heads side by side on all cores, and of every query only the keys that it
//! sees. burn's own has neither a gradient nor windows, and computes one exponential after the other.

mod attend;
mod lent;
#[cfg(feature = "gradients")]
mod pull;
mod softmax;
mod spans;

use std::ops::Range;

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};

pub use attend::attend;
pub use lent::Lent;
#[cfg(feature = "gradients")]
pub use pull::pull;
pub use spans::Spans;

/// Queries that go together. Their scores, 64 times as many numbers as there are keys, stay in a core's cache.
const QUERIES: usize = 64;

/// What the scores of a layer have in common.
#[derive(Clone, Copy, Debug)]
pub struct Scores<'a> {
    /// Which keys a query sees.
    pub spans: &'a Spans,
    /// Factor of q kᵀ.
    pub scale: f64,
    /// c of c · tanh(score / c).
    pub cap: Option<f64>,
}

impl Scores<'_> {
    /// Writes P = softmax(cap(scale · q kᵀ)) of some queries, `q` `(n, d)` and `k` `(keys, d)`; row i sees `seen[i]`, and
    /// elsewhere is zero.
    fn weights(&self, p: &mut [f32], q: MatRef<'_, f32>, k: MatRef<'_, f32>, seen: &[Range<usize>]) {
        let width = k.nrows();
        matmul(rows_mut(p, width), Accum::Replace, q, k.transpose(), self.scale as f32, Par::Seq);
        if let Some(cap) = self.cap {
            let cap = cap as f32;
            p.iter_mut().for_each(|score| *score = cap * (*score / cap).tanh());
        }
        softmax::rows(p, width, seen);
    }
}

/// Part `i` of equal parts.
fn part(values: &[f32], i: usize, length: usize) -> &[f32] {
    &values[i * length..(i + 1) * length]
}

fn rows(values: &[f32], width: usize) -> MatRef<'_, f32> {
    MatRef::from_row_major_slice(values, values.len() / width, width)
}

fn rows_mut(values: &mut [f32], width: usize) -> MatMut<'_, f32> {
    let n = values.len() / width;
    MatMut::from_row_major_slice_mut(values, n, width)
}
