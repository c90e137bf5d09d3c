//! Tokens with a meaning, and the chat template: from tokenizer_config.json, else config.json.

use std::path::Path;

use serde_json::Value as Json;

use super::{Value, kind_of, steps};
use crate::format::without_mark;
use crate::shape::ModelConfig;

/// What tokenizer_config.json says beside the tokens.
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
    /// Reads what there is; a folder without tokenizer_config.json has what config.json says.
    pub fn read(json: &Json, folder: &Path, config: &ModelConfig) -> Self {
        let read = |name: &str| std::fs::read(folder.join(name)).ok();
        let settings =
            read("tokenizer_config.json").and_then(|bytes| serde_json::from_slice(without_mark(&bytes)).ok());
        let settings: Json = settings.unwrap_or(Json::Null);
        let named = |key: &str| number(json, text(&settings[key])?);
        let bos = named("bos_token").or(config.bos_token);
        let template =
            read("chat_template.jinja").and_then(|bytes| String::from_utf8(without_mark(&bytes).into()).ok());
        Self {
            bos,
            eos: named("eos_token").or(config.eos_tokens.first().copied()),
            unknown: named("unk_token").or_else(|| number(json, json["model"]["unk_token"].as_str()?)),
            padding: named("pad_token"),
            add_bos: settings["add_bos_token"].as_bool().unwrap_or_else(|| begins_with_special(json)) && bos.is_some(),
            add_eos: settings["add_eos_token"] == true,
            // The file goes before the configuration, as in transformers.
            chat_template: template.or_else(|| chat_template(&settings["chat_template"])),
        }
    }

    pub fn keys(&self) -> Vec<(String, Value)> {
        let ids = [
            ("bos_token_id", self.bos),
            ("eos_token_id", self.eos),
            ("unknown_token_id", self.unknown),
            ("padding_token_id", self.padding),
        ];
        let ids = ids.into_iter().filter_map(|(key, id)| Some((key, Value::U32(id?))));
        let flags = [("add_bos_token", self.add_bos), ("add_eos_token", self.add_eos)];
        let flags = flags.into_iter().map(|(key, flag)| (key, Value::Bool(flag)));
        let mut keys: Vec<_> = ids.chain(flags).map(|(key, value)| (format!("tokenizer.ggml.{key}"), value)).collect();
        let template = self.chat_template.clone().map(Value::String);
        keys.extend(template.map(|value| ("tokenizer.chat_template".to_owned(), value)));
        keys
    }
}

/// A special token is written as its text, or as an object with it.
fn text(token: &Json) -> Option<&str> {
    token.as_str().or_else(|| token["content"].as_str())
}

/// The number of a token.
fn number(json: &Json, token: &str) -> Option<u32> {
    let added = json["added_tokens"].as_array().into_iter().flatten();
    let added = added.into_iter().find(|a| a["content"] == token).map(|a| &a["id"]);
    let id = added.unwrap_or(&json["model"]["vocab"][token]).as_u64()?;
    u32::try_from(id).ok()
}

/// Whether the post-processor puts a special token before every text.
fn begins_with_special(json: &Json) -> bool {
    let all = steps(&json["post_processor"], "processors");
    let mut templates = all.into_iter().filter(|step| kind_of(step) == "TemplateProcessing");
    templates.any(|template| template["single"][0]["SpecialToken"].is_object())
}

/// One template, or the one called "default" of several.
fn chat_template(of: &Json) -> Option<String> {
    let default = of.as_array().into_iter().flatten().find(|t| t["name"] == "default");
    let template = of.as_str().or_else(|| default?["template"].as_str());
    template.map(str::to_owned)
}
