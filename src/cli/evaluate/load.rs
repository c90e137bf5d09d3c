//! Chosen tasks to what will be asked.

use anyhow::{Result, anyhow};
use slimgpt::eval::BadRow;
use slimgpt::eval::longbench::{Dataset, Example};
use slimgpt::eval::tasks::{Begin, Prepared, Rows, Task, mmlu, prepare, read, rows};
use slimgpt::text::Tokenizer;

use super::select::Chosen;
use crate::cli::progress;

/// What rows are read for.
pub struct Settings<'a> {
    pub tokenizer: &'a Tokenizer,
    pub max_positions: usize,
    pub begin: Begin,
    /// Rows of a task at most.
    pub limit: Option<usize>,
    /// Whether no progress is shown.
    pub hidden: bool,
}

/// A task with its rows.
pub enum Loaded {
    /// Choices: one of the seven, or MMLU.
    Choices {
        /// `None` for MMLU, which is not scored like the seven.
        task: Option<&'static Task>,
        /// Task, data and protocol in words.
        what: String,
        prepared: Prepared,
    },
    /// Answers that are generated.
    Long { dataset: &'static Dataset, what: String, rows: Rows<Example> },
}

impl Chosen {
    /// Reads the rows of the task's files; questions with choices are encoded as well.
    pub fn load(&self, settings: &Settings<'_>) -> Result<Loaded> {
        let loaded = match self {
            Self::ZeroShot(task, file) => {
                let (file, text) = read(file)?;
                let rows = rows(&file, &text, settings.limit, task.item);
                let what =
                    format!("{}, {}{file}, zero-shot, {}", task.name, first(settings.limit), begin(settings.begin));
                Loaded::Choices { task: Some(task), what, prepared: settings.prepare(task.name, rows)? }
            }
            Self::Mmlu(dev, test) => {
                let ((dev, examples), (test, questions)) = (read(dev)?, read(test)?);
                let rows = mmlu((&dev, &examples), (&test, &questions), settings.limit);
                let of_each = settings.limit.map_or_else(String::new, |n| format!("first {n} of each subject of "));
                // Other examples make another protocol, so both files are named.
                let what = format!("mmlu, {of_each}{test}, five-shot from {dev}, {}", begin(settings.begin));
                Loaded::Choices { task: None, what, prepared: settings.prepare("mmlu", rows)? }
            }
            Self::Long(dataset, file) => {
                let (file, text) = read(file)?;
                let rows = rows(&file, &text, settings.limit, |row| dataset.example(row));
                let what = format!("{}, {}{file}, LongBench's prompt, greedy", dataset.name, first(settings.limit));
                Loaded::Long { dataset, what, rows }
            }
        };
        // Rows that are all bad are not empty: the caller refuses or skips them, and says which they are.
        match loaded.is_empty() {
            true => Err(anyhow!("{}: no row can be used", loaded.what())),
            false => Ok(loaded),
        }
    }
}

impl Settings<'_> {
    fn prepare(&self, task: &'static str, rows: Rows<slimgpt::eval::tasks::Item>) -> Result<Prepared> {
        let mut counting = progress::counting(task, self.hidden);
        Ok(prepare(rows, self.tokenizer, self.max_positions, self.begin, &mut counting)?)
    }
}

impl Loaded {
    /// Rows that cannot be used.
    pub fn bad(&self) -> &[BadRow] {
        match self {
            Self::Choices { prepared, .. } => &prepared.bad,
            Self::Long { rows, .. } => &rows.bad,
        }
    }

    fn what(&self) -> &str {
        match self {
            Self::Choices { what, .. } | Self::Long { what, .. } => what,
        }
    }

    /// Nothing to ask and nothing to complain of.
    fn is_empty(&self) -> bool {
        let good = match self {
            Self::Choices { prepared, .. } => prepared.questions.len(),
            Self::Long { rows, .. } => rows.good.len(),
        };
        good == 0 && self.bad().is_empty()
    }
}

fn first(limit: Option<usize>) -> String {
    limit.map_or_else(String::new, |n| format!("first {n} rows of "))
}

/// What stands before each text, in words.
pub fn begin(begin: Begin) -> &'static str {
    match begin {
        Begin::None => "no begin-of-sequence token",
        Begin::Tokenizer => "begin-of-sequence token as the tokenizer has it",
    }
}
