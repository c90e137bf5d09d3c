//! PIQA: a goal and two ways to reach it.

use super::{Item, Metric, Row, Task};

pub(super) const TASK: Task = Task {
    name: "piqa",
    headline: Metric::Acc,
    normalised: true,
    source: "the validation split of piqa (1838 rows: goal, sol1, sol2, label)",
    item,
};

fn item(row: &Row<'_>) -> Result<Item, String> {
    let context = format!("Question: {}\nAnswer:", row.text("goal")?);
    Ok(Item::after(&context, [row.text("sol1")?, row.text("sol2")?], row.label("label", 2)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::tasks::item::of;
    use serde_json::json;

    #[test]
    fn the_prompt_and_its_solutions_as_they_stand() {
        let context = "Question: dresser\nAnswer:".to_owned();
        let want = vec![(context.clone(), " replace the drawer ".to_owned()), (context, " finish  it".to_owned())];
        let row = json!({ "goal": "dresser", "sol1": "replace the drawer ", "sol2": "finish  it", "label": 1 });
        assert_eq!(of(&TASK, row.clone()), (want, 1));
        let lengths: Vec<usize> = item(&Row(&row)).unwrap().choices.iter().map(|c| c.characters).collect();
        assert_eq!(lengths, [19, 10]);
    }
}
