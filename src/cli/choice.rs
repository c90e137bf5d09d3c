//! Choices as they are typed: their names and the line about each come from the choice itself.

use std::ffi::OsStr;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Arg, Command, Error};
use slimgpt::names::Named;

/// Takes any of the choices by name.
pub fn choice<T: Named + Send + Sync + 'static>() -> impl TypedValueParser<Value = T> {
    choice_of(T::all())
}

/// Takes some of the choices by name.
pub fn choice_of<T: Named + Send + Sync + 'static>(choices: &'static [T]) -> impl TypedValueParser<Value = T> {
    let values = choices.iter().map(|choice| PossibleValue::new(choice.name()).help(choice.about()));
    // Cannot fail: clap has let only these names through.
    PossibleValuesParser::new(values).try_map(|name| T::named(&name).ok_or("no such choice"))
}

/// Takes whatever `parse` takes. Some of the values are known by name, each with a line about it: help
/// lists them, and shells complete them.
pub fn suggesting<T: Clone + Send + Sync + 'static>(
    parse: fn(&str) -> Result<T, String>,
    known: impl IntoIterator<Item = (&'static str, &'static str)>,
) -> impl TypedValueParser<Value = T> {
    Suggesting { parse, known: known.into_iter().collect() }
}

#[derive(Clone)]
struct Suggesting<T> {
    parse: fn(&str) -> Result<T, String>,
    known: Vec<(&'static str, &'static str)>,
}

impl<T: Clone + Send + Sync + 'static> TypedValueParser for Suggesting<T> {
    type Value = T;

    fn parse_ref(&self, command: &Command, argument: Option<&Arg>, value: &OsStr) -> Result<T, Error> {
        // clap's own parser of functions has the words for what is wrong.
        TypedValueParser::parse_ref(&self.parse, command, argument, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(self.known.iter().map(|(name, about)| PossibleValue::new(name).help(about))))
    }
}

/// The choices and the line about each, as [`suggesting`] takes them.
pub fn described<T: Named + 'static>() -> impl Iterator<Item = (&'static str, &'static str)> {
    T::all().iter().map(|choice| (choice.name(), choice.about()))
}

/// The names, each with its line, for a help text.
pub fn listed<T: Named + 'static>(heading: &str) -> String {
    let widest = T::all().iter().map(|choice| choice.name().len()).max().unwrap_or(0);
    let lines = T::all().iter().map(|choice| format!("  {:widest$}  {}", choice.name(), choice.about()));
    std::iter::once(heading.to_owned()).chain(lines).collect::<Vec<_>>().join("\n")
}
