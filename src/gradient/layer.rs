//! One layer forward and backward, under autodiff, in its two halves: the gradients at what attention and
//! the feed-forward part add to the residual stream stand between them.

use std::collections::BTreeMap;

use burn::module::Module;
use burn::tensor::{Gradients, Tensor};

use super::attention;
use crate::model::{Attention, Block, Positions, flat};
use crate::shape::{Layer, Part, Projection};

/// Gradients at what a layer computes with, where they were asked for, on the device.
#[derive(Clone, Debug, Default)]
pub struct LayerGradients {
    /// At its parts, each flat and row by row.
    pub parts: Layer<Tensor<1>>,
    /// At the factors A `(rank, in)` and B `(out, rank)` of its adapters.
    pub factors: BTreeMap<Projection, [Tensor<2>; 2]>,
    /// At the gates of heads and channels.
    pub gates: [Option<Tensor<1>>; 2],
}

impl LayerGradients {
    /// Adds those of more tokens, which are at the same parts.
    pub(super) fn add(&mut self, more: Self) {
        let is_empty = self.parts.is_empty() && self.factors.is_empty() && self.gates.iter().all(Option::is_none);
        if is_empty {
            *self = more;
            return;
        }
        for (sum, gate) in self.gates.iter_mut().zip(more.gates) {
            *sum = sum.take().zip(gate).map(|(sum, gate)| sum + gate);
        }
        let sums = more.parts.into_iter().map(|(part, tensor)| (part, self.parts[part].clone() + tensor));
        self.parts = sums.collect();
        for (projection, [a, b]) in more.factors {
            let sum = |[a0, b0]: [Tensor<2>; 2]| [a0 + a.clone(), b0 + b.clone()];
            self.factors.entry(projection).and_modify(|both| *both = sum(both.clone())).or_insert([a, b]);
        }
    }
}

/// Gradients at what the halves of a layer add to the residual stream, `(b, t, d)`.
#[derive(Clone, Debug)]
pub struct Taps {
    /// At what attention adds.
    pub attention: Tensor<3>,
    /// At what the feed-forward part adds.
    pub feed_forward: Tensor<3>,
}

impl Taps {
    /// Σ g gᵀ over all tokens of both, `(d, d)`: how the loss curves in what each half adds, as Fisher's information has it
    /// of one token (arXiv 1412.1193).
    pub(super) fn products(&self) -> [Tensor<2>; 2] {
        [&self.attention, &self.feed_forward].map(|tap| {
            let rows = flat(tap.clone());
            rows.clone().transpose().matmul(rows)
        })
    }
}

/// A layer that went forward under autodiff, ready to be pulled back.
pub(super) struct Graph {
    block: Block,
    /// `None` in a layer without attention.
    attention: Option<Attended>,
    /// Input and output of the feed-forward part; in a layer without one the two are the same.
    feed_forward: [Tensor<3>; 2],
}

/// Attention that went forward.
struct Attended {
    /// The layer's input; queries, keys and values made of it.
    hidden: Tensor<3>,
    projected: [Tensor<4>; 3],
    /// What attention made of them, not under autodiff; the same as a new leaf, and what o_proj makes of it.
    context: Tensor<3>,
    attended: [Tensor<3>; 2],
}

impl Attended {
    /// `None` in a layer without attention.
    fn of(
        block: &Block,
        positions: &Positions,
        input: &Tensor<3>,
        leaf: impl Fn(Tensor<3>) -> Tensor<3>,
    ) -> Option<Self> {
        let attention = block.attention.as_ref()?;
        let hidden = leaf(input.clone());
        let projected = attention.projected(hidden.clone(), positions);
        // Not under autodiff, which would keep the scores of all heads.
        let context = attention.attended(projected.clone().map(Tensor::inner), positions);
        let attended = leaf(context.clone());
        let added = block.attended(Some(attended.clone()))?;
        Some(Self { hidden, projected, context, attended: [attended, added] })
    }

    /// What it adds to the residual stream.
    fn added(&self) -> Tensor<3> {
        self.attended[1].clone().inner()
    }

    /// Pulls the gradient behind it back to the layer's input, by attention alone.
    fn pull(
        self,
        (block, attention): (&Block, &Attention),
        found: &mut Found,
        positions: &Positions,
        behind: Tensor<3>,
    ) -> Tensor<3> {
        let Self { hidden, projected, context, attended: [leaf, added] } = self;
        let at_context = found.pull(block, &leaf, [weighed(added, behind)]);
        let of = projected.clone().map(Tensor::inner);
        let scores = attention.scores(positions);
        let at_projected = attention::pull(of, [context, at_context], attention.mask(positions).as_ref(), scores);
        let [q, k, v] = projected;
        let [at_q, at_k, at_v] = at_projected;
        found.pull(block, &hidden, [weighed(q, at_q), weighed(k, at_k), weighed(v, at_v)])
    }
}

/// What a gradient at a layer's output is pulled back to.
pub(super) struct Pulled {
    /// At its input `(b, t, d)`.
    pub input: Tensor<3>,
    pub gradients: LayerGradients,
    pub taps: Taps,
}

