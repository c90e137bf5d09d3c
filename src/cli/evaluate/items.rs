//! `--items`: what came of every item, one JSON object a line, in a file that appears when it is whole.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::{Value, json};
use slimgpt::eval::longbench::Reply;
use slimgpt::eval::tasks::{Answer, Placed, Question};

/// The file, if one is wanted.
pub struct Items(Option<Open>);

struct Open {
    path: PathBuf,
    unfinished: PathBuf,
    file: BufWriter<File>,
}

impl Items {
    /// Begins the file.
    pub fn to(path: Option<&Path>) -> Result<Self> {
        let Some(path) = path else { return Ok(Self(None)) };
        let mut unfinished = path.as_os_str().to_owned();
        unfinished.push(".unfinished");
        let unfinished = PathBuf::from(unfinished);
        let file = File::create(&unfinished).with_context(|| format!("--items {}", path.display()))?;
        Ok(Self(Some(Open { path: path.to_owned(), unfinished, file: BufWriter::new(file) })))
    }

    /// The answer to a question with choices.
    pub fn choices(&mut self, task: &str, question: &Placed<Question>, answer: &Answer) -> Result<()> {
        let choices = question.value.requests.iter().zip(&answer.log_likelihoods).map(|(request, log_likelihood)| {
            json!({ "context": request.context, "continuation": request.continuation, "log_likelihood": log_likelihood })
        });
        self.line(&json!({
            "task": task, "file": question.file, "line": question.line, "gold": question.value.item.gold,
            "choices": choices.collect::<Vec<_>>(), "acc": answer.acc, "acc_norm": answer.acc_norm,
            "acc_bytes": answer.acc_bytes,
        }))
    }

    /// A generated answer.
    pub fn reply<T>(&mut self, task: &str, row: &Placed<T>, reply: &Reply) -> Result<()> {
        let Reply { text, score, cut_out } = reply;
        self.line(&json!({
            "task": task, "file": row.file, "line": row.line, "answer": text, "score": score, "cut_out": cut_out,
        }))
    }

    fn line(&mut self, value: &Value) -> Result<()> {
        match &mut self.0 {
            Some(open) => writeln!(open.file, "{value}").with_context(|| format!("--items {}", open.path.display())),
            None => Ok(()),
        }
    }

    /// Gives the file its name.
    pub fn finish(self) -> Result<()> {
        let Some(Open { path, unfinished, mut file }) = self.0 else { return Ok(()) };
        let flushed = file.flush().and_then(|()| std::fs::rename(&unfinished, &path));
        flushed.with_context(|| format!("--items {}", path.display()))
    }
}
