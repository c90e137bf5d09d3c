//! ARC, easy and challenge: questions of school science with three to five answers.

use super::{Item, Metric, Row, Task};

pub(super) const EASY: Task = Task {
    name: "arc_easy",
    headline: Metric::Acc,
    normalised: true,
    source: "the test split of ai2_arc/ARC-Easy (2376 rows: question, choices, answerKey)",
    item,
};

pub(super) const CHALLENGE: Task = Task {
    name: "arc_challenge",
    headline: Metric::AccNorm,
    normalised: true,
    source: "the test split of ai2_arc/ARC-Challenge (1172 rows: question, choices, answerKey)",
    item,
};

fn item(row: &Row<'_>) -> Result<Item, String> {
    let context = format!("Question: {}\nAnswer:", row.text("question")?);
    let (texts, gold) = labelled(row)?;
    Ok(Item::after(&context, texts, gold))
}

/// The texts of `choices`, and the index of the one whose label is `answerKey`.
pub(super) fn labelled<'a>(row: &Row<'a>) -> Result<(Vec<&'a str>, usize), String> {
    let choices = row.inner("choices")?;
    let (texts, labels) = (choices.texts("text", 2)?, choices.texts("label", 2)?);
    if texts.len() != labels.len() {
        return Err(format!("\"choices\" has {} texts and {} labels", texts.len(), labels.len()));
    }
    // lm-eval strips it too, for OpenBookQA.
    let key = row.text("answerKey")?.trim_start();
    // By label and not by place: some rows count 1 to 4 instead of A to D.
    let gold = labels.iter().position(|&label| label == key);
    let gold = gold.ok_or_else(|| format!("\"answerKey\" is \"{key}\", not one of {}", labels.join(", ")))?;
    Ok((texts, gold))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::tasks::item::of;
    use serde_json::json;

    #[test]
    fn the_prompt_and_the_answer_by_its_label() {
        let row = json!({
            "question": "What is wet?", "choices": { "text": ["sand", "water", "air"], "label": ["1", "2", "3"] },
            "answerKey": "2",
        });
        let want = [" sand", " water", " air"].map(|c| ("Question: What is wet?\nAnswer:".to_owned(), c.to_owned()));
        assert_eq!(of(&EASY, row), (want.to_vec(), 1));
    }

    #[test]
    fn an_answer_is_one_of_the_labels() {
        let choices = json!({ "text": ["a", "b"], "label": ["A", "B"] });
        let row = json!({ "question": "q", "choices": choices, "answerKey": "E" });
        assert_eq!(item(&Row(&row)).unwrap_err(), "\"answerKey\" is \"E\", not one of A, B");
        let row =
            json!({ "question": "q", "choices": { "text": ["a", "b"], "label": ["A", "B", "C"] }, "answerKey": "A" });
        assert_eq!(item(&Row(&row)).unwrap_err(), "\"choices\" has 2 texts and 3 labels");
    }
}
