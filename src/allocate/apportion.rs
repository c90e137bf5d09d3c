//! Whole numbers for shares that are not whole: the method of largest remainders.

/// Rounds `ideal` so that the sum is the rounded sum: every number is rounded down, and the largest
/// remainders are rounded up until the sum is reached. A whole number stays what it is.
///
/// Equal remainders are served at even distances, so that a uniform share does not pile up at one
/// end of the model.
pub(super) fn largest_remainders(ideal: &[f64]) -> Vec<usize> {
    // Half to even, as every count of this room is rounded.
    let total = ideal.iter().sum::<f64>().round_ties_even() as usize;
    let mut counts: Vec<usize> = ideal.iter().map(|&x| x.floor() as usize).collect();
    let remainders: Vec<f64> = ideal.iter().map(|&x| x - x.floor()).collect();
    let missing = total.saturating_sub(counts.iter().sum());
    for i in by_remainder(&remainders, missing).into_iter().take(missing) {
        counts[i] += 1;
    }
    counts
}

/// Indices of the positive remainders, the largest first; of those that are equal, the ones that
/// are reached when `wanted` are taken lie at even distances.
pub(super) fn by_remainder(remainders: &[f64], wanted: usize) -> Vec<usize> {
    // A layer whose share is whole gives nothing beyond it: 0 is no remainder.
    let mut order: Vec<usize> = (0..remainders.len()).filter(|&i| remainders[i] > 0.0).collect();
    // Equals by index, so that two runs give the same counts.
    order.sort_by(|&a, &b| remainders[b].total_cmp(&remainders[a]).then(a.cmp(&b)));
    let mut spread = Vec::with_capacity(order.len());
    // Equal to the bit is meant: layers of one size at one ratio have the same bits.
    for equal in order.chunk_by(|&a, &b| remainders[a] == remainders[b]) {
        // Larger remainders come first; what they leave is spread over the equal ones.
        let wanted = wanted.saturating_sub(spread.len());
        spread.extend(evenly(equal, wanted));
    }
    spread
}

/// The same indices, `wanted` of them at even distances in front.
fn evenly(indices: &[usize], wanted: usize) -> Vec<usize> {
    let n = indices.len();
    // Bresenham's line: ⌊(j+1)w/n⌋ rises w times in n steps, at even distances.
    let is_first = |j: usize| (j + 1) * wanted / n > j * wanted / n;
    let (first, rest): (Vec<usize>, Vec<usize>) = match wanted < n {
        true => (0..n).partition(|&j| is_first(j)),
        false => ((0..n).collect(), Vec::new()),
    };
    first.into_iter().chain(rest).map(|j| indices[j]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_is_the_rounded_sum_and_no_number_moves_by_one() {
        for n in [1, 2, 5, 30, 81] {
            let ideal: Vec<f64> = (0..n).map(|i| 3.0 * ((i * 37 % 100) as f64 / 100.0)).collect();
            let counts = largest_remainders(&ideal);
            assert_eq!(counts.iter().sum::<usize>() as f64, ideal.iter().sum::<f64>().round_ties_even(), "{n}");
            assert!(counts.iter().zip(&ideal).all(|(&c, x)| (c as f64 - x).abs() < 1.0), "{counts:?} {ideal:?}");
        }
    }

    #[test]
    fn the_largest_remainders_are_rounded_up() {
        assert_eq!(largest_remainders(&[0.2, 0.9, 0.5, 0.4]), [0, 1, 1, 0]);
    }

    #[test]
    fn equal_remainders_are_spread() {
        assert_eq!(largest_remainders(&[0.5; 6]), [0, 1, 0, 1, 0, 1]);
        assert_eq!(largest_remainders(&[0.3; 10]), [0, 0, 0, 1, 0, 0, 1, 0, 0, 1]);
    }

    #[test]
    fn a_layer_that_keeps_everything_never_gives() {
        assert_eq!(largest_remainders(&[0.0, 0.6, 0.6, 0.0]), [0, 0, 1, 0]);
    }
}
