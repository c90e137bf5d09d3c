//! The tokenizer of a GGUF as a tokenizer.json: llama.cpp has a tokenizer of its own for each kind, and a
//! file only the tokens with their scores or merges. What cannot be said so that it cuts text as
//! llama.cpp does is refused.

mod byte_level;
mod sentence_piece;
mod settings;

use std::collections::HashMap;

use serde_json::{Map, Value as Json, json};

use super::key::tokenizer as key;
use super::value::Value;
use super::{GgufError, Header, TokenKind};

pub use sentence_piece::NEVER_JOINED;
use settings::Special;
pub use settings::ids;
pub(super) use settings::{generation, settings};

/// The tokens of a file.
struct Tokens<'a> {
    texts: &'a [String],
    kinds: Vec<TokenKind>,
}

impl<'a> Tokens<'a> {
    fn read(header: &'a Header) -> Result<Self, GgufError> {
        let texts = header.texts(key::TOKENS)?;
        let kinds = match header.value(key::KINDS) {
            None => vec![TokenKind::Normal; texts.len()],
            Some(Value::Wholes(kinds)) if kinds.len() == texts.len() => {
                let kind = |&n: &i64| {
                    TokenKind::of(n)
                        .ok_or_else(|| GgufError::key(key::KINDS, format!("has the kind {n}, which is none")))
                };
                kinds.iter().map(kind).collect::<Result<_, _>>()?
            }
            Some(_) => return Err(GgufError::key(key::KINDS, "is not a list of a number for each token")),
        };
        Ok(Self { texts, kinds })
    }

    fn iter(&self) -> impl Iterator<Item = (usize, &'a str, TokenKind)> {
        self.texts.iter().zip(&self.kinds).enumerate().map(|(id, (text, &kind))| (id, text.as_str(), kind))
    }

    /// Each text's number; of equal ones the last, as in llama.cpp.
    fn numbers(&self) -> HashMap<&'a str, usize> {
        self.iter().map(|(id, text, _)| (text, id)).collect()
    }

    fn vocabulary(&self) -> Map<String, Json> {
        self.iter().map(|(id, text, _)| (text.to_owned(), json!(id))).collect()
    }

    /// Tokens that are looked for in a text before it is cut.
    fn added(&self) -> Vec<Json> {
        let added = self.iter().filter_map(|(id, text, kind)| {
            let special = match kind {
                TokenKind::Control | TokenKind::Unknown => true,
                TokenKind::UserDefined => false,
                TokenKind::Normal | TokenKind::Unused | TokenKind::Byte => return None,
            };
            // Nothing can be looked for that has no letters.
            (!text.is_empty()).then(|| {
                json!({
                    "id": id, "content": text, "single_word": false, "lstrip": false, "rstrip": false,
                    "normalized": false, "special": special,
                })
            })
        });
        added.collect()
    }
}

/// The tokenizer.json of a file.
///
/// # Errors
/// When the kind of tokenizer, or its rule that cuts text, is not known.
pub(super) fn tokenizer(header: &Header) -> Result<Json, GgufError> {
    let refused = |what: String| Err(GgufError::Tokenizer(what));
    let tokens = Tokens::read(header)?;
    let special = Special::read(header, tokens.texts)?;
    let mut json = match header.text(key::MODEL)? {
        Some(key::SENTENCE_PIECE) => sentence_piece::tokenizer(header, &tokens, &special)?,
        Some(key::BYTE_LEVEL) => byte_level::tokenizer(header, &tokens)?,
        None => return refused(format!("there is no {}", key::MODEL)),
        Some(other) => {
            let known = format!("{} and {}", key::SENTENCE_PIECE, key::BYTE_LEVEL);
            return refused(format!("it is of the kind \"{other}\", and {known} are read"));
        }
    };
    json["version"] = json!("1.0");
    json["truncation"] = Json::Null;
    json["padding"] = Json::Null;
    json["added_tokens"] = json!(tokens.added());
    json["post_processor"] = special.post_processor();
    Ok(json)
}
