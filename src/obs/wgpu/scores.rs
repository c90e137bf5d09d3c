//! The scores of groups of columns, from W and H⁻¹ on the device. Groups that fit a workgroup are
//! scored together, larger ones one by one.

use burn::tensor::{Int, Tensor};

use super::factor::{block_factor, not_positive};
use crate::device::readback::{doubles, floats};
use crate::gpu::block_cholesky::{self, MAX_BLOCK, bad_pivots};
use crate::gpu::eliminate::Elimination;
use crate::gpu::{gather, reduce};
use crate::obs::{FactoredMatrix, ObsError, Score, score};

/// The score of each group; the groups are of one size.
pub(super) async fn of_groups(state: &Elimination, groups: &[Vec<usize>], score: Score) -> Result<Vec<f64>, ObsError> {
    let size = groups.first().map_or(0, Vec::len);
    match score {
        // The block of one column is one number, for which all three scores are the same.
        _ if size == 1 => diagonal(state, groups).await,
        Score::Diagonal => diagonal(state, groups).await,
        Score::GroupedCholesky if size <= MAX_BLOCK => pivots(state, groups).await,
        Score::GroupedCholesky => pivots_of_large(state, groups).await,
        Score::Exact if size <= MAX_BLOCK => exact(state, groups).await,
        Score::Exact => exact_of_large(state, groups).await,
    }
}

async fn diagonal(state: &Elimination, groups: &[Vec<usize>]) -> Result<Vec<f64>, ObsError> {
    let norms = doubles(reduce::column_norms(&state.w)).await?;
    let pivots = doubles(gather::diagonal(&state.h_inv)).await?;
    groups.iter().map(|g| score::diagonal(g, |j| norms[j], |j| pivots[j])).collect()
}

async fn pivots(state: &Elimination, groups: &[Vec<usize>]) -> Result<Vec<f64>, ObsError> {
    let index = gather::index(groups, &state.w.device());
    // L_kk² is [H⁻¹]_kk after the columns before k went; W is not updated (SlimGPT, Algorithm 1).
    let l = factored_blocks(state, groups, &index).await?;
    Ok(doubles(reduce::pivot_scores(&l, &reduce::column_norms(&state.w), &index)).await?)
}

/// ‖L_g⁻¹ W_gᵀ‖² of every group.
async fn exact(state: &Elimination, groups: &[Vec<usize>]) -> Result<Vec<f64>, ObsError> {
    let device = state.w.device();
    let index = gather::index(groups, &device);
    let l = factored_blocks(state, groups, &index).await?;
    let [rows, _] = state.w.dims();
    let all_rows = gather::index(&vec![(0..rows).collect(); groups.len()], &device);
    let w = gather::gather(&state.w.clone().into(), &all_rows, &index); // (groups, out, size)
    let y = block_cholesky::solve(&l, w.swap_dims(1, 2));
    Ok(doubles(reduce::sum_squares(&y)).await?)
}

async fn factored_blocks(
    state: &Elimination,
    groups: &[Vec<usize>],
    index: &Tensor<2, Int>,
) -> Result<Tensor<3>, ObsError> {
    let (l, failures) = block_cholesky::factor(gather::diagonal_blocks(&state.h_inv, index));
    let bad = bad_pivots(failures).await?;
    // Of several failures the first group's is told, on every run.
    match groups.iter().zip(bad).find_map(|(columns, bad)| Some((columns, bad?))) {
        Some((columns, bad)) => Err(not_positive(FactoredMatrix::inverse_block(columns), bad)),
        None => Ok(l),
    }
}

async fn exact_of_large(state: &Elimination, groups: &[Vec<usize>]) -> Result<Vec<f64>, ObsError> {
    let mut scores = Vec::with_capacity(groups.len());
    for columns in groups {
        let j = block_factor(state, columns).await?.j;
        let y = j.times_transposed(gather::columns(&state.w, columns));
        scores.push(floats(reduce::sum_squares(&y.unsqueeze())).await?[0].into());
    }
    Ok(scores)
}

/// J = L⁻¹ has the diagonal 1 / L_jj, which is all the score needs.
async fn pivots_of_large(state: &Elimination, groups: &[Vec<usize>]) -> Result<Vec<f64>, ObsError> {
    let norms = doubles(reduce::column_norms(&state.w)).await?;
    let mut scores = Vec::with_capacity(groups.len());
    for columns in groups {
        let j = block_factor(state, columns).await?.j;
        let inverse_roots = doubles(gather::diagonal(&j)).await?;
        scores.push(columns.iter().zip(inverse_roots).map(|(&c, r)| norms[c] * r * r).sum());
    }
    Ok(scores)
}
