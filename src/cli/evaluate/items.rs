//! `--items`: what came of every item, one JSON object a line, in a file that appears when it is whole.

use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use slimgpt::disk::{DiskError, NewFile};
use slimgpt::eval::longbench::Reply;
use slimgpt::eval::tasks::{Answer, Placed, Question};

/// The file, if one is wanted.
pub struct Items(Option<NewFile>);

impl Items {
    /// Begins the file; without a path nothing is written later either.
    pub fn to(path: Option<&Path>) -> Result<Self> {
        Ok(Self(named(path.map(NewFile::begin).transpose())?))
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

    /// A generated answer, its score, and how many tokens its prompt lost.
    pub fn reply<T>(&mut self, task: &str, row: &Placed<T>, reply: &Reply) -> Result<()> {
        let Reply { text, score, cut_out } = reply;
        self.line(&json!({
            "task": task, "file": row.file, "line": row.line, "answer": text, "score": score, "cut_out": cut_out,
        }))
    }

    fn line(&mut self, value: &Value) -> Result<()> {
        self.0.as_mut().map_or(Ok(()), |file| named(file.write(format!("{value}\n").as_bytes())))
    }

    /// Gives the file its name.
    pub fn finish(self) -> Result<()> {
        self.0.map_or(Ok(()), |file| named(file.finish()))
    }
}

/// Says which of the command's files it is.
fn named<T>(done: Result<T, DiskError>) -> Result<T> {
    done.context("--items")
}
