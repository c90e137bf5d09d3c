//! Standard output and standard error.
//!
//! Of standard output, a reader that goes away (`| head`) is an error to hand on, not a panic. What
//! is said on standard error beside the work must never end the work: a log on a full disk or a
//! terminal that was closed loses the words and nothing else.

use std::fmt::Display;
use std::io::{self, Write};

/// Prints a text and a line end.
pub fn line(text: impl Display) -> io::Result<()> {
    piece(format_args!("{text}\n"))
}

/// Prints without a line end, at once.
pub fn piece(text: impl Display) -> io::Result<()> {
    let mut out = io::stdout().lock();
    write!(out, "{text}")?;
    // Standard output waits for line ends, which pieces of a text do not have.
    out.flush()
}

/// Prints one JSON object over several lines.
pub fn json(value: &impl serde::Serialize) -> anyhow::Result<()> {
    Ok(line(serde_json::to_string_pretty(value)?)?)
}

/// Says a line on standard error, if anybody reads there.
pub fn note(text: impl Display) {
    // One write, so that lines of several threads do not mix. `eprintln!` would panic where it fails.
    let _ = io::stderr().lock().write_all(format!("{text}\n").as_bytes());
}
