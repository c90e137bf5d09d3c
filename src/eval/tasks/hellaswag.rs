//! HellaSwag: how a scene goes on.

use super::{Item, Metric, Row, Task};

pub(super) const TASK: Task = Task {
    name: "hellaswag",
    headline: Metric::AccNorm,
    normalised: true,
    source: "the validation split of hellaswag (10,042 rows: activity_label, ctx_a, ctx_b, endings, label)",
    item,
};

fn item(row: &Row<'_>) -> Result<Item, String> {
    let (label, a, b) = (row.text("activity_label")?, row.text("ctx_a")?, capitalised(row.any_text("ctx_b")?));
    let endings: Vec<String> = row.texts("endings", 4)?.into_iter().map(cleaned).collect();
    if let Some(i) = endings.iter().position(String::is_empty) {
        return Err(format!("entry {i} of \"endings\" has only marks in brackets"));
    }
    let gold = row.label("label", endings.len())?;
    Ok(Item::after(&cleaned(&format!("{label}: {a} {b}")), endings.iter().map(String::as_str), gold))
}

/// The first letter large, all others small.
fn capitalised(text: &str) -> String {
    let mut rest = text.chars();
    match rest.next() {
        None => String::new(),
        // As Python's `capitalize`, which makes the rest small too.
        Some(first) => first.to_uppercase().chain(rest.as_str().to_lowercase().chars()).collect(),
    }
}

/// Without the marks that WikiHow left behind.
fn cleaned(text: &str) -> String {
    // lm-eval's order; double spaces are halved once, and what is left of them stays.
    without_brackets(&text.trim().replace(" [title]", ". ")).replace("  ", " ")
}

/// Without what stands in square brackets on one line.
fn without_brackets(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('[') {
        kept.push_str(before);
        // As `\[.*?\]` finds it: the nearest end, and none beyond the line.
        match after.find([']', '\n']) {
            Some(end) if after.as_bytes()[end] == b']' => rest = &after[end + 1..],
            _ => {
                kept.push('[');
                rest = after;
            }
        }
    }
    kept + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::tasks::item::of;
    use serde_json::json;

    #[test]
    fn the_scene_and_its_endings() {
        let row = json!({
            "activity_label": "Pole vault", "ctx_a": "[header] How to vault [title] Run.", "ctx_b": "then A Woman",
            "endings": ["jumps. [step] Well.", "waits  here.", " [substeps]falls.", "[a] b"], "label": "2",
        });
        let context = "Pole vault: How to vault. Run. Then a woman";
        let want = [" jumps. Well.", " waits here.", " falls.", "  b"].map(|e| (context.to_owned(), e.to_owned()));
        assert_eq!(of(&TASK, row), (want.to_vec(), 2));
    }

    #[test]
    fn brackets_go_as_a_regular_expression_takes_them() {
        assert_eq!(without_brackets("a [b] c [d]"), "a  c ");
        assert_eq!(without_brackets("a [b [c] d] e"), "a  d] e");
        assert_eq!(without_brackets("a [b\nc] [d] e ["), "a [b\nc]  e [");
    }

    #[test]
    fn an_empty_second_half_is_no_mistake() {
        let row = json!({
            "activity_label": "Sports", "ctx_a": "You spin the ball.", "ctx_b": "", "endings": ["a", "b", "c", "d"],
            "label": 0,
        });
        assert_eq!(of(&TASK, row).0[0].0, "Sports: You spin the ball.");
    }

    #[test]
    fn capitals_are_pythons() {
        assert_eq!(capitalised("élan VITAL"), "Élan vital");
        assert_eq!(capitalised(""), "");
    }
}
