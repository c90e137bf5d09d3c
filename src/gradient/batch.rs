//! Sequences that are learnt from together.

use burn::tensor::{Device, TensorData};

use super::GradientError;
use crate::checkpoint::HostTensor;
use crate::model::{Dropout, Positions};
use crate::shape::{Design, ModelConfig};

/// Sequences of one length that go through a layer together.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    /// The sequences, each with one token more than goes through the model: the last is only predicted.
    pub tokens: Vec<Vec<u32>>,
    /// How much each predicted token counts, a row for each sequence; a prompt counts nothing.
    pub weights: Vec<Vec<f32>>,
    /// Of which document each token is that goes through the model, where several share a sequence: a token
    /// sees only its own. Empty where a sequence is one document.
    pub documents: Vec<Vec<u32>>,
    /// What adapters drop of their inputs; `None` drops nothing, as in an evaluation.
    pub dropout: Option<Dropout>,
}

impl Batch {
    /// Sequences whose tokens all count one.
    pub fn whole(tokens: Vec<Vec<u32>>) -> Self {
        // One less than there are tokens: nothing predicts the first.
        let weights = tokens.iter().map(|row| vec![1.0; row.len().saturating_sub(1)]).collect();
        Self { tokens, weights, ..Self::default() }
    }

    /// How much all its tokens count together.
    pub fn weight(&self) -> f64 {
        self.weights.iter().flatten().copied().map(f64::from).sum()
    }

    /// Tokens of a sequence that go through the model.
    pub fn length(&self) -> usize {
        self.tokens.first().map_or(0, |row| row.len().saturating_sub(1))
    }

    /// The tokens that are predicted, sequence by sequence.
    pub(super) fn next(&self) -> Vec<u32> {
        self.tokens.iter().flat_map(|row| row[1..].iter().copied()).collect()
    }

    /// The tokens that go through the model, sequence by sequence.
    pub(super) fn inputs(&self) -> impl Iterator<Item = u32> {
        self.tokens.iter().flat_map(|row| row[..row.len() - 1].iter().copied())
    }

    /// Their embeddings `(b, t, d)`, gathered on the host so that the table need not be on the device.
    pub(super) fn embedded(&self, table: &HostTensor, design: &Design) -> TensorData {
        let width = table.shape[1];
        let rows = self.inputs().map(|token| token as usize * width);
        let values: Vec<f32> = rows.flat_map(|row| design.embedded(&table.values[row..row + width])).collect();
        TensorData::new(values, [self.tokens.len(), self.length(), width])
    }

    pub(super) fn positions(&self, config: &ModelConfig, device: &Device) -> Positions {
        let positions = Positions::new(config, 0, self.length(), device);
        if self.documents.is_empty() { positions } else { positions.within(&self.documents, device) }
    }

    /// Refuses what does not fit together, or not to the vocabulary.
    pub(super) fn check(&self, vocab: usize) -> Result<(), GradientError> {
        let wrong = |what: String| Err(GradientError::Batch(what));
        // The first sequence says the length that all others must have.
        let Some(length) = self.tokens.first().map(Vec::len).filter(|&length| length > 1) else {
            return wrong("a batch needs a sequence of at least two tokens: one is read and one is predicted".into());
        };
        let of_one_length = |(row, weights): (&Vec<u32>, &Vec<f32>)| row.len() == length && weights.len() + 1 == length;
        let documents = &self.documents;
        if self.tokens.len() != self.weights.len() || !self.tokens.iter().zip(&self.weights).all(of_one_length) {
            return wrong("the sequences of a batch, and the weights of their tokens, are of one length".into());
        }
        if !documents.is_empty()
            && (documents.len() != self.tokens.len() || documents.iter().any(|row| row.len() + 1 != length))
        {
            return wrong("every token that goes through the model is of a document, or none is".into());
        }
        match self.tokens.iter().flatten().find(|&&token| token as usize >= vocab) {
            Some(token) => wrong(format!("token {token} is beyond the vocabulary of {vocab}")),
            None => Ok(()),
        }
    }
}
