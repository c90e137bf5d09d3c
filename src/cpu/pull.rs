//! Attention backward, by the formulas that [`crate::gradient`] has for it: P is computed again as it was on the way
//! forward.

use burn::tensor::{Tensor, TensorData};
use faer::linalg::matmul::matmul;
use faer::{Accum, Par};
use pulp::{Arch, Simd, WithSimd};

use super::spans::Block;
use super::{Lent, QUERIES, Scores, part, rows, rows_mut};
use crate::parallel;

/// The gradients at queries `(b, heads, t, d)`, keys and values `(b, kv_heads, t, d)`, from that at the contexts
/// `(b, heads, t, d)`, for tokens that begin a sequence; scores have no cap.
pub fn pull(of: [Tensor<4>; 3], context: Tensor<4>, at_context: Tensor<4>, scores: Scores<'_>) -> [Tensor<4>; 3] {
    let (device, shapes) = (context.device(), of.each_ref().map(Tensor::dims));
    let [[_, heads, t, d], [_, kv_heads, _, _], _] = shapes;
    let group = heads / kv_heads;
    let [q, k, v] = of.map(Lent::laid_out);
    let others = [context, at_context].map(Lent::laid_out);
    let [q, k, v, context, at_context] = [&q, &k, &v, &others[0], &others[1]].map(Lent::values);
    let [mut at_q, mut at_k, mut at_v] = [q, k, v].map(|of| vec![0.0; of.len()]);
    let shared = at_k.chunks_exact_mut(t * d).zip(at_v.chunks_exact_mut(t * d));
    let jobs: Vec<_> = at_q.chunks_exact_mut(group * t * d).zip(shared).enumerate().collect();
    parallel::map(jobs, |(row, (at_q, (at_k, at_v)))| {
        let mut room = [(); 2].map(|()| vec![0.0; QUERIES.min(t) * t]);
        // The heads that share keys and values one after the other: they add to the same gradients.
        for (i, at_q) in at_q.chunks_exact_mut(t * d).enumerate() {
            let head = row * group + i;
            let [q, context, at_context] = [q, context, at_context].map(|of| part(of, head, t * d));
            let [k, v] = [k, v].map(|of| part(of, row, t * d));
            let head_of = Head { q, k, v, context, at_context, d };
            for block in scores.spans.blocks(head / heads) {
                head_of.pull(&block, scores, &mut room, [at_q, at_k, at_v]);
            }
        }
    });
    let [q, k, v] = shapes;
    [(at_q, q), (at_k, k), (at_v, v)].map(|(values, shape)| Tensor::from_data(TensorData::new(values, shape), &device))
}

/// A query head with its keys and values, what it made of them and the gradient there, `(t, d)` each.
struct Head<'a> {
    q: &'a [f32],
    k: &'a [f32],
    v: &'a [f32],
    context: &'a [f32],
    at_context: &'a [f32],
    d: usize,
}

impl Head<'_> {
    /// Adds what some queries have to the gradients at queries, keys and values; in `room` there is place for P and ∂P.
    fn pull(&self, block: &Block, scores: Scores<'_>, room: &mut [Vec<f32>; 2], at: [&mut [f32]; 3]) {
        let ([queries, seen], d) = (block.places(self.d), self.d);
        let (q, k, v) = (&self.q[queries.clone()], &self.k[seen.clone()], &self.v[seen.clone()]);
        let (context, at_context) = (&self.context[queries.clone()], &self.at_context[queries.clone()]);
        let (q, k, v, g) = (rows(q, d), rows(k, d), rows(v, d), rows(at_context, d));
        let (width, scale) = (block.keys.len(), scores.scale as f32);
        let [p, at_p] = room.each_mut().map(|of| &mut of[..block.pairs()]);
        let [at_q, at_k, at_v] = at;
        let add = |to: &mut [f32], a, b, factor| matmul(rows_mut(to, d), Accum::Add, a, b, factor, Par::Seq);

        scores.weights(p, q, k, &block.seen);
        add(&mut at_v[seen.clone()], rows(p, width).transpose(), g, 1.0);
        matmul(rows_mut(at_p, width), Accum::Replace, g, v.transpose(), 1.0, Par::Seq);
        // ⟨g, o⟩ of every query is Σ P ⊙ ∂P, without either.
        let dot = |(o, g): (&[f32], &[f32])| o.iter().zip(g).map(|(o, g)| o * g).sum();
        let dots: Vec<f32> = context.chunks_exact(d).zip(at_context.chunks_exact(d)).map(dot).collect();
        Arch::new().dispatch(AtScores { at_p, p, dots: &dots, width });
        add(&mut at_q[queries], rows(at_p, width), k, scale);
        add(&mut at_k[seen], rows(at_p, width).transpose(), q, scale);
    }
}

/// ∂S = P ⊙ (∂P − ⟨g, o⟩) in the place of ∂P, row by row. Where a query does not see, P is zero and so is this.
struct AtScores<'a> {
    at_p: &'a mut [f32],
    p: &'a [f32],
    dots: &'a [f32],
    width: usize,
}

impl WithSimd for AtScores<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let rows = self.at_p.chunks_exact_mut(self.width).zip(self.p.chunks_exact(self.width));
        for ((at_p, p), &dot) in rows.zip(self.dots) {
            for (at_p, &p) in at_p.iter_mut().zip(p) {
                *at_p = p * (*at_p - dot);
            }
        }
    }
}
