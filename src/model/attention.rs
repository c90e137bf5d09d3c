//! Causal self-attention with grouped key/value heads, up to the input of o_proj.

use burn::module::Module;
use burn::tensor::Tensor;
use burn::tensor::activation::softmax;

use super::activation::capped;
use super::halves::attended;
use super::linear::normed;
use super::{Linear, Positions, RmsNorm};
use crate::cpu::{self, Scores};
use crate::shape::{LayerShape, ModelConfig, Reach};

/// Largest score tensor, in bytes: half of the smallest binding limit there is (128 MiB).
pub const SCORE_BYTES: usize = 64 << 20;

/// Most queries of a chunk. They meet only keys up to the last of them: of 2048 tokens so few leave out 47 of the 50 % of
/// all pairs that no query may look at, and are still enough for a product.
const QUERIES_AT_ONCE: usize = 128;

/// Keys and values of earlier tokens, `(b, kv_heads, t, head_dim)` each.
#[derive(Clone, Debug, Default)]
pub struct LayerCache(Option<(Tensor<4>, Tensor<4>)>);

/// The attention of one layer, with the norms before and behind it.
#[derive(Module, Debug)]
pub struct Attention {
    /// Of the residual stream, before all else, where there is one.
    pub norm: Option<RmsNorm>,
    /// Of what it adds to the residual stream, where norms stand behind.
    pub added_norm: Option<RmsNorm>,
    /// Queries, `(heads · head_dim, d)`.
    pub q: Linear,
    /// Keys, `(kv_heads · head_dim, d)`.
    pub k: Linear,
    /// Values, `(kv_heads · head_dim, d)`.
    pub v: Linear,
    /// Output projection: its input columns are what pruning removes.
    pub o: Linear,
    /// On every query head, or all together, before they are turned, where the family has it.
    pub q_norm: Option<RmsNorm>,
    /// On every key head, or all together, before they are turned, where the family has it.
    pub k_norm: Option<RmsNorm>,
    heads: usize,
    kv_heads: usize,
    head_dim: usize,
    /// Whether the norms are over all heads together.
    binds_heads: bool,
    /// Factor of the scores.
    scale: f64,
    /// c of c · tanh(score / c).
    #[module(skip)]
    cap: Option<f64>,
    #[module(skip)]
    reach: Reach,
}

impl Attention {
    /// Attention of layer `layer` from its projections q, k, v, o and its norms: before all else, behind o, on q and on k.
    pub fn new(
        layer: usize,
        [q, k, v, o]: [Linear; 4],
        [norm, added_norm, q_norm, k_norm]: [Option<RmsNorm>; 4],
        shape: LayerShape,
        config: &ModelConfig,
    ) -> Self {
        let (design, head_dim) = (&config.design, config.head_dim);
        Self {
            norm,
            added_norm,
            q,
            k,
            v,
            o,
            q_norm,
            k_norm,
            heads: shape.heads,
            kv_heads: shape.kv_heads,
            head_dim,
            binds_heads: design.binds_heads,
            scale: design.score_scale.unwrap_or(1.0 / (head_dim as f64).sqrt()),
            cap: design.score_cap,
            reach: design.layer(layer),
        }
    }

    /// The norms of queries and of keys, if they are of each head, or `together` of all.
    pub(super) fn head_norms(&self, together: bool) -> [Option<&RmsNorm>; 2] {
        [&self.q_norm, &self.k_norm].map(|norm| norm.as_ref().filter(|_| self.binds_heads == together))
    }

