//! A question with its choices, as text.

/// One choice: what is scored, and after what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// What stands before it and is not scored.
    pub context: String,
    /// What is scored, with the space that parts it from the context.
    pub continuation: String,
    /// Length of the choice without that space, in characters.
    pub characters: usize,
    /// The same in bytes of UTF-8.
    pub bytes: usize,
}

/// One question, of whose choices one is right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Its choices, in the order of the row.
    pub choices: Vec<Choice>,
    /// Index of the right one.
    pub gold: usize,
    /// What it is counted under besides its task: MMLU's subject.
    pub group: Option<String>,
}

impl Item {
    /// One context with several ways to go on.
    pub(super) fn after<'a>(context: &str, choices: impl IntoIterator<Item = &'a str>, gold: usize) -> Self {
        let choice = |text: &str| Choice {
            context: context.to_owned(),
            continuation: format!(" {text}"),
            characters: text.chars().count(),
            bytes: text.len(),
        };
        Self { choices: choices.into_iter().map(choice).collect(), gold, group: None }
    }
}

/// Context, continuation and right choice of a row, for the tests of each task.
#[cfg(test)]
pub(super) fn of(task: &super::Task, row: serde_json::Value) -> (Vec<(String, String)>, usize) {
    let item = (task.item)(&super::Row(&row)).unwrap();
    let texts = item.choices.into_iter().map(|c| (c.context, c.continuation));
    (texts.collect(), item.gold)
}
