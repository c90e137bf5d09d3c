//! Tasks and latency in a comparison: the flags of `eval` and `bench`, and what they mean.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use slimgpt::checkpoint::Checkpoint;
use slimgpt::compare::TaskSet;
use slimgpt::eval::tasks::Begin;
use slimgpt::eval::{EvalError, Timed};
use slimgpt::shape::ModelConfig;
use slimgpt::text::Tokenizer;

use crate::cli::choice::choice;
use crate::cli::evaluate::{Chosen, Loaded, Settings, chosen};
use crate::cli::exit::Usage;
use crate::cli::{out, parse};

/// What is measured besides perplexity.
#[derive(Args)]
pub struct Measures {
    /// Tasks to measure every model on, as `slimgpt eval` does: zero-shot, mmlu, or names with commas
    /// between
    #[arg(long, value_name = "NAMES", value_delimiter = ',', requires = "task_dir")]
    tasks: Vec<String>,
    /// Folder of the tasks' files (.jsonl or .parquet)
    #[arg(long, value_name = "DIR", requires = "tasks")]
    task_dir: Option<PathBuf>,
    /// Rows of each task from the beginning of its file (for mmlu, of each subject); by default all
    #[arg(long, value_name = "N", value_parser = parse::at_least_one, requires = "tasks")]
    limit: Option<usize>,
    /// What stands before a task's text
    #[arg(long, value_name = "WHAT", value_parser = choice::<Begin>(), default_value = "none", requires = "tasks", hide_short_help = true)]
    task_bos: Begin,
    /// Leave out rows of tasks that cannot be used, and say how many
    #[arg(long, requires = "tasks")]
    skip_bad_rows: bool,
    /// Measure the latency of every model, as `slimgpt bench` does
    #[arg(long)]
    bench: bool,
    /// Tokens of the prompt whose reading is timed
    #[arg(long, default_value = "512", value_name = "N", value_parser = parse::at_least_one, requires = "bench", hide_short_help = true)]
    prompt_tokens: usize,
    /// Tokens whose writing is timed
    #[arg(long, default_value = "512", value_name = "N", value_parser = parse::at_least_one, requires = "bench", hide_short_help = true)]
    new_tokens: usize,
    /// Times that both are timed
    #[arg(long, default_value = "5", value_name = "N", value_parser = parse::at_least_one, requires = "bench", hide_short_help = true)]
    repeats: usize,
}

impl Measures {
    /// The tasks that are asked for, each with the files that it has.
    pub fn chosen(&self) -> Result<Vec<Chosen>> {
        let Some(folder) = &self.task_dir else { return Ok(Vec::new()) };
        let found = chosen(&self.tasks, folder)?;
        match found.iter().any(|task| matches!(task, Chosen::Long(..))) {
            true => {
                Err(Usage("--tasks: compare takes tasks with choices; measure longbench with `slimgpt eval`".into())
                    .into())
            }
            false => Ok(found),
        }
    }

    /// Their rows, encoded.
    pub fn tasks(
        &self,
        chosen: &[Chosen],
        model: &Checkpoint,
        tokenizer: &Tokenizer,
        hidden: bool,
    ) -> Result<Vec<TaskSet>> {
        let max_positions = model.config().max_positions;
        let settings = Settings { tokenizer, max_positions, begin: self.task_bos, limit: self.limit, hidden };
        let mut sets = Vec::new();
        for task in chosen {
            // The others were refused when they were chosen.
            let Loaded::Choices { task, what, prepared } = task.load(&settings)? else { continue };
            match prepared.bad.is_empty() || self.skip_bad_rows {
                true => prepared.bad.iter().for_each(|row| out::note(format_args!("skipped {row}"))),
                false => return Err(EvalError::BadRows(prepared.bad).into()),
            }
            sets.push(TaskSet { task, what, questions: prepared.questions });
        }
        Ok(sets)
    }

    /// How latency is measured, shortened to the model's context.
    pub fn timed(&self, config: &ModelConfig) -> Option<Timed> {
        let Self { prompt_tokens, new_tokens, repeats, .. } = *self;
        self.bench.then(|| Timed { prompt_tokens, new_tokens, repeats }.within(config.max_positions))
    }
}
