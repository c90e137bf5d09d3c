//! What was typed, for the report: the words, and every setting with its value, defaults among them.

use std::collections::BTreeMap;

use clap::{Arg, ArgMatches};
use slimgpt::pipeline::Typed;

use super::program;

/// What was typed for a command of this name.
pub fn typed(name: &str) -> Typed {
    let words: Vec<std::ffi::OsString> = std::env::args_os().collect();
    let command = words.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let mut whole = program();
    // It was understood once already, or nobody would ask.
    let matches = whole.try_get_matches_from_mut(words).ok();
    let settings = match (whole.find_subcommand(name), matches.as_ref().and_then(|m| m.subcommand_matches(name))) {
        (Some(command), Some(matches)) => settings(command.get_arguments(), matches),
        _ => BTreeMap::new(),
    };
    Typed { command, settings }
}

fn settings<'a>(arguments: impl Iterator<Item = &'a Arg>, matches: &ArgMatches) -> BTreeMap<String, Vec<String>> {
    let values = |argument: &Arg| -> Option<Vec<String>> {
        let raw = matches.try_get_raw(argument.get_id().as_str()).ok()?;
        Some(raw.into_iter().flatten().map(|value| value.to_string_lossy().into_owned()).collect())
    };
    // A setting without a value and without a default is there all the same: nothing was chosen.
    arguments
        .filter_map(|argument| Some((argument.get_id().to_string().replace('_', "-"), values(argument)?)))
        .collect()
}
