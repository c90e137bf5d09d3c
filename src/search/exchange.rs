//! What single steps leave undone: two sites change their counts together, while the sum of divergences falls.
//!
//! A price finds sizes on the lower hull of costs alone, and steps that fill the gap behind it are whole. Where what goes
//! does not grow evenly with the counts, as times do not, one site with a little more and another with a little less may
//! be cheaper.

use super::choices::{Choices, taken};

/// Rounds over all pairs; the second hardly ever finds anything.
const ROUNDS: usize = 16;
/// Counts to both sides of a site's present one that are tried. Those further away cost more by far, but for a site that
/// goes as a whole.
const REACH: usize = 16;

/// Lowers the cost of what is chosen while at least `target` goes, by steps that do not go further beyond it than a step
/// of the finest site, or than what is chosen does.
pub(super) fn exchange(sites: &[Choices<'_>], chosen: &mut [usize], target: usize) {
    let ordered: Vec<Cheapest> = sites.iter().map(Cheapest::of).collect();
    let finest = sites.iter().filter_map(Choices::widest).min().unwrap_or(0);
    let most = taken(sites, chosen).max(target + finest);
    let search = Exchange { sites, ordered, target, most };
    for _ in 0..ROUNDS {
        if !search.round(chosen) {
            return;
        }
    }
}

/// The counts of a site by what goes.
struct Cheapest {
    /// What goes, ascending, and the cheapest of the options with which as much goes or more.
    from: Vec<(usize, usize)>,
}

impl Cheapest {
    fn of(site: &Choices<'_>) -> Self {
        let mut order: Vec<usize> = (0..site.options.len()).collect();
        order.sort_by_key(|&i| site.options[i].gone);
        let mut from: Vec<(usize, usize)> = Vec::with_capacity(order.len());
        // From the last on: what is best of those that take more is known by then.
        for &i in order.iter().rev() {
            let best =
                from.last().map(|&(_, best)| best).filter(|&best| site.options[best].cost <= site.options[i].cost);
            from.push((site.options[i].gone, best.unwrap_or(i)));
        }
        from.reverse();
        Self { from }
    }

    /// The cheapest option with which at least so much goes.
    fn with(&self, least: usize) -> Option<usize> {
        let at = self.from.partition_point(|&(gone, _)| gone < least);
        self.from.get(at).map(|&(_, best)| best)
    }
}

struct Exchange<'a> {
    sites: &'a [Choices<'a>],
    ordered: Vec<Cheapest>,
    target: usize,
    most: usize,
}

impl Exchange<'_> {
    /// Whether some pair has become cheaper.
    fn round(&self, chosen: &mut [usize]) -> bool {
        let mut is_cheaper = false;
        for a in 0..chosen.len() {
            for b in (0..chosen.len()).filter(|&b| b != a) {
                if let Some((i, j)) = self.better(chosen, a, b) {
                    (chosen[a], chosen[b]) = (i, j);
                    is_cheaper = true;
                }
            }
        }
        is_cheaper
    }

    /// The cheapest counts of a pair, if others than now.
    fn better(&self, chosen: &[usize], a: usize, b: usize) -> Option<(usize, usize)> {
        let option = |site: usize, i: usize| self.sites[site].options[i];
        let rest = taken(self.sites, chosen) - option(a, chosen[a]).gone - option(b, chosen[b]).gone;
        let cost = |(i, j): (usize, usize)| option(a, i).cost + option(b, j).cost;
        let gone = |(i, j): (usize, usize)| rest + option(a, i).gone + option(b, j).gone;
        let options = &self.sites[a].options;
        let is_near = |&i: &usize| i.abs_diff(chosen[a]) <= REACH || options[i].is_whole();
        let pairs = (0..options.len()).filter(is_near).filter_map(|i| {
            let least = self.target.saturating_sub(rest + option(a, i).gone);
            self.ordered[b].with(least).map(|j| (i, j))
        });
        let allowed = pairs.filter(|&pair| gone(pair) <= self.most);
        let best = allowed.min_by(|&x, &y| cost(x).total_cmp(&cost(y)))?;
        // By more than rounding, or two pairs might change places for ever.
        (cost(best) < (1.0 - 1e-12) * cost((chosen[a], chosen[b]))).then_some(best)
    }
}
