//! The cases in which the method breaks, as settings of one small layer.

use super::super::{eight, two};
use super::State;
use crate::state::{changed, written};
use crate::text::say;

/// Numbers of calibration tokens that can be chosen. The layer has 16 inputs.
pub const TOKENS: [usize; 13] = [8, 12, 16, 18, 20, 24, 32, 48, 64, 96, 128, 192, 256];
/// What neighbouring inputs have in common in the text that is read.
pub const READ: f64 = 0.8;

/// How it breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Case {
    /// Hardly more tokens than inputs.
    FewTokens,
    /// Calibrated with text of another kind.
    WrongText,
    /// Three quarters are to go.
    TooMuch,
    /// Inputs repeat each other, and nothing is added to H.
    Undamped,
}

impl Case {
    /// All, in the order of the choice.
    pub const ALL: [Self; 4] = [Self::FewTokens, Self::WrongText, Self::TooMuch, Self::Undamped];

    /// The settings with which it breaks.
    pub fn state(self, seed: usize) -> State {
        let case = Self::ALL.iter().position(|case| *case == self).unwrap_or(0);
        // What all cases break in one place: plenty of the right text, a quarter to go, the usual damping.
        let works =
            State { case, tokens: TOKENS.len() - 1, damping: -2.0, remove: 4, correlation: READ, pairs: false, seed };
        match self {
            Self::FewTokens => State { tokens: 3, ..works },
            Self::WrongText => State { correlation: 0.0, ..works },
            Self::TooMuch => State { remove: 12, ..works },
            Self::Undamped => State { damping: two::UNDAMPED, pairs: true, ..works },
        }
    }

    /// Its name in the choice.
    pub fn name(self) -> &'static str {
        match self {
            Self::FewTokens => say::nine_few(),
            Self::WrongText => say::nine_wrong(),
            Self::TooMuch => say::nine_much(),
            Self::Undamped => say::nine_undamped(),
        }
    }

    /// Why it breaks, and what training the model afterwards would do about it.
    pub fn why(self) -> [&'static str; 2] {
        match self {
            Self::FewTokens => [say::nine_few_why(), say::nine_few_training()],
            Self::WrongText => [say::nine_wrong_why(), say::nine_wrong_training()],
            Self::TooMuch => [say::nine_much_why(), say::nine_much_training()],
            Self::Undamped => [say::nine_undamped_why(), say::nine_undamped_training()],
        }
    }

    /// Where another lesson shows it: the words and the address.
    pub fn elsewhere(self) -> Option<(&'static str, String)> {
        match self {
            Self::Undamped => {
                // Inputs that all but repeat each other: there is an inverse, and it is huge.
                let state = two::State { correlation: 0.98, damping: two::UNDAMPED, step: 3, ..Default::default() };
                let query = written(changed(2, state).into_iter());
                Some((say::nine_in_two(), format!("?{query}#lesson-2")))
            }
            Self::FewTokens => Some(in_eight(eight::State { windows: 1, ..Default::default() })),
            Self::WrongText => Some(in_eight(eight::State { text: 1, ..Default::default() })),
            Self::TooMuch => Some(in_eight(eight::State { percent: 60, ..Default::default() })),
        }
    }
}

/// The same on a whole model.
fn in_eight(state: eight::State) -> (&'static str, String) {
    (say::nine_in_eight(), format!("?{}#lesson-8", written(changed(8, state).into_iter())))
}
