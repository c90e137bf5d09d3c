//! `--schedule`: a curve's name, the search, or a file.

use std::io;
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::parser::ValueSource;
use clap::{ArgMatches, Args, Command, FromArgMatches};
use slimgpt::allocate::{Curve, Schedule};
use slimgpt::disk;
use slimgpt::names::Named;
use slimgpt::search::SearchPlan;

use crate::cli::choice::{described, suggesting};
use crate::cli::exit::Usage;

/// A schedule as it was typed. Its file is read when the command runs, as all files are.
#[derive(Clone, Debug)]
pub enum ScheduleArgument {
    Curve(Curve),
    Search,
    File(PathBuf),
}

#[derive(Args)]
struct Flag {
    /// How the ratio goes from layer to layer: a curve, or a FILE with an entry for each layer
    ///
    /// A file needs no target. An entry is a ratio, a pair {"heads": r, "channels": r}, or exact sizes
    /// {"heads": n, "kv_heads": n, "channels": n}; of a file that `slimgpt search` made, --target says which sizes.
    #[arg(
        long,
        default_value = "log",
        value_name = "CURVE|FILE",
        value_parser = suggesting(parse, described::<Curve>().chain([SEARCH]))
    )]
    schedule: ScheduleArgument,
}

/// `--schedule`, and whether it was typed: some methods take none.
#[derive(Clone, Debug)]
pub struct ScheduleFlag {
    pub argument: ScheduleArgument,
    pub is_typed: bool,
}

impl Args for ScheduleFlag {
    fn augment_args(command: Command) -> Command {
        Flag::augment_args(command)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Flag::augment_args_for_update(command)
    }
}

impl FromArgMatches for ScheduleFlag {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let Flag { schedule: argument } = Flag::from_arg_matches(matches)?;
        // A default is there like a value that was typed, and only clap knows which it is.
        Ok(Self { argument, is_typed: matches.value_source("schedule") == Some(ValueSource::CommandLine) })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// How the ratio goes from layer to layer, as far as what was typed says it.
pub enum Scheduled {
    /// A curve, ratios, or sizes.
    As(Schedule),
    /// Sizes that a search has found, for targets that its file names.
    Found(Box<SearchPlan>),
    /// Sizes that are to be searched for.
    Search,
}

/// The word for sizes that are to be searched for.
const SEARCH: (&str, &str) =
    ("search", "sizes that are searched for: what cutting costs is measured site by site (see `slimgpt search`)");

/// A curve's name, the word for the search, or a file, which may be made yet. Names go before files that are called the
/// same; a word that is neither there nor looks like a file is a mistyped name.
fn parse(text: &str) -> Result<ScheduleArgument, String> {
    let is_file = text.contains(['.', '/', '\\']) || Path::new(text).exists();
    match Curve::named(text) {
        Some(curve) => Ok(ScheduleArgument::Curve(curve)),
        None if text == SEARCH.0 => Ok(ScheduleArgument::Search),
        None if is_file => Ok(ScheduleArgument::File(text.into())),
        None => Err(format!("{text} is neither one of {} nor a file", Curve::names())),
    }
}

impl ScheduleArgument {
    /// The file that is read.
    pub fn file(&self) -> Option<&PathBuf> {
        match self {
            Self::File(file) => Some(file),
            Self::Curve(_) | Self::Search => None,
        }
    }

    /// # Errors
    /// When the file cannot be read, or holds no schedule.
    pub fn read(&self) -> Result<Scheduled> {
        let file = match self {
            Self::Curve(curve) => return Ok(Scheduled::As(Schedule::Curve(*curve))),
            Self::Search => return Ok(Scheduled::Search),
            Self::File(file) => file,
        };
        let name = file.display();
        let content = disk::read_named(file, disk::REPORT).map_err(|e| e.cause).and_then(|bytes| {
            String::from_utf8(bytes).map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e.utf8_error()))
        });
        let content = content.map_err(|e| Usage(format!("--schedule {name} cannot be read ({e})")))?;
        // A list has brackets or is words; only the plan of a search is an object.
        let schedule = match content.trim_start().starts_with('{') {
            true => SearchPlan::parse(&content).map(|plan| Scheduled::Found(Box::new(plan))).map_err(|e| e.to_string()),
            false => Schedule::parse(&content).map(Scheduled::As),
        };
        Ok(schedule.map_err(|wrong| Usage(format!("--schedule {name}: {wrong}")))?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_neither_name_nor_file_is_told_both() {
        let error = parse("exponential").unwrap_err();
        assert!(error.contains("log-decrease") && error.contains("exponential"), "{error}");
        let error = parse("not-there.json").unwrap().read().err().unwrap().to_string();
        assert!(error.contains("--schedule not-there.json"), "{error}");
    }
}
