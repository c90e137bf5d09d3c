//! Lesson 6: channels leave in groups; how large they may be before the choice suffers.

mod llama;

use leptos::prelude::*;
use slimgpt::obs::toy::ToyLayer;
use slimgpt::obs::trace::TraceTarget;
use slimgpt::obs::{ChannelSteps, ObsError, Options, SmallLayer, cost};
use slimgpt::report::figures::{Chart, Marks, Scale, Series};

use crate::kit::{Bar, Bars, Figure, Outcome, Plot, Section, Slider, amount, drawn, percent, shown};
use crate::state::{Field, Kept, Shared};
use crate::text::say;

/// Channels of the layer, and how many of them leave.
const CHANNELS: usize = 64;
const REMOVE: usize = 32;
/// Groups that are compared: from one by one to all at once.
const SIZES: [usize; 6] = [1, 2, 4, 8, 16, 32];
/// By how much the task lets the error be larger than one by one.
const ALLOWED: f64 = 0.01;
/// The largest excess that the chart shows.
const SEEN: f64 = 0.1;
/// Inputs that are nearly the same: then all but a few channels are hardly needed.
const MOST_ALIKE: f64 = 0.95;

/// What the reader changes.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// The largest group, by its place among [`SIZES`].
    pub place: usize,
    /// What neighbouring inputs have in common.
    pub correlation: f64,
    /// Makes other numbers.
    pub seed: usize,
    /// The share of channels that leaves LLaMA-7B, in percent.
    pub ratio: usize,
}

impl Default for State {
    fn default() -> Self {
        // All at once, where the error is largest; and the ratio that the text speaks of.
        Self { place: SIZES.len() - 1, correlation: 0.8, seed: 1, ratio: 25 }
    }
}

impl Shared for State {
    fn fields(&mut self) -> Vec<(&'static str, Field<'_>)> {
        vec![
            ("group", Field::Count { value: &mut self.place, least: 0, most: SIZES.len() - 1 }),
            ("rho", Field::Number { value: &mut self.correlation, least: 0.0, most: MOST_ALIKE, digits: 2 }),
            ("seed", Field::Count { value: &mut self.seed, least: 1, most: 9999 }),
            ("ratio", Field::Count { value: &mut self.ratio, least: llama::LEAST, most: llama::MOST }),
        ]
    }
}

/// What came of removing the channels in certain groups.
#[derive(Clone, Debug, PartialEq)]
struct Run {
    sizes: Vec<usize>,
    /// The error as a share of the signal.
    error: f64,
    /// Operations of inverting before each group.
    work: f64,
}

/// Every size of group, once for all groups and once as the largest of dynamic ones.
#[derive(Clone, Debug, PartialEq)]
struct Worked {
    fixed: Vec<Run>,
    dynamic: Vec<Run>,
}

impl Worked {
    fn of(correlation: f64, seed: usize) -> Result<Self, ObsError> {
        // Three tokens for each input, so that H has its full rank.
        let tokens = 3 * CHANNELS;
        let toy = ToyLayer { inputs: CHANNELS, outputs: 8, tokens, correlation, seed: seed as u64 };
        let layer = SmallLayer::new(&toy.x(), &toy.weight())?;
        let run = |sizes: Vec<usize>| {
            let pruned = layer.pruned(TraceTarget::Groups(sizes.clone()), &Options::default())?;
            let work = cost::inverting(CHANNELS, &sizes);
            Ok(Run { sizes, error: pruned.predicted_loss / pruned.signal, work })
        };
        let fixed = |&size: &usize| run(ChannelSteps::Fixed(size).sizes(REMOVE));
        // The published smallest group is a sixteenth of the largest: 64 of 1024.
        let dynamic = |&size: &usize| run(ChannelSteps::dynamic_sizes(REMOVE, size / 16, size));
        Ok(Self {
            fixed: SIZES.iter().map(fixed).collect::<Result<_, ObsError>>()?,
            dynamic: SIZES.iter().map(dynamic).collect::<Result<_, ObsError>>()?,
        })
    }

    /// By how much the error of a run is above that of one by one, as a share of that.
    fn excess(&self, run: &Run) -> f64 {
        run.error / self.fixed[0].error - 1.0
    }

    /// The work of a run as a share of that of one by one.
    fn share(&self, run: &Run) -> f64 {
        run.work / self.fixed[0].work
    }

    /// The place of the largest group that is allowed. One by one always is.
    fn best(&self) -> usize {
        // From the largest: the excess need not grow with every size.
        self.fixed.iter().rposition(|run| self.excess(run) <= ALLOWED).unwrap_or(0)
    }

