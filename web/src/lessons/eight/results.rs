//! What came of the prunings of lesson 8: the last few, side by side.

use slimgpt::format::{bytes, count};
use slimgpt::pipeline::LayerRecord;
use slimgpt_worker::protocol::Pruned;

use super::State;
use crate::kit::{Bar, Outcome, percent, shown};
use crate::lessons::seven::found::Found as Prepared;
use crate::text::say;

/// How many are remembered: the worker keeps as many models.
const MOST: usize = 4;
/// The task: so much goes at least, and perplexity grows by less than this factor.
const SHARE: f64 = 0.4;
const FACTOR: f64 = 2.0;

/// One pruned model.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// The worker's number for it.
    pub number: u32,
    /// What both models continued.
    pub prompt: String,
    /// What went from each layer.
    pub layers: Vec<LayerRecord>,
    name: String,
    /// The share of the decoder layers that was asked for.
    share: f64,
    perplexity: [f64; 2],
    parameters: [usize; 2],
    bytes: [u64; 2],
    device: String,
    text: Option<String>,
}

impl Found {
    /// What the worker answered.
    pub fn of(state: &State, pruned: Pruned) -> Self {
        let text = [say::eight_stories(), say::eight_digits(), say::eight_shuffled()][state.text];
        Self {
            number: pruned.number,
            prompt: state.prompt.clone(),
            name: say::eight_name(state.percent, text, state.windows),
            share: state.percent as f64 / 100.0,
            perplexity: pruned.perplexity,
            parameters: pruned.parameters,
            bytes: pruned.bytes,
            device: pruned.on.name,
            layers: pruned.layers,
            text: None,
        }
    }

    fn heads(&self) -> [usize; 2] {
        let kept = self.layers.iter().map(|l| l.kept_heads.len()).sum();
        [kept, self.layers.iter().map(|l| l.before.heads).sum()]
    }
}

/// The results, oldest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Results {
    all: Vec<Found>,
    /// What the whole model wrote for the last prompt.
    dense: String,
    /// Perplexity of the whole model and of one with 30 % gone, computed when the page was made.
    prepared: [f64; 2],
}

impl Results {
    /// What the page knows before anything is computed.
    pub fn prepared() -> Self {
        let known = Prepared::prepared();
        // The logarithmic curve, which is also what this lesson prunes by.
        let pruned = known.curves.first().map_or(f64::NAN, |run| run.perplexity);
        Self { prepared: [known.dense, pruned], ..Self::default() }
    }

    /// Remembers one, and forgets the oldest.
    pub fn add(&mut self, found: Found) {
        self.all.push(found);
        if self.all.len() > MOST {
            self.all.remove(0);
        }
        self.dense.clear();
    }

    /// The last one.
    pub fn last(&self) -> Option<&Found> {
        self.all.last()
    }

    /// What the models wrote; the dense model's stays where only the other's is told.
    pub fn written(&mut self, dense: String, pruned: Option<String>) {
        if pruned.is_none() {
            self.dense = dense;
        }
        if let Some(last) = self.all.last_mut() {
            last.text = pruned;
        }
    }

    /// What the whole and the last pruned model wrote, when both have.
    pub fn texts(&self) -> Option<[String; 2]> {
        self.last()?.text.clone().map(|pruned| [self.dense.clone(), pruned])
    }

    /// Perplexities.
    pub fn bars(&self) -> Vec<Bar> {
        const CLASSES: [&str; MOST] = ["s0", "s1", "s2", "s3"];
        let bar = |label: String, value: f64, class| Bar { label, value, text: shown(value, 3), class };
        // As the reader's own device measures it, once it has.
        let dense = self.last().map_or(self.prepared[0], |found| found.perplexity[0]);
        let mut bars = vec![bar(say::eight_whole().into(), dense, "quiet")];
        if self.all.is_empty() {
            bars.push(bar(say::eight_prepared().into(), self.prepared[1], "s0"));
        }
        bars.extend(self.all.iter().zip(CLASSES).map(|(f, class)| bar(f.name.clone(), f.perplexity[1], class)));
        bars
    }

    /// Name, perplexity, parameters, bytes and heads of each.
    pub fn rows(&self) -> Vec<[String; 5]> {
        let row = |found: &Found| {
            let [kept, all] = found.heads();
            let perplexity = shown(found.perplexity[1], 3);
            let [_, parameters] = found.parameters;
            [found.name.clone(), perplexity, count(parameters), bytes(found.bytes[1]), format!("{kept} / {all}")]
        };
        self.all.iter().map(row).collect()
    }

    /// In words.
    pub fn says(&self) -> String {
        let Some(found) = self.last() else { return say::eight_nothing_yet().into() };
        let [before, after] = found.perplexity.map(|ppl| shown(ppl, 3));
        let gone = 1.0 - found.parameters[1] as f64 / found.parameters[0] as f64;
        say::eight_says(&found.name, &found.device, percent(gone), before, after)
    }

    /// Whether any of them does the task.
    pub fn outcome(&self) -> Outcome {
        let factor = |found: &Found| found.perplexity[1] / found.perplexity[0];
        let enough = self.all.iter().filter(|found| found.share >= SHARE);
        let best = enough.min_by(|a, b| factor(a).total_cmp(&factor(b)));
        match best {
            None => Outcome::Open(say::eight_open().into()),
            Some(best) if factor(best) < FACTOR => Outcome::Done(say::eight_done(&best.name, shown(factor(best), 2))),
            Some(best) => Outcome::Open(say::eight_too_much(&best.name, shown(factor(best), 2))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(number: u32, share: f64, perplexity: f64) -> Found {
        Found {
            number,
            prompt: String::new(),
            layers: Vec::new(),
            name: format!("{share}"),
            share,
            perplexity: [3.0, perplexity],
            parameters: [100, 60],
            bytes: [200, 120],
            device: String::new(),
            text: None,
        }
    }

    #[test]
    fn the_task_wants_enough_gone_and_little_lost() {
        let mut results = Results::prepared();
        assert!(matches!(results.outcome(), Outcome::Open(_)));
        results.add(found(1, 0.3, 3.5));
        results.add(found(2, 0.5, 6.5));
        assert!(matches!(results.outcome(), Outcome::Open(_)));
        results.add(found(3, 0.4, 5.9));
        assert!(matches!(results.outcome(), Outcome::Done(_)));
    }

    #[test]
    fn only_the_last_few_are_remembered_and_texts_are_those_of_the_last() {
        let mut results = Results::prepared();
        assert!(results.bars().iter().all(|bar| bar.value > 1.0));
        (0..6).for_each(|number| results.add(found(number, 0.3, 4.0)));
        assert_eq!(results.rows().len(), MOST);
        results.written("a cat".into(), None);
        assert_eq!(results.texts(), None);
        results.written(String::new(), Some("a dog".into()));
        assert_eq!(results.texts(), Some(["a cat".into(), "a dog".into()]));
    }
}
