//! Tokens with a meaning and the chat template, as tokenizer_config.json and generation_config.json have
//! them.

use serde_json::{Value as Json, json};

use super::super::key::tokenizer as key;
use super::super::value::Value;
use super::{GgufError, Header, byte_level};

/// Further tokens at which llama.cpp ends an answer.
const ENDS: [&str; 2] = ["eot_token_id", "eom_token_id"];

/// Tokens with a meaning, and which of them are put around a text.
pub(super) struct Special<'a> {
    texts: &'a [String],
    bos: Option<u32>,
    eos: Option<u32>,
    unknown: Option<u32>,
    padding: Option<u32>,
    add_bos: bool,
    add_eos: bool,
}

impl<'a> Special<'a> {
    /// What the keys say; where they say nothing, what llama.cpp takes for the kind of tokenizer.
    pub fn read(header: &Header, texts: &'a [String]) -> Result<Self, GgufError> {
        let is_sentence_piece = header.text(key::MODEL)? == Some(key::SENTENCE_PIECE);
        // llama.cpp's own numbers for it.
        let usual = |id: u32| is_sentence_piece.then_some(id).filter(|&id| (id as usize) < texts.len());
        let bos = number(header, key::BOS, texts.len())?.or(usual(1));
        let eos = number(header, key::EOS, texts.len())?.or(usual(2));
        let adds = is_sentence_piece || byte_level::rule(header).is_ok_and(|rule| rule.adds_bos);
        Ok(Self {
            texts,
            bos,
            eos,
            unknown: number(header, key::UNKNOWN, texts.len())?.or(usual(0)),
            padding: number(header, key::PADDING, texts.len())?,
            add_bos: header.flag(key::ADD_BOS)?.unwrap_or(adds) && bos.is_some(),
            add_eos: header.flag(key::ADD_EOS)?.unwrap_or(false) && eos.is_some(),
        })
    }

    fn text(&self, id: Option<u32>) -> Option<&'a str> {
        self.texts.get(id? as usize).map(String::as_str)
    }

    /// The token for what has none.
    pub fn unknown(&self) -> Option<&'a str> {
        self.text(self.unknown)
    }

    /// The `post_processor` of a tokenizer.json; null where nothing is put around a text.
    pub fn post_processor(&self) -> Json {
        let named = |adds: bool, id: Option<u32>| Some((self.text(id.filter(|_| adds))?, id?));
        let (begin, end) = (named(self.add_bos, self.bos), named(self.add_eos, self.eos));
        if begin.is_none() && end.is_none() {
            return Json::Null;
        }
        let around = |sequence: &str, kind: u32| -> Vec<Json> {
            let token = |token: Option<(&str, u32)>| {
                token.map(|(text, _)| json!({ "SpecialToken": { "id": text, "type_id": kind } }))
            };
            let text = json!({ "Sequence": { "id": sequence, "type_id": kind } });
            token(begin).into_iter().chain([text]).chain(token(end)).collect()
        };
        let entry = |(text, id): (&str, u32)| (text.to_owned(), json!({ "id": text, "ids": [id], "tokens": [text] }));
        let tokens: serde_json::Map<String, Json> = begin.into_iter().chain(end).map(entry).collect();
        let pair = [around("A", 0), around("B", 1)].concat();
        json!({
            "type": "TemplateProcessing", "single": around("A", 0), "pair": pair, "special_tokens": tokens,
        })
    }
}

/// The number of a token, if the key is there and the token too.
fn number(header: &Header, key: &str, tokens: usize) -> Result<Option<u32>, GgufError> {
    // Some files have −1, or a number beyond all tokens, for none.
    let id = match header.value(key) {
        Some(Value::Whole(id)) => u32::try_from(*id).ok(),
        None => None,
        Some(_) => return Err(GgufError::key(key, "is not the number of a token")),
    };
    Ok(id.filter(|&id| (id as usize) < tokens))
}

/// The tokenizer_config.json of a file.
pub(in crate::gguf) fn settings(header: &Header) -> Result<Json, GgufError> {
    let special = Special::read(header, header.texts(key::TOKENS)?)?;
    let mut json = json!({
        "tokenizer_class": "PreTrainedTokenizerFast", "add_bos_token": special.add_bos,
        "add_eos_token": special.add_eos, "clean_up_tokenization_spaces": false,
    });
    let Special { bos, eos, unknown, padding, .. } = special;
    for (name, id) in [("bos_token", bos), ("eos_token", eos), ("unk_token", unknown), ("pad_token", padding)] {
        if let Some(text) = special.text(id) {
            json[name] = json!(text);
        }
    }
    if let Some(template) = chat_template(header)? {
        json["chat_template"] = template;
    }
    Ok(json)
}

/// The one template, or the list of all under their names where there are others.
fn chat_template(header: &Header) -> Result<Option<Json>, GgufError> {
    let Some(default) = header.text(key::TEMPLATE)? else { return Ok(None) };
    let others = header.beginning(key::TEMPLATE).filter_map(|(end, value)| match value {
        Value::Text(text) => Some((end.strip_prefix('.')?, text)),
        _ => None,
    });
    let named = |name: &str, template: &str| json!({ "name": name, "template": template });
    let others: Vec<Json> = others.map(|(name, text)| named(name, text)).collect();
    let all = [vec![named("default", default)], others].concat();
    Ok(Some(if all.len() == 1 { json!(default) } else { json!(all) }))
}

/// The generation_config.json of a file; `None` where nothing says what ends a text.
pub(in crate::gguf) fn generation(header: &Header) -> Result<Option<Json>, GgufError> {
    let texts = header.texts(key::TOKENS)?;
    let special = Special::read(header, texts)?;
    let mut ends: Vec<u32> = special.eos.into_iter().collect();
    for end in ENDS {
        let id = number(header, &format!("{}{end}", key::START), texts.len())?;
        // One token may end both a text and an answer.
        ends.extend(id.filter(|id| !ends.contains(id)));
    }
    let mut json = json!({ "eos_token_id": ends });
    if let Some(bos) = special.bos {
        json["bos_token_id"] = json!(bos);
    }
    Ok((!ends.is_empty()).then_some(json))
}

/// The numbers of the tokens that begin and end a text, where there are such.
///
/// # Errors
/// When a key of the tokenizer is of another type than it has to be.
pub fn ids(header: &Header) -> Result<(Option<u32>, Option<u32>), GgufError> {
    match header.value(key::TOKENS) {
        // A file of weights alone is a model too.
        None => Ok((None, None)),
        Some(_) => {
            let special = Special::read(header, header.texts(key::TOKENS)?)?;
            Ok((special.bos, special.eos))
        }
    }
}