    /// What its scores have in common.
    pub fn scores<'a>(&self, positions: &'a Positions) -> Scores<'a> {
        Scores { spans: positions.spans(self.reach), scale: self.scale, cap: self.cap }
    }

    /// What is added to the scores: `(1, 1, t, offset + t)`, or `(b·kv_heads, 1, t, t)` where sequences have masks of
    /// their own. None where attention is [`cpu::attend`], which needs none.
    pub fn mask(&self, positions: &Positions) -> Option<Tensor<4>> {
        positions.mask(self.reach, self.kv_heads)
    }

    /// The heads' contexts side by side, `(b, t, heads · head_dim)`, of the residual stream: the input of o_proj.
    pub fn context(&self, hidden: Tensor<3>, positions: &Positions, cache: Option<&mut LayerCache>) -> Tensor<3> {
        let [q, mut k, mut v] = self.projected(hidden, positions);
        if let Some(cache) = cache {
            // Cached after they are turned: the angle of a key depends on its own position alone.
            (k, v) = cache.extended(k, v);
        }
        self.attended([q, k, v], positions)
    }

    /// Queries `(b, heads, t, head_dim)` and keys, both turned by their positions, and values `(b, kv_heads, t,
    /// head_dim)`, of the residual stream.
    pub fn projected(&self, hidden: Tensor<3>, positions: &Positions) -> [Tensor<4>; 3] {
        let x = normed(self.norm.as_ref(), hidden);
        // Normed before they are turned: the norm's scale differs from entry to entry, so the two do not commute.
        let q = self.split_and_normed(self.q.forward(x.clone()), self.heads, self.q_norm.as_ref());
        let k = self.split_and_normed(self.k.forward(x.clone()), self.kv_heads, self.k_norm.as_ref());
        let [q, k] = [q, k].map(|heads| positions.rotate(self.reach, heads));
        [q, k, self.split(self.v.forward(x), self.kv_heads)]
    }

    /// What queries make of keys and values, `(b, t, heads · head_dim)`.
    pub fn attended(&self, [q, k, v]: [Tensor<4>; 3], positions: &Positions) -> Tensor<3> {
        let [b, _, t, _] = q.dims();
        let scores = self.scores(positions);
        let is_plain = self.cap.is_none() && scores.spans.sees_all();
        if let Some(context) = is_plain.then(|| attended([&q, &k, &v], self.scale)).flatten() {
            return context;
        }
        let context = match self.mask(positions) {
            None => cpu::attend([q, k, v], scores),           // (b, heads, t, head_dim)
            Some(mask) => self.attend_masked(q, k, v, &mask), // (b·kv, group, t, head_dim)
        };
        context.reshape([b, self.heads, t, self.head_dim]).swap_dims(1, 2).reshape([b, t, self.heads * self.head_dim])
    }

    /// Every head normed by itself, or all together, if there is a norm: `(b, t, n·head_dim)` to `(b, n, t, head_dim)`.
    fn split_and_normed(&self, x: Tensor<3>, n: usize, norm: Option<&RmsNorm>) -> Tensor<4> {
        match self.binds_heads {
            true => self.split(normed(norm, x), n),
            false => normed(norm, self.split(x, n)),
        }
    }

    /// `(b, t, n·head_dim)` to `(b, n, t, head_dim)`.
    fn split(&self, x: Tensor<3>, n: usize) -> Tensor<4> {
        let [b, t, _] = x.dims();
        x.reshape([b, t, n, self.head_dim]).swap_dims(1, 2)
    }

    /// Ours, in chunks whose scores a GPU can bind, and which leave out the keys that come after all their queries. The mask
    /// is one for all rows, or one a row.
    fn attend_masked(&self, q: Tensor<4>, k: Tensor<4>, v: Tensor<4>, mask: &Tensor<4>) -> Tensor<4> {
        let [b, _, t, d] = q.dims();
        let [_, kv, width, _] = k.dims();
        let group = self.heads / self.kv_heads;
        let rows = b * kv;
        // The query heads that read one K/V head are neighbours, so its keys serve them in one product.
        let q = q.reshape([rows, group, t, d]);
        let (k, v) = (k.reshape([rows, width, d]), v.reshape([rows, width, d]));
        let (row_step, query_step) = chunks(rows, group, t, width);
        let mut done = Vec::new();
        for row in (0..rows).step_by(row_step) {
            let row_end = rows.min(row + row_step);
            let masks = if mask.dims()[0] == 1 { 0..1 } else { row..row_end };
            let queries = (0..t).step_by(query_step).map(|from| {
                let to = t.min(from + query_step);
                // The queries are the last of the tokens; masked pairs have a weight of exactly zero.
                let seen = width - t + to;
                let part = |m: &Tensor<3>| m.clone().slice([row..row_end, 0..seen, 0..d]);
                let q = q.clone().slice([row..row_end, 0..group, from..to, 0..d]);
                let mask = mask.clone().slice([masks.clone(), 0..1, from..to, 0..seen]);
                self.attend_chunk(q, &part(&k), &part(&v), mask)
            });
            done.push(joined(queries.collect(), 2));
        }
        joined(done, 0)
    }

    /// softmax(cap(scale · q kᵀ) + mask) v for a chunk of K/V heads and queries.
    fn attend_chunk(&self, q: Tensor<4>, k: &Tensor<3>, v: &Tensor<3>, mask: Tensor<4>) -> Tensor<4> {
        let [rows, group, t, d] = q.dims();
        let [_, width, _] = k.dims();
        // The queries are scaled rather than the scores: those are more wherever `width` is above d.
        let q = q.reshape([rows, group * t, d]).mul_scalar(self.scale);
        let scores = q.matmul(k.clone().swap_dims(1, 2)).reshape([rows, group, t, width]);
        let weights = softmax(capped(scores, self.cap) + mask, 3).reshape([rows, group * t, width]);
        weights.matmul(v.clone()).reshape([rows, group, t, d])
    }
}

