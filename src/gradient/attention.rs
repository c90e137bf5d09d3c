//! Attention backward by hand: autodiff would keep the scores of all heads, which are more than everything else
//! of a layer, and could not use the attention that is fastest forward.
//!
//! With S = s q kᵀ + mask, s usually 1/√d, P = softmax(S), o = P v, and g the gradient at o (FlashAttention, arXiv 2205.14135 §B.2):
//!
//! ```text
//! ∂v = Pᵀ g     ∂P = g vᵀ     ∂S = P ⊙ (∂P − ⟨g, o⟩)     ∂q = s ∂S k     ∂k = s ∂Sᵀ q
//! ```
//!
//! P is computed again, for so many heads at once as their scores may take.

use burn::tensor::Tensor;
use burn::tensor::activation::softmax;

use crate::cpu::{self, Scores};
use crate::model::SCORE_BYTES;

/// The gradients at queries `(b, heads, t, d)`, keys and values `(b, kv_heads, t, d)`, from the contexts
/// `(b, t, heads · d)` and the gradient at them. The mask is `(1, 1, t, t)`, or `(b·kv_heads, 1, t, t)`; there is none
/// where the CPU's attention was used on the way forward.
pub(super) fn pull(
    of: [Tensor<4>; 3],
    [context, at_context]: [Tensor<3>; 2],
    mask: Option<&Tensor<4>>,
    scores: Scores<'_>,
) -> [Tensor<4>; 3] {
    let [b, heads, t, d] = of[0].dims();
    let [context, at_context] = [context, at_context].map(|x| x.reshape([b, t, heads, d]).swap_dims(1, 2));
    match mask {
        None => cpu::pull(of, context, at_context, scores),
        Some(mask) => pull_within(SCORE_BYTES, of, [context, at_context], mask, scores.scale),
    }
}

