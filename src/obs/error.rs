//! What can go wrong with one linear layer. The caller adds which layer it was.

use std::fmt;

use crate::device::readback::ReadbackError;
use crate::ranks::RanksError;
use crate::remedy::{Remedied, Remedy};

/// Why a layer could not be pruned.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ObsError {
    /// A matrix that is positive definite in exact arithmetic is not so in the executor's.
    #[error(
        "{matrix} is not positive definite: pivot {pivot}{}{}",
        told(" is ", .value), told(" with damping ", .damping)
    )]
    NotPositiveDefinite {
        /// Which matrix was factored.
        matrix: FactoredMatrix,
        /// Its row at which the factorisation stopped.
        pivot: usize,
        /// What was left of the diagonal there; `None` where rounding hides it.
        value: Option<f64>,
        /// λ in units of the mean diagonal; `None` until it reaches who was told it.
        damping: Option<f64>,
    },
    /// An activation or a weight is not a finite number.
    #[error("{what} {index} is {value}: the activations or weights of this layer are not finite; check the checkpoint")]
    NotFinite {
        /// "the score of unit", "the fluctuation of input" or "the Hessian's diagonal element".
        what: &'static str,
        /// The unit or the input, counted from 0.
        index: usize,
        /// NaN or an infinity.
        value: f64,
    },
    /// More groups were to go than there are.
    #[error("{remove} of {present} {unit} cannot go: at least one must stay")]
    NothingLeft {
        /// What was to go: "heads" or "channels".
        unit: &'static str,
        /// How many were to go.
        remove: usize,
        /// How many there are.
        present: usize,
    },
    /// A column that was to go is not there, or went before.
    #[error("column {column} cannot go: it is none of the {present} columns, or is named twice")]
    NoSuchColumn {
        /// The column, counted from 0.
        column: usize,
        /// How many there are.
        present: usize,
    },
    /// A ranking by scores of a whole model without them, or with another model's.
    #[error("units are ranked by scores of the whole model, and none that fit were brought along")]
    NoScores,
    /// The Hessian was asked for before any token was seen.
    #[error("no calibration token reached this layer")]
    NoTokens,
    /// Inputs and weights do not fit together.
    #[error("the Hessian has {hessian} inputs but the weight has {weight}")]
    Shape {
        /// Inputs of the Hessian.
        hessian: usize,
        /// Columns of the weight.
        weight: usize,
    },
    /// The device lost the work or refused it.
    #[error(transparent)]
    Readback(#[from] ReadbackError),
    /// What other ranks have summed did not come.
    #[error(transparent)]
    Ranks(#[from] RanksError),
}

/// A matrix that an executor factors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FactoredMatrix {
    /// H + λI over all inputs.
    Hessian,
    /// H + λI over the inputs that stay.
    KeptHessian,
    /// [H⁻¹]_gg of a group g of columns.
    InverseBlock {
        /// The unit with these columns: K/V group, query head or channel. An executor knows none,
        /// and columns of several channels are none.
        unit: Option<usize>,
        /// g, in the order of the factor's rows.
        columns: Vec<usize>,
    },
}

impl ObsError {
    /// The factorisation of `matrix` stopped.
    pub(super) fn not_positive(matrix: FactoredMatrix, pivot: usize, value: Option<f64>) -> Self {
        Self::NotPositiveDefinite { matrix, pivot, value, damping: None }
    }

    /// The score of a unit is not finite.
    pub(super) fn score(unit: usize, value: f64) -> Self {
        Self::NotFinite { what: "the score of unit", index: unit, value }
    }

    /// The error with what an executor is not told: the damping, and which unit the columns are.
    pub(super) fn with_context(mut self, fraction: f64, units: &[Vec<usize>]) -> Self {
        if let Self::NotPositiveDefinite { matrix, damping, .. } = &mut self {
            *damping = Some(fraction);
            if let FactoredMatrix::InverseBlock { unit, columns } = matrix {
                // The columns of several channels are no unit, and stay unnamed.
                *unit = units.iter().position(|u| u == columns);
            }
        }
        self
    }
}

impl FactoredMatrix {
    /// [H⁻¹]_gg as an executor knows it.
    pub(super) fn inverse_block(columns: &[usize]) -> Self {
        Self::InverseBlock { unit: None, columns: columns.to_vec() }
    }
}

impl fmt::Display for FactoredMatrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hessian => f.write_str("the Hessian"),
            Self::KeptHessian => f.write_str("the Hessian of the inputs that stay"),
            Self::InverseBlock { unit: Some(unit), .. } => write!(f, "the block of H⁻¹ of unit {unit}"),
            Self::InverseBlock { unit: None, columns } => {
                let (first, last) = (columns.iter().min().unwrap_or(&0), columns.iter().max().unwrap_or(&0));
                write!(f, "the block of H⁻¹ of {} columns from {first} to {last}", columns.len())
            }
        }
    }
}

/// A number that may be unknown, after `words`.
fn told(words: &str, value: &Option<f64>) -> String {
    // `{:?}` shows every digit, and an exponent where a number is very small: a pivot often is.
    value.map_or_else(String::new, |value| format!("{words}{value:?}"))
}

impl Remedied for ObsError {
    fn remedy(&self) -> Option<Remedy> {
        match self {
            Self::NotPositiveDefinite { .. } => Some(Remedy::MoreTokensOrDamping),
            Self::NotFinite { .. } => Some(Remedy::Cpu),
            Self::Readback(error) => error.remedy(),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_unknown_is_not_told() {
        let block = FactoredMatrix::inverse_block(&[2, 3]);
        let error = ObsError::not_positive(block, 1, Some(-0.5));
        assert_eq!(
            error.to_string(),
            "the block of H⁻¹ of 2 columns from 2 to 3 is not positive definite: pivot 1 is -0.5"
        );
        let known = error.with_context(0.01, &[vec![0, 1], vec![2, 3]]).to_string();
        assert!(known.starts_with("the block of H⁻¹ of unit 1 is not"), "{known}");
        assert!(known.ends_with("with damping 0.01"), "{known}");
        let unknown = ObsError::not_positive(FactoredMatrix::Hessian, 7, None).to_string();
        assert!(unknown.ends_with("definite: pivot 7"), "{unknown}");
    }
}
