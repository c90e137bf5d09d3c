//! Which token a tokenizer puts before a text: what the post-processor of tokenizer.json says.

use serde_json::Value;

/// What stands before every text that is encoded with its special tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Before {
    /// The post-processor adds no tokens anywhere, so that only a flag can say more.
    Unsaid,
    /// It could put a token there, and puts none.
    Nothing,
    /// This token.
    Token(u32),
}

impl Before {
    /// What the `post_processor` of a tokenizer.json puts there.
    pub fn of(post_processor: &Value) -> Self {
        // A sequence of them, or one.
        let all = post_processor["processors"].as_array().map_or(std::slice::from_ref(post_processor), Vec::as_slice);
        all.iter().map(Self::of_one).find(|before| *before != Self::Unsaid).unwrap_or(Self::Unsaid)
    }

    fn of_one(step: &Value) -> Self {
        let id = match step["type"].as_str() {
            Some("TemplateProcessing") => {
                let token = step["single"][0]["SpecialToken"]["id"].as_str();
                token.map(|token| &step["special_tokens"][token]["ids"][0])
            }
            Some("BertProcessing" | "RobertaProcessing") => Some(&step["cls"][1]),
            _ => return Self::Unsaid,
        };
        let id = id.and_then(Value::as_u64).and_then(|id| u32::try_from(id).ok());
        id.map_or(Self::Nothing, Self::Token)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_template_says_what_stands_before_a_text() {
        let template = |single: Value| {
            let tokens = json!({ "<s>": { "id": "<s>", "ids": [7], "tokens": ["<s>"] } });
            json!({ "type": "TemplateProcessing", "single": single, "special_tokens": tokens })
        };
        let with = template(json!([{ "SpecialToken": { "id": "<s>" } }, { "Sequence": { "id": "A" } }]));
        let without = template(json!([{ "Sequence": { "id": "A" } }, { "SpecialToken": { "id": "<s>" } }]));
        assert_eq!((Before::of(&with), Before::of(&without)), (Before::Token(7), Before::Nothing));
        let bytes = json!({ "type": "ByteLevel" });
        assert_eq!((Before::of(&bytes), Before::of(&Value::Null)), (Before::Unsaid, Before::Unsaid));
        let sequence = json!({ "type": "Sequence", "processors": [bytes, with] });
        assert_eq!(Before::of(&sequence), Before::Token(7));
        assert_eq!(Before::of(&json!({ "type": "RobertaProcessing", "cls": ["<s>", 3] })), Before::Token(3));
    }
}
