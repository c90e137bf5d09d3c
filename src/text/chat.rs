//! A conversation as the text its model was trained on: the chat template of the tokenizer,
//! rendered as transformers renders it (Jinja with trimmed blocks, loop controls, `raise_exception`
//! and an unescaped `tojson`).

use std::error::Error as _;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{Environment, ErrorKind, State};
use serde::Serialize;
use serde_json::Value;

mod compiled;
mod date;
#[cfg(not(target_arch = "wasm32"))]
mod files;
mod json;
mod limits;
mod paid;
mod said;

pub use date::Moment;
pub use said::messages;

use super::TextError;
#[cfg(not(target_arch = "wasm32"))]
use super::TokenizerSettings;
use crate::remedy::{Remedied, Remedy};

/// The tokens a template may name.
const TOKENS: [&str; 7] = ["bos_token", "eos_token", "unk_token", "pad_token", "sep_token", "cls_token", "mask_token"];
/// What transformers gives every template, and gives as none where the caller has nothing: a
/// template that asks `tools is not none` must not find it undefined.
const ABSENT: [&str; 2] = ["tools", "documents"];
/// The function by which templates ask for today's date.
const NOW: &str = "strftime_now";
/// The file of the template that is meant where none is named.
const FILE: &str = "chat_template.jinja";
/// Where the tokenizer's settings stand.
const SETTINGS: &str = "tokenizer_config.json";
/// Of a template that goes on and on.
const TOO_MUCH: &str = "it takes more work or memory than any conversation needs";
/// The template that is meant where none is named.
const DEFAULT: &str = "default";

/// Why a conversation has no text.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChatError {
    /// The tokenizer has no template.
    #[error(
        "this model has no chat template: neither chat_template in tokenizer_config.json nor chat_template.jinja; \
         it was made to continue texts"
    )]
    Missing,
    /// A file with a template cannot be read.
    #[error(transparent)]
    File(#[from] TextError),
    /// There is no template of this name.
    #[error("there is no chat template \"{name}\"; there are: {}", .known.join(", "))]
    Unknown {
        /// What was asked for.
        name: String,
        /// The names there are.
        known: Vec<String>,
    },
    /// The template is no Jinja, or it fails.
    #[error("the chat template fails in line {line}: {reason}")]
    Template {
        /// The line, counted from 1.
        line: usize,
        /// What the template engine says of it.
        reason: String,
    },
    /// The template, or what it writes, is far longer than any that is meant.
    #[error("the chat template {what} {bytes} bytes long; {limit} are the limit")]
    TooLong {
        /// What is too long: "is", or "writes a text that is".
        what: &'static str,
        /// Its bytes.
        bytes: usize,
        /// Most bytes that are taken.
        limit: usize,
    },
    /// The template does not want such messages.
    #[error("the chat template refuses these messages: {0}")]
    Refused(String),
    /// The template asks for today's date.
    #[error("the chat template asks for today's date (strftime_now), which would make the answer depend on the day")]
    Date,
}

/// One turn of a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Message {
    /// "system", "user" or "assistant".
    pub role: &'static str,
    /// What is said, as plain text.
    pub content: String,
}

/// A template as a folder has it.
#[derive(Clone, Debug)]
struct Named {
    name: String,
    source: String,
    /// The file, from the folder on.
    origin: String,
}

impl Named {
    /// The template that is meant where none is named.
    fn of_the_file(source: String) -> Self {
        Self { name: DEFAULT.into(), source, origin: FILE.into() }
    }
}

/// A template and the special tokens it names.
#[derive(Clone, Debug)]
pub struct ChatTemplate {
    named: Named,
    tokens: Vec<(&'static str, String)>,
    now: Option<Moment>,
}

impl ChatTemplate {
    /// The template of a tokenizer_config.json, or the text of a chat_template.jinja, which goes
    /// before it. Where the configuration has several, `name` says which; "default" if none is named.
    ///
    /// # Errors
    /// When there is no template, or none of this name.
    pub fn new(config: &Value, jinja: Option<String>, name: Option<&str>) -> Result<Self, ChatError> {
        Self::of(config, jinja.map(Named::of_the_file).into_iter().collect(), name)
    }

