//! Perplexity on the evaluation text, by the protocol of the command line's `ppl`.

use slimgpt::checkpoint::Checkpoint;
use slimgpt::eval::{Perplexity, perplexity};
use slimgpt::shape::ModelConfig;
use slimgpt::text::{Bos, Sampling, Windows, windows};

use super::{Failure, Tell, Worker};
use crate::protocol::{Progress, Stage};

/// Tokens of a measured window, where the model's context is not shorter.
const USUAL_WINDOW: usize = 2048;

/// Windows one after the other from the beginning of the text; `count` of them, or all.
pub(super) fn from_the_beginning(count: Option<usize>, length: usize) -> Windows {
    Windows { count, length, sampling: Sampling::Sequential, bos: Bos::None, seed: 0 }
}

fn length(config: &ModelConfig) -> usize {
    USUAL_WINDOW.min(config.max_positions)
}

impl Worker {
    /// The perplexity of a model on the evaluation text.
    pub(super) async fn perplexity(
        &self,
        of: &Checkpoint,
        count: Option<usize>,
        stage: Stage,
        tell: Tell<'_>,
    ) -> Result<Perplexity, Failure> {
        let which = from_the_beginning(count, length(of.config()));
        let text = [self.model.evaluation.clone()];
        let windows = windows(&self.model.tokenizer, &text, of.config().bos_token, &which)?;
        let mut counting = |done, total| tell(Progress::Working { done, total, stage });
        Ok(perplexity(of, &windows, &self.device, &mut counting).await?)
    }

    /// That of the dense model, measured once.
    pub(super) async fn dense_perplexity(
        &mut self,
        count: Option<usize>,
        tell: Tell<'_>,
    ) -> Result<Perplexity, Failure> {
        if let Some((_, known)) = self.dense.iter().find(|(measured, _)| *measured == count) {
            return Ok(*known);
        }
        let found = self.perplexity(&self.model.checkpoint, count, Stage::MeasuringDense, tell).await?;
        self.dense.push((count, found));
        Ok(found)
    }
}
