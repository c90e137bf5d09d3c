//! Lesson 3: can you choose better than the algorithm? A race of the reader against greedy
//! selection, magnitude, chance and the best of all choices.

mod race;

use leptos::prelude::*;
use slimgpt::obs::trace::Matrix;

use self::race::{COLUMNS, Race};
use crate::kit::{Bars, Choice, Figure, Grid, Outcome, Section, Slider, Toggles, shown};
use crate::state::{Field, Kept, Shared};
use crate::text::say;

/// How many columns may leave: with fewer there is nothing to miss, with more hardly a choice.
const CUTS: [usize; 2] = [2, 5];
/// Inputs that are all but the same: H can still be inverted without damping.
const MOST_ALIKE: f64 = 0.95;

/// What the reader changes.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// How many columns leave.
    pub cut: usize,
    /// What neighbouring inputs have in common.
    pub correlation: f64,
    /// Makes other numbers.
    pub seed: usize,
    /// The columns that the reader chose, in order.
    pub picks: Vec<usize>,
    /// The best whole choice so far; empty before the first.
    pub best: Vec<usize>,
    /// Whether the columns of the others are told.
    pub reveal: bool,
}

impl Default for State {
    fn default() -> Self {
        // Numbers with which greedy is far better than magnitude, and misses the best choice all the same.
        Self { cut: 4, correlation: 0.7, seed: 170, picks: Vec::new(), best: Vec::new(), reveal: false }
    }
}

impl Shared for State {
    fn fields(&mut self) -> Vec<(&'static str, Field<'_>)> {
        vec![
            ("cut", Field::Count { value: &mut self.cut, least: CUTS[0], most: CUTS[1] }),
            ("rho", Field::Number { value: &mut self.correlation, least: 0.0, most: MOST_ALIKE, digits: 2 }),
            ("seed", Field::Count { value: &mut self.seed, least: 1, most: 9999 }),
            ("picks", Field::Picks { value: &mut self.picks, below: COLUMNS, most: CUTS[1] }),
            ("best", Field::Picks { value: &mut self.best, below: COLUMNS, most: CUTS[1] }),
            ("reveal", Field::Switch(&mut self.reveal)),
        ]
    }
}

impl State {
    /// Another layer, or another number of columns: a race of its own.
    fn again(&mut self) {
        self.picks.clear();
        self.best.clear();
    }

    /// Takes a column out, or puts it back. A whole choice that is the best so far is remembered.
    fn toggle(&mut self, race: &Race, column: usize) {
        match self.picks.contains(&column) {
            true => self.picks.retain(|&other| other != column),
            false if self.picks.len() < self.cut => self.picks.push(column),
            false => {}
        }
        // Kept beside the choice of now, so that trying on loses nothing.
        let is_better = |now: f64| race.whole(&self.best).is_none_or(|best| now < best);
        if race.whole(&self.picks).is_some_and(is_better) {
            self.best.clone_from(&self.picks);
        }
    }
}

/// The lesson.
#[component]
pub fn Lesson(
    /// What the reader changes.
    kept: Kept<State>,
) -> AnyView {
    // A choice changes nothing of the race, so it is run once a layer.
    let layer = Memo::new(move |_| kept.with(|s| (s.cut, s.correlation, s.seed)));
    let race = Memo::new(move |_| {
        let (cut, correlation, seed) = layer.get();
        Race::of(cut, correlation, seed).map_err(|e| e.to_string())
    });
    let says = Signal::derive(move || told(race, kept, Race::sentence, |words| words));
    let outcome = Signal::derive(move || told(race, kept, Race::outcome, Outcome::Open));
    let bars = Signal::derive(move || told(race, kept, Race::bars, |_| Vec::new()));
    let look = move |at: fn(&Race, &State) -> Matrix, [rows, columns]: [usize; 2]| {
        Signal::derive(move || told(race, kept, at, |_| Matrix::from_fn(rows, columns, |_, _| 0.0)))
    };
    let costs = look(|race, state| race.next_costs(&state.picks), [1, COLUMNS]);
    let weight = look(|race, _| race.weight.clone(), [race::OUTPUTS, COLUMNS]);
    let hessian = look(|race, _| race.hessian.clone(), [COLUMNS, COLUMNS]);
    let gone = Signal::derive(move || kept.with(|s| s.picks.clone()));
    let toggle = Callback::new(move |column: usize| {
        if let Ok(race) = race.get_untracked() {
            kept.change("", |state| state.toggle(&race, column));
        }
    });
    view! {
        <Section number=3 kept=kept outcome=outcome>
            <Figure label=say::three_figure() says=says>
                <Settings kept=kept/>
                <Toggles
                    legend=say::three_columns()
                    options=Signal::derive(|| (1..=COLUMNS).map(|j| j.to_string()).collect())
                    chosen=gone
                    most=Signal::derive(move || kept.with(|s| s.cut))
                    on=toggle
                />
                <div class="matrices">
                    <Grid symbol="err" name=say::three_cost() id="three" matrix=costs gone=gone/>
                    <Grid symbol="w" name="W" id="three" matrix=weight gone=gone/>
                    <Grid symbol="h" name="H" id="three" matrix=hessian gone=gone square=true/>
                </div>
                <Bars title=say::error_bars() bars=bars/>
            </Figure>
        </Section>
    }.into_any()
}

