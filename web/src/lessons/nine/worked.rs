//! What becomes of the layer in one case: its error on the tokens that it was calibrated with, and
//! on text that it has not seen.

use slimgpt::obs::toy::ToyLayer;
use slimgpt::obs::trace::{Matrix, Trace, TraceTarget, trace_at_once};
use slimgpt::obs::{ChannelSteps, ObsError, Options, Reconstruction};
use slimgpt::report::figures::{Chart, Marks, Scale, Series};

use super::case::{Case, READ, TOKENS};
use super::{INPUTS, State, say};
use crate::kit::{Bar, Outcome, drawn, percent};
use crate::lessons::two;

/// Outputs of the layer.
const OUTPUTS: usize = 8;
/// Tokens of new text that the error is measured on, and of that text where there is plenty of it.
const NEW: usize = 512;
const PLENTY: usize = 1024;
/// A case is repaired where the error on new text is so little above what plenty of that text gives …
const CLOSE: f64 = 1.25;
/// … and so small a share of the output's energy.
const SMALL: f64 = 0.1;

/// What the figure shows where the layer can be pruned.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    /// The error on the calibration tokens, as all others as a share of the output's energy.
    pub calibration: f64,
    /// The error on new text.
    pub new: f64,
    /// The same if the columns that stay had been left alone.
    pub uncompensated: f64,
}

/// All that the figure shows, computed anew at every change.
#[derive(Clone, Debug, PartialEq)]
pub struct Worked {
    /// What was measured, or in the library's words why nothing could be.
    pub measured: Result<Measured, String>,
    /// The error on new text if the layer is calibrated with plenty of such text.
    pub possible: f64,
    /// Calibration tokens, the error on them, and the error on new text, where there is one.
    pub curve: Vec<(usize, f64, f64)>,
}

/// The layer of a state, and text of both kinds.
struct Layer<'a> {
    state: &'a State,
    weight: Matrix,
    new: Matrix,
}

impl<'a> Layer<'a> {
    fn of(state: &'a State) -> Self {
        let toy = toy(state, NEW, READ, 1);
        Self { state, weight: toy.weight(), new: inputs(state, &toy) }
    }

    fn pruned(&self, x: &Matrix, options: &Options) -> Result<Trace, ObsError> {
        let what = TraceTarget::Channels { remove: self.state.remove, steps: ChannelSteps::OneByOne };
        trace_at_once(x, &self.weight, what, options)
    }

    /// Pruned after so many calibration tokens.
    fn calibrated(&self, tokens: usize, reconstruction: Reconstruction) -> Result<Trace, ObsError> {
        let x = inputs(self.state, &toy(self.state, tokens, self.state.correlation, 0));
        self.pruned(&x, &Options { damping: two::fraction(self.state.damping), reconstruction, ..Options::default() })
    }

    /// The errors after so many tokens: on them, and on new text.
    fn errors(&self, tokens: usize, reconstruction: Reconstruction) -> Result<(f64, f64), ObsError> {
        let trace = self.calibrated(tokens, reconstruction)?;
        Ok((trace.predicted_loss / trace.signal, trace.error_on(&self.new, &self.weight)))
    }
}

impl Worked {
    /// Measures the layer of a state.
    ///
    /// # Errors
    /// When plenty of text is not enough either.
    pub fn of(state: &State) -> Result<Self, ObsError> {
        let layer = Layer::of(state);
        let errors = |tokens, reconstruction| layer.errors(tokens, reconstruction);
        let tokens = TOKENS[state.tokens];
        let measured = errors(tokens, Reconstruction::LeastSquares).and_then(|(calibration, new)| {
            // Of the same columns: only what becomes of the others differs.
            let (_, uncompensated) = errors(tokens, Reconstruction::Unchanged)?;
            Ok(Measured { calibration, new, uncompensated })
        });
        let plenty = layer.pruned(&inputs(state, &toy(state, PLENTY, READ, 2)), &Options::default())?;
        // Where the library refuses there is no point.
        let curve = TOKENS.iter().filter_map(|&tokens| {
            let (on_them, on_new) = errors(tokens, Reconstruction::LeastSquares).ok()?;
            Some((tokens, on_them, on_new))
        });
        Ok(Self {
            measured: measured.map_err(|e| e.to_string()),
            possible: plenty.error_on(&layer.new, &layer.weight),
            curve: curve.collect(),
        })
    }

    fn is_repaired(&self) -> bool {
        self.measured.as_ref().is_ok_and(|m| m.new <= CLOSE * self.possible && m.new <= SMALL)
    }

    /// What the figure says.
    pub fn sentence(&self) -> String {
        match &self.measured {
            Err(words) => say::nine_refused(words),
            Ok(m) => {
                let told = say::nine_told(percent(m.calibration), percent(m.new), percent(self.possible));
                match m.new > m.uncompensated {
                    true => format!("{told} {}", say::nine_harm(percent(m.uncompensated))),
                    false => told,
                }
            }
        }
    }

    /// The errors side by side.
    pub fn bars(&self) -> Vec<Bar> {
        let bar = |label: &str, value: f64, class| Bar {
            label: label.to_owned(),
            value,
            text: format!("{} %", percent(value)),
            class,
        };
        let measured = self.measured.iter().flat_map(|m| {
            [
                bar(say::nine_bar_calibration(), m.calibration, "s0"),
                bar(say::nine_bar_new(), m.new, "s1"),
                bar(say::nine_bar_uncompensated(), m.uncompensated, "quiet"),
            ]
        });
        measured.chain([bar(say::nine_bar_possible(), self.possible, "s2")]).collect()
    }

