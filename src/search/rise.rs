//! Sizes for a rise of perplexity. log perplexity rises by about the divergence, so what the map predicts makes the first
//! candidate; costs of sites do not quite add up, so what candidates are measured at corrects the next.

use super::plan::{Found, sizes};
use super::trial::Rise;
use super::{Bounds, Map, SearchError};
use crate::allocate::Target;
use crate::shape::ModelConfig;

/// Candidates for one answer: a first, and two that correct it. Each is a whole pruning.
const MOST_TRIALS: usize = 3;
/// From this share of what is allowed on, in nats, a candidate is as small as another would be.
const NEAR: f64 = 0.9;
/// What a correction aims for, so that it lands within.
const AIM: f64 = 0.97;
/// What the last aims for where none has landed within.
const LAST_AIM: f64 = 0.9;

/// The sizes that are to be pruned and measured next; `None` where no other is worth it.
///
/// # Errors
/// When nothing can go at all.
pub fn candidate(map: &Map, config: &ModelConfig, bounds: &Bounds, rise: &Rise) -> Result<Option<Found>, SearchError> {
    let Some(budget) = budget(rise) else { return Ok(None) };
    let found = smallest(map, config, bounds, budget)?;
    // The same again would be measured the same.
    let is_new = rise.trials.iter().all(|trial| trial.parameters != found.parameters);
    Ok(is_new.then_some(found))
}

/// What one that is to be tried next may be predicted to diverge by, in nats a token.
fn budget(rise: &Rise) -> Option<f64> {
    let limit = rise.limit();
    // As logarithms: predicted, and measured over what is allowed. What has not risen at all has risen by next to nothing.
    let point = |(predicted, nats): (f64, f64)| (predicted.max(1e-9).ln(), (nats / limit).max(1e-3).ln());
    let mut points: Vec<(f64, f64)> =
        rise.trials.iter().map(|trial| point((trial.predicted_divergence, rise.nats(trial)))).collect();
    points.sort_by(|a, b| a.0.total_cmp(&b.0));
    // Of those that are as near the smallest within, or the largest beyond.
    let nearer = |a: &&(f64, f64), b: &&(f64, f64)| {
        let further = if a.1 <= 0.0 { b.0.total_cmp(&a.0) } else { a.0.total_cmp(&b.0) };
        a.1.abs().total_cmp(&b.1.abs()).then(further)
    };
    let Some(&near) = points.iter().min_by(nearer) else { return Some(limit) };
    let within = points.iter().rfind(|point| point.1 <= 0.0);
    if points.len() >= MOST_TRIALS || within.is_some_and(|point| point.1 >= NEAR.ln()) {
        return None;
    }
    // Between two candidates log goes along with log; of one alone both are taken to be proportional.
    let slope = match points.as_slice() {
        [a, .., b] if b.0 - a.0 > 1e-6 => ((b.1 - a.1) / (b.0 - a.0)).clamp(0.5, 3.0),
        _ => 1.0,
    };
    let is_last = points.len() + 1 == MOST_TRIALS;
    let aim: f64 = if is_last && within.is_none() { LAST_AIM } else { AIM };
    // A single measurement may be far off; what is left corrects the rest.
    let step = ((aim.ln() - near.1) / slope).clamp(-2.5, 1.5);
    let beyond = points.iter().find(|point| point.1 > 0.0);
    let next = match (within, beyond) {
        // What is measured need not rise with what is predicted, so only bounds that do are kept to.
        (Some(low), Some(high)) if low.0 < high.0 => {
            let edge = 0.1 * (high.0 - low.0);
            (near.0 + step).clamp(low.0 + edge, high.0 - edge)
        }
        _ => near.0 + step,
    };
    Some(next.exp())
}

