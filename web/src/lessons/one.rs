//! Lesson 1: what is cut? A decoder layer to scale, and what leaves with a head or a channel.

mod drawing;
mod layer;

use std::ops::RangeInclusive;

use leptos::prelude::*;
use slimgpt::format::count;

use self::drawing::{Touched, drawing, miniature};
use self::layer::{Layer, SHARINGS, bytes, published};
use crate::kit::{Choice, Figure, Outcome, Section, Slider, Toggles, percent, shown};
use crate::state::{Field, Kept, Shared};
use crate::text::say;

/// Most heads of k and v, and most channels, of any model that is shown.
const MOST: [usize; 2] = [32, 11008];
/// Places of a slider of channels: as many as it has pixels on a phone.
const PLACES: usize = 352;
/// The task: so much of the layer.
const WANTED: RangeInclusive<f64> = 0.19..=0.21;

/// What the reader changes.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// The shipped model, or LLaMA-7B.
    pub model: usize,
    /// How many heads of q share one of k and v, as a power of two.
    pub sharing: usize,
    /// Heads that leave, counted as heads of k and v.
    pub heads: Vec<usize>,
    /// How many channels leave.
    pub channels: usize,
    /// The first of them; the others follow it.
    pub first: usize,
}

impl Default for State {
    fn default() -> Self {
        // Two heads of q to one of k and v are the shipped model's own.
        Self { model: 0, sharing: 1, heads: Vec::new(), channels: 0, first: 0 }
    }
}

impl Shared for State {
    fn fields(&mut self) -> Vec<(&'static str, Field<'_>)> {
        vec![
            ("model", Field::Count { value: &mut self.model, least: 0, most: 1 }),
            ("sharing", Field::Count { value: &mut self.sharing, least: 0, most: SHARINGS - 1 }),
            ("heads", Field::Picks { value: &mut self.heads, below: MOST[0], most: MOST[0] - 1 }),
            ("channels", Field::Count { value: &mut self.channels, least: 0, most: MOST[1] - 1 }),
            ("first", Field::Count { value: &mut self.first, least: 0, most: MOST[1] - 1 }),
        ]
    }
}

impl State {
    /// A whole layer of another model.
    fn of_model(model: usize) -> Self {
        // A power of two, as the address has it.
        let sharing = published(model).dense.heads_per_group().ilog2() as usize;
        Self { model, sharing, ..Self::default() }
    }

    /// Cuts what stayed, and puts back what was cut.
    fn touch(&mut self, what: Touched) {
        match what {
            Touched::Head(head) if self.heads.contains(&head) => self.heads.retain(|&other| other != head),
            Touched::Head(head) => self.heads.push(head),
            Touched::Channel(channel) if channel == self.first && self.channels == 1 => self.channels = 0,
            Touched::Channel(channel) => (self.first, self.channels) = (channel, self.channels.max(1)),
        }
    }
}

impl Layer {
    fn sentence(&self) -> String {
        let (gone, all) = (self.parameters_gone(), self.parameters());
        if gone == 0 {
            return say::one_whole(count(all), bytes(all));
        }
        let left = self.kept.shape();
        let leaves = say::one_gone(count(gone), count(all), percent(self.share()), bytes(gone), bytes(all));
        let stays = say::one_left(left.heads, left.kv_heads, count(left.channels));
        format!("{leaves} {stays}")
    }

    fn outcome(&self) -> Outcome {
        let share = percent(self.share());
        match WANTED.contains(&self.share()) && !self.heads_gone().is_empty() && self.channels_gone() > 0 {
            true => Outcome::Done(say::one_done(share, shown(self.channels_per_head(), 0))),
            false => {
                let [least, most] = [WANTED.start(), WANTED.end()].map(|bound| shown(100.0 * bound, 0));
                Outcome::Open(say::one_open(share, least, most))
            }
        }
    }
}

/// The lesson.
#[component]
pub fn Lesson(
    /// What the reader changes.
    kept: Kept<State>,
) -> AnyView {
    let worked = Memo::new(move |_| kept.with(Layer::of));
    let says = Signal::derive(move || worked.with(Layer::sentence));
    let outcome = Signal::derive(move || worked.with(Layer::outcome));
    let touch = Callback::new(move |what| {
        kept.change("", |state| {
            let now = Layer::of(state);
            // What is seen is touched: an address may name heads that this model lacks.
            let mut after = State { heads: now.heads_gone(), ..state.clone() };
            after.touch(what);
            // One head must stay, as in a pruning.
            if after.heads.len() < now.config.dense.kv_heads {
                *state = after;
            }
        });
    });
    // Drawn anew for another model; what leaves changes within.
    let kind = Memo::new(move |_| kept.with(|state| (state.model, state.sharing)));
    let figure = move || {
        let (model, _) = kind.get();
        let first = worked.get_untracked();
        let last = StoredValue::new(first.clone());
        // While another model is chosen, what is here is drawn a last time as it was.
        let layer = Signal::derive(move || match worked.get() {
            layer if layer.config.dense == last.with_value(|l| l.config.dense) => layer,
            _ => last.get_value(),
        });
        let small = (model != 0).then(|| Layer::of(&State::default()));
        view! {
            {drawing(layer, touch)}
            {small.map(|small| miniature(&small, first.config.hidden_size))}
            <Amounts kept=kept layer=layer touch=touch/>
        }
    };
    view! {
        <Section number=1 kept=kept outcome=outcome>
            <Figure label=say::one_figure() says=says>
                <Models kept=kept/>
                {figure}
            </Figure>
        </Section>
    }.into_any()
}

