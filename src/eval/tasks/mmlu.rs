//! MMLU, five-shot: the first five development questions of the subject with their answers, then
//! the question; the four letters are scored.

use std::collections::HashMap;

use super::{Item, Row, Rows};

/// Examples before a question.
const SHOTS: usize = 5;
const LETTERS: [&str; 4] = ["A", "B", "C", "D"];

/// The four groups with their subjects.
pub const SUBJECTS: [(&str, &[&str]); 4] = [
    (
        "stem",
        &[
            "abstract_algebra",
            "anatomy",
            "astronomy",
            "college_biology",
            "college_chemistry",
            "college_computer_science",
            "college_mathematics",
            "college_physics",
            "computer_security",
            "conceptual_physics",
            "electrical_engineering",
            "elementary_mathematics",
            "high_school_biology",
            "high_school_chemistry",
            "high_school_computer_science",
            "high_school_mathematics",
            "high_school_physics",
            "high_school_statistics",
            "machine_learning",
        ],
    ),
    (
        "humanities",
        &[
            "formal_logic",
            "high_school_european_history",
            "high_school_us_history",
            "high_school_world_history",
            "international_law",
            "jurisprudence",
            "logical_fallacies",
            "moral_disputes",
            "moral_scenarios",
            "philosophy",
            "prehistory",
            "professional_law",
            "world_religions",
        ],
    ),
    (
        "social sciences",
        &[
            "econometrics",
            "high_school_geography",
            "high_school_government_and_politics",
            "high_school_macroeconomics",
            "high_school_microeconomics",
            "high_school_psychology",
            "human_sexuality",
            "professional_psychology",
            "public_relations",
            "security_studies",
            "sociology",
            "us_foreign_policy",
        ],
    ),
    (
        "other",
        &[
            "business_ethics",
            "clinical_knowledge",
            "college_medicine",
            "global_facts",
            "human_aging",
            "management",
            "marketing",
            "medical_genetics",
            "miscellaneous",
            "nutrition",
            "professional_accounting",
            "professional_medicine",
            "virology",
        ],
    ),
];

/// A question with its four choices.
#[derive(Clone, Debug, PartialEq)]
struct Question {
    subject: String,
    /// With its choices, up to "Answer:".
    text: String,
    gold: usize,
}

/// The items of the test rows, with examples of the development rows before each; `limit` bounds
/// the items of each subject. Each file is given by name and text.
pub fn mmlu(dev: (&str, &str), test: (&str, &str), limit: Option<usize>) -> Rows<Item> {
    let examples = super::rows(dev.0, dev.1, None, question);
    let questions = super::rows(test.0, test.1, None, question);
    let mut rows = Rows { good: Vec::new(), bad: [examples.bad, questions.bad].concat() };
    let mut taken: HashMap<String, usize> = HashMap::new();
    for placed in questions.good {
        let subject = &placed.value.subject;
        let already = taken.entry(subject.clone()).or_default();
        if limit.is_some_and(|limit| *already >= limit) {
            continue;
        }
        // The first in the file's order, lm-eval's `first_n`: other shots give other figures.
        let own = examples.good.iter().map(|e| &e.value).filter(|e| e.subject == *subject);
        let shots: Vec<&Question> = own.take(SHOTS).collect();
        match shots.len() {
            SHOTS => {
                *already += 1;
                rows.good.push(placed.with(item(&placed.value, &shots)));
            }
            n => rows.bad.push(placed.bad(format!("\"{subject}\" has {n} questions in {}; {SHOTS} are needed", dev.0))),
        }
    }
    rows
}

fn question(row: &Row<'_>) -> Result<Question, String> {
    let subject = row.text("subject")?;
    if !SUBJECTS.iter().any(|(_, subjects)| subjects.contains(&subject)) {
        return Err(format!("\"subject\" is \"{subject}\", none of the 57"));
    }
    let choices = row.texts("choices", LETTERS.len())?;
    if choices.len() > LETTERS.len() {
        return Err(format!("\"choices\" has {} entries, more than 4", choices.len()));
    }
    let listed: String = LETTERS.iter().zip(choices).map(|(letter, text)| format!("{letter}. {text}\n")).collect();
    let text = format!("{}\n{listed}Answer:", row.text("question")?.trim());
    Ok(Question { subject: subject.into(), text, gold: row.label("answer", LETTERS.len())? })
}

fn item(question: &Question, shots: &[&Question]) -> Item {
    let subject = question.subject.replace('_', " ");
    let mut context = format!("The following are multiple choice questions (with answers) about {subject}.\n\n");
    for shot in shots {
        context += &format!("{} {}\n\n", shot.text, LETTERS[shot.gold]);
    }
    context += &question.text;
    // Letters are scored, not texts: the four choices share one input.
    Item { group: Some(question.subject.clone()), ..Item::after(&context, LETTERS, question.gold) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn line(subject: &str, question: &str, answer: usize) -> String {
        json!({ "subject": subject, "question": question, "choices": ["p", "q", "r", "s"], "answer": answer })
            .to_string()
    }

    fn dev() -> String {
        (0..6).map(|i| line("world_religions", &format!("Dev {i}? "), i % 4) + "\n").collect()
    }

    #[test]
    fn five_examples_stand_before_the_question() {
        let test = line("world_religions", " Test?", 3);
        let found = mmlu(("dev", &dev()), ("test", &test), None);
        let shot = |i: usize| format!("Dev {i}?\nA. p\nB. q\nC. r\nD. s\nAnswer: {}\n\n", ["A", "B", "C", "D"][i % 4]);
        let want = "The following are multiple choice questions (with answers) about world religions.\n\n".to_owned()
            + &(0..5).map(shot).collect::<String>()
            + "Test?\nA. p\nB. q\nC. r\nD. s\nAnswer:";
        let item = &found.good[0].value;
        assert_eq!(item.choices[0].context, want);
        assert_eq!(item.choices.iter().map(|c| c.continuation.as_str()).collect::<Vec<_>>(), [" A", " B", " C", " D"]);
        assert_eq!((item.gold, item.group.as_deref()), (3, Some("world_religions")));
    }

    #[test]
    fn a_limit_is_of_each_subject() {
        let test = [line("world_religions", "a", 0), line("world_religions", "b", 0)].join("\n");
        assert_eq!(mmlu(("dev", &dev()), ("test", &test), Some(1)).good.len(), 1);
    }

    #[test]
    fn what_cannot_be_asked_is_bad() {
        let test = [line("astrology", "a", 0), line("virology", "b", 0), line("world_religions", "c", 4)].join("\n");
        let bad = mmlu(("dev", &dev()), ("test", &test), None).bad;
        let said: Vec<String> = bad.iter().map(ToString::to_string).collect();
        assert_eq!(
            said,
            [
                "test:1: \"subject\" is \"astrology\", none of the 57",
                "test:3: \"answer\" is 4, not one of 0 to 3",
                "test:2: \"virology\" has 0 questions in dev; 5 are needed",
            ]
        );
    }

    #[test]
    fn there_are_57_subjects() {
        let mut all: Vec<&str> = SUBJECTS.iter().flat_map(|(_, subjects)| *subjects).copied().collect();
        assert_eq!(all.len(), 57);
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 57);
    }
}