/// The smallest sizes that are predicted to diverge by no more than `budget`; where all do, the largest there are.
fn smallest(map: &Map, config: &ModelConfig, bounds: &Bounds, budget: f64) -> Result<Found, SearchError> {
    let dense = config.parameters();
    let without = |gone: usize| sizes(map, config, bounds, Target::Parameters(dense - gone));
    let (mut low, mut high, mut best) = (0, config.decoder_parameters(), None);
    while high - low > 1 {
        let gone = low + (high - low) / 2;
        match without(gone) {
            Ok(found) if found.predicted_divergence <= budget => {
                // More goes than was asked for, by up to a step.
                low = (dense - found.parameters).clamp(gone, high - 1);
                best = Some(found);
            }
            Ok(_) | Err(SearchError::TooMuch { .. } | SearchError::NoLayers) => high = gone,
            Err(error) => return Err(error),
        }
    }
    best.map_or_else(|| without(1), Ok)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::{Curve, Cut, Trial};
    use crate::shape::LayerShape;

    fn config() -> ModelConfig {
        ModelConfig::toy(8, LayerShape { heads: 4, kv_heads: 2, channels: 64 }, 3)
    }

    /// Channels cost the square of what goes.
    fn map(config: &ModelConfig) -> Map {
        let curve = |layer: usize| {
            let at = |k: usize| 1e-4 * (1 + layer) as f64 * (k * k) as f64;
            let probed = [16, 32, 48, 63].map(|k| (k, at(k))).to_vec();
            Curve { layer, cut: Cut::Channels, step: 1, errors: (1..64).map(at).collect(), probed }
        };
        Map { layers: config.layers.clone(), curves: (0..3).map(curve).collect(), ..Map::default() }
    }

    /// Prunes and "measures" by `nats`, which knows only what is predicted, until no candidate is left.
    fn tried(most: f64, nats: impl Fn(f64) -> f64) -> Rise {
        let config = config();
        let map = map(&config);
        let mut rise = Rise { id: String::new(), most, tokens: 1, dense: 20.0, trials: Vec::new() };
        while let Some(found) = candidate(&map, &config, &Bounds::default(), &rise).unwrap() {
            let perplexity = rise.dense * nats(found.predicted_divergence).exp();
            let (parameters, predicted_divergence) = (found.parameters, found.predicted_divergence);
            rise.trials.push(Trial { parameters, predicted_divergence, perplexity });
            assert!(rise.trials.len() <= MOST_TRIALS);
        }
        rise
    }

    /// The smallest model of all sizes that there are.
    fn by_trying(most: f64, nats: impl Fn(f64) -> f64) -> usize {
        let config = config();
        let map = map(&config);
        let all = (1..192).map(|channels| 3 * 8 * channels).filter_map(|gone| {
            sizes(&map, &config, &Bounds::default(), Target::Parameters(config.parameters() - gone)).ok()
        });
        let within = all.filter(|found| nats(found.predicted_divergence) <= most.ln_1p());
        within.map(|found| found.parameters).min().unwrap()
    }

    #[test]
    fn the_answer_is_within_and_nearly_as_small_as_trying_everything() {
        let [channel, dense] = [3 * 8, config().parameters()];
        for most in [0.05, 0.2, 0.8] {
            for (factor, power) in [(1.0, 1.0), (0.4, 1.0), (3.0, 1.0), (1.5, 1.3), (0.7, 0.8)] {
                let nats = |predicted: f64| factor * predicted.powf(power);
                let rise = tried(most, nats);
                let best = rise.best().map(|i| &rise.trials[i]);
                let best = best.unwrap_or_else(|| panic!("{most} {factor} {power}: {rise:?}"));
                let least = by_trying(most, nats);
                // A tenth of the allowed nats is about a twentieth of what goes.
                let room = channel + (dense - least) / 8;
                assert!(best.parameters <= least + room, "{most} {factor} {power}: {least} is possible, {rise:?}");
            }
        }
    }

    #[test]
    fn what_hits_at_once_is_not_tried_again() {
        assert_eq!(tried(0.2, |predicted| 0.98 * predicted).trials.len(), 1);
    }

    #[test]
    fn what_never_stays_within_ends_without_an_answer() {
        let rise = tried(0.05, |_| 1.0);
        assert_eq!((rise.best(), rise.trials.len()), (None, MOST_TRIALS));
        let one = rise.trials.windows(2).all(|pair| pair[1].parameters > pair[0].parameters);
        assert!(one, "each is larger than the one before: {rise:?}");
    }

    #[test]
    fn what_costs_nothing_goes_as_far_as_it_can() {
        let rise = tried(0.05, |_| -0.1);
        let first = rise.trials.first().unwrap().parameters;
        assert!(rise.best().is_some_and(|i| rise.trials[i].parameters < first), "{rise:?}");
    }
}
