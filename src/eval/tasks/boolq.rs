//! BoolQ: a passage, a yes/no question.

use super::{Item, Metric, Row, Task};

pub(super) const TASK: Task = Task {
    name: "boolq",
    headline: Metric::Acc,
    normalised: false,
    source: "the validation split of super_glue/boolq (3270 rows: passage, question, label)",
    item,
};

fn item(row: &Row<'_>) -> Result<Item, String> {
    let (passage, question) = (row.text("passage")?, row.text("question")?);
    // Questions stand in the files without their question mark.
    let context = format!("{passage}\nQuestion: {question}?\nAnswer:");
    // In the order of SuperGLUE's labels: 0 is no, 1 is yes.
    Ok(Item::after(&context, ["no", "yes"], usize::from(answer(row)?)))
}

/// The authors' files have a truth value, those of SuperGLUE a label.
fn answer(row: &Row<'_>) -> Result<bool, String> {
    match &row.0["answer"] {
        serde_json::Value::Null => Ok(row.label("label", 2)? == 1),
        answer => answer.as_bool().ok_or_else(|| format!("\"answer\" is {answer}, neither true nor false")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::tasks::item::of;
    use serde_json::json;

    #[test]
    fn the_prompt_and_its_two_answers() {
        let context = "Ice floats.\nQuestion: does ice float?\nAnswer:";
        let want = [" no", " yes"].map(|text| (context.to_owned(), text.to_owned())).to_vec();
        let row = json!({ "passage": "Ice floats.", "question": "does ice float", "answer": true });
        assert_eq!(of(&TASK, row), (want.clone(), 1));
        let row = json!({ "passage": "Ice floats.", "question": "does ice float", "label": 0 });
        assert_eq!(of(&TASK, row), (want, 0));
    }

    #[test]
    fn an_answer_is_a_truth_value_or_a_label() {
        for (row, word) in [
            (json!({ "passage": "a", "question": "b", "answer": "yes" }), "neither"),
            (json!({ "passage": "a", "question": "b", "label": 2 }), "0 to 1"),
            (json!({ "passage": "a", "question": "b" }), "\"label\" is missing"),
            (json!({ "question": "b", "answer": true }), "\"passage\" is missing"),
        ] {
            assert!(item(&Row(&row)).unwrap_err().contains(word), "{row}");
        }
    }
}
