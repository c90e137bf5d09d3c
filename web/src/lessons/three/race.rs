//! Who else runs, and what every choice of columns costs on the same layer. Whoever chose, the
//! columns that stay are refitted: only the choices are compared.

use slimgpt::obs::subsets::{costs_at_once, subsets};
use slimgpt::obs::toy::ToyLayer;
use slimgpt::obs::trace::{Matrix, Trace, TraceTarget, trace_at_once};
use slimgpt::obs::{ChannelSteps, ObsError, Options, Ranking, Selection};

use super::{CUTS, State};
use crate::kit::{Bar, Outcome, percent};
use crate::text::say;

/// Inputs of the layer: few enough that all choices can be tried.
pub(super) const COLUMNS: usize = 8;
/// Its outputs.
pub(super) const OUTPUTS: usize = 6;
/// Errors that differ by less than this share are the same: they were added up in another order.
const SAME: f64 = 1e-9;

/// One who chose.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Rival {
    /// The columns that leave, ascending.
    pub columns: Vec<usize>,
    /// The error, as a share of the signal.
    pub error: f64,
}

/// A layer, all choices, and those of the rivals.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Race {
    pub weight: Matrix,
    pub hessian: Matrix,
    /// What one after the other reaches, the cheapest at its time first.
    pub greedy: Rival,
    /// The best of all.
    pub best: Rival,
    /// The columns of least norm.
    pub magnitude: Rival,
    /// One draw.
    random: Rival,
    /// How many columns leave.
    cut: usize,
    /// Every set of columns up to one more than can leave, with its error.
    all: Vec<Rival>,
}

impl Race {
    pub fn of(cut: usize, correlation: f64, seed: usize) -> Result<Self, ObsError> {
        let seed = seed as u64;
        let toy = ToyLayer { inputs: COLUMNS, outputs: OUTPUTS, correlation, seed, ..ToyLayer::default() };
        let (x, weight) = (toy.x(), toy.weight());
        // Without damping what a choice costs is the error itself; tokens enough see to the inverse.
        let undamped = Options { damping: 0.0, ..Options::default() };
        let run = |options: &Options| {
            let what = TraceTarget::Channels { remove: cut, steps: ChannelSteps::OneByOne };
            trace_at_once(&x, &weight, what, options)
        };
        // Refitted like all others: a rival is judged by the choice alone.
        let ranked = |ranking| run(&Options { selection: Selection::Ranking(ranking), ..undamped });
        let greedy = run(&undamped)?;
        // An address may have chosen as many as ever leave; and what one more would cost is shown beside a whole choice.
        let sets: Vec<Vec<usize>> = (1..=CUTS[1] + 1).flat_map(|size| subsets(COLUMNS, size)).collect();
        let errors = costs_at_once(&x, &weight, &sets, 0.0)?.into_iter().map(|cost| cost / greedy.signal);
        let all: Vec<Rival> = sets.into_iter().zip(errors).map(|(columns, error)| Rival { columns, error }).collect();
        let choices = all.iter().filter(|rival| rival.columns.len() == cut);
        let greedy_rival = Rival::of(&greedy);
        Ok(Self {
            best: choices.min_by(|a, b| a.error.total_cmp(&b.error)).unwrap_or(&greedy_rival).clone(),
            greedy: greedy_rival,
            magnitude: Rival::of(&ranked(Ranking::Magnitude)?),
            random: Rival::of(&ranked(Ranking::Random { seed })?),
            cut,
            all,
            weight: greedy.start.weight,
            hessian: greedy.hessian,
        })
    }

    /// The error without these columns; `None` for more than were tried.
    fn error(&self, columns: &[usize]) -> Option<f64> {
        if columns.is_empty() {
            return Some(0.0);
        }
        let same =
            |rival: &&Rival| rival.columns.len() == columns.len() && rival.columns.iter().all(|j| columns.contains(j));
        self.all.iter().find(same).map(|rival| rival.error)
    }

    /// The error of a whole choice; `None` for another number of columns.
    pub fn whole(&self, columns: &[usize]) -> Option<f64> {
        self.error(columns).filter(|_| columns.len() == self.cut)
    }

    /// All whole choices.
    fn choices(&self) -> impl Iterator<Item = &Rival> {
        self.all.iter().filter(|rival| rival.columns.len() == self.cut)
    }

    /// How many choices are better than this error.
    fn better_than(&self, error: f64) -> usize {
        self.choices().filter(|rival| rival.error < error * (1.0 - SAME)).count()
    }

    /// What each column would add to the error if it left next, in percent of the signal `(1, in)`.
    pub fn next_costs(&self, picks: &[usize]) -> Matrix {
        let now = self.error(picks).unwrap_or_default();
        let cost = |j: usize| {
            let more: Vec<usize> = picks.iter().copied().chain([j]).collect();
            self.error(&more).filter(|_| !picks.contains(&j)).map_or(0.0, |error| 100.0 * (error - now))
        };
        Matrix::from_fn(1, COLUMNS, |_, j| cost(j))
    }

