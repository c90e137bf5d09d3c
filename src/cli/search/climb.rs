//! How long complete candidates are pruned and judged after a search, and what came of it in words.

use clap::Args;
use slimgpt::format;
use slimgpt::search::{Climbed, Effort, Found, SearchPlan};

use crate::cli::parse;

/// How long it is climbed from the sizes that a search has found.
#[derive(Args, Clone, Default)]
pub struct ClimbArgument {
    /// Minutes in which complete candidates are pruned and judged after the search, for each target
    ///
    /// A candidate gives one site of one layer units back and takes as much from another, in parameters or in time. It is pruned layer by
    /// layer and becomes the best so far if the divergence of the whole model is less. The end is checked on windows that
    /// nothing was chosen by: where these disagree, the sizes are those that the map says.
    #[arg(long, value_name = "N", value_parser = parse::positive, conflicts_with_all = ["uniform", "max_perplexity_rise"], hide_short_help = true)]
    search_minutes: Option<f64>,
    /// Candidates that are pruned and judged after the search, for each target: repeats exactly with the same --seed
    #[arg(long, value_name = "N", value_parser = parse::at_least_one, conflicts_with_all = ["uniform", "max_perplexity_rise"], hide_short_help = true)]
    search_steps: Option<usize>,
}

impl ClimbArgument {
    /// When it ends.
    pub fn effort(&self) -> Effort {
        Effort { steps: self.search_steps, seconds: self.search_minutes.map(|minutes| 60.0 * minutes) }
    }
}

/// What climbs came to, a line for each target.
pub fn lines(plan: &SearchPlan) -> Vec<String> {
    plan.targets.iter().filter_map(|found| Some(line(found, found.climb.as_ref()?))).collect()
}

fn line(found: &Found, climbed: &Climbed) -> String {
    let Climbed { steps, accepted, start, reached, held_out_start, held_out_reached, .. } = climbed;
    let (tokens, held_out_tokens) = (format::count(climbed.tokens), format::count(climbed.held_out_tokens));
    let end = match (climbed.keeps_start(), climbed.exhausted) {
        (true, _) => "; the held-out text disagrees, so the sizes are those it began with",
        (false, true) => "; no move is left to try",
        (false, false) => "",
    };
    format!(
        "{}: {steps} candidates, {accepted} better: divergence of the whole {start:.4} → {reached:.4} nats a token on {tokens} \
         tokens, {held_out_start:.4} → {held_out_reached:.4} on {held_out_tokens} held-out ones{end}; predicted {:.4}, reached \
         {:.4}",
        found.target,
        found.predicted_divergence,
        climbed.reached_by_sizes()
    )
}

#[cfg(test)]
mod tests {
    use slimgpt::allocate::Target;

    use super::*;

    #[test]
    fn a_climb_that_the_held_out_text_disagrees_with_is_told() {
        let climbed = Climbed {
            id: String::new(),
            seed: 0,
            effort: Effort { steps: Some(7), seconds: None },
            steps: 7,
            accepted: 2,
            exhausted: false,
            calibration_tokens: 8192,
            tokens: 2048,
            start: 0.6,
            reached: 0.5,
            held_out_tokens: 2048,
            held_out_start: 0.7,
            held_out_reached: 0.71,
        };
        let found = Found {
            target: Target::Ratio(0.25),
            ratio: 0.25,
            parameters: 10,
            predicted_divergence: 0.39,
            predicted_seconds: None,
            layers: Vec::new(),
            rounds: None,
            climb: None,
        };
        let told = line(&found, &climbed);
        assert!(told.contains("disagrees") && told.contains("predicted 0.3900, reached 0.6000"), "{told}");
        let agreed = line(&found, &Climbed { held_out_reached: 0.65, ..climbed });
        assert!(!agreed.contains("disagrees") && agreed.contains("reached 0.5000"), "{agreed}");
    }
}
