//! The methods that are compared, each as a request: what it selects by, what it does with the rest.
//!
//! All of them see the same tokens through the same pruned layers and leave the same sizes, so that
//! only selection and reconstruction differ. The published code of Wanda-sp and FLAP takes its
//! statistics from the dense model instead, and FLAP ranks the heads and channels of all layers
//! together; here the schedule says how much each layer loses.

use serde::{Deserialize, Serialize};

use super::{Plan, Request};
use crate::obs::{ChannelSteps, Options, Ranking, Reconstruction, Score, Selection};

/// Channels that go together where the paper's dynamic groups are switched off.
const FIXED_GROUP: usize = 128;

/// A way to prune that has a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// Heads and channels at random; nothing makes up for them.
    Random,
    /// By the norm of the pruned matrix's columns; nothing makes up for them.
    Magnitude,
    /// By weights times inputs (Wanda-sp); nothing makes up for them.
    WandaSp,
    /// By the fluctuation of the inputs (FLAP's metric); the bias takes over the mean.
    Flap,
    /// SlimGPT as published.
    Slimgpt,
    /// SlimGPT whose head scores come from the diagonal of H⁻¹, without grouped Cholesky.
    SlimgptNoGcd,
    /// SlimGPT with groups of 128 channels instead of dynamic ones.
    SlimgptNoDgs,
    /// Exact scores, channels one by one: this program's own.
    Exact,
}

impl Method {
    /// All of them, from the bluntest to the most careful.
    pub const ALL: [Self; 8] = [
        Self::Random,
        Self::Magnitude,
        Self::WandaSp,
        Self::Flap,
        Self::Slimgpt,
        Self::SlimgptNoGcd,
        Self::SlimgptNoDgs,
        Self::Exact,
    ];

    /// The method that a plan carries out, if its settings have a name.
    pub fn of_plan(plan: &Plan) -> Option<Self> {
        let asked = Request { options: plan.options, seed: plan.seed, ..Request::default() };
        let is_it = |method: &Self| {
            let done = method.of(asked.clone());
            done.options == plan.options && done.channel_steps == plan.channel_steps
        };
        Self::ALL.into_iter().find(is_it)
    }

    /// The name it is asked for by.
    pub fn name(self) -> &'static str {
        match self {
            Self::Random => "random",
            Self::Magnitude => "magnitude",
            Self::WandaSp => "wanda-sp",
            Self::Flap => "flap",
            Self::Slimgpt => "slimgpt",
            Self::SlimgptNoGcd => "slimgpt-no-gcd",
            Self::SlimgptNoDgs => "slimgpt-no-dgs",
            Self::Exact => "exact",
        }
    }

    /// What it does, in a line.
    pub fn about(self) -> &'static str {
        match self {
            Self::Random => "drawn with the seed; nothing makes up for what goes",
            Self::Magnitude => "‖W_g‖² of the columns of o_proj and down_proj; nothing makes up for what goes",
            Self::WandaSp => "Σ mean|W|·‖X‖ of the columns (Wanda-sp); nothing makes up for what goes",
            Self::Flap => {
                "variance of the inputs × ‖W‖² (FLAP's WIFV); the bias takes over their mean. \
                 The ratios are those of the schedule, not FLAP's adaptive ones"
            }
            Self::Slimgpt => "as published: grouped Cholesky, dynamic groups down to 8, least-squares weights",
            Self::SlimgptNoGcd => "slimgpt without grouped Cholesky: head scores from the diagonal of H⁻¹",
            Self::SlimgptNoDgs => "slimgpt without dynamic groups: 128 channels at a time",
            Self::Exact => "exact scores, channels one by one, least-squares weights",
        }
    }

    /// Whether the weights that stay are refitted.
    pub fn refits(self) -> bool {
        self.parts(0).1 == Reconstruction::LeastSquares
    }

    /// The request done by this method. Sizes, schedule and tokens stay as they were asked for.
    pub fn of(self, request: Request) -> Request {
        let (selection, reconstruction) = self.parts(request.seed);
        let options = Options { selection, reconstruction, ..request.options };
        Request { options, channel_steps: self.channel_steps(), ..request }
    }

    fn parts(self, seed: u64) -> (Selection, Reconstruction) {
        use Reconstruction::{LeastSquares, MeanBias, Unchanged};
        use Selection::{Elimination, Ranking as Ranked};
        match self {
            Self::Random => (Ranked(Ranking::Random { seed }), Unchanged),
            Self::Magnitude => (Ranked(Ranking::Magnitude), Unchanged),
            Self::WandaSp => (Ranked(Ranking::WandaSp), Unchanged),
            Self::Flap => (Ranked(Ranking::Fluctuation), MeanBias),
            Self::Slimgpt | Self::SlimgptNoDgs => (Elimination(Score::GroupedCholesky), LeastSquares),
            Self::SlimgptNoGcd => (Elimination(Score::Diagonal), LeastSquares),
            Self::Exact => (Elimination(Score::Exact), LeastSquares),
        }
    }

    fn channel_steps(self) -> ChannelSteps {
        match self {
            Self::Slimgpt | Self::SlimgptNoGcd => ChannelSteps::Dynamic { floor: 8 },
            Self::SlimgptNoDgs => ChannelSteps::Fixed(FIXED_GROUP),
            _ => ChannelSteps::OneByOne,
        }
    }
}

impl std::fmt::Display for Method {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for Method {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let names = Self::ALL.map(Self::name).join(", ");
        let found = Self::ALL.into_iter().find(|method| method.name() == text);
        found.ok_or_else(|| format!("\"{text}\" is no method; there are {names}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_is_found_by_its_name() {
        for method in Method::ALL {
            assert_eq!(method.name().parse(), Ok(method));
        }
        assert!("lasso".parse::<Method>().unwrap_err().contains("wanda-sp"));
    }

    #[test]
    fn the_published_method_is_the_papers_preset() {
        let asked = Request { channel_multiple: Some(1), ..Request::default() };
        assert_eq!(Method::Slimgpt.of(asked.clone()), asked.clone().as_in_the_paper());
        assert_eq!(Method::Exact.of(asked.clone()), asked);
    }

    #[test]
    fn the_ablations_differ_from_the_published_method_in_one_thing() {
        let published = Method::Slimgpt.of(Request::default());
        let no_gcd = Method::SlimgptNoGcd.of(Request::default());
        assert_eq!(no_gcd.channel_steps, published.channel_steps);
        assert_ne!(no_gcd.options, published.options);
        let no_dgs = Method::SlimgptNoDgs.of(Request::default());
        assert_eq!(no_dgs.options, published.options);
        assert_ne!(no_dgs.channel_steps, published.channel_steps);
    }
}
