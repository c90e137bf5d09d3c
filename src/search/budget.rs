//! How much is to go, and in what it is counted: parameters, or the time that a token takes. Whoever allocates sees whole
//! numbers of either, which need not grow evenly with the units that go.

use super::SearchError;
use super::shapes::parameters;
use crate::allocate::Target;
use crate::eval::{LayerTimes, TimesError};
use crate::shape::{LayerShape, ModelConfig, Site};

/// What a cut is counted in.
#[derive(Clone, Copy)]
pub(super) enum Measure<'a> {
    /// Parameters of a model of these sizes.
    Parameters(&'a ModelConfig),
    /// Nanoseconds for each token.
    Nanoseconds(&'a LayerTimes),
}

impl Measure<'_> {
    /// What a layer has more than a smaller one, of which only this half differs.
    pub fn between(self, shape: LayerShape, smaller: LayerShape, site: Site) -> usize {
        match self {
            Self::Parameters(config) => parameters(config, shape) - parameters(config, smaller),
            Self::Nanoseconds(times) => {
                let saved = match site {
                    Site::Heads => times.saved_by_heads(shape, smaller),
                    Site::Channels => times.saved_by_channels(shape, smaller),
                };
                // Whole ones, so that the sum of what is saved is never less than what is counted; a number that
                // rounding has brought just below its whole is meant to be it. What is slower saves nothing.
                (1e9 * saved + 1e-3).floor().max(0.0) as usize
            }
        }
    }
}

/// How much is to go.
#[derive(Clone, Copy)]
pub(super) struct Budget<'a> {
    /// The model of which it goes.
    pub config: &'a ModelConfig,
    /// What it is counted in.
    pub measure: Measure<'a>,
    /// That go at least.
    pub gone: usize,
}

impl<'a> Budget<'a> {
    /// What a target asks for; `times` tells how fast a model is.
    ///
    /// # Errors
    /// When it leaves nothing to remove, or nothing at all, or is a time where none was measured.
    pub fn of(target: Target, config: &'a ModelConfig, times: Option<&'a LayerTimes>) -> Result<Self, SearchError> {
        let of_parameters = |gone| Ok(Self { config, measure: Measure::Parameters(config), gone });
        match target {
            Target::Ratio(ratio) if ratio > 0.0 && ratio < 1.0 => {
                of_parameters((ratio * config.decoder_parameters() as f64).round() as usize)
            }
            Target::Parameters(left) | Target::Bytes { parameters: left, .. } if left < config.parameters() => {
                of_parameters(config.parameters() - left)
            }
            Target::Time(budget) => {
                let times = times.ok_or(TimesError::Missing)?;
                let now = times.seconds(&config.layers);
                let most = budget.seconds(now);
                if !(most > 0.0 && most < now) {
                    return Err(SearchError::Time { asked: 1e3 * most, now: 1e3 * now });
                }
                // Rounded up, but for what rounding has put on a whole number.
                let gone = (1e9 * (now - most) - 1e-3).ceil() as usize;
                Ok(Self { config, measure: Measure::Nanoseconds(times), gone })
            }
            target => Err(SearchError::Target(format!("{target} leaves nothing to remove, or nothing at all"))),
        }
    }

    /// What is told where no more than `most` can go.
    pub fn beyond(&self, most: usize) -> SearchError {
        match self.measure {
            Measure::Parameters(_) => SearchError::TooMuch { asked: self.gone, most },
            Measure::Nanoseconds(_) => SearchError::TooFast { asked: self.gone as f64 / 1e6, most: most as f64 / 1e6 },
        }
    }
}
