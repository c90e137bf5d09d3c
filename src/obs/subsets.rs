//! What every set of columns would cost if it went at once: the truth that a greedy selection is
//! held against, for layers small enough to try them all.

use burn::tensor::Device;

use super::site::LinearSite;
use super::trace::{Matrix, at_once};
use super::{CpuExecutor, Executor, Hessian, ObsError, Options, Score};

/// All sets of `size` of the numbers below `of`, each ascending, in the order of a dictionary.
pub fn subsets(of: usize, size: usize) -> Vec<Vec<usize>> {
    let mut all = vec![Vec::new()];
    for _ in 0..size {
        let longer = all.iter().flat_map(|set: &Vec<usize>| {
            let next = set.last().map_or(0, |&last| last + 1);
            (next..of).map(|j| set.iter().copied().chain([j]).collect())
        });
        all = longer.collect();
    }
    all
}

/// The increase of the damped squared error, tr(W_P [H⁻¹]_PP⁻¹ W_Pᵀ), for every one of these sets P
/// of columns: each goes alone, as a whole, and the others are refitted. On the CPU in f64, as
/// [`trace`](super::trace::trace); without damping it is the squared error itself.
///
/// # Errors
/// As [`prune_channels`](super::prune_channels); a column that is named twice or is not there is
/// [`ObsError::NoSuchColumn`].
pub fn costs_at_once(x: &Matrix, weight: &Matrix, sets: &[Vec<usize>], damping: f64) -> Result<Vec<f64>, ObsError> {
    let present = weight.columns;
    for set in sets {
        if let Some(i) = (0..set.len()).find(|&i| set[i] >= present || set[..i].contains(&set[i])) {
            return Err(ObsError::NoSuchColumn { column: set[i], present });
        }
    }
    at_once(async {
        let (executor, device) = (CpuExecutor::<f64>::new(), Device::flex());
        let mut hessian = Hessian::new(&executor, x.columns);
        hessian.accumulate(&executor, &x.tensor(&device)).await?;
        // Of the options only the damping decides here.
        let (weight, options) = (weight.tensor(&device), Options { damping, ..Options::default() });
        // Nothing is eliminated: the exact score of a group is what it costs together.
        let problem = LinearSite::new(&executor, &weight, &hessian, &options).await?.factor().await?;
        executor.group_scores(&problem, sets, Score::Exact).await
    })
}

#[cfg(test)]
mod tests {
    use super::super::toy::ToyLayer;
    use super::super::trace::{TraceTarget, trace_at_once};
    use super::*;

    #[test]
    fn every_set_is_there_once() {
        assert_eq!(subsets(4, 2), [[0, 1], [0, 2], [0, 3], [1, 2], [1, 3], [2, 3]]);
        assert_eq!(
            [subsets(10, 4).len(), subsets(10, 5).len(), subsets(3, 0).len(), subsets(2, 3).len()],
            [210, 252, 1, 0]
        );
    }

    #[test]
    fn the_cost_of_a_set_is_that_of_removing_it_column_by_column() {
        let toy = ToyLayer::default();
        let (x, weight) = (toy.x(), toy.weight());
        for damping in [0.0, 0.1] {
            let options = Options { damping, ..Options::default() };
            for size in [1, 2, 4] {
                let sets = subsets(toy.inputs, size);
                for (set, cost) in sets.iter().zip(costs_at_once(&x, &weight, &sets, damping).unwrap()) {
                    let trace = trace_at_once(&x, &weight, TraceTarget::Columns(set.clone()), &options).unwrap();
                    let summed: f64 = trace.steps.iter().map(|step| step.cost).sum();
                    assert!((cost - summed).abs() < 1e-9 * trace.signal, "{set:?}: {cost} for {summed}");
                    // Undamped it is the very error of the refit.
                    let loss = (cost - trace.predicted_loss).abs() < 1e-9 * trace.signal;
                    assert_eq!(loss, damping == 0.0, "{set:?}: {cost} for {}", trace.predicted_loss);
                }
            }
        }
    }

    #[test]
    fn a_column_that_is_not_there_is_refused() {
        let toy = ToyLayer::default();
        for set in [vec![8], vec![1, 1]] {
            assert!(costs_at_once(&toy.x(), &toy.weight(), &[vec![0], set], 0.0).is_err());
        }
    }
}
