//! How far the hidden states of pruned models are off, layer by layer (figure 2 of the paper).

use slimgpt::checkpoint::Checkpoint;
use slimgpt::device::readback::doubles;
use slimgpt::model::{Decoder, Positions, token_tensor};
use slimgpt::text::{Bos, windows};

use super::measure::from_the_beginning;
use super::prune::Made;
use super::{Failure, Tell, Worker};
use crate::protocol::{Depth, Progress, Prune, Run, Stage};

/// Windows of the evaluation text whose hidden states are compared, and tokens of each.
const WINDOWS: usize = 8;
const WINDOW_TOKENS: usize = 128;

impl Worker {
    /// Prunes, compares and measures each of the runs.
    pub(super) async fn depth(&mut self, runs: &[Prune], tell: Tell<'_>) -> Result<Depth, Failure> {
        let Some(first) = runs.first() else { return Err(Failure::refused("there is nothing to compare")) };
        let dense = self.dense_perplexity(first.eval, tell).await?;
        let mut found = Vec::new();
        for asked in runs {
            let Made { report, checkpoint, .. } = self.made(asked, tell).await?;
            let errors = self.errors(&checkpoint, tell).await?;
            let pruned = self.perplexity(&checkpoint, first.eval, Stage::MeasuringPruned, tell).await?;
            let layers = &report.plan.layers;
            let ratio = |before: usize, after: usize| 1.0 - after as f64 / before as f64;
            found.push(Run {
                ratios: layers.iter().map(|l| ratio(l.parameters_before, l.parameters_after)).collect(),
                errors,
                perplexity: pruned.perplexity,
                parameters: report.parameters_after,
            });
        }
        Ok(Depth { on: self.device(), dense_perplexity: dense.perplexity, runs: found })
    }

    /// ‖x_l − x̂_l‖ / ‖x_l‖ after each layer.
    async fn errors(&self, pruned: &Checkpoint, tell: Tell<'_>) -> Result<Vec<f64>, Failure> {
        let (checkpoint, on) = (&self.model.checkpoint, self.device.tensor_device());
        let config = checkpoint.config();
        let which = from_the_beginning(Some(WINDOWS), WINDOW_TOKENS, Bos::None);
        let windows =
            windows(&self.model.tokenizer, std::slice::from_ref(&self.model.evaluation), config.bos_token, &which)?;
        let (dense, pruned) = (Decoder::load(checkpoint, on)?, Decoder::load(pruned, on)?);
        let positions = Positions::new(config, 0, WINDOW_TOKENS, on);
        let mut x = dense.outer.embed(token_tensor(&windows, on));
        // Embeddings are not pruned: both begin with the same.
        let mut near = x.clone();
        let mut errors = Vec::new();
        for (block, of_pruned) in dense.blocks.iter().zip(&pruned.blocks) {
            x = block.forward(x, &positions);
            near = of_pruned.forward(near, &positions);
            errors.push(distance(&doubles(x.clone()).await?, &doubles(near.clone()).await?));
            tell(Progress::Working { done: errors.len(), total: dense.blocks.len(), stage: Stage::Comparing });
        }
        Ok(errors)
    }
}

/// ‖x − y‖ / ‖x‖.
fn distance(x: &[f64], y: &[f64]) -> f64 {
    let squares = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>();
    (squares(&mut x.iter().zip(y).map(|(a, b)| a - b)) / squares(&mut x.iter().copied())).sqrt()
}
