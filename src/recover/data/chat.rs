//! Conversations in the model's own chat template; what the assistant says is the response.

use serde_json::Value;

use super::encode::Marked;
use crate::text::{ChatTemplate, Message};

/// Under which keys conversations stand: as OpenAI and transformers write them, and as ShareGPT did.
pub(super) const KEYS: [&str; 2] = ["messages", "conversations"];

/// What a speaker is called, and what templates call it.
const ROLES: [(&str, &str); 6] = [
    ("system", "system"),
    ("user", "user"),
    ("human", "user"),
    ("assistant", "assistant"),
    ("gpt", "assistant"),
    ("tool", "tool"),
];

/// A row as the text of its conversation, with every answer marked.
pub(super) fn read(row: &Value, template: &ChatTemplate) -> Result<Marked, String> {
    let messages = messages(row)?;
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

fn messages(row: &Value) -> Result<Vec<Message>, String> {
    let list = KEYS.iter().find_map(|key| row[*key].as_array());
    let list = list.ok_or_else(|| format!("no list under \"{}\"", KEYS[0]))?;
    list.iter().map(message).collect()
}

fn message(value: &Value) -> Result<Message, String> {
    let text = |keys: [&str; 2]| keys.iter().find_map(|key| value[*key].as_str());
    let speaker = text(["role", "from"]).ok_or("a message has no \"role\"")?;
    let content = text(["content", "value"]).ok_or("a message has no text under \"content\"")?.to_owned();
    let role = ROLES.iter().find(|(name, _)| *name == speaker).map(|(_, role)| *role);
    let role =
        role.ok_or_else(|| format!("\"{speaker}\" is no role; there are {}", ROLES.map(|(name, _)| name).join(", ")))?;
    Ok(Message { role, content })
}
