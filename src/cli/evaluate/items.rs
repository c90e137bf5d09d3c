//! `--items`: what came of every item, one JSON object a line, in a file that appears when it is whole.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::{Value, json};
use slimgpt::disk::NewFile;
use slimgpt::eval::longbench::Reply;
use slimgpt::eval::tasks::{Answer, Placed, Question};
use slimgpt::place::{Kind, Place, PlaceError};

use crate::cli::exit::named;

/// Where the file is to be, if one is wanted. All of `reads` is read meanwhile.
pub fn place(path: Option<&Path>, reads: &[PathBuf]) -> Result<Option<Place>> {
    let Some(path) = path else { return Ok(None) };
    let place = Place::new(path, Kind::Items, true);
    named("--items", place.ask(reads))?;
    Ok(Some(place))
}

/// The file, if one is wanted.
pub struct Items(Option<(NewFile, Place)>);

impl Items {
    /// Begins the file; without a place nothing is written later either.
    pub fn at(place: Option<Place>) -> Result<Self> {
        let begin = |place: Place| Ok::<_, PlaceError>((place.begin()?, place));
        Ok(Self(named("--items", place.map(begin).transpose())?))
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
        let Some((file, _)) = &mut self.0 else { return Ok(()) };
        file.write(format!("{value}\n").as_bytes()).context("--items")
    }

    /// Gives the file its name.
    pub fn finish(self) -> Result<()> {
        self.0.map_or(Ok(()), |(file, place)| named("--items", place.finish(file)))
    }
}
