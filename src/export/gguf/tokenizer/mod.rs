//! tokenizer.json in GGUF's words.
//!
//! llama.cpp does not run a tokenizer.json: it has a tokenizer of its own for each kind, and is
//! told the tokens and either their scores (SentencePiece's kind) or their merges (byte-level
//! BPE). What those would cut differently from the file is refused.

mod byte_level;
mod sentence_piece;
mod special;

use std::path::Path;

use serde_json::Value as Json;
use special::Special;

use super::{ExportError, Value};
use crate::format::without_mark;
use crate::gguf::TokenKind as Kind;
use crate::gguf::key::tokenizer as key;
use crate::shape::ModelConfig;
use crate::text::TokenizerSettings;
use crate::{beside, disk};

/// A tokenizer as the file has it.
pub(super) struct Vocabulary {
    tokens: Vec<String>,
    kinds: Vec<Kind>,
    model: Model,
    special: Special,
}

/// How text is cut into tokens.
enum Model {
    /// SentencePiece's kind: the pair whose token has the highest score is joined first.
    Scores { scores: Vec<f32>, add_space_prefix: bool },
    /// Byte-level BPE: text is cut by the rule `pre`, then pairs are joined in the order of `merges`.
    Merges { pre: &'static str, merges: Vec<String> },
}

impl Vocabulary {
    /// Reads the tokenizer of a folder.
    ///
    /// # Errors
    /// When there is none, or llama.cpp has no tokenizer that would cut text as it does.
    pub fn read(folder: &Path, config: &ModelConfig) -> Result<Self, ExportError> {
        const FILE: &str = "tokenizer.json";
        let bytes = beside::read_within(folder, FILE, disk::TOKENIZER)?;
        let path = folder.join(FILE);
        let refused = |reason: String| ExportError::Tokenizer { path: path.clone(), reason };
        let mut json: Json =
            serde_json::from_slice(without_mark(&bytes)).map_err(|e| refused(format!("it is not JSON ({e})")))?;
        let settings = TokenizerSettings::open(folder).map_err(ExportError::Settings)?;
        add(&mut json, &settings, config.vocab_size);
        Self::of(&json, &settings, folder, config).map_err(refused)
    }

    fn of(json: &Json, settings: &TokenizerSettings, folder: &Path, config: &ModelConfig) -> Result<Self, String> {
        let kind = json["model"]["type"].as_str().unwrap_or("BPE");
        if kind != "BPE" {
            return Err(format!("its model is of type {kind}"));
        }
        let (tokens, mut kinds) = tokens(json, config.vocab_size)?;
        // Byte-level BPE has a letter for every byte and nothing to fall back from.
        let model = if json["model"]["byte_fallback"] == true {
            sentence_piece::mark(&tokens, &mut kinds, json);
            sentence_piece::model(json, &tokens)?
        } else {
            byte_level::model(json)?
        };
        let special = Special::read(json, settings, folder, config);
        Ok(Self { tokens, kinds, model, special })
    }

    /// The keys that describe it.
    pub fn keys(&self) -> Vec<(String, Value)> {
        let entry = |key: &str, value: Value| (key.to_owned(), value);
        let is_scored = matches!(self.model, Model::Scores { .. });
        let name = if is_scored { key::SENTENCE_PIECE } else { key::BYTE_LEVEL };
        let mut keys = vec![entry(key::MODEL, Value::String(name.into()))];
        match &self.model {
            Model::Scores { scores, add_space_prefix } => keys.extend([
                entry(key::RULE, Value::String("default".into())),
                entry(key::SCORES, Value::F32s(scores.clone())),
                entry(key::SPACE, Value::Bool(*add_space_prefix)),
            ]),
            Model::Merges { pre, merges } => keys.extend([
                entry(key::RULE, Value::String((*pre).into())),
                entry(key::MERGES, Value::Strings(merges.clone())),
            ]),
        }
        keys.push(entry(key::TOKENS, Value::Strings(self.tokens.clone())));
        keys.push(entry(key::KINDS, Value::I32s(self.kinds.iter().map(|&k| k as i32).collect())));
        keys.extend(self.special.keys());
        keys
    }
}

/// The tokens by their numbers, with their kinds; numbers that have an embedding and no token are
/// filled with unused ones.
fn tokens(json: &Json, count: usize) -> Result<(Vec<String>, Vec<Kind>), String> {
    let mut tokens: Vec<Option<(String, Kind)>> = vec![None; count];
    let mut put = |id: Option<u64>, text: &str, kind: Kind| {
        let slot = id.and_then(|id| tokens.get_mut(id as usize));
        let slot = slot.ok_or_else(|| format!("its token \"{text}\" has a number beyond the {count} embeddings"))?;
        *slot = Some((text.to_owned(), kind));
        Ok::<_, String>(())
    };
    let vocabulary = json["model"]["vocab"].as_object().ok_or("it has no \"vocab\"")?;
    for (text, id) in vocabulary {
        put(id.as_u64(), text, Kind::Normal)?;
    }
    // After the vocabulary: such a token may stand there too, and its kind is the added one's.
    for added in json["added_tokens"].as_array().into_iter().flatten() {
        let text = added["content"].as_str().unwrap_or_default();
        let kind = if added["special"] == true { Kind::Control } else { Kind::UserDefined };
        put(added["id"].as_u64(), text, kind)?;
    }
    // As llama.cpp's own conversion names them.
    let unused = |i: usize| (format!("[PAD{i}]"), Kind::Unused);
    Ok(tokens.into_iter().enumerate().map(|(i, token)| token.unwrap_or_else(|| unused(i))).unzip())
}

/// Adds the tokens that stand in files beside tokenizer.json, where the model has an embedding for them.
fn add(json: &mut Json, settings: &TokenizerSettings, count: usize) {
    for token in settings.added().iter().filter(|token| (token.id as usize) < count) {
        let in_list = |list: &Json| list.as_array().into_iter().flatten().any(|a| a["content"] == token.content);
        let is_known = in_list(&json["added_tokens"]) || !json["model"]["vocab"][&token.content].is_null();
        let added = serde_json::json!({ "id": token.id, "content": token.content, "special": token.special });
        match &mut json["added_tokens"] {
            Json::Array(all) if !is_known => all.push(added),
            _ => {}
        }
    }
}

/// The steps of a normalizer, pre-tokenizer or post-processor, whether it is one or a list of them.
fn steps<'a>(of: &'a Json, list: &str) -> Vec<&'a Json> {
    match (of.is_null(), of[list].as_array()) {
        (true, _) => vec![],
        (false, Some(all)) => all.iter().collect(),
        (false, None) => vec![of],
    }
}

fn kind_of(step: &Json) -> &str {
    step["type"].as_str().unwrap_or("(none)")
}

/// The merges as pairs; they are written as pairs or as two words.
fn merges(json: &Json) -> Result<Vec<(&str, &str)>, String> {
    fn pair(merge: &Json) -> Option<(&str, &str)> {
        match merge {
            Json::Array(two) => Some((two.first()?.as_str()?, two.get(1)?.as_str()?)),
            _ => merge.as_str()?.split_once(' '),
        }
    }
    let all = json["model"]["merges"].as_array().ok_or("it has no \"merges\"")?;
    all.iter().map(|merge| pair(merge).ok_or_else(|| format!("its merge {merge} is not a pair"))).collect()
}