impl Graph {
    /// Goes forward from `input` `(b, t, d)`, which like the block is not under autodiff; those parameters of
    /// the block learn that say so.
    pub fn forward(block: &Block, positions: &Positions, input: Tensor<3>) -> Self {
        let leaf = |tensor: Tensor<3>| tensor.autodiff().require_grad();
        Self::of(block.clone().train(), positions, input, leaf)
    }

    /// What the next layer is given, of a layer that nobody pulls back now. It is computed as by [`Self::forward`]:
    /// fused operations, which autodiff has not, have other last bits.
    pub fn output_of(block: &Block, positions: &Positions, input: Tensor<3>) -> Tensor<3> {
        Self::of(block.clone().no_grad().train(), positions, input, Tensor::autodiff).output()
    }

    fn of(block: Block, positions: &Positions, input: Tensor<3>, leaf: impl Fn(Tensor<3>) -> Tensor<3>) -> Self {
        let attention = Attended::of(&block, positions, &input, &leaf);
        // A new leaf: the halves are pulled back one after the other.
        let between = leaf(match &attention {
            Some(attention) => input + attention.added(),
            None => input,
        });
        let output = block.add_mlp(between.clone(), block.inner(between.clone()));
        Self { block, attention, feed_forward: [between, output] }
    }

    /// What the next layer is given.
    pub fn output(&self) -> Tensor<3> {
        self.feed_forward[1].clone().inner()
    }

    /// Pulls the gradient `at_output` `(b, t, d)` back.
    pub fn pull(self, positions: &Positions, at_output: Tensor<3>) -> Pulled {
        let Self { block, attention, feed_forward } = self;
        let mut found = Found::default();
        let [between, output] = feed_forward;
        let between = match &block.feed_forward {
            // The second half adds the residual stream itself, so this gradient has both ways in it.
            Some(_) => found.pull(&block, &between, [weighed(output, at_output.clone())]),
            // What goes by changes nothing.
            None => at_output.clone(),
        };
        let by_attention = attention
            .zip(block.attention.as_ref())
            .map(|(attended, attention)| attended.pull((&block, attention), &mut found, positions, between.clone()));
        // In the order in which a layer computes, whichever half was first.
        let parts = Part::ALL.into_iter().filter_map(|part| Some((part, found.parts.remove(&place(part))?)));
        let gradients = LayerGradients { parts: parts.collect(), factors: found.factors, gates: found.gates };
        // The residual stream goes by attention, and its gradient with it.
        let input = match by_attention {
            Some(by_attention) => between.clone() + by_attention,
            None => between.clone(),
        };
        Pulled { input, gradients, taps: Taps { attention: between, feed_forward: at_output } }
    }
}

/// ⟨y, g⟩: its gradient at what y was made of is Jᵀg, the vector-Jacobian product.
fn weighed<const D: usize>(output: Tensor<D>, at_output: Tensor<D>) -> Tensor<1> {
    (output * at_output.autodiff()).sum()
}

fn place(part: Part) -> usize {
    Part::ALL.iter().position(|other| *other == part).unwrap_or(Part::ALL.len())
}

/// The gradients that were found so far.
#[derive(Default)]
struct Found {
    parts: BTreeMap<usize, Tensor<1>>,
    factors: BTreeMap<Projection, [Tensor<2>; 2]>,
    gates: [Option<Tensor<1>>; 2],
}

impl Found {
    /// The gradient of the sum at a leaf; those at parameters on the way are kept.
    fn pull<const N: usize>(&mut self, block: &Block, leaf: &Tensor<3>, sums: [Tensor<1>; N]) -> Tensor<3> {
        // One pass for all sums: q, k and v read one normed input, whose gradient is theirs together.
        let mut gradients = Tensor::cat(sums.to_vec(), 0).sum().backward();
        self.parts
            .extend(Part::ALL.into_iter().filter_map(|part| Some((place(part), at(block, part, &mut gradients)?))));
        for projection in Projection::ALL {
            let Some(adapter) = block.linear(projection).and_then(|linear| linear.low_rank.as_ref()) else { continue };
            let both = [&adapter.a, &adapter.b].map(|factor| factor.val().grad_remove(&mut gradients));
            if let [Some(a), Some(b)] = both {
                self.factors.insert(projection, [a, b]);
            }
        }
        if let Some(gates) = &block.gates {
            for (gate, found) in [&gates.heads, &gates.channels].into_iter().zip(&mut self.gates) {
                // Each half of a layer has one of the two.
                *found = gate.val().grad_remove(&mut gradients).or(found.take());
            }
        }
        // What was pulled back was made of the leaf, so there is a gradient.
        leaf.grad_remove(&mut gradients).unwrap_or_else(|| leaf.clone().inner().zeros_like())
    }
}

/// The gradient at a part, if it learns and belongs to what was pulled back.
fn at(block: &Block, part: Part, gradients: &mut Gradients) -> Option<Tensor<1>> {
    match part {
        Part::Weight(projection) => {
            // In one block, as whoever plans gradients of weights has seen to.
            let gradient = block.linear(projection)?.weight.val().whole().grad_remove(gradients)?;
            let [rows, columns] = gradient.dims();
            Some(gradient.reshape([rows * columns]))
        }
        Part::Bias(projection) => block.linear(projection)?.bias.as_ref()?.val().grad_remove(gradients),
        Part::Norm(norm) => block.norm(norm)?.scale.val().grad_remove(gradients),
    }
}