/// How many K/V heads and how many queries at once keep the scores within [`SCORE_BYTES`].
fn chunks(rows: usize, group: usize, t: usize, width: usize) -> (usize, usize) {
    // Of one K/V head: a chunk always holds all the query heads that read it.
    let per_query = group * width * size_of::<f32>();
    // Never less than one: the softmax of a query needs its whole row.
    let queries = (SCORE_BYTES / per_query).clamp(1, t.min(QUERIES_AT_ONCE));
    let heads = (SCORE_BYTES / (per_query * queries)).clamp(1, rows);
    (heads, queries)
}

/// Pairs of a query and a key that are computed for each of so many tokens that begin a sequence, on average.
pub fn pairs_per_token(tokens: usize) -> f64 {
    let ends = (0..tokens).step_by(QUERIES_AT_ONCE).map(|from| (from, tokens.min(from + QUERIES_AT_ONCE)));
    ends.map(|(from, to)| ((to - from) * to) as f64).sum::<f64>() / tokens.max(1) as f64
}

fn joined(mut parts: Vec<Tensor<4>>, axis: usize) -> Tensor<4> {
    if parts.len() == 1 { parts.remove(0) } else { Tensor::cat(parts, axis) }
}

impl LayerCache {
    /// Appends new keys and values and returns all of them.
    fn extended(&mut self, k: Tensor<4>, v: Tensor<4>) -> (Tensor<4>, Tensor<4>) {
        // Taken and not cloned, so that the shorter tensors are freed as soon as they are copied.
        let all = match self.0.take() {
            None => (k, v),
            Some((old_k, old_v)) => (Tensor::cat(vec![old_k, k], 2), Tensor::cat(vec![old_v, v], 2)),
        };
        self.0 = Some(all.clone());
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_keep_scores_within_the_limit() {
        for (rows, group, t, width) in [(32, 1, 2048, 2048), (8, 8, 4096, 4096), (4, 2, 7, 7), (1, 64, 1, 131_072)] {
            let (heads, queries) = chunks(rows, group, t, width);
            let bytes = heads * group * queries * width * 4;
            assert!(bytes <= SCORE_BYTES || (heads, queries) == (1, 1), "{rows} {group} {t}: {bytes}");
            assert!(queries <= QUERIES_AT_ONCE);
        }
    }

    #[test]
    fn keys_behind_all_queries_of_a_chunk_are_left_out() {
        // 128 · (128 + 256 + … + 2048) of 2048² pairs.
        assert_eq!(pairs_per_token(2048), 2048.0 * 136.0 / 256.0);
        assert_eq!((pairs_per_token(100), pairs_per_token(0)), (100.0, 0.0));
        assert_eq!(pairs_per_token(257), (128.0 * (128.0 + 256.0) + 257.0) / 257.0);
    }
}