    fn outcome(&self, place: usize) -> Outcome {
        let (size, run) = (SIZES[place], &self.fixed[place]);
        let excess = signed(self.excess(run));
        match self.best() {
            best if best == place => Outcome::Done(say::six_done(size, excess, percent(self.share(run)))),
            _ if self.excess(run) > ALLOWED => Outcome::Open(say::six_over(size, excess)),
            _ => Outcome::Open(say::six_larger(size, excess)),
        }
    }

    fn sentence(&self, place: usize) -> String {
        let (fixed, dynamic) = (&self.fixed[place], &self.dynamic[place]);
        say::six_says(
            SIZES[place],
            percent(fixed.error),
            signed(self.excess(fixed)),
            percent(self.share(fixed)),
            listed(&dynamic.sizes),
            signed(self.excess(dynamic)),
            percent(self.share(dynamic)),
        )
    }

    /// One by one, and both kinds of groups at a place.
    fn compared(&self, place: usize) -> [(String, &Run, &'static str); 3] {
        let (size, fixed, dynamic) = (SIZES[place], &self.fixed[place], &self.dynamic[place]);
        [
            (say::six_one().to_owned(), &self.fixed[0], "s2"),
            (say::six_fixed(size, fixed.sizes.len()), fixed, "s1"),
            (say::six_dynamic(size, dynamic.sizes.len()), dynamic, "s0"),
        ]
    }

    fn errors(&self, place: usize) -> Vec<Bar> {
        let bar = |(label, run, class): (String, &Run, _)| Bar {
            label,
            value: run.error,
            text: format!("{} %", shown(100.0 * run.error, 2)),
            class,
        };
        self.compared(place).into_iter().map(bar).collect()
    }

    fn works(&self, place: usize) -> Vec<Bar> {
        let bar = |label, value, class| Bar { label, value, text: amount(value), class };
        let corrected = bar(say::six_corrected().to_owned(), cost::correcting(CHANNELS, REMOVE), "quiet");
        self.compared(place)
            .into_iter()
            .map(|(label, run, class)| bar(label, run.work, class))
            .chain([corrected])
            .collect()
    }

    fn chart(&self, place: usize) -> Chart {
        let point = |run: &Run| (100.0 * self.share(run), self.excess(run));
        // The line that decides would lie on the axis if everything was seen.
        let is_seen = |point: &(f64, f64)| point.1 <= SEEN;
        let ways = [(say::six_line_fixed(), 1, &self.fixed), (say::six_line_dynamic(), 0, &self.dynamic)];
        let line = |&(name, colour, runs): &(&str, usize, &Vec<Run>)| {
            // Less work comes with larger groups, and less stands to the left.
            let points = runs.iter().rev().map(point).filter(is_seen).collect();
            Series { name: name.into(), legend: Some(name.into()), points, colour, marks: Marks::Line }
        };
        let yours = |&(name, colour, runs): &(&str, usize, &Vec<Run>)| {
            let name = format!("{}, {name}", say::six_yours());
            let points = [point(&runs[place])].into_iter().filter(is_seen).collect();
            Series { name, legend: None, points, colour, marks: Marks::Rings }
        };
        Chart {
            title: say::six_chart().into(),
            description: self.sentence(place),
            x_label: say::six_axis_work().into(),
            y_label: say::six_axis_error().into(),
            x_scale: Scale::Log,
            x_reach: vec![100.0],
            y_scale: Scale::Linear,
            y_percent: true,
            reference: Some((say::six_allowed().into(), ALLOWED)),
            series: ways.iter().map(line).chain(ways.iter().map(yours)).collect(),
        }
    }
}

/// A share as a percentage that says whether it is above or below.
fn signed(share: f64) -> String {
    let text = percent(share);
    // Rounded to nothing it has no sign.
    let above = share > 0.0 && text != percent(0.0);
    if above { format!("+{text}") } else { text }
}

/// The sizes of groups, with how many there are where some are equal: "8, 5, 19 × 1".
fn listed(sizes: &[usize]) -> String {
    let run = |run: &[usize]| match run {
        [size] => size.to_string(),
        run => format!("{} \u{d7} {}", run.len(), run[0]),
    };
    sizes.chunk_by(|a, b| a == b).map(run).collect::<Vec<_>>().join(", ")
}

/// The lesson.
#[component]
pub fn Lesson(
    /// What the reader changes.
    kept: Kept<State>,
) -> AnyView {
    let layer = Memo::new(move |_| kept.with(|s| (s.correlation, s.seed)));
    let place = Memo::new(move |_| kept.with(|s| s.place));
    // Moving along the curves computes nothing anew.
    let worked = Memo::new(move |_| {
        let (correlation, seed) = layer.get();
        Worked::of(correlation, seed).map_err(|e| e.to_string())
    });
    let says =
        Signal::derive(move || worked.with(|w| w.as_ref().map_or_else(Clone::clone, |w| w.sentence(place.get()))));
    let outcome = Signal::derive(move || {
        worked.with(|w| w.as_ref().map_or_else(|words| Outcome::Open(words.clone()), |w| w.outcome(place.get())))
    });
    let bars = move |of: fn(&Worked, usize) -> Vec<Bar>| {
        Signal::derive(move || worked.with(|w| w.iter().flat_map(|w| of(w, place.get())).collect::<Vec<_>>()))
    };
    let plot = Signal::derive(move || {
        worked.with(|w| w.as_ref().map_or_else(|_| String::new(), |w| drawn(&w.chart(place.get()))))
    });
    view! {
        <Section number=6 kept=kept outcome=outcome>
            <Figure label=say::six_figure(CHANNELS, REMOVE) says=says>
                <Controls kept=kept/>
                <Bars title=say::six_error() bars=bars(Worked::errors)/>
                <Bars title=say::six_work() bars=bars(Worked::works)/>
                <Plot svg=plot/>
                <llama::Groups kept=kept/>
            </Figure>
        </Section>
    }.into_any()
}

/// The size of the groups, and what the layer is made of.
#[component]
fn Controls(kept: Kept<State>) -> AnyView {
    let place = move || kept.with(|s| s.place);
    view! {
        <div class="controls">
            <Slider
                label=say::six_size().to_owned()
                value=Signal::derive(move || place() as f64)
                least=0.0
                most=(SIZES.len() - 1) as f64
                step=1.0
                text=Signal::derive(move || say::six_channels(SIZES[place()]))
                on=Callback::new(move |at: f64| kept.change("group", |s| s.place = at.round() as usize))
            />
            <Slider
                label=say::correlation().to_owned()
                value=Signal::derive(move || kept.with(|s| s.correlation))
                least=0.0
                most=MOST_ALIKE
                step=0.05
                text=Signal::derive(move || shown(kept.with(|s| s.correlation), 2))
                on=Callback::new(move |v| kept.change("rho", |s| s.correlation = v))
            />
            <button type="button" on:click=move |_| kept.change("", |s| s.seed = s.seed % 9999 + 1)>
                {say::other_numbers()}
            </button>
        </div>
    }.into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worked(correlation: f64, seed: usize) -> Worked {
        Worked::of(correlation, seed).unwrap()
    }

    #[test]
    fn one_size_does_the_task_and_it_is_not_the_first_that_is_seen() {
        let (w, start) = (worked(State::default().correlation, State::default().seed), State::default());
        let done: Vec<usize> = (0..SIZES.len()).filter(|&p| matches!(w.outcome(p), Outcome::Done(_))).collect();
        assert_eq!(done, [w.best()]);
        assert_ne!(w.best(), start.place);
        assert!(w.fixed[w.best() + 1..].iter().all(|run| run.error > 1.01 * w.fixed[0].error));
    }

    #[test]
    fn groups_of_one_are_the_library_going_one_by_one() {
        let toy = ToyLayer { inputs: CHANNELS, outputs: 8, tokens: 3 * CHANNELS, correlation: 0.8, seed: 3 };
        let layer = SmallLayer::new(&toy.x(), &toy.weight()).unwrap();
        let steps = ChannelSteps::OneByOne;
        let pruned = layer.pruned(TraceTarget::Channels { remove: REMOVE, steps }, &Options::default()).unwrap();
        let (w, error) = (worked(0.8, 3), pruned.predicted_loss / pruned.signal);
        for run in [&w.fixed[0], &w.dynamic[0]] {
            assert!((run.error / error - 1.0).abs() < 1e-6, "{} {error}", run.error);
        }
    }

    #[test]
    fn larger_groups_save_work_and_dynamic_ones_cost_less_error() {
        let mean = |of: &dyn Fn(&Worked) -> f64| (1..=8).map(|seed| of(&worked(0.8, seed))).sum::<f64>() / 8.0;
        for place in 1..SIZES.len() {
            let w = worked(0.8, 1);
            assert!(w.fixed[place].work < w.fixed[place - 1].work);
            assert!(w.dynamic[place].work < w.fixed[0].work);
            let fixed = mean(&|w| w.excess(&w.fixed[place]));
            let dynamic = mean(&|w| w.excess(&w.dynamic[place]));
            assert!(dynamic < fixed, "{place}: {dynamic} {fixed}");
        }
        // All at once is far worse than halves that become smaller, where inputs are alike.
        assert!(mean(&|w| w.excess(&w.fixed[5])) > 0.1);
    }

    #[test]
    fn equal_groups_are_counted() {
        assert_eq!(listed(&[8, 5, 1, 1, 1]), "8, 5, 3 \u{d7} 1");
        assert_eq!([0.012, -0.012, 0.0, 1e-4].map(signed), ["+1.2", "\u{2212}1.2", "0.0", "0.0"]);
    }
}
