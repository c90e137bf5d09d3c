//! `tojson` as transformers has it: Python's `json.dumps`, which by default keeps every letter as
//! it is, with a space after commas and colons and nothing escaped for HTML.

use std::io::{Result as Written, Write};

use minijinja::value::Kwargs;
use minijinja::{Error, ErrorKind, State, Value};
use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};

use super::limits::INDENT;
use super::paid::Paid;

/// The filter, with the arguments of Python's: `ensure_ascii`, `indent`, `separators`, `sort_keys`.
pub(super) fn to_json(state: &State, value: &Value, options: Kwargs) -> Result<String, Error> {
    // Paid before there is a tree of it, which takes far more memory than the text.
    serde_json::to_writer(Paid::new(state, std::io::sink()), value).map_err(|e| wrong(&e))?;
    let mut paid = Paid::new(state, Vec::new());
    dump(value, &options, &mut paid)?;
    String::from_utf8(paid.out).map_err(|e| wrong(&e))
}

fn wrong(reason: &impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::BadSerialization, reason.to_string())
}

fn dump(value: &Value, options: &Kwargs, out: &mut impl Write) -> Result<(), Error> {
    let indent = indent(options.get("indent")?)?;
    let ascii = options.get::<Option<bool>>("ensure_ascii")?.unwrap_or(false);
    let sorted = options.get::<Option<bool>>("sort_keys")?.unwrap_or(false);
    // Before line ends Python leaves the space out.
    let item = if indent.is_some() { "," } else { ", " };
    let [item, key] = separators(options.get("separators")?)?.unwrap_or([item.into(), ": ".into()]);
    // An option that was passed over would change the text without a word.
    options.assert_all_used()?;
    let mut json = serde_json::to_value(value).map_err(|e| wrong(&e))?;
    if sorted {
        json.sort_all_objects();
    }
    let formatter = Python { indent, item, key, ascii, depth: 0, is_empty: true };
    json.serialize(&mut Serializer::with_formatter(out, formatter)).map_err(|e| wrong(&e))
}

/// A number of spaces, or the text itself.
fn indent(given: Option<Value>) -> Result<Option<String>, Error> {
    let Some(given) = given.filter(|given| !given.is_none()) else { return Ok(None) };
    let text = match given.as_str() {
        Some(text) => text.to_owned(),
        None => " ".repeat(usize::try_from(given)?.min(INDENT + 1)),
    };
    if text.len() > INDENT {
        return Err(Error::new(ErrorKind::InvalidOperation, format!("tojson indents by at most {INDENT}")));
    }
    Ok(Some(text))
}

/// What stands between items, and after a key.
fn separators(given: Option<Value>) -> Result<Option<[String; 2]>, Error> {
    let Some(given) = given.filter(|given| !given.is_none()) else { return Ok(None) };
    let wrong = || Error::new(ErrorKind::InvalidOperation, "separators of tojson are two texts");
    let texts: Option<Vec<String>> = given.try_iter()?.map(|text| text.as_str().map(str::to_owned)).collect();
    texts.and_then(|texts| texts.try_into().ok()).map(Some).ok_or_else(wrong)
}

/// Python's form.
struct Python {
    indent: Option<String>,
    item: String,
    key: String,
    ascii: bool,
    depth: usize,
    is_empty: bool,
}

impl Python {
    fn open(&mut self, out: &mut (impl Write + ?Sized), bracket: &[u8]) -> Written<()> {
        self.depth += 1;
        self.is_empty = true;
        out.write_all(bracket)
    }

    fn close(&mut self, out: &mut (impl Write + ?Sized), bracket: &[u8]) -> Written<()> {
        self.depth -= 1;
        if !self.is_empty {
            self.line(out)?;
        }
        self.is_empty = false;
        out.write_all(bracket)
    }

    fn next(&mut self, out: &mut (impl Write + ?Sized), first: bool) -> Written<()> {
        if !first {
            out.write_all(self.item.as_bytes())?;
        }
        self.is_empty = false;
        self.line(out)
    }

    fn line(&self, out: &mut (impl Write + ?Sized)) -> Written<()> {
        let Some(indent) = &self.indent else { return Ok(()) };
        out.write_all(b"\n")?;
        (0..self.depth).try_for_each(|_| out.write_all(indent.as_bytes()))
    }
}

impl Formatter for Python {
    fn begin_array<W: ?Sized + Write>(&mut self, out: &mut W) -> Written<()> {
        self.open(out, b"[")
    }

    fn end_array<W: ?Sized + Write>(&mut self, out: &mut W) -> Written<()> {
        self.close(out, b"]")
    }

    fn begin_array_value<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> Written<()> {
        self.next(out, first)
    }

    fn begin_object<W: ?Sized + Write>(&mut self, out: &mut W) -> Written<()> {
        self.open(out, b"{")
    }

    fn end_object<W: ?Sized + Write>(&mut self, out: &mut W) -> Written<()> {
        self.close(out, b"}")
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> Written<()> {
        self.next(out, first)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, out: &mut W) -> Written<()> {
        out.write_all(self.key.as_bytes())
    }

    fn write_string_fragment<W: ?Sized + Write>(&mut self, out: &mut W, fragment: &str) -> Written<()> {
        if !self.ascii {
            return out.write_all(fragment.as_bytes());
        }
        for c in fragment.chars() {
            match c {
                ' '..='~' => out.write_all(&[c as u8])?,
                // Letters beyond 16 bits are two numbers.
                c => c.encode_utf16(&mut [0; 2]).iter().try_for_each(|unit| write!(out, "\\u{unit:04x}"))?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dumped(json: &str, options: &[(&str, Value)]) -> String {
        let json: serde_json::Value = serde_json::from_str(json).unwrap();
        let mut bytes = Vec::new();
        let options: Kwargs = options.iter().cloned().collect();
        dump(&Value::from(minijinja::value::Serde(json)), &options, &mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn json_is_what_python_dumps() {
        let text = "{\"b\": [1, [], {}, \"é\u{1f600}\\n\"], \"a\": {\"c\": null}}";
        assert_eq!(dumped(text, &[]), text);
        assert_eq!(dumped(text, &[("ensure_ascii", Value::from(false))]), text);
        let ascii = dumped("[\"é\u{1f600}\\n\u{7f}\"]", &[("ensure_ascii", Value::from(true))]);
        assert_eq!(ascii, "[\"\\u00e9\\ud83d\\ude00\\n\\u007f\"]");
        let sorted = dumped("{\"b\": {\"d\": 1, \"c\": 2}, \"a\": 3}", &[("sort_keys", Value::from(true))]);
        assert_eq!(sorted, "{\"a\": 3, \"b\": {\"c\": 2, \"d\": 1}}");
        let tight = ("separators", Value::from(vec![",", ":"]));
        assert_eq!(dumped("{\"a\": [1, 2]}", std::slice::from_ref(&tight)), "{\"a\":[1,2]}");
        let lines = dumped("{\"a\": [1, []], \"b\": {}}", &[("indent", Value::from(2))]);
        assert_eq!(lines, "{\n  \"a\": [\n    1,\n    []\n  ],\n  \"b\": {}\n}");
        let both = dumped("{\"a\": 1, \"b\": 2}", &[("indent", Value::from("\t")), tight]);
        assert_eq!(both, "{\n\t\"a\":1,\n\t\"b\":2\n}");
        assert!(indent(Some(Value::from(1_000_000_000u64))).is_err() && indent(Some(Value::from(-1))).is_err());
    }
}