    /// The template of a folder: of chat_template.jinja, of a file under additional_chat_templates, or of
    /// its tokenizer's settings, in this order.
    ///
    /// # Errors
    /// When a file cannot be read, there is no template, or none of this name.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn open(folder: &std::path::Path, settings: &TokenizerSettings, name: Option<&str>) -> Result<Self, ChatError> {
        Self::of(settings.json(), files::read(folder)?, name)
    }

    /// The template of this name among those of `files` and of the configuration.
    fn of(config: &Value, files: Vec<Named>, name: Option<&str>) -> Result<Self, ChatError> {
        let mut known = files;
        let others = named(config).into_iter().filter(|other| !known.iter().any(|known| known.name == other.name));
        let others: Vec<_> = others.collect();
        known.extend(others);
        if known.is_empty() {
            return Err(ChatError::Missing);
        }
        let wanted = name.unwrap_or(DEFAULT);
        let names = known.iter().map(|known| known.name.clone()).collect();
        match known.into_iter().find(|known| known.name == wanted) {
            Some(named) => Ok(Self { named, tokens: special_tokens(config), now: None }),
            None => Err(ChatError::Unknown { name: wanted.into(), known: names }),
        }
    }

    /// The same at a moment, for a template that asks for today's date; without one such a template
    /// is refused, because the library has no clock.
    #[must_use]
    pub fn at(self, now: Moment) -> Self {
        Self { now: Some(now), ..self }
    }

    /// What it is called, and the file of the model's folder that it stands in.
    pub fn origin(&self) -> (&str, &str) {
        (&self.named.name, &self.named.origin)
    }

    /// Whether the template asks for today's date, so that what it renders depends on the day.
    pub fn asks_for_the_date(&self) -> bool {
        self.named.source.contains(NOW)
    }

    /// Special tokens that the template names and the tokenizer does not have; they are rendered as
    /// nothing.
    pub fn undefined_tokens(&self) -> Vec<&'static str> {
        let has = |name: &str| self.tokens.iter().any(|(token, _)| *token == name);
        // A template that is no Jinja, or is beyond the limits, fails where it is rendered.
        let template = self.clone();
        let named = limits::bounded(&self.named.source, 0, move |steps| template.named_tokens(steps));
        let named = named.unwrap_or_default();
        TOKENS.into_iter().filter(|name| named.split(' ').any(|other| other == *name) && !has(name)).collect()
    }

    /// The special tokens that the template names, with spaces between them.
    fn named_tokens(&self, steps: u64) -> Result<String, ChatError> {
        let environment = environment(steps, self.now).map_err(|e| failed(&e))?;
        let source = self.source().map_err(|e| failed(&e))?;
        let template = environment.template_from_named_str("chat", &source).map_err(|e| failed(&e))?;
        let named = template.undeclared_variables(false);
        Ok(TOKENS.into_iter().filter(|name| named.contains(*name)).collect::<Vec<_>>().join(" "))
    }

    /// The text of a conversation that the model is to answer. It has its special tokens in it,
    /// the begin-of-sequence token too where the model wants one: encode it and add nothing.
    ///
    /// # Errors
    /// When the template fails or refuses the messages.
    pub fn render(&self, messages: &[Message]) -> Result<String, ChatError> {
        self.bounded(messages, true)
    }

    /// The text of a conversation that ends with its last message, as a model is trained on it.
    ///
    /// # Errors
    /// As [`Self::render`].
    pub fn render_whole(&self, messages: &[Message]) -> Result<String, ChatError> {
        self.bounded(messages, false)
    }

    fn bounded(&self, messages: &[Message], goes_on: bool) -> Result<String, ChatError> {
        let said = messages.iter().map(|message| message.content.len()).sum();
        let (template, messages) = (self.clone(), messages.to_vec());
        limits::bounded(&self.named.source, said, move |steps| template.rendered(&messages, goes_on, steps))
    }

    /// What the engine is given.
    fn source(&self) -> Result<String, minijinja::Error> {
        compiled::unfolded(&without_training_marks(&self.named.source))
    }

    /// [`Self::render`] in at most so many steps of the engine.
    fn rendered(&self, messages: &[Message], goes_on: bool, steps: u64) -> Result<String, ChatError> {
        let environment = environment(steps, self.now).map_err(|e| failed(&e))?;
        let source = self.source().map_err(|e| failed(&e))?;
        let mut context: serde_json::Map<String, Value> = serde_json::Map::new();
        context.insert("messages".into(), serde_json::json!(messages));
        // Whether the text is to end where an answer begins.
        context.insert("add_generation_prompt".into(), Value::Bool(goes_on));
        context.extend(ABSENT.map(|name| (name.to_owned(), Value::Null)));
        context.extend(self.tokens.iter().map(|(name, text)| ((*name).to_owned(), Value::String(text.clone()))));
        compiled::render(&environment, &source, Serde(&context).into()).map_err(|e| failed(&e))
    }
}