/// Which model, and how its heads are shared.
#[component]
fn Models(kept: Kept<State>) -> AnyView {
    view! {
        <div class="controls">
            <Choice
                name="one-model"
                legend=say::one_model()
                options=vec![say::one_shipped().into(), say::one_llama().into()]
                chosen=Signal::derive(move || kept.with(|s| s.model))
                on=Callback::new(move |model| kept.change("", |s| *s = State::of_model(model)))
            />
            <Choice
                name="one-sharing"
                legend=say::one_sharing()
                options=(0..SHARINGS).map(|power| (1 << power).to_string()).collect()
                chosen=Signal::derive(move || kept.with(|s| s.sharing))
                // Heads that share are other heads: what was cut of them is whole again.
                on=Callback::new(move |sharing| kept.change("", |s| (s.sharing, s.heads) = (sharing, Vec::new())))
            />
        </div>
    }.into_any()
}

/// How much leaves, without touching the drawing.
#[component]
fn Amounts(kept: Kept<State>, layer: Signal<Layer>, touch: Callback<Touched>) -> AnyView {
    let dense = layer.with_untracked(|layer| layer.config.dense);
    let head = move |unit: usize| match dense.heads_per_group() {
        1 => (unit + 1).to_string(),
        shared => format!("{}\u{2013}{}", unit * shared + 1, (unit + 1) * shared),
    };
    let heads: Vec<String> = (0..dense.kv_heads).map(head).collect();
    let step = dense.channels.div_ceil(PLACES) as f64;
    let most = (dense.channels - 1) as f64;
    view! {
        <div class="controls">
            <Toggles
                legend=say::one_heads()
                options=Signal::derive(move || heads.clone())
                chosen=Signal::derive(move || layer.with(Layer::heads_gone))
                most=Signal::derive(move || dense.kv_heads - 1)
                on=Callback::new(move |head| touch.run(Touched::Head(head)))
            />
            <Slider
                label=say::one_channels()
                value=Signal::derive(move || layer.with(Layer::channels_gone) as f64)
                least=0.0
                most=most
                step=step
                text=Signal::derive(move || say::one_count(count(layer.with(Layer::channels_gone)), count(dense.channels)))
                on=Callback::new(move |v: f64| kept.change("channels", |s| s.channels = v as usize))
            />
            <Slider
                label=say::one_first()
                value=Signal::derive(move || layer.with(|l| l.first) as f64)
                least=0.0
                most=most
                step=step
                text=Signal::derive(move || say::one_channel(count(layer.with(|l| l.first) + 1)))
                on=Callback::new(move |v: f64| kept.change("first", |s| s.first = v as usize))
            />
        </div>
    }.into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(state: &State) -> Outcome {
        Layer::of(state).outcome()
    }

    #[test]
    fn the_task_is_open_at_first_and_every_model_can_do_it() {
        for model in 0..2 {
            for sharing in 0..SHARINGS {
                let state = State { model, sharing, ..State::default() };
                assert!(matches!(outcome(&state), Outcome::Open(_)));
                let most = Layer::of(&state).config.dense.channels;
                let mut amounts = (0..most).step_by(most.div_ceil(PLACES));
                let done = |channels| {
                    matches!(outcome(&State { heads: vec![0], channels, ..state.clone() }), Outcome::Done(_))
                };
                assert!(amounts.any(done), "{state:?}");
            }
        }
    }

    #[test]
    fn heads_alone_are_not_enough() {
        let heads = State { heads: vec![0, 1, 2], ..State::default() };
        assert!(WANTED.contains(&Layer::of(&heads).share()));
        assert!(matches!(outcome(&heads), Outcome::Open(_)));
    }

    #[test]
    fn each_model_begins_with_its_own_sharing() {
        assert_eq!(State::of_model(0), State::default());
        assert_eq!(State::of_model(1).sharing, 0);
    }

    #[test]
    fn what_is_touched_twice_is_whole_again() {
        let mut state = State::default();
        for what in [Touched::Head(2), Touched::Channel(40)] {
            state.touch(what);
            assert_ne!(state, State::default());
        }
        assert_eq!((state.heads.as_slice(), state.first, state.channels), ([2].as_slice(), 40, 1));
        for what in [Touched::Head(2), Touched::Channel(40)] {
            state.touch(what);
        }
        assert!(state.heads.is_empty() && state.channels == 0);
    }
}
