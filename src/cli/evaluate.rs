//! `slimgpt eval`.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::Result;
use clap::Args;
use serde_json::json;
use slimgpt::eval::tasks::Begin;
use slimgpt::eval::{BadRow, EvalError, EvalRecord};

use super::arguments::{self, AdapterArgument, DevicesArgument};
use super::choice::{choice, suggesting};
use super::hub::{Given, Online, model_called};
use super::{out, parse};

mod finished;
mod items;
mod load;
mod run;
mod select;

use finished::Finished;
use items::Items;
pub use load::{Loaded, Settings};
use run::Runner;
pub use select::{Chosen, tasks as chosen};

const EXAMPLES: &str = "\
Examples:
  slimgpt eval ./slim --tasks zero-shot --task-dir ./tasks --save
  slimgpt eval ./slim --tasks piqa,arc_easy --task-dir ./tasks --limit 200 --items items.jsonl
  slimgpt eval ./slim --tasks mmlu --task-dir ./tasks --bos tokenizer
  slimgpt eval ./slim --tasks longbench --task-dir ./tasks

Tasks:
  zero-shot  boolq, piqa, hellaswag, winogrande, arc_easy, arc_challenge, openbookqa as lm-eval
             scores them: acc, acc_norm (by characters), acc_bytes. Their average is that of
             LLM-Pruner's line of papers: acc_norm of hellaswag, arc_challenge and openbookqa, acc
             of the others
  mmlu       five-shot by subject and group
  longbench  those of its datasets whose files are there: hotpotqa, 2wikimqa, musique, narrativeqa,
             qasper, multifieldqa_en (F1), gov_report, qmsum, multi_news (ROUGE-L), trec, triviaqa,
             samsum (few-shot). Greedy answers; prompts that are too long lose their middle
  all        every one of these whose files are there

Files: NAME.jsonl or one NAME_*.jsonl for each task (boolq_val.jsonl), mmlu_dev*.jsonl with
mmlu_test*.jsonl, and longbench/NAME.jsonl; one JSON object a line, with the fields of the data set
on the Hugging Face hub, whose .parquet files serve too (boolq_validation-00000-of-00001.parquet). A context that is too long for the model loses its beginning, as in
lm-eval; which rows did is said. Rows that cannot be used are an error unless --skip-bad-rows.";

#[derive(Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Evaluate {
    /// Folder of a checkpoint, dense or pruned, a GGUF file, or a name on the hub (org/name)
    model: PathBuf,
    #[command(flatten)]
    adapter: AdapterArgument,
    /// Tasks, with commas between; see below
    #[arg(
        long,
        value_name = "NAMES",
        value_delimiter = ',',
        required = true,
        value_parser = suggesting(|name| Ok(name.to_owned()), select::names()),
        hide_possible_values = true
    )]
    tasks: Vec<String>,
    /// Folder of the tasks' files (.jsonl or .parquet)
    #[arg(long, value_name = "DIR")]
    task_dir: PathBuf,
    /// Rows of each task from the beginning of its file (for mmlu, of each subject); by default all
    #[arg(long, value_name = "N", value_parser = parse::at_least_one)]
    limit: Option<usize>,
    /// What stands before a text. LongBench always takes what the tokenizer puts there
    #[arg(long, value_name = "WHAT", value_parser = choice::<Begin>(), default_value = "none")]
    bos: Begin,
    /// Tokens that go through a layer together; by default what its widest activation allows
    #[arg(long, value_name = "N", value_parser = parse::at_least_one)]
    batch_tokens: Option<usize>,
    /// Leave out rows that cannot be used, and say how many
    #[arg(long)]
    skip_bad_rows: bool,
    /// Write what came of every item: token ids, log-likelihoods and answers, one JSON object a line
    #[arg(long, value_name = "FILE")]
    items: Option<PathBuf>,
    /// Keep the figures in the model's folder (slimgpt-eval.json), for reports
    #[arg(long)]
    save: bool,
    #[command(flatten)]
    device: DevicesArgument,
    #[command(flatten)]
    online: Online,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl Evaluate {
    /// What may be a name on the hub.
    pub fn given(&mut self) -> Given<'_> {
        let (online, models, json) = (self.online, vec![&mut self.model], self.json);
        Given { adapter: Some(self.adapter.folder_mut()), ..Given::of(online, models, json) }
    }

    pub fn run(&self) -> Result<()> {
        // Names and files come before the model: a file that is missing is told at once.
        let chosen = select::tasks(&self.tasks, &self.task_dir)?;
        let files = chosen.iter().flat_map(select::Chosen::files).cloned();
        files.clone().for_each(|file| out::detail(format_args!("rows: {}", file.display())));
        let place = items::place(self.items.as_deref(), &files.chain([self.model.clone()]).collect::<Vec<_>>())?;
        arguments::check_save(&self.model, self.save)?;
        let (checkpoint, tokenizer) = arguments::open(&self.model)?;
        let checkpoint = self.adapter.on(checkpoint)?;
        let settings = load::Settings {
            tokenizer: &tokenizer,
            max_positions: checkpoint.config().max_positions,
            begin: self.bos,
            limit: self.limit,
            hidden: self.json,
        };
        // The rows of all tasks are read before any is run, so that bad ones are told before the work.
        let tasks = chosen.iter().map(|task| task.load(&settings)).collect::<Result<Vec<_>>>()?;
        let skipped = self.bad_rows(&tasks)?;
        let device = self.device.open()?;
        let started = Instant::now();
        let mut items = Items::at(place)?;
        let runner = Runner {
            checkpoint: &checkpoint,
            tokenizer: &tokenizer,
            device: &device,
            batch_tokens: self.batch_tokens,
            hidden: self.json,
        };
        let finished = runner.run(tasks, &mut items)?;
        items.finish()?;
        match self.json {
            true => out::json(&json!({
                "model": model_called(&self.model), "bos": self.bos, "device": device.name(), "limit": self.limit,
                "average_of_seven": finished::average(&finished), "tasks": finished, "skipped_rows": skipped,
                "seconds": started.elapsed().as_secs_f64(),
            }))?,
            false => finished::print(&finished, &skipped)?,
        }
        // Kept last: figures that cannot be kept have been shown.
        if self.save {
            let average = finished::average_entry(&finished, self.bos);
            EvalRecord::add_to(&self.model, finished.iter().flat_map(Finished::entries).chain(average))?;
        }
        Ok(())
    }

    /// The rows that cannot be used, if they may be left out.
    fn bad_rows(&self, tasks: &[Loaded]) -> Result<Vec<BadRow>> {
        let bad: Vec<BadRow> = tasks.iter().flat_map(|task| task.bad().iter().cloned()).collect();
        match bad.is_empty() || self.skip_bad_rows {
            true => Ok(bad),
            false => Err(EvalError::BadRows(bad).into()),
        }
    }
}
