//! The loss, and its gradient at the last layer's output, by hand: logits of all tokens never stand in
//! memory at once, and autodiff would keep them.
//!
//! With logits z = n Wᵀ of the normed hidden states n, and p = softmax(z):
//!
//! ```text
//! labels    ℓ = −log p_y                          ∂ℓ/∂z = p − e_y
//! teacher   ℓ = T² KL(q ‖ p), both at z / T       ∂ℓ/∂z = T (p − q)           (arXiv 1503.02531)
//! ```
//!
//! A piece of the tokens goes through the vocabulary in chunks, twice where there are several: for the
//! logarithm of the sum, and with it for the gradient.

use burn::module::Module;
use burn::tensor::{IndexingUpdateOp, Int, Tensor};

use super::GradientError;
use crate::device::readback::floats;
use crate::model::{Head, logit_rows, token_tensor};

/// What is learnt: the words of the text, or what another model expects.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Loss {
    /// How much the text's own next tokens count.
    pub labels: f64,
    /// How much the teacher's expectation counts.
    pub teacher: f64,
    /// T: both models' logits are divided by it before they are compared.
    pub temperature: f64,
}

impl Loss {
    /// −log p of the next tokens.
    pub const LABELS: Self = Self { labels: 1.0, teacher: 0.0, temperature: 1.0 };

    /// Divergence from the teacher at a temperature.
    pub fn of_teacher(temperature: f64) -> Self {
        Self { labels: 0.0, teacher: 1.0, temperature }
    }
}

/// Which gradients of the head are wanted besides that at the hidden states.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HeadWanted {
    /// At the scale of the last norm.
    pub norm: bool,
    /// At the output matrix.
    pub matrix: bool,
}

/// Gradients of the head.
#[derive(Clone, Debug, Default)]
pub struct HeadGradients {
    /// `(d)`, at the scale of the last norm.
    pub norm: Option<Tensor<1>>,
    /// `(vocab, d)`, at the output matrix.
    pub matrix: Option<Tensor<2>>,
}

impl HeadGradients {
    /// Adds those of more tokens.
    pub(super) fn add(&mut self, more: Self) {
        fn sum<const D: usize>(a: Option<Tensor<D>>, b: Option<Tensor<D>>) -> Option<Tensor<D>> {
            match (a, b) {
                (Some(a), Some(b)) => Some(a + b),
                (a, b) => a.or(b),
            }
        }
        self.norm = sum(self.norm.take(), more.norm);
        self.matrix = sum(self.matrix.take(), more.matrix);
    }
}

/// The teacher's head and its hidden states `(n, d')` for the same tokens.
pub(super) struct Teacher<'a> {
    pub head: &'a Head,
    pub hidden: Tensor<2>,
}

/// The tokens that are predicted: after hidden state i comes `next[i]`, and it counts `weights[i]`.
pub(super) struct Targets<'a> {
    pub next: &'a [u32],
    pub weights: &'a [f32],
}

/// Σ wᵢ · ℓᵢ, and what it is pulled back to.
pub(super) struct Scored {
    /// Added up in f64.
    pub loss: f64,
    /// Its gradient `(n, d)` at the hidden states after the last layer.
    pub hidden: Tensor<2>,
    pub head: HeadGradients,
}

/// Scores the hidden states `(n, d)` after the last layer.
pub(super) async fn score(
    model: &Head,
    hidden: Tensor<2>,
    targets: &Targets<'_>,
    loss: Loss,
    teacher: Option<Teacher<'_>>,
    wanted: HeadWanted,
) -> Result<Scored, GradientError> {
    let [n, d] = hidden.dims();
    let step = logit_rows(&model.matrix).min(n.max(1));
    let (mut sum, mut head, mut pieces) = (0.0, HeadGradients::default(), Vec::new());
    for from in (0..n).step_by(step) {
        let rows = from..n.min(from + step);
        let of_teacher = teacher.as_ref().map(|teacher| {
            let [_, width] = teacher.hidden.dims();
            let hidden = teacher.hidden.clone().slice([rows.clone(), 0..width]);
            (teacher.head, teacher.head.norm.forward(hidden))
        });
        let targets = Targets { next: &targets.next[rows.clone()], weights: &targets.weights[rows.clone()] };
        // Only the norm is under autodiff; for logits and matrix there are the formulas above, which keep nothing.
        let piece = Piece::new(model, hidden.clone().slice([rows, 0..d]), wanted.norm);
        let normed = piece.normed.clone().inner();
        let logits = Logits::of(model, &normed, of_teacher, loss);
        let (each, at_normed, matrix) = logits.pulled(&targets, wanted.matrix);
        // Of a piece the sum is made on the device, those of all pieces are added in f64.
        sum += floats(each.sum()).await?.into_iter().map(f64::from).sum::<f64>();
        let (hidden, norm) = piece.pull(at_normed);
        pieces.push(hidden);
        head.add(HeadGradients { norm, matrix });
    }
    Ok(Scored { loss: sum, hidden: Tensor::cat(pieces, 0), head })
}

/// A piece of the tokens before and behind the last norm, which is under autodiff.
struct Piece {
    hidden: Tensor<2>,
    scale: Tensor<1>,
    normed: Tensor<2>,
}

