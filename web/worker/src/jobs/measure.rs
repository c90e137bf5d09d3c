//! Perplexity on the evaluation text, by the protocol of the command line's `ppl`.

use slimgpt::checkpoint::Checkpoint;
use slimgpt::eval::{Perplexity, perplexity};
use slimgpt::text::{Bos, Sampling, Windows, windows};

use super::{Failure, Tell, Worker};
use crate::protocol::{Eval, Progress, Stage};

/// Tokens of a measured window, where the model's context is not shorter.
const USUAL_WINDOW: usize = 2048;

/// Windows one after the other from the beginning of the text; `count` of them, or all.
pub(super) fn from_the_beginning(count: Option<usize>, length: usize, bos: Bos) -> Windows {
    Windows { count, length, sampling: Sampling::Sequential, bos, seed: 0 }
}

impl Worker {
    /// The perplexity of a model on the evaluation text.
    pub(super) async fn perplexity(
        &self,
        of: &Checkpoint,
        how: Eval,
        stage: Stage,
        tell: Tell<'_>,
    ) -> Result<Perplexity, Failure> {
        let length = how.tokens.unwrap_or(USUAL_WINDOW).min(of.config().max_positions);
        let which = from_the_beginning(how.windows, length, how.bos);
        let text = [self.model.evaluation.clone()];
        let windows = windows(&self.model.tokenizer, &text, of.config().bos_token, &which)?;
        let mut counting = |done, total| tell(Progress::Working { done, total, stage });
        Ok(perplexity(of, &windows, &self.device, &mut counting).await?)
    }

    /// That of the dense model, measured once.
    pub(super) async fn dense_perplexity(&mut self, how: Eval, tell: Tell<'_>) -> Result<Perplexity, Failure> {
        if let Some((_, known)) = self.dense.iter().find(|(measured, _)| *measured == how) {
            return Ok(*known);
        }
        let found = self.perplexity(&self.model.checkpoint, how, Stage::MeasuringDense, tell).await?;
        self.dense.push((how, found));
        Ok(found)
    }
}
