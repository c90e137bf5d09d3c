//! How a linear layer is pruned, as data: by what the groups that go are chosen, and what becomes
//! of the columns that stay. Any selection goes with any reconstruction.

use super::Score;

/// How to choose, and what to do with the rest.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Options {
    /// How the groups that go are chosen.
    #[serde(rename = "score")]
    pub selection: Selection,
    /// What becomes of the columns that stay.
    #[serde(default)]
    pub reconstruction: Reconstruction,
    /// λ in units of the mean of H's diagonal; only elimination and least squares need it.
    pub damping: f64,
    /// α: how far least squares draws the outputs from what the layer made of its inputs towards what the whole dense model
    /// had at that place. Needs a Hessian that was told of the difference ([`Hessian::draw`](super::Hessian::draw)).
    #[serde(default)]
    pub residual: f64,
    /// After an elimination so many units of a site may change places with units that stayed, while the error falls.
    #[serde(default)]
    pub swaps: usize,
}

/// How the groups that go are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(untagged)]
pub enum Selection {
    /// One after the other by Optimal Brain Surgeon: each removal changes the scores of the others.
    Elimination(Score),
    /// All at once, by a score of each column of the layer as it is.
    Ranking(Ranking),
}

impl Selection {
    /// The score by which units are eliminated one after the other; exact scores for what ranks, where an order is needed.
    pub fn elimination(self) -> Score {
        match self {
            Self::Elimination(score) => score,
            Self::Ranking(_) => Score::Exact,
        }
    }
}

/// The score of a group g of columns that is looked at once; the lowest go. X_:j is column j of the
/// inputs over all calibration tokens, Var_j its sample variance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ranking {
    /// A draw between 0 and 1.
    Random {
        /// The same seed draws the same.
        seed: u64,
    },
    /// Σ_{j∈g} ‖W_:j‖²: the squared norm of the pruned matrix's own columns.
    Magnitude,
    /// Σ_{j∈g} mean_i |W_ij| · ‖X_:j‖: Wanda's score, aggregated as in Wanda-sp, the structured
    /// baseline of the FLAP paper (arXiv 2312.11983) and its code.
    WandaSp,
    /// Σ_{j∈g} (Var_j ‖W_:j‖²)²: FLAP's weighted input feature variance. The paper's score of a
    /// column is Var_j ‖W_:j‖²; its code sums the squares over a head. One column ranks the same.
    Fluctuation,
    /// By what the caller knows of the whole model and brings as scores ([`prune_heads_by`](super::prune_heads_by)).
    Brought(Brought),
}

/// What scores were made of that the caller brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Brought {
    /// Gradients at all weights: Σ |W ⊙ ∂W| over a unit.
    Taylor,
    /// The same with the terms of a row added up before their size is taken.
    TaylorVector,
    /// Gradients at low-rank factors that are trained while units go.
    LoraGradients,
    /// Gates that are learnt beside low-rank factors.
    Gates,
    /// How much the dense model's inputs of a unit vary, so that units of all layers can be held against each other
    /// ([`Fluctuation`](super::Fluctuation)).
    Fluctuation,
}

/// What becomes of the columns that stay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reconstruction {
    /// The direct least-squares answer Ŵ_K = W_K + W_P H_PK (H_KK)⁻¹.
    #[default]
    LeastSquares,
    /// They stay as they are.
    Unchanged,
    /// They stay as they are, and the bias takes over the mean of what went: b += W_P mean(X_P).
    MeanBias,
}

impl Default for Options {
    fn default() -> Self {
        // 0.01 is the default of the published code; the paper names no damping.
        let (selection, reconstruction) = (Selection::Elimination(Score::Exact), Reconstruction::LeastSquares);
        Self { selection, reconstruction, damping: 0.01, residual: 0.0, swaps: 0 }
    }
}

impl Options {
    /// The default with another score of elimination.
    pub fn scored(score: Score) -> Self {
        Self { selection: Selection::Elimination(score), ..Self::default() }
    }

    /// Whether the means of the inputs are needed beside their Hessian.
    pub fn needs_means(&self) -> bool {
        self.adds_bias() || self.selection == Selection::Ranking(Ranking::Fluctuation)
    }

    /// What the scores are made of, where the caller brings them.
    pub fn brought(&self) -> Option<Brought> {
        match self.selection {
            Selection::Ranking(Ranking::Brought(brought)) => Some(brought),
            _ => None,
        }
    }

    /// Whether the difference from the dense model is needed beside the Hessian.
    pub fn needs_draw(&self) -> bool {
        self.residual > 0.0 && self.reconstruction == Reconstruction::LeastSquares
    }

    /// Whether the layer has a bias afterwards, even if it had none.
    pub fn adds_bias(&self) -> bool {
        self.reconstruction == Reconstruction::MeanBias
    }

    /// The same options for one of many layers: random draws differ from layer to layer.
    pub fn for_layer(self, number: u64) -> Self {
        match self.selection {
            Selection::Ranking(Ranking::Random { seed }) => {
                // Into the upper half, so that seed s in layer 1 does not draw what s + 1 draws in layer 0.
                let seed = seed.wrapping_add(number << 32);
                Self { selection: Selection::Ranking(Ranking::Random { seed }), ..self }
            }
            _ => self,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_selection_survives_json() {
        let taylor = Ranking::Brought(Brought::TaylorVector);
        let rankings =
            [Ranking::Random { seed: 7 }, Ranking::Magnitude, Ranking::WandaSp, Ranking::Fluctuation, taylor];
        let scores = [Score::Exact, Score::GroupedCholesky, Score::Diagonal];
        let all = rankings.map(Selection::Ranking).into_iter().chain(scores.map(Selection::Elimination));
        for selection in all {
            let reconstruction = Reconstruction::MeanBias;
            let options = Options { selection, reconstruction, damping: 0.5, residual: 0.25, swaps: 3 };
            let text = serde_json::to_string(&options).unwrap();
            assert_eq!(serde_json::from_str::<Options>(&text).unwrap(), options, "{text}");
        }
    }

    #[test]
    fn a_report_of_before_there_were_reconstructions_is_read() {
        let old: Options = serde_json::from_str(r#"{"score":"grouped-cholesky","damping":0.01}"#).unwrap();
        assert_eq!(old, Options::scored(Score::GroupedCholesky));
    }

    #[test]
    fn layers_draw_differently_and_nothing_else_changes() {
        let random = Options { selection: Selection::Ranking(Ranking::Random { seed: 3 }), ..Options::default() };
        assert_ne!(random.for_layer(0), random.for_layer(1));
        assert_eq!(Options::default().for_layer(5), Options::default());
    }
}
