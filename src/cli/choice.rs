//! Choices as they are typed: their names and the line about each come from the choice itself.

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
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

/// The names, each with its line, for a help text.
pub fn listed<T: Named + 'static>(heading: &str) -> String {
    let widest = T::all().iter().map(|choice| choice.name().len()).max().unwrap_or(0);
    let lines = T::all().iter().map(|choice| format!("  {:widest$}  {}", choice.name(), choice.about()));
    std::iter::once(heading.to_owned()).chain(lines).collect::<Vec<_>>().join("\n")
}
