//! `tojson` as Python's `json.dumps(value, ensure_ascii=False)` writes it: a space after commas and
//! colons, nothing escaped for HTML.

use std::io::{self, Write};

use minijinja::value::Kwargs;
use minijinja::{Error, ErrorKind, State, Value};
use serde::Serialize;
use serde_json::ser::{Formatter, PrettyFormatter, Serializer};

use super::limits::INDENT;

/// Bytes that one step of the engine pays for.
const PAID: usize = 64;

/// The filter; `indent=N` puts every member on a line of its own.
pub(super) fn to_json(state: &State, value: &Value, options: Kwargs) -> Result<String, Error> {
    let indent: Option<usize> = options.get("indent")?;
    // An option that was passed over would change the text without a word.
    options.assert_all_used()?;
    match indent {
        Some(width) if width > INDENT => {
            Err(Error::new(ErrorKind::InvalidOperation, format!("an indent of {width}; {INDENT} is the widest")))
        }
        Some(width) => written(state, value, PrettyFormatter::with_indent(" ".repeat(width).as_bytes())),
        None => written(state, value, Spaced),
    }
}

fn written(state: &State, value: &Value, formatter: impl Formatter) -> Result<String, Error> {
    let wrong = |reason: String| Error::new(ErrorKind::BadSerialization, reason);
    let mut paid = Paid { state, bytes: Vec::new(), unpaid: 0 };
    value.serialize(&mut Serializer::with_formatter(&mut paid, formatter)).map_err(|e| wrong(e.to_string()))?;
    String::from_utf8(paid.bytes).map_err(|e| wrong(e.to_string()))
}

/// Bytes that cost steps of the engine while they are written: nested lists with an indent are far
/// longer than what they are made of.
struct Paid<'a, 'b, 'c> {
    state: &'a State<'b, 'c>,
    bytes: Vec<u8>,
    unpaid: usize,
}

impl Write for Paid<'_, '_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.unpaid += bytes.len();
        self.state.consume_fuel((self.unpaid / PAID) as u64).map_err(io::Error::other)?;
        self.unpaid %= PAID;
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
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
