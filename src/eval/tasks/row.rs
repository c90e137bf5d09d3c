//! Rows of a JSON-lines file: their fields, and where and how they are wrong.

use serde_json::Value;

use crate::eval::BadRow;

/// What a row became, with its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Placed<T> {
    /// Name of the file, for messages.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// What the row became.
    pub value: T,
}

impl<T> Placed<T> {
    /// Something else at the same place.
    pub fn with<U>(&self, value: U) -> Placed<U> {
        Placed { file: self.file.clone(), line: self.line, value }
    }

    /// The same place with what is wrong there.
    pub fn bad(&self, reason: String) -> BadRow {
        BadRow { file: self.file.clone(), line: self.line, reason }
    }
}

/// What the rows of a file became.
#[derive(Clone, Debug, PartialEq)]
pub struct Rows<T> {
    /// Rows that can be used.
    pub good: Vec<Placed<T>>,
    /// Rows that cannot be used, each with its reason.
    pub bad: Vec<BadRow>,
}

/// Reads at most `limit` rows of JSON lines; empty lines are no rows.
pub fn rows<T>(file: &str, text: &str, limit: Option<usize>, read: impl Fn(&Row<'_>) -> Result<T, String>) -> Rows<T> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let mut rows = Rows { good: Vec::new(), bad: Vec::new() };
    // Of all rows and not of the good ones: the same limit reads the same rows, whatever is wrong with them.
    for (i, line) in lines.take(limit.unwrap_or(usize::MAX)) {
        let place = Placed { file: file.to_owned(), line: i + 1, value: () };
        let value = serde_json::from_str::<Value>(line).map_err(|e| format!("not JSON: {e}"));
        match value.and_then(|value| read(&Row(&value))) {
            Ok(value) => rows.good.push(place.with(value)),
            Err(reason) => rows.bad.push(place.bad(reason)),
        }
    }
    rows
}

/// The fields of a row.
pub struct Row<'a>(pub &'a Value);

impl<'a> Row<'a> {
    /// A text that is not empty.
    pub(crate) fn text(&self, key: &str) -> Result<&'a str, String> {
        match self.any_text(key)? {
            text if text.trim().is_empty() => Err(format!("\"{key}\" is empty")),
            text => Ok(text),
        }
    }

    /// A text that may be empty.
    pub(crate) fn any_text(&self, key: &str) -> Result<&'a str, String> {
        self.present(key)?.as_str().ok_or_else(|| format!("\"{key}\" is {}, not a text", self.0[key]))
    }

    /// Texts that are not empty, `least` of them at least.
    pub(crate) fn texts(&self, key: &str, least: usize) -> Result<Vec<&'a str>, String> {
        let list = self.present(key)?.as_array().ok_or_else(|| format!("\"{key}\" is not a list"))?;
        if list.len() < least {
            return Err(format!("\"{key}\" has {} entries; {least} are needed", list.len()));
        }
        let text = |(i, value): (usize, &'a Value)| match value.as_str() {
            None => Err(format!("entry {i} of \"{key}\" is {value}, not a text")),
            Some(text) if text.trim().is_empty() => Err(format!("entry {i} of \"{key}\" is empty")),
            Some(text) => Ok(text),
        };
        list.iter().enumerate().map(text).collect()
    }

    /// The index of the right choice of `choices`: a number, or a text that holds one.
    pub(crate) fn label(&self, key: &str, choices: usize) -> Result<usize, String> {
        let value = self.present(key)?;
        // HellaSwag's labels are texts, PIQA's are numbers.
        let number = value.as_u64().or_else(|| value.as_str().and_then(|text| text.parse().ok()));
        match number {
            Some(n) if (n as usize) < choices => Ok(n as usize),
            _ => Err(format!("\"{key}\" is {value}, not one of 0 to {}", choices - 1)),
        }
    }

    /// The row under a key.
    pub(crate) fn inner(&self, key: &str) -> Result<Row<'a>, String> {
        self.present(key).map(Row)
    }

    fn present(&self, key: &str) -> Result<&'a Value, String> {
        // `null` says as little as a key that is not there.
        self.0.get(key).filter(|v| !v.is_null()).ok_or_else(|| format!("\"{key}\" is missing"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_that_cannot_be_used_has_its_place_and_reason() {
        let text = "{\"a\": \"x\"}\n\nnot json\n{\"b\": 1}\n{\"a\": \" \"}\n{\"a\": 7}\n";
        let found = rows("f.jsonl", text, None, |row| row.text("a").map(str::to_owned));
        assert_eq!(found.good, [Placed { file: "f.jsonl".into(), line: 1, value: "x".to_owned() }]);
        let bad: Vec<String> = found.bad.iter().map(ToString::to_string).collect();
        assert!(bad[0].starts_with("f.jsonl:3: not JSON"), "{}", bad[0]);
        assert_eq!(
            bad[1..],
            ["f.jsonl:4: \"a\" is missing", "f.jsonl:5: \"a\" is empty", "f.jsonl:6: \"a\" is 7, not a text"]
        );
        assert_eq!(rows("f.jsonl", text, Some(2), |row| row.text("a").map(str::to_owned)).bad.len(), 1);
    }

    #[test]
    fn a_label_is_in_its_range() {
        let row = serde_json::json!({ "n": 1, "text": "1", "high": 2, "low": -1, "word": "one", "none": null });
        let label = |key: &str| Row(&row).label(key, 2);
        assert_eq!((label("n"), label("text")), (Ok(1), Ok(1)));
        for (key, reason) in
            [("high", "is 2"), ("low", "is -1"), ("word", "one"), ("none", "missing"), ("no", "missing")]
        {
            assert!(label(key).unwrap_err().contains(reason), "{key}");
        }
    }

    #[test]
    fn choices_are_texts_and_not_empty() {
        let row = serde_json::json!({ "two": ["a", "b"], "gap": ["a", ""], "number": [1, 2], "text": "a" });
        let texts = |key: &str| Row(&row).texts(key, 2);
        assert_eq!(texts("two"), Ok(vec!["a", "b"]));
        assert_eq!(texts("gap"), Err("entry 1 of \"gap\" is empty".into()));
        assert!(texts("number").is_err() && texts("text").is_err());
        assert!(Row(&row).texts("two", 3).unwrap_err().contains("has 2 entries"));
    }
}
