//! Conversations as rows have them: as OpenAI and transformers write them, and as ShareGPT did.

use serde_json::Value;

use super::Message;

/// What a speaker is called, and what templates call it.
const ROLES: [(&str, &str); 6] = [
    ("system", "system"),
    ("user", "user"),
    ("human", "user"),
    ("assistant", "assistant"),
    ("gpt", "assistant"),
    ("tool", "tool"),
];

/// The messages of a list.
///
/// # Errors
/// When one has no speaker that is known, or no text.
pub fn messages(list: &[Value]) -> Result<Vec<Message>, String> {
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
