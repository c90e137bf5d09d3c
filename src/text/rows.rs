//! Rows of JSON as Python writes them: its `json` has NaN and infinities, and escapes for halves of
//! characters, none of which is JSON.

use serde_json::Value;

/// A row, and whether it had to be made JSON first.
pub(super) fn parse(line: &str) -> serde_json::Result<(Value, bool)> {
    match serde_json::from_str(line) {
        Ok(row) => Ok((row, false)),
        // What it says of the line as it stands is what helps.
        Err(strict) => serde_json::from_str(&repaired(line)).map(|row| (row, true)).map_err(|_| strict),
    }
}

/// The text with numbers that JSON does not have as null, and halves of characters as U+FFFD.
fn repaired(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let word = ["NaN", "-Infinity", "Infinity"].into_iter().find(|word| rest.starts_with(word));
        let taken = match (c, word) {
            ('"', _) => string(rest, &mut out),
            (_, Some(word)) => {
                out.push_str("null");
                word.len()
            }
            _ => {
                out.push(c);
                c.len_utf8()
            }
        };
        rest = &rest[taken..];
    }
    out
}

/// Writes the string that `rest` begins with; its length in `rest`.
fn string(rest: &str, out: &mut String) -> usize {
    out.push('"');
    let mut at = 1;
    while let Some(c) = rest[at..].chars().next() {
        let part = &rest[at..];
        let length = match (c, half(part)) {
            ('"', _) => {
                out.push('"');
                return at + 1;
            }
            (_, Some(Half::High)) if half(&part[ESCAPE..]) == Some(Half::Low) => 2 * ESCAPE,
            (_, Some(_)) => {
                out.push('\u{fffd}');
                at += ESCAPE;
                continue;
            }
            // An escaped sign, which may be a quotation mark.
            ('\\', None) => 1 + part[1..].chars().next().map_or(0, char::len_utf8),
            _ => c.len_utf8(),
        };
        out.push_str(&part[..length]);
        at += length;
    }
    at
}

/// Bytes of an escape such as \ud83d.
const ESCAPE: usize = 6;

/// Half of a character beyond the first 65536, as UTF-16 has it.
#[derive(PartialEq)]
enum Half {
    High,
    Low,
}

/// The half whose escape `text` begins with.
fn half(text: &str) -> Option<Half> {
    let code = u32::from_str_radix(text.strip_prefix("\\u")?.get(..ESCAPE - 2)?, 16).ok()?;
    match code {
        0xd800..=0xdbff => Some(Half::High),
        0xdc00..=0xdfff => Some(Half::Low),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_python_writes_is_read() {
        let check = |line: &str, want: Value| assert_eq!(parse(line).unwrap(), (want, true), "{line}");
        check(r#"{"text": "NaN", "score": NaN}"#, json!({ "text": "NaN", "score": null }));
        check(r#"{"a": [Infinity, -Infinity, -1], "b": "\"NaN"}"#, json!({ "a": [null, null, -1], "b": "\"NaN" }));
        let halves = r#"{"text": "half \ud83d and \udc00\ud83d\ude00 é \\ud83d"}"#;
        check(halves, json!({ "text": "half \u{fffd} and \u{fffd}😀 é \\ud83d" }));
        check(r#"{"text": "\ud83d\ud83d\ude00"}"#, json!({ "text": "\u{fffd}😀" }));
    }

    #[test]
    fn json_is_read_as_json_and_what_is_broken_stays_so() {
        assert_eq!(parse(r#"{"text": "\ud83d\ude00"}"#).unwrap(), (json!({ "text": "😀" }), false));
        for broken in ["{", r#"{"text": "a}"#, r#"{"text": NaNs}"#, r#"{"a": "\ud83"}"#, "\"\\", "\"\\é", "Infinity}"]
        {
            let (strict, found) = (serde_json::from_str::<Value>(broken).unwrap_err(), parse(broken).unwrap_err());
            assert_eq!(found.to_string(), strict.to_string(), "{broken}");
        }
    }
}