/// What the race says of a state, or the reason why there is none.
fn told<T>(
    race: Memo<Result<Race, String>>,
    kept: Kept<State>,
    say: impl FnOnce(&Race, &State) -> T,
    or: impl FnOnce(String) -> T,
) -> T {
    race.with(|race| match race {
        Ok(race) => kept.with(|state| say(race, state)),
        Err(words) => or(words.clone()),
    })
}

/// Which layer is raced on, and what is shown of the others.
#[component]
fn Settings(kept: Kept<State>) -> AnyView {
    let anew = move |gesture, change: &dyn Fn(&mut State)| {
        kept.change(gesture, |state| {
            change(state);
            state.again();
        });
    };
    view! {
        <div class="controls">
            <Choice
                name="three-cut"
                legend=say::three_cut()
                options=(CUTS[0]..=CUTS[1]).map(|cut| cut.to_string()).collect()
                chosen=Signal::derive(move || kept.with(|s| s.cut - CUTS[0]))
                on=Callback::new(move |i| anew("", &|s| s.cut = CUTS[0] + i))
            />
            <Slider
                label=say::correlation()
                value=Signal::derive(move || kept.with(|s| s.correlation))
                least=0.0
                most=MOST_ALIKE
                step=0.01
                text=Signal::derive(move || shown(kept.with(|s| s.correlation), 2))
                on=Callback::new(move |v| anew("rho", &|s| s.correlation = v))
            />
            <button type="button" on:click=move |_| anew("", &|s| s.seed = s.seed % 9999 + 1)>
                {say::other_numbers()}
            </button>
            <Choice
                name="three-reveal"
                legend=say::three_reveal()
                options=vec![say::three_hidden().into(), say::three_shown().into()]
                chosen=Signal::derive(move || kept.with(|s| usize::from(s.reveal)))
                on=Callback::new(move |i| kept.change("", |s| s.reveal = i == 1))
            />
        </div>
    }.into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn race(state: &State) -> Race {
        Race::of(state.cut, state.correlation, state.seed).unwrap()
    }

    fn chosen(columns: &[usize]) -> State {
        let mut state = State::default();
        let race = race(&state);
        columns.iter().for_each(|&j| state.toggle(&race, j));
        state
    }

    #[test]
    fn the_task_is_open_at_first_and_the_best_choice_beats_greedy() {
        let race = race(&State::default());
        assert!(matches!(race.outcome(&State::default()), Outcome::Open(_)));
        assert!(race.best.error < 0.9 * race.greedy.error, "{:?} {:?}", race.best, race.greedy);
        assert!(race.greedy.error < 0.9 * race.magnitude.error);
        for (columns, is_done) in [(&race.best.columns, true), (&race.greedy.columns, false)] {
            let outcome = race.outcome(&chosen(columns));
            assert_eq!(matches!(outcome, Outcome::Done(_)), is_done, "{outcome:?}");
        }
    }

    #[test]
    fn the_best_ever_is_kept_when_a_worse_choice_follows() {
        let race = race(&State::default());
        let mut state = chosen(&race.best.columns);
        let (out, other) = (state.picks[0], (0..COLUMNS).find(|j| !state.picks.contains(j)).unwrap());
        for column in [out, other] {
            state.toggle(&race, column);
        }
        assert_ne!(state.picks, state.best);
        assert_eq!(race.whole(&state.best), Some(race.best.error));
        assert!(matches!(race.outcome(&state), Outcome::Done(_)));
    }

    #[test]
    fn no_more_columns_leave_than_were_agreed() {
        assert_eq!(chosen(&[0, 1, 2, 3, 4]).picks, [0, 1, 2, 3]);
        let mut state = chosen(&[0, 1, 2]);
        assert!(state.best.is_empty());
        state.again();
        assert_eq!(state, State::default());
    }
}
