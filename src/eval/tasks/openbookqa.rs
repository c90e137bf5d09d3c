//! OpenBookQA: a sentence to end or a question, without its book.

use super::{Item, Metric, Row, Task, arc};

pub(super) const TASK: Task = Task {
    name: "openbookqa",
    headline: Metric::AccNorm,
    normalised: true,
    source: "the test split of openbookqa/main (500 rows: question_stem, choices, answerKey)",
    item,
};

fn item(row: &Row<'_>) -> Result<Item, String> {
    let context = row.text("question_stem")?;
    let (texts, gold) = arc::labelled(row)?;
    Ok(Item::after(context, texts, gold))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::tasks::item::of;
    use serde_json::json;

    #[test]
    fn the_stem_stands_alone() {
        let row = json!({
            "question_stem": "Gas can fill", "choices": { "text": ["a box", "a stone"], "label": ["A", "B"] },
            "answerKey": " A",
        });
        let want = [" a box", " a stone"].map(|c| ("Gas can fill".to_owned(), c.to_owned()));
        assert_eq!(of(&TASK, row), (want.to_vec(), 0));
    }
}
