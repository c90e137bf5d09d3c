//! Causal attention in half precision on the matrix units of a card, without a row of scores ever stored.

use burn::tensor::Tensor;

use super::buffer::Buffer;
use super::kernel::{self, kernel};
use super::products::Halves;
use crate::device::product::runs;

kernel!(AttendHalf = "attend_half", [128, 1, 1], {
    tokens: u32, heads: u32, group: u32, width: u32, first: u32, scale: f32,
}, |p| PASSES * (QUERIES * WIDEST) as u64 * u64::from(p.tokens));

/// Queries of a workgroup.
const QUERIES: usize = 64;
/// Numbers of the widest head that the kernel takes; those of a narrower one are filled up with zeros.
pub const WIDEST: usize = 128;
/// Products: scores twice, and values.
const PASSES: u64 = 3;

/// What queries `(b, heads, t, width)` make of the keys and values `(b, kv_heads, t, width)` of the same tokens, none of
/// which sees a later one: softmax(scale · q kᵀ) v, as `(b, t, heads · width)`.
pub fn causal([q, k, v]: [&Tensor<4>; 3], scale: f64) -> Tensor<3> {
    let ([b, heads, t, width], [_, kv_heads, _, _]) = (q.dims(), k.dims());
    // Alike, so that one factor takes the scaling of a tile of scores back, and none is needed for weights and values.
    let [q_halves, k_halves, v_halves] = [q, k, v].map(|x| {
        let [b, heads, t, width] = x.dims();
        Halves::alike(&x.clone().reshape([b * heads * t, width]), WIDEST)
    });
    let context = Buffer::write(Tensor::<3>::empty([b, t, heads * width], &q.device()));
    let params = AttendHalf {
        tokens: t as u32,
        heads: heads as u32,
        group: (heads / kv_heads) as u32,
        width: width as u32,
        first: 0,
        scale: scale as f32,
    };
    let tiles = t.div_ceil(QUERIES);
    for run in runs(b * heads, kernel::work([tiles, 1, 1], &params)) {
        let params = AttendHalf { first: run.start as u32, ..params };
        let halves = [&q_halves, &k_halves, &v_halves];
        let [[q, k, v], [qs, ks, vs]] = [halves.map(|h| &h.words), halves.map(|h| &h.scales)];
        kernel::launch([tiles, run.len(), 1], &[q, k, v, qs, ks, vs, &context], params);
    }
    context.tensor()
}
