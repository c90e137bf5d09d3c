//! Loaded tasks to finished ones.

use anyhow::Result;
use pollster::block_on;
use slimgpt::checkpoint::Checkpoint;
use slimgpt::device::Device;
use slimgpt::eval::longbench::{Dataset, Example, Reply, reply};
use slimgpt::eval::tasks::{Placed, Prepared, Rows, Score, Task, TaskScore, answers};
use slimgpt::model::{Decoder, fits};
use slimgpt::text::Tokenizer;

use super::finished::Finished;
use super::items::Items;
use super::load::Loaded;
use crate::cli::progress;

/// What every task is run with.
pub struct Runner<'a> {
    pub checkpoint: &'a Checkpoint,
    pub tokenizer: &'a Tokenizer,
    pub device: &'a Device,
    pub batch_tokens: Option<usize>,
    /// Whether no progress is shown.
    pub hidden: bool,
}

impl Runner<'_> {
    /// One task after the other; those that have no usable row are left out.
    pub fn run(&self, tasks: Vec<Loaded>, items: &mut Items) -> Result<Vec<Finished>> {
        let mut finished = Vec::new();
        // Choices need one layer at a time, generated answers the whole model.
        let mut decoder = None;
        for task in tasks {
            finished.extend(match task {
                Loaded::Choices { task, what, prepared } => self.choices(task, what, &prepared, items)?,
                Loaded::Long { dataset, what, rows } => {
                    let decoder = match &mut decoder {
                        Some(decoder) => decoder,
                        // Loaded once, for the first task that generates.
                        none => {
                            fits(self.checkpoint.config(), self.device)?;
                            let mut loading = progress::counting("loading", self.hidden);
                            let on = self.device.tensor_device();
                            none.insert(Decoder::load_telling(self.checkpoint, on, &mut loading)?)
                        }
                    };
                    self.long(decoder, dataset, what, &rows, items)?
                }
            });
        }
        Ok(finished)
    }

    fn choices(
        &self,
        task: Option<&'static Task>,
        what: String,
        prepared: &Prepared,
        items: &mut Items,
    ) -> Result<Option<Finished>> {
        let Prepared { questions, bad, cut_off } = prepared;
        let name = task.map_or("mmlu", |task| task.name);
        let mut counting = progress::counting(name, self.hidden);
        let found = block_on(answers(self.checkpoint, questions, self.device, self.batch_tokens, &mut counting))?;
        for (question, answer) in questions.iter().zip(&found) {
            items.choices(name, question, answer)?;
        }
        let score = match task {
            Some(task) => TaskScore::of(task, &found),
            None => TaskScore::of_mmlu(questions, &found),
        };
        Ok(score.map(|score| Finished::choices(name, what, score, cut_off.iter().map(|p| p.line).collect(), bad.len())))
    }

    fn long(
        &self,
        decoder: &Decoder,
        dataset: &'static Dataset,
        what: String,
        rows: &Rows<Example>,
        items: &mut Items,
    ) -> Result<Option<Finished>> {
        let mut counting = progress::counting(dataset.name, self.hidden);
        let (mut scores, mut cut) = (Vec::new(), Vec::new());
        for (i, row) in rows.good.iter().enumerate() {
            let said = self.reply(decoder, dataset, row)?;
            items.reply(dataset.name, row, &said)?;
            scores.push(said.score);
            cut.extend((said.cut_out > 0).then_some(row.line));
            counting(i + 1, rows.good.len());
        }
        Ok(Score::of(&scores).map(|score| Finished::long(dataset, what, score, cut, rows.bad.len())))
    }

    fn reply(&self, decoder: &Decoder, dataset: &Dataset, row: &Placed<Example>) -> Result<Reply> {
        Ok(block_on(reply(decoder, self.checkpoint.config(), self.tokenizer, dataset, &row.value))?)
    }
}
