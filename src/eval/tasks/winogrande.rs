//! WinoGrande: who or what the blank is. What follows the blank is scored under both fillings.

use super::{Choice, Item, Metric, Row, Task};

pub(super) const TASK: Task = Task {
    name: "winogrande",
    headline: Metric::Acc,
    normalised: false,
    source: "the validation split of winogrande_xl (1267 rows: sentence, option1, option2, answer)",
    item,
};

fn item(row: &Row<'_>) -> Result<Item, String> {
    let sentence = row.text("sentence")?;
    let (before, after) = sentence.split_once('_').ok_or("\"sentence\" has no blank (_)")?;
    let after = after.trim();
    if after.is_empty() {
        return Err("\"sentence\" has nothing after its blank".into());
    }
    // Partial scoring: the options are context, so the longer one is at no disadvantage.
    let filled = |option: &str| Choice {
        context: format!("{before}{option}"),
        continuation: format!(" {after}"),
        characters: after.chars().count(),
        bytes: after.len(),
    };
    let choices = vec![filled(row.text("option1")?), filled(row.text("option2")?)];
    let gold = match row.any_text("answer")? {
        "1" => 0,
        "2" => 1,
        other => return Err(format!("\"answer\" is \"{other}\", neither \"1\" nor \"2\"")),
    };
    Ok(Item { choices, gold, group: None })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::tasks::item::of;
    use serde_json::json;

    #[test]
    fn the_rest_of_the_sentence_is_scored_under_both_fillings() {
        let row = json!({
            "sentence": "Ann taught Bea, so _ was a teacher .", "option1": "Ann", "option2": "Bea", "answer": "1",
        });
        let rest = " was a teacher .".to_owned();
        let want = vec![("Ann taught Bea, so Ann".into(), rest.clone()), ("Ann taught Bea, so Bea".into(), rest)];
        assert_eq!(of(&TASK, row), (want, 0));
    }

    #[test]
    fn a_row_needs_a_blank_something_after_it_and_an_answer() {
        for (sentence, answer, word) in
            [("no blank", "1", "no blank"), ("so _", "1", "nothing"), ("a _ b", "3", "neither")]
        {
            let row = json!({ "sentence": sentence, "option1": "A", "option2": "B", "answer": answer });
            assert!(item(&Row(&row)).unwrap_err().contains(word), "{row}");
        }
    }
}
