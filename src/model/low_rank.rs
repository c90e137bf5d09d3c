//! Low-rank adapters: W + s B A with W as it was read (LoRA, arXiv 2106.09685).

use burn::module::{Module, Param};
use burn::tensor::{Int, Tensor};

use super::Dropout;

/// What is added to a projection: s · drop(x) Aᵀ Bᵀ.
#[derive(Module, Debug)]
pub struct LowRank {
    /// A `(rank, in)`.
    pub a: Param<Tensor<2>>,
    /// B `(out, rank)`.
    pub b: Param<Tensor<2>>,
    /// s: α / rank as the paper has it.
    scale: f64,
    dropped: f64,
    seed: u32,
}

impl LowRank {
    /// An adapter of its factors A `(rank, in)` and B `(out, rank)`, that drops nothing.
    pub fn new(a: Tensor<2>, b: Tensor<2>, scale: f64) -> Self {
        Self { a: Param::from_tensor(a), b: Param::from_tensor(b), scale, dropped: 0.0, seed: 0 }
    }

    /// The same with a share of its inputs dropped.
    #[must_use]
    pub fn dropping(self, dropout: Dropout) -> Self {
        Self { dropped: dropout.share, seed: dropout.seed, ..self }
    }

    /// The same for some of the outputs.
    pub(super) fn rows(&self, rows: &Tensor<1, Int>) -> Self {
        Self { b: Param::from_tensor(self.b.val().select(0, rows.clone())), ..self.clone() }
    }

    /// What is added to the outputs `(n, out)` for the inputs `(n, in)`.
    pub(super) fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let x = match self.dropped > 0.0 {
            true => {
                let dropout = Dropout { share: self.dropped, seed: self.seed };
                let mask = dropout.mask(x.dims(), &x.device().inner());
                // Under autodiff only as a constant: nothing is learnt of a mask.
                #[cfg(feature = "gradients")]
                let mask = if x.is_autodiff() { mask.autodiff() } else { mask };
                x * mask
            }
            false => x,
        };
        // Down to the rank first: B A would be as large as W.
        x.matmul(self.a.val().transpose()).matmul(self.b.val().transpose()).mul_scalar(self.scale)
    }
}
