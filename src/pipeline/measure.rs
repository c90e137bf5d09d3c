//! Which calibration windows the losses are measured on, and what a sample of them says of all.

use super::Request;
use super::request::Measure;
use crate::ranks::{Ranks, RanksError, numbers};

/// Most tokens on which losses are measured unless all are asked for: two products of a layer's projections for each
/// would be a seventh of the whole work.
const MOST_TOKENS: usize = 1 << 16;

/// Which batches of so many windows and tokens are measured: all where there are few tokens, else as many as have
/// [`MOST_TOKENS`] at most, at even distances. Two windows at least, because one tells nothing of the others.
pub(super) fn measured(batches: &[(usize, usize)], measure: Measure) -> Vec<bool> {
    let tokens: usize = batches.iter().map(|b| b.1).sum();
    if measure == Measure::All || tokens <= MOST_TOKENS {
        return vec![true; batches.len()];
    }
    let all = batches.len();
    let at_even_distances = |count: usize| {
        let mut chosen = vec![false; all];
        // count ≤ all, so that no two are the same.
        (0..count).for_each(|i| chosen[share(i, all, count)] = true);
        chosen
    };
    let sum = |chosen: &[bool], of: fn(&(usize, usize)) -> usize| -> usize {
        batches.iter().zip(chosen).filter(|(_, is)| **is).map(|(batch, _)| of(batch)).sum()
    };
    // By their mean at first, then fewer: windows may differ in length.
    let mut count = share(MOST_TOKENS, all, tokens).clamp(1, all);
    while count > 1 && sum(&at_even_distances(count), |b| b.1) > MOST_TOKENS {
        count -= 1;
    }
    while count < all && sum(&at_even_distances(count), |b| b.0) < 2 {
        count += 1;
    }
    at_even_distances(count)
}

/// a b / c, in 64 bits on a page too.
fn share(a: usize, b: usize, c: usize) -> usize {
    (a as u64 * b as u64 / c as u64) as usize
}

/// Tokens that are measured at most of what is asked for.
pub(super) fn most_tokens(request: &Request) -> usize {
    let all = request.windows * request.window_tokens;
    match request.measure {
        Measure::All => all,
        Measure::Sample => all.min(MOST_TOKENS.max(2 * request.window_tokens)),
    }
}

/// The squared errors of the windows that were measured.
#[derive(Default)]
pub(super) struct Losses {
    /// Tokens and squared error of each.
    windows: Vec<(f64, f64)>,
}

impl Losses {
    /// Adds the windows of a batch, each of `tokens` tokens, whose squared errors follow each other.
    pub fn add(&mut self, tokens: usize, of_tokens: &[f32]) {
        let sum = |window: &[f32]| window.iter().map(|&s| f64::from(s)).sum();
        self.windows.extend(of_tokens.chunks(tokens.max(1)).map(|window| (tokens as f64, sum(window))));
    }

    /// Adds the windows of the other ranks to those of the first, in the ranks' order; the others keep theirs.
    pub fn gather(&mut self, ranks: &dyn Ranks) -> Result<(), RanksError> {
        if ranks.count() == 1 {
            return Ok(());
        }
        let own: Vec<f64> = self.windows.iter().flat_map(|window| [window.0, window.1]).collect();
        // The first message is of this rank itself, which has its windows already.
        for message in ranks.gather(bytemuck::cast_slice::<f64, u8>(&own).to_vec())?.iter().skip(1) {
            let theirs = numbers::<f64>(message, message.len() / size_of::<f64>())?;
            self.windows.extend(theirs.chunks_exact(2).map(|window| (window[0], window[1])));
        }
        Ok(())
    }

    /// Σ of all that was added.
    pub fn sum(&self) -> f64 {
        self.windows.iter().map(|w| w.1).sum()
    }

