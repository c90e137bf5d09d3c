//! Phrases with places for what changes: one function each.

use std::fmt::Write;

use super::{Files, Wrong};

/// A line of the file of phrases.
#[derive(Debug)]
pub struct Phrase {
    key: String,
    text: String,
    /// Each once, in the order in which they come.
    places: Vec<String>,
}

/// Adds the phrases of a file to those of others: `key = text with {named} places`, comments after `#`.
pub fn read(files: &Files, path: &str, phrases: &mut Vec<Phrase>) -> Result<(), Wrong> {
    let text = files.read(path)?;
    for (index, line) in text.lines().enumerate() {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let phrase = parse(line).map_err(|what| Wrong::new(path, index + 1, what))?;
        if phrases.iter().any(|other| other.key == phrase.key) {
            return Err(Wrong::new(path, index + 1, format!("{} is said twice", phrase.key)));
        }
        phrases.push(phrase);
    }
    Ok(())
}

fn parse(line: &str) -> Result<Phrase, String> {
    let (key, text) = line.split_once('=').ok_or("not key = text")?;
    let (key, text) = (named(key)?, super::unbroken(text.trim()));
    if text.is_empty() {
        return Err(format!("{key} says nothing"));
    }
    let (mut places, mut rest) = (Vec::new(), text.as_str());
    while let Some(at) = rest.find(['{', '}']) {
        let place = rest[at..].strip_prefix('{').and_then(|inner| inner.split_once('}'));
        let (place, after) = place.ok_or("a brace without its other")?;
        let place = named(place)?;
        if !places.contains(&place) {
            places.push(place);
        }
        rest = after;
    }
    Ok(Phrase { key, text, places })
}

/// A name that Rust takes for one, in snake case.
fn named(text: &str) -> Result<String, String> {
    let text = text.trim();
    let plain = text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    // syn knows the words that Rust keeps for itself.
    match plain && syn::parse_str::<syn::Ident>(text).is_ok() {
        true => Ok(text.to_owned()),
        false => Err(format!("{text} is no name in snake case that Rust takes")),
    }
}

/// The functions.
pub fn write(out: &mut String, phrases: &[Phrase]) {
    let _ = writeln!(out, "/// What figures and controls say.\npub mod say {{");
    for Phrase { key, text, places } in phrases {
        let _ = writeln!(out, "    /// `{}`", text.replace('`', "'"));
        if places.is_empty() {
            let _ = writeln!(out, "    pub fn {key}() -> &'static str {{\n        {text:?}\n    }}\n");
            continue;
        }
        let arguments: Vec<String> = places.iter().map(|place| format!("{place}: impl std::fmt::Display")).collect();
        let _ = writeln!(out, "    pub fn {key}({}) -> String {{", arguments.join(", "));
        let _ = writeln!(out, "        format!({text:?})\n    }}\n");
    }
    out.push_str("}\n");
}