/// `chat_template` of the configuration: one text, or a list of named ones.
fn named(config: &Value) -> Vec<Named> {
    let of = |name: &str, source: &str| Named { name: name.into(), source: source.into(), origin: SETTINGS.into() };
    match &config["chat_template"] {
        Value::String(source) => vec![of(DEFAULT, source)],
        Value::Array(all) => {
            all.iter().filter_map(|t| Some(of(t["name"].as_str()?, t["template"].as_str()?))).collect()
        }
        _ => vec![],
    }
}

/// A token is its text, or an object with its text.
fn special_tokens(config: &Value) -> Vec<(&'static str, String)> {
    let text = |value: &Value| value.as_str().or(value["content"].as_str()).map(str::to_owned);
    TOKENS.into_iter().filter_map(|name| Some((name, text(&config[name])?))).collect()
}

/// What transformers sets: a line with nothing but a block leaves nothing.
fn syntax() -> Result<SyntaxConfig, minijinja::Error> {
    SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()
}

fn environment<'a>(steps: u64, now: Option<Moment>) -> Result<Environment<'a>, minijinja::Error> {
    let mut environment = Environment::new();
    // A stranger's template may go on for ever.
    environment.set_fuel(Some(steps));
    environment.set_syntax(syntax()?);
    // Templates call the methods of Python's strings and dictionaries.
    environment.set_unknown_method_callback(paid::method);
    environment.set_formatter(paid::print);
    environment
        .add_function(compiled::CONCATENATION, |state: &State, left: &minijinja::Value, right: &minijinja::Value| {
            paid::concatenation(state, left, right)
        });
    environment.add_filter("string", paid::string);
    environment.add_filter("tojson", json::to_json);
    environment.add_function("raise_exception", |reason: String| -> Result<String, minijinja::Error> {
        Err(minijinja::Error::from(ErrorKind::InvalidOperation).with_source(Refusal(reason)))
    });
    if let Some(now) = now {
        environment.add_function(NOW, move |format: String| {
            now.format(&format).map_err(|reason| minijinja::Error::new(ErrorKind::InvalidOperation, reason))
        });
    }
    Ok(environment)
}

/// What a template gave to `raise_exception`.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Refusal(String);

/// `{% generation %}` marks what is learnt in training; in use it is nothing.
fn without_training_marks(source: &str) -> String {
    let replaced = |source: &str, mark: &str, by: &str| {
        let pattern = regex::Regex::new(&format!(r"(\{{%[-+]?\s*){mark}(\s*[-+]?%\}})"));
        pattern.map_or_else(|_| source.to_owned(), |p| p.replace_all(source, format!("${{1}}{by}${{2}}")).into_owned())
    };
    replaced(&replaced(source, "generation", "if true"), "endgeneration", "endif")
}

/// The engine's error in our words.
fn failed(error: &minijinja::Error) -> ChatError {
    let mut cause = error.source();
    // The engine wraps what a function returned, perhaps several times.
    while let Some(inner) = cause {
        if let Some(Refusal(reason)) = inner.downcast_ref() {
            return ChatError::Refused(reason.clone());
        }
        cause = inner.source();
    }
    let reason = format!("{}{}", error.kind(), error.detail().map_or_else(String::new, |d| format!(": {d}")));
    match error.kind() {
        ErrorKind::OutOfFuel => {
            let reason = TOO_MUCH.into();
            ChatError::Template { line: error.line().unwrap_or(1), reason }
        }
        // Without a moment the function is not there.
        ErrorKind::UnknownFunction if reason.contains(NOW) => ChatError::Date,
        _ => ChatError::Template { line: error.line().unwrap_or(1), reason },
    }
}

impl Remedied for ChatError {
    fn remedy(&self) -> Option<Remedy> {
        match self {
            Self::Missing | Self::Date => Some(Remedy::NoChat),
            _ => None,
        }
    }
}