    pub fn sentence(&self, state: &State) -> String {
        let (columns, error) = (listed(&state.picks), percent(self.error(&state.picks).unwrap_or_default()));
        match (state.picks.len(), self.whole(&state.picks)) {
            (0, _) => say::three_start(self.cut),
            (chosen, _) if chosen > self.cut => say::three_too_many(columns, error, self.cut, chosen - self.cut),
            (_, Some(exact)) => say::three_full(columns, error, self.choices().count(), self.better_than(exact)),
            (chosen, None) => say::three_on_the_way(columns, error, self.cut - chosen),
        }
    }

    pub fn bars(&self, state: &State) -> Vec<Bar> {
        let bar = |label: String, error: f64, class| Bar {
            label,
            value: error,
            text: format!("{} %", percent(error)),
            class,
        };
        let told = |who: &str, rival: &Rival, class| {
            let label = if state.reveal { say::three_chosen(who, listed(&rival.columns)) } else { who.to_owned() };
            bar(label, rival.error, class)
        };
        let own = [
            (say::three_yours(), self.error(&state.picks), &state.picks, "s2"),
            (say::three_best_yours(), self.whole(&state.best), &state.best, "s4"),
        ];
        let own = own.into_iter().filter(|(.., columns, _)| !columns.is_empty()).filter_map(
            |(who, error, columns, class)| Some(bar(say::three_chosen(who, listed(columns)), error?, class)),
        );
        let best = say::three_best(self.choices().count());
        let others = [
            told(say::three_greedy(), &self.greedy, "s0"),
            told(&best, &self.best, "s7"),
            told(say::three_magnitude(), &self.magnitude, "s1"),
            told(say::three_random(), &self.random, "s6"),
        ];
        own.chain(others).collect()
    }

    pub fn outcome(&self, state: &State) -> Outcome {
        let (greedy, best) = (self.greedy.error, self.best.error);
        let Some(yours) = self.whole(&state.best) else {
            return Outcome::Open(say::three_open(self.cut, percent(greedy)));
        };
        let sets = self.choices().count();
        let is_best = yours <= best * (1.0 + SAME);
        match yours / greedy {
            ahead if ahead < 1.0 - SAME && is_best => Outcome::Done(say::three_won_best(percent(1.0 - ahead), sets)),
            ahead if ahead < 1.0 - SAME => {
                Outcome::Done(say::three_won(percent(1.0 - ahead), sets, self.better_than(yours)))
            }
            _ if is_best => Outcome::Done(say::three_matched(sets)),
            behind if behind > 1.0 + SAME => Outcome::Open(say::three_behind(percent(behind - 1.0))),
            _ => Outcome::Open(say::three_level().into()),
        }
    }
}

impl Rival {
    fn of(trace: &Trace) -> Self {
        let columns = (0..COLUMNS).filter(|j| !trace.kept.contains(j)).collect();
        Self { columns, error: trace.predicted_loss / trace.signal }
    }
}

/// Columns as people count them.
fn listed(columns: &[usize]) -> String {
    columns.iter().map(|j| (j + 1).to_string()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_better_than_the_best_and_everybody_is_one_of_all() {
        for seed in 1..20 {
            let race = Race::of(4, 0.6, seed).unwrap();
            for rival in [&race.greedy, &race.magnitude, &race.random] {
                assert!(rival.error >= race.best.error * (1.0 - SAME));
                let same = race.whole(&rival.columns).unwrap();
                assert!((same - rival.error).abs() < SAME, "{same} for {rival:?}");
            }
        }
    }

    #[test]
    fn more_columns_than_leave_have_their_true_error_and_are_told() {
        let race = Race::of(2, 0.6, 3).unwrap();
        let picks = vec![0, 1, 2, 3, 4];
        let (two, five) = (race.error(&picks[..2]).unwrap(), race.error(&picks).unwrap());
        assert!(0.0 < two && two < five);
        let state = State { cut: 2, picks, ..State::default() };
        let says = race.sentence(&state);
        assert!(says.contains(&percent(five)) && says.contains("put 3 back"), "{says}");
        assert!(race.bars(&state).iter().any(|bar| bar.value == five));
        let costs = race.next_costs(&state.picks).values;
        assert!(costs[..5].iter().all(|&cost| cost == 0.0) && costs[5..].iter().all(|&cost| cost > 0.0), "{costs:?}");
    }

    #[test]
    fn who_follows_the_costs_that_are_shown_is_greedy() {
        let race = Race::of(4, 0.6, 3).unwrap();
        let mut picks = Vec::new();
        for _ in 0..4 {
            let costs = race.next_costs(&picks).values;
            let left = (0..COLUMNS).filter(|j| !picks.contains(j));
            let next = left.min_by(|&a, &b| costs[a].total_cmp(&costs[b])).unwrap();
            picks.push(next);
        }
        picks.sort_unstable();
        assert_eq!(picks, race.greedy.columns);
    }

    #[test]
    fn greedy_is_the_best_choice_of_most_layers_and_not_of_all() {
        let is_best = |seed: &usize| {
            let race = Race::of(4, 0.7, *seed).unwrap();
            race.better_than(race.greedy.error) == 0
        };
        let best = (1..=100).filter(is_best).count();
        assert!((51..100).contains(&best), "{best}");
    }
}
