//! What complete candidates are judged by: their divergence from the dense model, on few tokens first and on all only for
//! those that pass. Their states go through each layer as it is pruned, so that no candidate's weights are kept.

use burn::tensor::{Device, Tensor};

use super::SearchError;
use super::probe::{States, block, embedded, rows};
use crate::checkpoint::Checkpoint;
use crate::device::readback::settled;
use crate::eval::Expected;
use crate::model::{Block, Head, Positions};

/// The part of the windows that a candidate is judged by first.
const FIRST: usize = 4;

/// Windows of one length, and what the dense model expects after each of their tokens.
struct Part<'a> {
    /// Before the first layer.
    embedded: States,
    positions: Positions,
    expected: Expected<'a>,
}

/// The windows that candidates are judged by.
pub(super) struct Judge<'a> {
    head: &'a Head,
    /// The first few, the others if there are any, and those that are held out.
    parts: Vec<Part<'a>>,
    /// Tokens of the first few, of all but those that are held out, and of those.
    tokens: [usize; 3],
}

impl<'a> Judge<'a> {
    /// Windows of one length each, of which there are some. The dense model goes through once.
    pub async fn new(
        checkpoint: &Checkpoint,
        head: &'a Head,
        probe: &[Vec<u32>],
        held_out: &[Vec<u32>],
        device: &Device,
    ) -> Result<Self, SearchError> {
        // Rounded up: there is a first part however few windows there are.
        let (few, others) = probe.split_at(probe.len().div_ceil(FIRST));
        let tokens = |windows: &[Vec<u32>]| windows.iter().map(Vec::len).sum::<usize>();
        let texts: Vec<&[Vec<u32>]> = [few, others, held_out].into_iter().filter(|text| !text.is_empty()).collect();
        let (config, outer) = (checkpoint.config(), checkpoint.outer()?);
        let positions = |text: &[Vec<u32>]| Positions::new(config, 0, text[0].len(), device);
        let positions: Vec<Positions> = texts.iter().map(|text| positions(text)).collect();
        let embedded: Vec<States> = texts
            .iter()
            .map(|text| embedded(text, &outer.embedding, &config.design, device))
            .collect::<Result<_, _>>()?;
        let mut behind = embedded.clone();
        for layer in 0..config.layers.len() {
            let block = block(checkpoint, layer, device)?;
            behind.iter_mut().zip(&positions).for_each(|(states, positions)| through(&block, positions, states));
            wait(&behind).await?;
        }
        let part =
            |((embedded, positions), behind)| Part { embedded, positions, expected: Expected::new(head, rows(behind)) };
        let parts = embedded.into_iter().zip(positions).zip(behind).map(part).collect();
        Ok(Self { head, parts, tokens: [tokens(few), tokens(probe), tokens(held_out)] })
    }

    /// How many parts candidates are judged by; one more is held out.
    pub fn parts(&self) -> usize {
        self.parts.len() - 1
    }

    /// The states before the first layer, part by part, the held-out ones last.
    pub fn embedded(&self) -> Vec<States> {
        self.parts.iter().map(|part| part.embedded.clone()).collect()
    }

    /// Sends states through a layer: those of as many parts as are given.
    pub async fn forward(&self, block: &Block, states: &mut [States]) -> Result<(), SearchError> {
        states.iter_mut().zip(&self.parts).for_each(|(states, part)| through(block, &part.positions, states));
        wait(states).await
    }

    /// The divergence on the first few tokens, of the states behind the last layer.
    pub async fn few(&self, states: &[States]) -> Result<f64, SearchError> {
        Ok(self.sum(0, states).await? / self.tokens[0] as f64)
    }

    /// The divergence on all tokens that are not held out, where it is known on the first few.
    pub async fn all(&self, few: f64, states: &[States]) -> Result<f64, SearchError> {
        // The first few are among all, and measured already.
        let mut sum = few * self.tokens[0] as f64;
        for part in 1..self.parts() {
            sum += self.sum(part, states).await?;
        }
        Ok(sum / self.tokens[1] as f64)
    }

    /// The divergence on the held-out tokens.
    pub async fn held_out(&self, states: &[States]) -> Result<f64, SearchError> {
        Ok(self.sum(self.parts(), states).await? / self.tokens[2] as f64)
    }

    /// Tokens of the first few, of all but those that are held out, and of those.
    pub fn tokens(&self) -> [usize; 3] {
        self.tokens
    }

    async fn sum(&self, part: usize, states: &[States]) -> Result<f64, SearchError> {
        let sum = self.parts[part].expected.divergence(self.head, rows(states[part].clone())).await?;
        // NaN is worse than nothing in every comparison, so that what is broken would look like a bad candidate.
        if sum.is_finite() { Ok(sum) } else { Err(SearchError::Judged(sum)) }
    }
}

fn through(block: &Block, positions: &Positions, states: &mut [Tensor<3>]) {
    states.iter_mut().for_each(|piece| *piece = block.forward(piece.clone(), positions));
}

/// A device that hurries ahead would hold the weights of all layers.
async fn wait(states: &[States]) -> Result<(), SearchError> {
    match states.last().and_then(|states| states.last()) {
        Some(last) => Ok(settled(last).await?),
        None => Ok(()),
    }
}
