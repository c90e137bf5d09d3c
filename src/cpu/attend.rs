//! What queries make of keys and values, one head after the other.

use burn::tensor::{Tensor, TensorData};
use faer::linalg::matmul::matmul;
use faer::{Accum, Par};

use super::{Lent, QUERIES, Scores, part, rows, rows_mut};
use crate::parallel;

/// P v `(b, heads, t, d)` of queries `(b, heads, t, d)`, keys and values `(b, kv_heads, keys, d)`, with P =
/// softmax(cap(scale · q kᵀ)) over the keys that a query sees.
pub fn attend([q, k, v]: [Tensor<4>; 3], scores: Scores<'_>) -> Tensor<4> {
    let (device, [b, heads, t, d], [_, kv_heads, keys, _]) = (q.device(), q.dims(), k.dims());
    let group = heads / kv_heads;
    let all = [q, k, v].map(Lent::laid_out);
    let [q, k, v] = all.each_ref().map(Lent::values);
    let mut context = vec![0.0; q.len()];
    let jobs: Vec<_> = context.chunks_exact_mut(t * d).zip(q.chunks_exact(t * d)).enumerate().collect();
    parallel::map(jobs, |(head, (context, q))| {
        // Counted through all sequences, neighbouring query heads share a K/V head too.
        let [k, v] = [k, v].map(|of| part(of, head / group, keys * d));
        let mut p = vec![0.0; QUERIES.min(t) * keys];
        for block in scores.spans.blocks(head / heads) {
            let [queries, seen] = block.places(d);
            let p = &mut p[..block.pairs()];
            scores.weights(p, rows(&q[queries.clone()], d), rows(&k[seen.clone()], d), &block.seen);
            let context = rows_mut(&mut context[queries], d);
            matmul(context, Accum::Replace, rows(p, block.keys.len()), rows(&v[seen], d), 1.0, Par::Seq);
        }
    });
    Tensor::from_data(TensorData::new(context, [b, heads, t, d]), &device)
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Distribution};

    use super::*;
    use crate::cpu::Spans;

    /// Every shape against sums in double precision: heads that share keys, earlier keys, windows, documents, caps, and
    /// more queries than go together.
    #[test]
    fn contexts_are_those_of_double_precision() {
        let documents = [vec![0; 9], vec![3, 3, 4, 4, 4, 4, 5, 5, 5]];
        let cases = [
            ([2, 4, 2, 3], Spans::new(0, QUERIES + 7, None), None),
            ([1, 2, 1, 8], Spans::new(5, 3, None), None),
            ([1, 3, 3, 5], Spans::new(0, 2 * QUERIES, Some(10)), None),
            ([2, 2, 1, 4], Spans::new(0, 9, Some(4)).within(&documents), None),
            ([1, 2, 2, 16], Spans::new(0, 1, None), Some(1.5)),
            ([1, 2, 2, 16], Spans::new(2, 20, Some(7)), Some(0.5)),
        ];
        for ([b, heads, kv_heads, d], spans, cap) in cases {
            let (t, keys) = (spans.queries(), spans.keys());
            let random =
                |shape: [usize; 4]| Tensor::<4>::random(shape, Distribution::Normal(0.0, 1.0), &Device::flex());
            let of = [random([b, heads, t, d]), random([b, kv_heads, keys, d]), random([b, kv_heads, keys, d])];
            let [q, k, v] =
                of.clone().map(|x| Lent::laid_out(x).values().iter().map(|&x| f64::from(x)).collect::<Vec<_>>());
            let found = Lent::laid_out(attend(of, Scores { spans: &spans, scale: 0.7, cap }));
            for (i, &found) in found.values().iter().enumerate() {
                let (query, column) = (i / d, i % d);
                let (head, query_in_head) = (query / t, query % t);
                let shared = head / (heads / kv_heads) * keys;
                let row = if spans.rows() == 1 { 0 } else { head / heads };
                let (mut sum, mut total) = (0.0, 0.0);
                for key in spans.seen(row, query_in_head) {
                    let score = (0..d).map(|j| q[query * d + j] * k[(shared + key) * d + j]).sum::<f64>() * 0.7;
                    let weight = cap.map_or(score, |cap: f64| cap * (score / cap).tanh()).exp();
                    sum += weight * v[(shared + key) * d + column];
                    total += weight;
                }
                assert!((f64::from(found) - sum / total).abs() < 2e-6, "{spans:?} {i}: {found} {}", sum / total);
            }
        }
    }
}
