//! Multiple-choice tasks as lm-eval scores them: a row of a file becomes an [`Item`], the choices of
//! an item become requests, and the likeliest choice is the answer.
//!
//! ```text
//! boolq.rs … winogrande.rs   one task each: its prompt and its choices
//! mmlu.rs                    five examples before each question, by subject
//! row.rs                     fields of a row, and what is wrong with them
//! item.rs                    what a row becomes
//! prepare.rs                 items to token ids, context and choice together
//! answer.rs                  the likelihood of each choice, and whether the likeliest is right
//! score.rs                   acc, acc_norm, acc_bytes with their errors, by task and group
//! files.rs                   which file of a folder a task reads
//! ```

mod answer;
mod arc;
mod boolq;
#[cfg(not(target_arch = "wasm32"))]
mod files;
mod hellaswag;
mod item;
mod mmlu;
mod openbookqa;
mod piqa;
mod prepare;
mod row;
mod score;
mod winogrande;

pub use answer::{Answer, answers};
#[cfg(not(target_arch = "wasm32"))]
pub use files::{find, read};
pub use item::{Choice, Item};
pub use mmlu::{SUBJECTS, mmlu};
pub use prepare::{Begin, Prepared, Question, prepare};
pub use row::{Placed, Row, Rows, rows};
pub use score::{Group, Metric, Score, Subject, TaskScore, seven_average};

/// A task whose rows are questions with choices.
#[derive(Clone, Copy, Debug)]
pub struct Task {
    /// Its name, which is also that of its file.
    pub name: &'static str,
    /// The metric that LLM-Pruner's line of papers averages.
    pub headline: Metric,
    /// Whether choices differ in length, so that `acc_norm` and `acc_bytes` mean something.
    pub normalised: bool,
    /// Where people get it.
    pub source: &'static str,
    /// A row to an item.
    pub item: fn(&Row<'_>) -> Result<Item, String>,
}

/// The seven zero-shot tasks, in the order of LLM-Pruner's tables.
pub const ZERO_SHOT: [&Task; 7] =
    [&boolq::TASK, &piqa::TASK, &hellaswag::TASK, &winogrande::TASK, &arc::EASY, &arc::CHALLENGE, &openbookqa::TASK];

/// The zero-shot task of this name.
pub fn by_name(name: &str) -> Option<&'static Task> {
    ZERO_SHOT.into_iter().find(|task| task.name == name)
}
