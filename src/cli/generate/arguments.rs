//! What is typed after `slimgpt generate` about the prompt: a text, a file, standard input, or a
//! conversation in the model's own form.

use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;
use slimgpt::checkpoint::generation_ends;
use slimgpt::disk;
use slimgpt::format::without_mark;
use slimgpt::text::{ChatTemplate, Message, Moment, Tokenizer, TokenizerSettings};

use super::{Prompt, Usage, Writer};
use crate::cli::arguments::{self, AdapterArgument};
use crate::cli::hub::model_called;
use crate::cli::out;

/// Which text, and whether it is put to the model as a conversation.
#[derive(Args)]
pub struct PromptArguments {
    #[command(flatten)]
    given: Given,
    #[command(flatten)]
    adapter: AdapterArgument,
    /// Put it to the model as a conversation, by the chat template of its tokenizer
    #[arg(long)]
    chat: bool,
    /// What the system says before the user
    #[arg(long, value_name = "TEXT", requires = "chat")]
    system: Option<String>,
    /// Which chat template, for a tokenizer that has several; by default the one named default
    #[arg(long, value_name = "NAME", requires = "chat")]
    chat_template: Option<String>,
    /// The date, as 2026-01-31, for a chat template that puts today's into the prompt
    ///
    /// By default today's (UTC).
    #[arg(long, value_name = "DATE", requires = "chat", value_parser = date)]
    date: Option<Moment>,
}

/// Today, for people who gave no date: what the same command rendered yesterday may differ.
fn today() -> Moment {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Moment(since.map_or(0, |since| since.as_secs()))
}

fn date(text: &str) -> Result<Moment, String> {
    Moment::of_day(text).ok_or_else(|| format!("\"{text}\" is no date; write one as 2026-01-31"))
}

/// The text, in one of two ways.
#[derive(Args)]
#[group(required = true, multiple = false)]
struct Given {
    /// The beginning of the text; with --chat, what the user says
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    prompt: Option<String>,
    /// A file with it, or - for standard input; taken as it stands, its last line end included
    #[arg(long, value_name = "FILE|-")]
    prompt_file: Option<PathBuf>,
}

impl PromptArguments {
    /// The folder of the low-rank factors that are added.
    pub fn adapter_mut(&mut self) -> &mut Option<PathBuf> {
        self.adapter.folder_mut()
    }

    /// Opens a model that is to continue `text`, which [`Self::text`] has read.
    pub fn open(&self, model: &Path, text: &str) -> Result<Writer> {
        let (checkpoint, tokenizer) = arguments::open(model)?;
        let checkpoint = self.adapter.on(checkpoint)?;
        let settings = TokenizerSettings::open(model)?;
        let prompt = match self.chat {
            true => self.conversation(model, &settings, text.to_owned(), &tokenizer)?,
            false => Prompt::continuing(text, tokenizer.begin(&settings)?, &tokenizer)?,
        };
        // A prompt that cannot be continued is refused before weights are loaded.
        prompt.check(&checkpoint)?;
        let mut ends = generation_ends(model)?;
        if self.chat {
            // What ends an answer is often not what ends a text.
            ends.extend(settings.token("eos_token").and_then(|end| tokenizer.token(end)));
        }
        Ok(Writer::new(model_called(model), checkpoint, tokenizer, prompt).ending_at(&ends))
    }

    /// The text as it was given. Standard input can be read only once.
    pub fn text(&self) -> Result<String> {
        match (&self.given.prompt, &self.given.prompt_file) {
            (Some(text), _) => Ok(text.clone()),
            (None, Some(file)) if file == Path::new("-") => {
                let mut text = String::new();
                std::io::stdin().read_to_string(&mut text).context("--prompt-file -: standard input")?;
                Ok(text)
            }
            (None, Some(file)) => read_text(file).with_context(|| format!("--prompt-file {}", file.display())),
            (None, None) => Ok(String::new()),
        }
    }

    fn conversation(
        &self,
        model: &Path,
        settings: &TokenizerSettings,
        said: String,
        tokenizer: &Tokenizer,
    ) -> Result<Prompt> {
        if said.trim().is_empty() {
            return Err(Usage("--prompt is empty: with --chat, it is what the user says".into()).into());
        }
        let template = ChatTemplate::open(model, settings, self.chat_template.as_deref())?;
        let (name, origin) = template.origin();
        out::detail(format_args!("chat template: {name} of {}", model.join(origin).display()));
        if template.asks_for_the_date() && self.date.is_none() {
            let what = "the chat template puts today's date into the prompt; --date gives the same prompt every day";
            out::note(format_args!("note: {}: {what}", model.display()));
        }
        let template = template.at(self.date.unwrap_or_else(today));
        for token in template.undefined_tokens() {
            out::note(format_args!(
                "note: {}: the chat template names {token}, which the tokenizer does not have",
                model.display()
            ));
        }
        let system = self.system.clone().map(|content| Message { role: "system", content });
        let messages: Vec<Message> = system.into_iter().chain([Message { role: "user", content: said }]).collect();
        Prompt::answering(&template.render(&messages)?, tokenizer)
    }
}

/// A text without the mark that some programs write first.
fn read_text(file: &Path) -> std::io::Result<String> {
    let bytes = disk::read_named(file, disk::SETTINGS).map_err(|e| e.cause)?;
    let text = std::str::from_utf8(without_mark(&bytes));
    text.map(str::to_owned).map_err(|e| std::io::Error::new(std::io::ErrorKind::InvalidData, e))
}