impl Piece {
    fn new(head: &Head, hidden: Tensor<2>, learns: bool) -> Self {
        let mut norm = head.norm.clone().no_grad().train();
        norm.scale = norm.scale.set_require_grad(learns);
        let hidden = hidden.autodiff().require_grad();
        Self { normed: norm.forward(hidden.clone()), scale: norm.scale.val(), hidden }
    }

    /// The gradients at the hidden states and, if it learns, at the norm's scale.
    fn pull(self, at_normed: Tensor<2>) -> (Tensor<2>, Option<Tensor<1>>) {
        // ⟨y, g⟩: its gradient at the hidden states is Jᵀg.
        let mut gradients = (self.normed * at_normed.autodiff()).sum().backward();
        let norm = self.scale.grad_remove(&mut gradients);
        // The norm's output depends on every hidden state, so there is a gradient.
        let hidden = self.hidden.grad_remove(&mut gradients).unwrap_or_else(|| self.hidden.inner().zeros_like());
        (hidden, norm)
    }
}

/// Logits of a piece, never more of them at once than a chunk of the vocabulary.
struct Logits<'a> {
    loss: Loss,
    head: &'a Head,
    normed: &'a Tensor<2>,
    /// log Σ exp z, `(rows, 1)`.
    log_sum: Tensor<2>,
    teacher: Option<Expected<'a>>,
}

/// What the teacher expects, and the logarithms of both sums at the temperature.
struct Expected<'a> {
    head: &'a Head,
    normed: Tensor<2>,
    log_sum: Tensor<2>,
    student_log_sum: Tensor<2>,
}

impl<'a> Logits<'a> {
    fn of(head: &'a Head, normed: &'a Tensor<2>, teacher: Option<(&'a Head, Tensor<2>)>, loss: Loss) -> Self {
        let teacher = teacher.map(|(theirs, other)| Expected {
            log_sum: theirs.log_sum(&other, loss.temperature),
            student_log_sum: head.log_sum(normed, loss.temperature),
            head: theirs,
            normed: other,
        });
        // A sum of its own: the text's words are judged at temperature 1, whatever the teacher's is.
        Self { loss, head, normed, log_sum: head.log_sum(normed, 1.0), teacher }
    }

    /// The loss of every row, its gradient at the normed hidden states, and at the matrix.
    fn pulled(&self, targets: &Targets<'_>, matrix: bool) -> (Tensor<1>, Tensor<2>, Option<Tensor<2>>) {
        let device = self.normed.device();
        let [n, d] = self.normed.dims();
        let next: Tensor<1, Int> = token_tensor(&[targets.next.to_vec()], &device).reshape([n]);
        let weights = Tensor::<1>::from_floats(targets.weights, &device).reshape([n, 1]);
        let labels = weights.clone().mul_scalar(self.loss.labels);
        // The row of the token that comes next is picked out, so e_y needs no matrix of its own.
        let all = &self.head.matrix;
        let rows = all.select(next.clone());
        let wanted = (self.normed.clone() * rows.clone()).sum_dim(1);
        let mut each = (self.log_sum.clone() - wanted) * labels.clone();
        // The part of −e_y; the chunks below add that of p.
        let mut at_normed = rows.mul(labels.clone()).neg();
        let mut at_matrix = matrix.then(|| {
            let moved = (self.normed.clone() * labels.clone()).neg();
            // Added, because a token may come next more than once.
            Tensor::<2>::zeros(all.dims(), &device).select_assign(0, next, moved, IndexingUpdateOp::Add)
        });
        for (from, to) in self.head.chunks() {
            let z = self.head.logits(self.normed, (from, to));
            let mut at_z = (z.clone() - self.log_sum.clone()).exp() * labels.clone();
            if let Some(expected) = &self.teacher {
                let (loss, more) = expected.of(z, (from, to), self.loss.temperature);
                let counts = weights.clone().mul_scalar(self.loss.teacher);
                each = each + loss * counts.clone();
                at_z = at_z + more * counts;
            }
            at_normed = at_normed + at_z.clone().matmul(all.rows(from..to));
            if let Some(sum) = at_matrix.take() {
                let part = at_z.transpose().matmul(self.normed.clone());
                let before = sum.clone().slice([from..to, 0..d]);
                at_matrix = Some(sum.slice_assign([from..to, 0..d], before + part));
            }
        }
        (each.reshape([n]), at_normed, at_matrix)
    }
}

impl Expected<'_> {
    /// T² Σ q (log q − log p) over a chunk of the vocabulary, `(rows, 1)`, and T (p − q), `(rows, chunk)`.
    fn of(&self, z: Tensor<2>, chunk: (usize, usize), temperature: f64) -> (Tensor<2>, Tensor<2>) {
        let theirs = self.head.logits(&self.normed, chunk).div_scalar(temperature) - self.log_sum.clone();
        let ours = z.div_scalar(temperature) - self.student_log_sum.clone();
        let (q, p) = (theirs.clone().exp(), ours.clone().exp());
        // Softened gradients shrink by 1/T²: with T² they weigh beside the labels' as at T = 1 (arXiv 1503.02531, §2).
        let loss = (q.clone() * (theirs - ours)).sum_dim(1).mul_scalar(temperature * temperature);
        (loss, (p - q).mul_scalar(temperature))
    }
}
