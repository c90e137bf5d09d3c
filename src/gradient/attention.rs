//! Attention backward by hand: autodiff would keep the scores of all heads, which are more than everything else
//! of a layer, and could not use the attention that is fastest forward.
//!
//! With S = q kᵀ / √d + mask, P = softmax(S), o = P v, and g the gradient at o (FlashAttention, arXiv 2205.14135 §B.2):
//!
//! ```text
//! ∂v = Pᵀ g     ∂P = g vᵀ     ∂S = P ⊙ (∂P − ⟨g, o⟩)     ∂q = ∂S k / √d     ∂k = ∂Sᵀ q / √d
//! ```
//!
//! P is computed again, for so many heads at once as their scores may take.

use burn::tensor::activation::softmax;
use burn::tensor::{Device, Tensor};

use crate::model::SCORE_BYTES;

/// Largest score tensor on the CPU, in bytes, where scores that stay in its caches are gone through in half the time.
const CPU_SCORE_BYTES: usize = 2 << 20;

/// The gradients at queries `(b, heads, t, d)`, keys and values `(b, kv_heads, t, d)`, from that at the contexts
/// `(b, t, heads · d)`. The mask is `(1, 1, t, t)`, or `(b·kv_heads, 1, t, t)`.
pub(super) fn pull(
    [q, k, v]: [Tensor<4>; 3],
    context: Tensor<3>,
    at_context: Tensor<3>,
    mask: &Tensor<4>,
) -> [Tensor<4>; 3] {
    let ([b, heads, t, d], [_, kv, _, _]) = (q.dims(), k.dims());
    let (rows, group) = (b * kv, heads / kv);
    // The query heads that read one K/V head are neighbours, so they make one product with its keys.
    let of_queries = |x: Tensor<4>| x.reshape([rows, group * t, d]);
    let of_context = |x: Tensor<3>| of_queries(x.reshape([b, t, heads, d]).swap_dims(1, 2));
    let scale = 1.0 / (d as f64).sqrt();
    // Scaled before the product, as on the way forward: P must be the P that was used there.
    let queries = of_queries(q).mul_scalar(scale);
    let (keys, values) = (k.reshape([rows, t, d]), v.reshape([rows, t, d]));
    let at_context = of_context(at_context);
    // ⟨g, o⟩ of every query is Σ P ⊙ ∂P, without either.
    let dot = (at_context.clone() * of_context(context)).sum_dim(2);
    let most = if queries.device() == Device::flex() { CPU_SCORE_BYTES } else { SCORE_BYTES };
    // At least one K/V head at a time, however long the sequence.
    let step = (most / (group * t * t * size_of::<f32>())).clamp(1, rows);
    let mut parts: [Vec<Tensor<3>>; 3] = Default::default();
    for from in (0..rows).step_by(step) {
        let range = from..rows.min(from + step);
        let n = range.len();
        let cut = |x: &Tensor<3>| {
            let [_, length, width] = x.dims();
            x.clone().slice([range.clone(), 0..length, 0..width])
        };
        // One for all rows, or one a row.
        let masks =
            if mask.dims()[0] == 1 { mask.clone() } else { mask.clone().slice([range.clone(), 0..1, 0..t, 0..t]) };
        let (q, k, v, g) = (cut(&queries), cut(&keys), cut(&values), cut(&at_context));
        let scores = q.clone().matmul(k.clone().swap_dims(1, 2)).reshape([n, group, t, t]) + masks;
        let p = softmax(scores, 3).reshape([n, group * t, t]);
        // Query heads that share keys and values are rows of one product, which sums their gradients.
        parts[2].push(p.clone().swap_dims(1, 2).matmul(g.clone()));
        // Where the mask forbids, P is zero and so is this: it needs no mask of its own.
        let at_scores = p * (g.matmul(v.swap_dims(1, 2)) - cut(&dot));
        parts[0].push(at_scores.clone().matmul(k).mul_scalar(scale));
        // The queries are scaled already.
        parts[1].push(at_scores.swap_dims(1, 2).matmul(q));
    }
    let [at_q, at_k, at_v] = parts.map(|parts| Tensor::cat(parts, 0));
    [at_q.reshape([b, heads, t, d]), at_k.reshape([b, kv, t, d]), at_v.reshape([b, kv, t, d])]
}