    /// The squared error of `windows` windows with `tokens` tokens in all, and its standard error: zero where all of them
    /// were measured.
    ///
    /// The ratio estimate Ŷ = (Σy / Σx) X and its variance (1 − m/M) M²/m · Σ(y − (Σy/Σx) x)² / (m − 1), with loss y and
    /// tokens x of each of the m windows of M (Cochran, Sampling Techniques, 3rd edition, chapter 6).
    pub fn of_all(&self, windows: usize, tokens: usize) -> (f64, f64) {
        let (sampled, all) = (self.windows.len() as f64, windows as f64);
        if self.windows.len() >= windows || self.windows.is_empty() {
            return (self.sum(), 0.0);
        }
        let ratio = self.sum() / self.windows.iter().map(|w| w.0).sum::<f64>();
        let squares: f64 = self.windows.iter().map(|(tokens, loss)| (loss - ratio * tokens).powi(2)).sum();
        let variance = (1.0 - sampled / all) * all * all / sampled * squares / (sampled - 1.0).max(1.0);
        (ratio * tokens as f64, variance.sqrt())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(batches: &[(usize, usize)], measure: Measure) -> Vec<usize> {
        let is = measured(batches, measure);
        assert_eq!(is.len(), batches.len());
        (0..is.len()).filter(|&i| is[i]).collect()
    }

    #[test]
    fn all_windows_are_measured_where_they_are_few_or_all_are_asked_for() {
        assert_eq!(chosen(&[(64, 1 << 15); 2], Measure::Sample), [0, 1]);
        assert_eq!(chosen(&[(2, 1 << 15); 3], Measure::All), [0, 1, 2]);
        assert_eq!(chosen(&[], Measure::Sample), [] as [usize; 0]);
    }

    #[test]
    fn a_sample_is_spread_and_within_its_tokens() {
        // The paper's 256 windows of 2048, two by two: an eighth of them.
        let of_7b = chosen(&[(2, 4096); 128], Measure::Sample);
        assert_eq!(of_7b, (0..16).map(|i| 8 * i).collect::<Vec<_>>());
        // One more than fits.
        assert_eq!(chosen(&[(4, 1 << 14); 5], Measure::Sample), [0, 1, 2, 3]);
        let uneven: Vec<(usize, usize)> = (0..40).map(|i| (1, 1000 + 200 * i)).collect();
        let few = chosen(&uneven, Measure::Sample);
        let tokens: usize = few.iter().map(|&i| uneven[i].1).sum();
        assert!(few.len() > 5 && tokens <= MOST_TOKENS, "{few:?}: {tokens}");
        // Windows beyond what a sample may have: two of them all the same.
        assert_eq!(chosen(&[(1, 1 << 17); 4], Measure::Sample), [0, 2]);
        assert_eq!(chosen(&[(1, 1 << 17)], Measure::Sample), [0]);
    }

    #[test]
    fn no_sample_is_larger_than_was_planned() {
        for (windows, window_tokens) in [(256, 2048), (3, 40_000), (7, 1), (70_000, 1)] {
            let request = Request { windows, window_tokens, ..Request::default() };
            let batches = vec![(1, window_tokens); windows];
            let tokens = chosen(&batches, Measure::Sample).len() * window_tokens;
            assert!(tokens <= most_tokens(&request), "{windows} of {window_tokens}: {tokens}");
        }
    }

    #[test]
    fn a_sample_tells_the_sum_of_all_and_how_far_it_may_be_off() {
        // Losses that are the tokens' alone are known from any window.
        let mut losses = Losses::default();
        losses.add(4, &[2.0; 8]);
        losses.add(2, &[2.0; 2]);
        assert_eq!(losses.of_all(3, 10), (20.0, 0.0));
        assert_eq!(losses.of_all(10, 50), (100.0, 0.0));
        // Of 1, 2, 3 and 6 in four windows of one token: mean 3, s² = 14/3, and 8 windows of which half are known.
        let mut losses = Losses::default();
        losses.add(1, &[1.0, 2.0, 3.0, 6.0]);
        let (sum, error) = losses.of_all(8, 8);
        assert_eq!(sum, 24.0);
        assert!((error.powi(2) - 0.5 * 64.0 / 4.0 * 14.0 / 3.0).abs() < 1e-9, "{error}");
        assert_eq!(Losses::default().of_all(8, 8), (0.0, 0.0));
    }

    #[test]
    fn what_all_ranks_measured_is_the_first_ones_in_their_order() {
        let at = |rank: &dyn Ranks| {
            let mut losses = Losses::default();
            // The second has no batch that is measured.
            if rank.rank() != 1 {
                losses.add(2, &[rank.rank() as f32 + 1.0; 4]);
            }
            losses.gather(rank).map(|()| losses.windows)
        };
        let (first, others) =
            crate::ranks::on_threads(vec![(), ()], |rank| at(rank), |rank, ()| at(rank), |_| false).unwrap();
        assert_eq!(first.unwrap(), [(2.0, 2.0), (2.0, 2.0), (2.0, 6.0), (2.0, 6.0)]);
        assert_eq!(others.into_iter().map(|own| own.unwrap().len()).collect::<Vec<_>>(), [0, 2]);
    }
}
