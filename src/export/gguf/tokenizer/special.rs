//! Tokens with a meaning, and the chat template: from the tokenizer's settings, else config.json.

use std::path::Path;

use serde_json::Value as Json;

use super::Value;
use crate::beside;
use crate::format::without_mark;
use crate::gguf::key::tokenizer as key;
use crate::shape::ModelConfig;
use crate::text::{Before, TokenizerSettings};

/// What the settings say beside the tokens.
pub(super) struct Special {
    bos: Option<u32>,
    eos: Option<u32>,
    unknown: Option<u32>,
    padding: Option<u32>,
    add_bos: bool,
    add_eos: bool,
    chat_template: Option<String>,
}

impl Special {
    /// Takes what there is; a folder without settings has what config.json says.
    pub fn read(json: &Json, settings: &TokenizerSettings, folder: &Path, config: &ModelConfig) -> Self {
        let template = beside::read(folder, "chat_template.jinja").ok();
        let template = template.and_then(|bytes| String::from_utf8(without_mark(&bytes).into()).ok());
        // A token beyond the embeddings can be neither read nor written.
        let is_there = |id: &u32| (*id as usize) < config.vocab_size;
        let named = |key: &str| number(json, settings.token(key)?).filter(is_there);
        let before = Before::of(&json["post_processor"]);
        let own = named("bos_token").or(config.bos_token.filter(is_there));
        let eos = named("eos_token").or_else(|| config.eos_tokens.iter().copied().find(is_there));
        // What tokenizer.json puts before a text is the begin token, whatever it is called elsewhere.
        let bos = if let Before::Token(id) = before { Some(id) } else { own };
        Self {
            bos,
            eos,
            unknown: named("unk_token").or_else(|| number(json, json["model"]["unk_token"].as_str()?)),
            padding: named("pad_token"),
            add_bos: match before {
                Before::Token(_) => true,
                Before::Nothing => false,
                Before::Unsaid => settings.add_bos() == Some(true) && bos.is_some(),
            },
            // Without a number llama.cpp would take one of its own.
            add_eos: settings.json()["add_eos_token"] == true && eos.is_some(),
            // The file goes before the configuration, as in transformers.
            chat_template: template.or_else(|| chat_template(&settings.json()["chat_template"])),
        }
    }

    pub fn keys(&self) -> Vec<(String, Value)> {
        let ids =
            [(key::BOS, self.bos), (key::EOS, self.eos), (key::UNKNOWN, self.unknown), (key::PADDING, self.padding)];
        let ids = ids.into_iter().filter_map(|(key, id)| Some((key, Value::U32(id?))));
        let flags = [(key::ADD_BOS, self.add_bos), (key::ADD_EOS, self.add_eos)];
        let flags = flags.into_iter().map(|(key, flag)| (key, Value::Bool(flag)));
        let mut keys: Vec<_> = ids.chain(flags).map(|(key, value)| (key.to_owned(), value)).collect();
        let template = self.chat_template.clone().map(Value::String);
        keys.extend(template.map(|value| (key::TEMPLATE.to_owned(), value)));
        keys
    }
}

/// The number of a token.
fn number(json: &Json, token: &str) -> Option<u32> {
    let added = json["added_tokens"].as_array().into_iter().flatten();
    let added = added.into_iter().find(|a| a["content"] == token).map(|a| &a["id"]);
    let id = added.unwrap_or(&json["model"]["vocab"][token]).as_u64()?;
    u32::try_from(id).ok()
}

/// One template, or the one called "default" of several.
fn chat_template(of: &Json) -> Option<String> {
    let default = of.as_array().into_iter().flatten().find(|t| t["name"] == "default");
    let template = of.as_str().or_else(|| default?["template"].as_str());
    template.map(str::to_owned)
}
