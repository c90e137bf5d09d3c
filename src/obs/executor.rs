//! The whole operations the algorithm is written in. One executor runs them as WGSL kernels, one
//! on the CPU with faer; the algorithm does not know which.

use burn::tensor::{Tensor, TensorData};

use super::{ObsError, Score};

/// One group that went, in the order of going.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Removal {
    /// K/V group, query head or channel, by its index in the layer before pruning.
    pub unit: usize,
    /// The score it was chosen by.
    pub score: f64,
    /// The increase of the damped squared error: tr(W_g [H⁻¹]_gg⁻¹ W_gᵀ) at its time. Of groups
    /// that went all at once, an even share of their squared error. Of one that took another's place, that one's cost
    /// less what the swap won.
    pub cost: f64,
}

/// The least-squares weights of a kept set.
pub struct Refit {
    /// Ŵ_K `(out, kept)`, on the device of the weight.
    pub weight: Tensor<2>,
    /// ‖Ŵ − W‖²_F over all columns, the removed ones counted as zero.
    pub squared_change: f64,
}

/// Runs the operations of Optimal Brain Surgeon on some device.
#[allow(async_fn_in_trait, reason = "executors are used through generics, never as trait objects")]
pub trait Executor {
    /// The running sum XᵀX.
    type Sum;
    /// W and H⁻¹ while groups go, and what the refit needs.
    type Problem;

    /// A sum of nothing, for inputs of `features` columns.
    fn zero_sum(&self, features: usize) -> Self::Sum;

    /// `sum` + XᵀX, for `x` `(tokens, features)`.
    async fn accumulate(&self, sum: Self::Sum, x: &Tensor<2>) -> Result<Self::Sum, ObsError>;

    /// The diagonal of the sum.
    async fn diagonal(&self, sum: &Self::Sum) -> Result<Vec<f64>, ObsError>;

    /// Damps the sum by λ (an absolute value), inverts it, and sets the columns of the `dead`
    /// inputs of `weight` `(out, features)` to zero.
    async fn factor(
        &self,
        sum: &Self::Sum,
        weight: &Tensor<2>,
        lambda: f64,
        dead: &[usize],
    ) -> Result<Self::Problem, ObsError>;

    /// tr(Δ H Δᵀ) = Σ ‖Δ x‖² over the tokens of the sum, for `delta` Δ `(out, features)`. The
    /// inputs `dead` never fired and add nothing.
    async fn squared_error(&self, sum: &Self::Sum, delta: &Tensor<2>, dead: &[usize]) -> Result<f64, ObsError>;

    /// The score of each group of columns; the groups are of one size.
    async fn group_scores(
        &self,
        problem: &Self::Problem,
        groups: &[Vec<usize>],
        score: Score,
    ) -> Result<Vec<f64>, ObsError>;

    /// Removes a group of columns and returns its cost.
    async fn eliminate(&self, problem: &mut Self::Problem, columns: &[usize]) -> Result<f64, ObsError>;

    /// Removes `count` columns one by one, the cheapest at its time first; of equals the lowest.
    async fn eliminate_cheapest(&self, problem: &mut Self::Problem, count: usize) -> Result<Vec<Removal>, ObsError>;

    /// By how much the damped squared error would fall if each of these groups of columns, which are gone, came back
    /// alone; zero where that cannot be told.
    async fn gains(&self, problem: &Self::Problem, groups: &[Vec<usize>]) -> Result<Vec<f64>, ObsError>;

    /// Brings a group of columns back that is gone, and returns by how much the damped squared error falls.
    async fn restore(&self, problem: &mut Self::Problem, columns: &[usize]) -> Result<f64, ObsError>;

    /// Gives back what only elimination needs: scores and removals mean nothing from here on.
    fn end_elimination(&self, problem: &mut Self::Problem);

    /// The least-squares weights for the kept columns, from the original weights. With `draw` = Σ g xᵀ `(out, features)`
    /// the outputs fit those of the original weights moved by g.
    async fn refit(&self, problem: &Self::Problem, kept: &[usize], draw: Option<&Tensor<2>>)
    -> Result<Refit, ObsError>;
}

/// What a problem looks like inside, for traces and tests: pruning needs none of it.
#[allow(async_fn_in_trait, reason = "as for `Executor`")]
pub trait Inspect: Executor {
    /// The weights as elimination left them `(out, features)`; on kept columns they equal the
    /// refit.
    async fn eliminated_weight(&self, problem: &Self::Problem) -> Result<Vec<f64>, ObsError>;

    /// H⁻¹ as elimination left it `(features, features)`; rows and columns of what is gone mean
    /// nothing.
    async fn inverse(&self, problem: &Self::Problem) -> Result<Vec<f64>, ObsError>;

    /// H + λI `(features, features)`.
    async fn damped_hessian(&self, problem: &Self::Problem) -> Result<Vec<f64>, ObsError>;

    /// Puts another matrix in the place of H⁻¹: one that rounding has spoiled cannot be ordered
    /// otherwise.
    async fn replace_inverse(&self, problem: &mut Self::Problem, inverse: &Tensor<2>) -> Result<(), ObsError>;
}

/// The columns that are not in `kept`, ascending. `kept` is ascending.
pub(super) fn complement(kept: &[usize], n: usize) -> Vec<usize> {
    (0..n).filter(|j| kept.binary_search(j).is_err()).collect()
}

/// `matrix` `(rows, n)` with zeros in `columns`.
pub(super) fn with_zeros(matrix: &Tensor<2>, columns: &[usize]) -> Tensor<2> {
    if columns.is_empty() {
        return matrix.clone();
    }
    // A product stays on the device of the matrix: nothing is read back.
    let [_, n] = matrix.dims();
    let mut mask = vec![1.0f32; n];
    columns.iter().for_each(|&j| mask[j] = 0.0);
    matrix.clone() * Tensor::from_data(TensorData::new(mask, [1, n]), &matrix.device())
}