/// [`pull`] with score tensors of at most `most` bytes, or of one query of the heads that share keys.
fn pull_within(
    most: usize,
    [q, k, v]: [Tensor<4>; 3],
    [context, at_context]: [Tensor<4>; 2],
    mask: &Tensor<4>,
    scale: f64,
) -> [Tensor<4>; 3] {
    let ([b, heads, t, d], [_, kv, _, _]) = (q.dims(), k.dims());
    let (rows, group) = (b * kv, heads / kv);
    // The query heads that read one K/V head are neighbours, so they make one product with its keys.
    let of_queries = |x: Tensor<4>| x.reshape([rows, group, t, d]);
    // Scaled before the product, as on the way forward: P must be the P that was used there.
    let queries = of_queries(q).mul_scalar(scale);
    let (keys, values) = (k.reshape([rows, t, d]), v.reshape([rows, t, d]));
    let at_context = of_queries(at_context);
    // ⟨g, o⟩ of every query is Σ P ⊙ ∂P, without either.
    let dot = (at_context.clone() * of_queries(context)).sum_dim(3);
    // Several K/V heads together where their scores are few, and some queries of one where they are many.
    let of_query = group * t * size_of::<f32>();
    let step = (most / (of_query * t)).clamp(1, rows);
    let length = if step > 1 { t } else { (most / of_query).clamp(1, t) };
    let mut parts: [Vec<Tensor<3>>; 3] = Default::default();
    for from in (0..rows).step_by(step) {
        let range = from..rows.min(from + step);
        let n = range.len();
        let of_rows = |x: &Tensor<3>| x.clone().slice([range.clone(), 0..t, 0..d]);
        let (k, v) = (of_rows(&keys), of_rows(&values));
        let mut at_queries = Vec::new();
        let mut at_keys_and_values: Option<[Tensor<3>; 2]> = None;
        for begin in (0..t).step_by(length) {
            let queried = begin..t.min(begin + length);
            let m = queried.len();
            let cut = |x: &Tensor<4>| {
                let [_, _, _, width] = x.dims();
                let some = x.clone().slice([range.clone(), 0..group, queried.clone(), 0..width]);
                some.reshape([n, group * m, width])
            };
            // One for all rows, or one a row.
            let of_mask = if mask.dims()[0] == 1 { 0..1 } else { range.clone() };
            let masks = mask.clone().slice([of_mask, 0..1, queried.clone(), 0..t]);
            let (q, g) = (cut(&queries), cut(&at_context));
            let scores = q.clone().matmul(k.clone().swap_dims(1, 2)).reshape([n, group, m, t]) + masks;
            let p = softmax(scores, 3).reshape([n, group * m, t]);
            // Query heads that share keys and values are rows of one product, which sums their gradients.
            let at_values = p.clone().swap_dims(1, 2).matmul(g.clone());
            // Where the mask forbids, P is zero and so is this: it needs no mask of its own.
            let at_scores = p * (g.matmul(v.clone().swap_dims(1, 2)) - cut(&dot));
            at_queries.push(at_scores.clone().matmul(k.clone()).mul_scalar(scale).reshape([n, group, m, d]));
            // The queries are scaled already.
            let at_keys = at_scores.swap_dims(1, 2).matmul(q);
            at_keys_and_values = Some(match at_keys_and_values.take() {
                Some([keys, values]) => [keys + at_keys, values + at_values],
                None => [at_keys, at_values],
            });
        }
        parts[0].push(Tensor::cat(at_queries, 2).reshape([n, group * t, d]));
        for (part, sum) in parts[1..].iter_mut().zip(at_keys_and_values.into_iter().flatten()) {
            part.push(sum);
        }
    }
    let [at_q, at_k, at_v] = parts.map(|parts| Tensor::cat(parts, 0));
    [at_q.reshape([b, heads, t, d]), at_k.reshape([b, kv, t, d]), at_v.reshape([b, kv, t, d])]
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Distribution, TensorData};

    use super::*;
    use crate::cpu::Spans;

    /// However few scores may stand in memory, the gradients are those of all at once; and both ways have the same.
    #[test]
    fn queries_in_pieces_are_pulled_as_all_together() {
        let (device, [b, heads, kv, t, d]) = (Device::flex(), [2, 4, 2, 11, 3]);
        let random = |shape: [usize; 4]| Tensor::<4>::random(shape, Distribution::Normal(0.0, 1.0), &device);
        let of = [random([b, heads, t, d]), random([b, kv, t, d]), random([b, kv, t, d])];
        let spans = Spans::new(0, t, None);
        let scores = Scores { spans: &spans, scale: 0.7, cap: None };
        let contexts = [cpu::attend(of.clone(), scores), random([b, heads, t, d])];
        let forbidden = |i: usize, j: usize| if j > i { f32::NEG_INFINITY } else { 0.0 };
        let mask: Vec<f32> = (0..t * t).map(|at| forbidden(at / t, at % t)).collect();
        let mask = Tensor::<4>::from_data(TensorData::new(mask, [1, 1, t, t]), &device);
        let numbers = |found: [Tensor<4>; 3]| found.map(|x| x.into_data().try_to_vec::<f32>().expect("floats"));
        let pulled = |most| numbers(pull_within(most, of.clone(), contexts.clone(), &mask, 0.7));
        let whole = pulled(SCORE_BYTES);
        // One query of a K/V head's group, three of them, all of one, all of three.
        let of_query = heads / kv * t * size_of::<f32>();
        let pieces = [1, 3 * of_query, t * of_query, 3 * t * of_query].map(pulled);
        let [context, at_context] = contexts.clone();
        let by_spans = numbers(cpu::pull(of.clone(), context, at_context, scores));
        for found in pieces.iter().chain([&by_spans]) {
            for (piece, all) in found.iter().flatten().zip(whole.iter().flatten()) {
                assert!((piece - all).abs() <= 1e-5 * (1.0 + all.abs()), "{piece} {all}");
            }
        }
    }
}