    /// Both errors against the number of tokens.
    pub fn chart(&self, tokens: usize) -> String {
        let line = |name: &str, colour, at: fn(&(usize, f64, f64)) -> f64| {
            let points = self.curve.iter().map(|point| (point.0 as f64, at(point))).collect();
            Series { name: name.into(), legend: Some(name.into()), points, colour, marks: Marks::Line }
        };
        let here = self.measured.iter().flat_map(|m| [m.calibration, m.new].map(|error| (tokens as f64, error)));
        let here = Series {
            name: say::nine_here().into(),
            legend: None,
            points: here.collect(),
            colour: 6,
            marks: Marks::Rings,
        };
        let chart = Chart {
            title: say::nine_chart().into(),
            description: self.sentence(),
            x_label: say::nine_tokens().into(),
            y_label: say::nine_error().into(),
            x_scale: Scale::Log,
            x_reach: vec![TOKENS[0] as f64, TOKENS[TOKENS.len() - 1] as f64],
            y_scale: Scale::Linear,
            y_percent: true,
            reference: Some((say::nine_bar_possible().into(), self.possible)),
            series: vec![
                line(say::nine_bar_calibration(), 0, |point| point.1),
                line(say::nine_bar_new(), 1, |point| point.2),
                here,
            ],
        };
        drawn(&chart)
    }

    /// Whether one control has repaired the case.
    pub fn outcome(&self, state: &State) -> Outcome {
        // With the reader's seed: other numbers are the same case.
        let before = Case::ALL[state.case].state(state.seed);
        let changed = state.changed_from(&before);
        let (new, possible) = (self.measured.as_ref().map(|m| percent(m.new)), percent(self.possible));
        match (changed[..].split_first(), new) {
            (None, Ok(new)) => Outcome::Open(say::nine_open(new, possible)),
            (None, Err(_)) => Outcome::Open(say::nine_open_refused().to_owned()),
            (Some((_, rest)), _) if !rest.is_empty() => Outcome::Open(say::nine_several(changed.len())),
            (Some(_), Err(_)) => Outcome::Open(say::nine_still_refused().to_owned()),
            (Some(_), Ok(new)) if !self.is_repaired() => Outcome::Open(say::nine_not_yet(new, possible)),
            (Some((control, _)), Ok(new)) => {
                let was = Self::of(&before).ok().and_then(|w| w.measured.ok());
                let was = was.map_or_else(|| say::nine_no_result().to_owned(), |m| format!("{} %", percent(m.new)));
                Outcome::Done(say::nine_done(control, was, new))
            }
        }
    }
}

/// A layer of the state's numbers; texts of other numbers are other texts.
fn toy(state: &State, tokens: usize, correlation: f64, text: u64) -> ToyLayer {
    // Seeds of the page end at 9999.
    let seed = state.seed as u64 + 10_000 * text;
    ToyLayer { inputs: INPUTS, outputs: OUTPUTS, tokens, correlation, seed }
}

/// The inputs of a layer, where they repeat each other if the state says so.
fn inputs(state: &State, toy: &ToyLayer) -> Matrix {
    let x = toy.x();
    if !state.pairs {
        return x;
    }
    Matrix::from_fn(x.rows, x.columns, |i, j| x.at(i, j - j % 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worked(state: &State) -> Worked {
        Worked::of(state).unwrap()
    }

    fn is_done(state: &State) -> bool {
        matches!(worked(state).outcome(state), Outcome::Done(_))
    }

    #[test]
    fn every_case_is_broken_and_its_own_control_repairs_it() {
        let works = Case::FewTokens.state(1);
        for case in Case::ALL {
            let broken = case.state(1);
            assert!(!is_done(&broken), "{case:?}");
            let repaired = match case {
                Case::FewTokens => State { tokens: TOKENS.len() - 1, ..broken },
                Case::WrongText => State { correlation: READ, ..broken },
                Case::TooMuch => State { remove: 4, ..broken },
                Case::Undamped => State { damping: works.damping, ..broken },
            };
            assert!(is_done(&repaired), "{case:?}: {}", worked(&repaired).sentence());
            // Two controls are one too many.
            assert!(!is_done(&State { remove: repaired.remove - 1, tokens: 9, correlation: 0.7, ..repaired }));
        }
    }

    #[test]
    fn with_few_tokens_the_error_is_fitted_away_and_not_gone() {
        let few = worked(&Case::FewTokens.state(1));
        let m = few.measured.clone().unwrap();
        assert!(10.0 * m.calibration < m.new && m.new > 2.0 * few.possible, "{m:?}");
        let (_, on_them, on_new) = few.curve[TOKENS.len() - 1];
        assert!((on_them / on_new - 1.0).abs() < 0.15, "plenty of tokens tell the truth: {on_them} {on_new}");
    }

    #[test]
    fn the_wrong_text_makes_compensation_worse_than_none() {
        let m = worked(&Case::WrongText.state(1)).measured.unwrap();
        assert!(m.new > m.uncompensated, "{m:?}");
    }

    #[test]
    fn damping_does_not_heal_what_too_few_tokens_spoil() {
        for tenths in -50..=0 {
            let state = State { damping: f64::from(tenths) / 10.0, ..Case::FewTokens.state(1) };
            assert!(!is_done(&state), "{tenths}");
        }
    }

    #[test]
    fn without_damping_repeated_inputs_and_too_few_tokens_are_refused_by_the_library() {
        let repeated = Case::Undamped.state(1);
        let few = State { tokens: 0, pairs: false, ..repeated.clone() };
        for state in [repeated, few] {
            let words = worked(&state).measured.unwrap_err();
            assert!(words.contains("not positive definite"), "{words}");
        }
    }
}
