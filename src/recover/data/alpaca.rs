//! Rows of instruction, input and output in the prompt that Stanford Alpaca was trained with, which
//! most instruction sets of this kind are read in.

use serde_json::Value;

use super::encode::Marked;

/// Under which keys its parts stand; the first tells a row of this kind.
pub(super) const KEYS: [&str; 3] = ["instruction", "input", "output"];

/// A row as its prompt and response.
pub(super) fn read(row: &Value) -> Result<Marked, String> {
    let text = |key: &str| row[key].as_str();
    let instruction = text("instruction").ok_or("no text under \"instruction\"")?;
    let output = text("output").ok_or("no text under \"output\"")?;
    let prompt = prompt(instruction, text("input").filter(|input| !input.is_empty()));
    let response = prompt.len()..prompt.len() + output.len();
    Ok(Marked { text: prompt + output, responses: vec![response], is_whole: false })
}

fn prompt(instruction: &str, input: Option<&str>) -> String {
    match input {
        Some(input) => format!(
            "Below is an instruction that describes a task, paired with an input that provides further context. \
             Write a response that appropriately completes the request.\n\n### Instruction:\n{instruction}\n\n\
             ### Input:\n{input}\n\n### Response:\n"
        ),
        None => format!(
            "Below is an instruction that describes a task. Write a response that appropriately completes the \
             request.\n\n### Instruction:\n{instruction}\n\n### Response:\n"
        ),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_response_is_what_stands_behind_the_prompt() {
        let row = json!({ "instruction": "Add.", "input": "1 1", "output": "2" });
        let marked = read(&row).unwrap();
        assert!(marked.text.contains("### Input:\n1 1\n") && marked.text.ends_with("### Response:\n2"));
        assert_eq!(&marked.text[marked.responses[0].clone()], "2");
        let plain = read(&json!({ "instruction": "Add.", "input": "", "output": "é" })).unwrap();
        assert!(!plain.text.contains("Input"));
        assert_eq!(&plain.text[plain.responses[0].clone()], "é");
        assert!(read(&json!({ "instruction": "Add." })).err().unwrap().contains("output"));
    }
}
