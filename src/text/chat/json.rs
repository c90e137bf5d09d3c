//! `tojson` as Python's `json.dumps(value, ensure_ascii=False)` writes it: a space after commas and
//! colons, nothing escaped for HTML.

use minijinja::value::Kwargs;
use minijinja::{Error, ErrorKind, Value};
use serde::Serialize;
use serde_json::ser::{Formatter, PrettyFormatter, Serializer};

/// The filter; `indent=N` puts every member on a line of its own.
pub(super) fn to_json(value: &Value, options: Kwargs) -> Result<String, Error> {
    let indent: Option<usize> = options.get("indent")?;
    // An option that was passed over would change the text without a word.
    options.assert_all_used()?;
    match indent {
        Some(width) => written(value, PrettyFormatter::with_indent(" ".repeat(width).as_bytes())),
        None => written(value, Spaced),
    }
}

fn written(value: &Value, formatter: impl Formatter) -> Result<String, Error> {
    let wrong = |reason: String| Error::new(ErrorKind::BadSerialization, reason);
    let mut bytes = Vec::new();
    value.serialize(&mut Serializer::with_formatter(&mut bytes, formatter)).map_err(|e| wrong(e.to_string()))?;
    String::from_utf8(bytes).map_err(|e| wrong(e.to_string()))
}

/// One line, with Python's spaces.
struct Spaced;

impl Formatter for Spaced {
    fn begin_array_value<W: ?Sized + std::io::Write>(&mut self, out: &mut W, first: bool) -> std::io::Result<()> {
        out.write_all(if first { b"" } else { b", " })
    }

    fn begin_object_key<W: ?Sized + std::io::Write>(&mut self, out: &mut W, first: bool) -> std::io::Result<()> {
        out.write_all(if first { b"" } else { b", " })
    }

    fn begin_object_value<W: ?Sized + std::io::Write>(&mut self, out: &mut W) -> std::io::Result<()> {
        out.write_all(b": ")
    }
}
