//! What stands beside a tokenizer.json: which tokens have a meaning, tokens that were added later,
//! and the chat templates. Read from the files and in the order in which transformers reads them.

use serde_json::Value;

#[cfg(not(target_arch = "wasm32"))]
use super::TextError;
#[cfg(not(target_arch = "wasm32"))]
use crate::beside;
#[cfg(not(target_arch = "wasm32"))]
use crate::format::without_mark;

/// The settings of a tokenizer.
#[derive(Clone, Debug, Default)]
pub struct TokenizerSettings {
    settings: Value,
    added: Vec<AddedToken>,
}

/// A token that is not in tokenizer.json itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddedToken {
    /// Its number.
    pub id: u32,
    /// Its text.
    pub content: String,
    /// Whether it is left out of decoded text.
    pub special: bool,
}

/// What tokenizer_config.json lists its added tokens under, since version 4.34.
const DECODER: &str = "added_tokens_decoder";

impl TokenizerSettings {
    /// From the contents of tokenizer_config.json, special_tokens_map.json and added_tokens.json;
    /// null for a file that is not there.
    pub fn new(config: Value, map: Value, added: &Value) -> Self {
        let mut settings = if config.is_object() { config } else { Value::Object(serde_json::Map::new()) };
        if settings[DECODER].is_object() {
            // The older files are left-overs beside it.
            let added = decoder(&settings);
            return Self { settings, added };
        }
        if let Value::Object(map) = map {
            // Its word counts, as in transformers.
            map.into_iter().for_each(|(name, token)| settings[name] = token);
        }
        let added = added_tokens(&settings, added);
        Self { settings, added }
    }

    /// Those of a folder, or of a GGUF file; files that are not there say nothing.
    ///
    /// # Errors
    /// When a file is there and cannot be read, or is no JSON.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn open(folder: &std::path::Path) -> Result<Self, TextError> {
        let read = |name: &str| {
            let wrong =
                |file: &std::path::Path, reason: String| TextError::File { file: file.display().to_string(), reason };
            match beside::read(folder, name) {
                Ok(json) => serde_json::from_slice(without_mark(&json))
                    .map_err(|e| wrong(&folder.join(name), format!("not JSON: {e}"))),
                // Which of the three there are depends on the version that wrote them.
                Err(e) if e.cause.kind() == std::io::ErrorKind::NotFound => Ok(Value::Null),
                Err(e) => Err(wrong(&e.path, e.cause.to_string())),
            }
        };
        let [config, map, added] = ["tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"].map(read);
        Ok(Self::new(config?, map?, &added?))
    }

    /// tokenizer_config.json with the special tokens that count.
    pub fn json(&self) -> &Value {
        &self.settings
    }

    /// The text of a special token, such as `bos_token`.
    pub fn token(&self, name: &str) -> Option<&str> {
        text(&self.settings[name])
    }

    /// Tokens that tokenizer.json may lack, by their numbers.
    pub fn added(&self) -> &[AddedToken] {
        &self.added
    }

    /// Whether a text begins with the begin token, where the settings say anything of it.
    pub fn add_bos(&self) -> Option<bool> {
        self.settings["add_bos_token"].as_bool()
    }
}

/// A special token is written as its text, or as an object with it.
fn text(token: &Value) -> Option<&str> {
    token.as_str().or_else(|| token["content"].as_str())
}

fn decoder(settings: &Value) -> Vec<AddedToken> {
    let tokens = settings[DECODER].as_object().into_iter().flatten().filter_map(|(id, token)| {
        let (id, content) = (id.parse().ok()?, text(token)?.to_owned());
        Some(AddedToken { id, content, special: token["special"] == true })
    });
    in_order(tokens.collect())
}

/// Those of added_tokens.json, which tells only text and number; a token that has a meaning is
/// special.
fn added_tokens(settings: &Value, added: &Value) -> Vec<AddedToken> {
    let has_meaning = |token: &str| {
        let mut named = settings.as_object().into_iter().flatten().filter(|(name, _)| name.ends_with("_token"));
        named.any(|(_, named)| text(named) == Some(token))
    };
    let tokens = added.as_object().into_iter().flatten().filter_map(|(content, id)| {
        let id = u32::try_from(id.as_u64()?).ok()?;
        Some(AddedToken { id, content: content.clone(), special: has_meaning(content) })
    });
    in_order(tokens.collect())
}

/// By number, as they are added one after the other.
fn in_order(mut tokens: Vec<AddedToken>) -> Vec<AddedToken> {
    tokens.sort_by_key(|token| token.id);
    tokens
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_map_counts_where_the_settings_list_no_added_tokens() {
        let config = json!({ "bos_token": "<old>", "chat_template": "x" });
        let map = json!({ "bos_token": { "content": "<s>" }, "pad_token": "<pad>" });
        let settings = TokenizerSettings::new(config.clone(), map.clone(), &Value::Null);
        assert_eq!((settings.token("bos_token"), settings.token("pad_token")), (Some("<s>"), Some("<pad>")));
        assert_eq!(settings.json()["chat_template"], "x");
        assert_eq!(TokenizerSettings::new(Value::Null, map.clone(), &Value::Null).token("bos_token"), Some("<s>"));
        let mut newer = config;
        newer[DECODER] =
            json!({ "9": { "content": "<b>", "special": false }, "8": { "content": "<a>", "special": true } });
        let settings = TokenizerSettings::new(newer, map, &json!({ "<c>": 10 }));
        assert_eq!((settings.token("bos_token"), settings.token("pad_token")), (Some("<old>"), None));
        let added = |id, content: &str, special| AddedToken { id, content: content.into(), special };
        assert_eq!(settings.added(), [added(8, "<a>", true), added(9, "<b>", false)]);
    }

    #[test]
    fn older_added_tokens_are_special_where_they_have_a_meaning() {
        let added = json!({ "<user>": 33, "<pad>": 32 });
        let settings = TokenizerSettings::new(json!({ "pad_token": "<pad>" }), Value::Null, &added);
        let special: Vec<_> = settings.added().iter().map(|t| (t.id, &*t.content, t.special)).collect();
        assert_eq!(special, [(32, "<pad>", true), (33, "<user>", false)]);
    }
}
