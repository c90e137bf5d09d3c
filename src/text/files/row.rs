//! What the text of a row is.

use serde_json::Value;

use crate::text::Message;
use crate::text::chat::messages;

/// Names that are told of those that there are.
const TOLD: usize = 8;

/// The text of a row.
pub enum Text {
    There(String),
    /// A conversation, which a chat template makes a text.
    Said(Vec<Message>),
    Null,
    /// There is none; what is there instead.
    Missing(String),
    /// There should be one.
    Wrong(String),
}

/// What stands under a key, which may be a path: `a.b` is the part `b` of the part `a`, unless something is called so.
pub fn under<'a>(row: &'a Value, key: &str) -> Option<&'a Value> {
    row.get(key).or_else(|| key.split('.').try_fold(row, |at, name| at.as_object()?.get(name)))
}

/// The part of a row that a path begins with.
pub fn root(key: &str) -> &str {
    key.split('.').next().unwrap_or(key)
}

/// What stands under the key, as a text.
pub fn plain(row: &Value, key: &str) -> Text {
    match under(row, key) {
        Some(Value::String(text)) => Text::There(text.clone()),
        Some(Value::Null) => Text::Null,
        // A conversation in which nothing is said is as good as none.
        Some(Value::Array(list)) if list.is_empty() => Text::Null,
        Some(Value::Array(list)) if list[0].is_object() => match messages(list) {
            Ok(said) => Text::Said(said),
            Err(reason) => Text::Wrong(format!("\"{key}\" is no conversation: {reason}")),
        },
        other => Text::Missing(instead(row, other)),
    }
}

/// Instruction, input and output, or what stands under the key.
pub fn alpaca(row: &Value, key: &str) -> Text {
    let Some(instruction) = row["instruction"].as_str() else { return plain(row, key) };
    let output = match row.get("output") {
        Some(Value::String(output)) => output.as_str(),
        Some(Value::Null) => return Text::Null,
        _ => return Text::Missing(String::new()),
    };
    // Most rows of Alpaca have an empty input, which makes no line.
    let input = row["input"].as_str().filter(|s| !s.is_empty());
    let parts: Vec<&str> = [Some(instruction), input, Some(output)].into_iter().flatten().collect();
    Text::There(parts.join("\n"))
}

/// What is there in the place of a text, to be said behind that there is none.
fn instead(row: &Value, found: Option<&Value>) -> String {
    let kind = match found {
        None => {
            let names: Vec<&str> = row.as_object().into_iter().flatten().map(|(name, _)| name.as_str()).collect();
            return if names.is_empty() { String::new() } else { format!("; there is {}", listed(&names)) };
        }
        Some(Value::Bool(_)) => "a truth value",
        Some(Value::Number(_)) => "a number",
        Some(Value::Array(_)) => "a list",
        _ => "a structure; name a part of it as KEY.PART",
    };
    format!(", but {kind}")
}

/// Names in quotation marks, the first of many.
pub fn listed(names: &[impl AsRef<str>]) -> String {
    let quoted: Vec<String> = names.iter().take(TOLD).map(|name| format!("\"{}\"", name.as_ref())).collect();
    let more = names.len().saturating_sub(TOLD);
    if more > 0 { format!("{} and {more} more", quoted.join(", ")) } else { quoted.join(", ") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_key_may_be_a_path() {
        let row = json!({ "a": { "b": "inner", "c": { "d": "deep" } }, "a.b": "outer", "n": 3, "l": [1] });
        assert_eq!(under(&row, "a.b"), Some(&json!("outer")));
        assert_eq!(under(&row, "a.c.d"), Some(&json!("deep")));
        assert_eq!((under(&row, "a.x"), under(&row, "n.b"), under(&row, "l.0")), (None, None, None));
        let missing = |key: &str| match plain(&row, key) {
            Text::Missing(instead) => instead,
            _ => panic!("{key} is there"),
        };
        assert_eq!(missing("x"), "; there is \"a\", \"a.b\", \"n\", \"l\"");
        assert_eq!((missing("n"), missing("l")), (", but a number".into(), ", but a list".into()));
        assert!(missing("a").contains("KEY.PART"));
    }

    #[test]
    fn a_list_of_messages_is_a_conversation() {
        let row = json!({ "messages": [{ "role": "user", "content": "Hi." }], "none": [], "odd": [{ "role": "me" }] });
        assert!(matches!(plain(&row, "messages"), Text::Said(said) if said[0].content == "Hi."));
        assert!(matches!(plain(&row, "none"), Text::Null));
        assert!(matches!(plain(&row, "odd"), Text::Wrong(reason) if reason.contains("content")));
    }
}
