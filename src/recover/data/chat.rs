//! Conversations in the model's own chat template; what the assistant says is the response.

use serde_json::Value;

use super::encode::Marked;
use crate::text::{ChatTemplate, Files, messages};

/// Under which keys conversations stand: as OpenAI and transformers write them, and as ShareGPT did.
pub(super) const KEYS: [&str; 2] = ["messages", "conversations"];

/// A row as the text of its conversation, with every answer marked.
pub(super) fn read(row: &Value, files: &Files<'_>, template: &ChatTemplate) -> Result<Marked, String> {
    let list = list(row, files).ok_or_else(|| format!("no list under \"{}\" or \"{}\"", KEYS[0], files.key))?;
    let messages = messages(list)?;
    let text = template.render_whole(&messages).map_err(|e| e.to_string())?;
    let answers = messages.iter().enumerate().filter(|(_, message)| message.role == "assistant");
    let responses = answers.map(|(i, _)| {
        // With what the template writes before an answer, which the model is given and need not learn.
        let before = template.render(&messages[..i]).map_err(|e| e.to_string())?;
        let whole = template.render_whole(&messages[..=i]).map_err(|e| e.to_string())?;
        // A template that rewrites earlier turns does not tell where an answer stands in the whole.
        match whole.starts_with(&before) && text.starts_with(&whole) {
            true => Ok(before.len()..whole.len()),
            false => {
                Err("the chat template changes earlier messages, so it does not tell where an answer begins".to_owned())
            }
        }
    });
    let responses: Vec<_> = responses.collect::<Result<_, _>>()?;
    match responses.is_empty() {
        true => Err("no message is the assistant's".into()),
        false => Ok(Marked { text, responses, is_whole: true }),
    }
}

/// The conversation of a row: under the key that was named, or else the usual ones.
pub(super) fn list<'a>(row: &'a Value, files: &Files<'_>) -> Option<&'a [Value]> {
    let named = files.part(row).and_then(Value::as_array);
    let usual = || KEYS.iter().find_map(|key| row.get(*key)?.as_array());
    named.filter(|list| list.iter().all(Value::is_object)).or_else(usual).map(Vec::as_slice)
}
