//! Standard output and standard error.
//!
//! Of standard output, a reader that goes away (`| head`) is an error to hand on, not a panic. What
//! is said on standard error beside the work must never end the work: a log on a full disk or a
//! terminal that was closed loses the words and nothing else.
//!
//! Names and texts come from files of strangers. A terminal would take control characters in them
//! for commands (titles, colours, the clipboard), so they are shown escaped; what a file or a
//! program gets of a generated text is the text itself.

use std::borrow::Cow;
use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::sync::OnceLock;

/// How much is said on standard error. Standard output is the same at all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loudness {
    /// Errors only.
    Quiet,
    /// Progress, and what is to be known.
    Usual,
    /// Also what was chosen, and how long it took.
    Verbose,
}

// One for the process, as standard error is.
static LOUDNESS: OnceLock<Loudness> = OnceLock::new();

/// Says so much from now on. Once in a program.
pub fn speak(loudness: Loudness) {
    // A second call would change nothing.
    let _ = LOUDNESS.set(loudness);
}

/// Whether also what was chosen is said.
pub fn is_verbose() -> bool {
    LOUDNESS.get() == Some(&Loudness::Verbose)
}

/// Whether nothing but errors is said.
pub fn is_quiet() -> bool {
    LOUDNESS.get() == Some(&Loudness::Quiet)
}

/// Prints a text and a line end.
pub fn line(text: impl Display) -> io::Result<()> {
    raw(format_args!("{}\n", visible(&text.to_string())))
}

/// Prints a piece of a text without a line end, at once: escaped for a terminal, as it is for
/// whatever else reads.
pub fn piece(text: &str) -> io::Result<()> {
    match io::stdout().is_terminal() {
        true => raw(visible(text)),
        false => raw(text),
    }
}

/// Prints one JSON object over several lines.
pub fn json(value: &impl serde::Serialize) -> anyhow::Result<()> {
    Ok(raw(json_visible(&serde_json::to_string_pretty(value)?) + "\n")?)
}

/// Prints one JSON object on a line of its own.
pub fn json_line(value: &serde_json::Value) -> io::Result<()> {
    raw(json_visible(&value.to_string()) + "\n")
}

/// Prints a text of our own as it is, without a line end.
pub fn raw(text: impl Display) -> io::Result<()> {
    let mut out = io::stdout().lock();
    write!(out, "{text}")?;
    // Standard output waits for line ends, which pieces of a text do not have.
    out.flush()
}

/// A path for a JSON object. JSON is Unicode and a path need not be: what is none is replaced, where
/// serde would refuse the whole object.
pub fn path(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// Says a line on standard error, unless nothing but errors is to be said.
pub fn note(text: impl Display) {
    if !is_quiet() {
        error(text);
    }
}

/// Says a line for those who want to know what was chosen.
pub fn detail(text: impl Display) {
    if is_verbose() {
        error(text);
    }
}

/// Says a line on standard error in any case, if anybody reads there.
pub fn error(text: impl Display) {
    // One write, so that lines of several threads do not mix. `eprintln!` would panic where it fails.
    let _ = io::stderr().lock().write_all(format!("{}\n", visible(&text.to_string())).as_bytes());
}

/// Says what is to be known about something, a line each.
pub fn notes(texts: &[String]) {
    texts.iter().for_each(|text| note(format_args!("note: {text}")));
}

/// The text with its control characters escaped, but for line ends and tabs.
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(is_command) {
        return text.into();
    }
    let shown = |c: char| if is_command(c) { c.escape_unicode().to_string() } else { c.to_string() };
    text.chars().map(shown).collect::<String>().into()
}

fn is_command(c: char) -> bool {
    c.is_control() && !matches!(c, '\n' | '\t')
}

/// JSON escapes the control characters of ASCII by itself; the others are commands to some terminals.
fn json_visible(json: &str) -> String {
    let shown = |c: char| match c {
        '\u{7f}'..='\u{9f}' => format!("\\u{:04x}", u32::from(c)),
        c => c.to_string(),
    };
    // Outside of its strings JSON has no such character.
    if json.contains(|c| ('\u{7f}'..='\u{9f}').contains(&c)) { json.chars().map(shown).collect() } else { json.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_to_a_terminal_are_shown_and_not_carried_out() {
        assert_eq!(visible("a\u{1b}]0;title\u{7}b"), "a\\u{1b}]0;title\\u{7}b");
        // The one-byte form of the same sequences, and a line that writes over itself.
        assert_eq!(visible("\u{9b}2J\r\u{7f}"), "\\u{9b}2J\\u{d}\\u{7f}");
        assert!(matches!(visible("line\n\ttab é 語 🙂"), Cow::Borrowed(_)));
    }

    #[test]
    fn escaped_json_is_the_same_json() {
        let text = "a\u{9b}b\u{1b}\u{7f} é";
        let shown = json_visible(&serde_json::to_string(text).unwrap());
        assert!(!shown.contains(char::is_control), "{shown}");
        assert_eq!(serde_json::from_str::<String>(&shown).unwrap(), text);
    }
}
