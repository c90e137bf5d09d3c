//! A schedule as a file: ratios between spaces, line ends or commas, or a JSON list with one entry
//! for each layer. An entry is a ratio, a pair of ratios, or the very sizes that are to stay.

use serde::Deserialize;
use serde_json::Value;

use super::{LayerRatio, Schedule};
use crate::format::without_mark;
use crate::shape::LayerShape;

/// The forms of an entry, for messages.
const FORMS: &str =
    r#"a ratio, {"heads": ratio, "channels": ratio} or {"heads": count, "kv_heads": count, "channels": count}"#;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ShapeEntry {
    heads: usize,
    kv_heads: usize,
    channels: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PairEntry {
    heads: f64,
    channels: f64,
}

enum Entry {
    Ratio(LayerRatio),
    Shape(LayerShape),
}

impl Schedule {
    /// Reads a schedule's file.
    ///
    /// # Errors
    /// Names the first entry that is none, in a form for people.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        // A list of words has no brackets, so the first character tells the two forms apart.
        let entries = match text.starts_with('[') {
            true => entries(text)?,
            false => words(text)?,
        };
        if entries.is_empty() {
            return Err(format!("there is no entry; each layer has {FORMS}"));
        }
        let shapes: Vec<LayerShape> = entries.iter().filter_map(Entry::shape).collect();
        let ratios: Vec<LayerRatio> = entries.iter().filter_map(Entry::ratio).collect();
        // Sizes leave nothing to round and ratios have to be rounded: a mixture has no rounding.
        match (ratios.is_empty(), shapes.is_empty()) {
            (false, true) => Ok(Self::Ratios(ratios)),
            (true, false) => Ok(Self::Shapes(shapes)),
            _ => Err("some entries are ratios and some are sizes; all must be of one kind".into()),
        }
    }
}

impl Entry {
    fn of(index: usize, value: Value) -> Result<Self, String> {
        // Reading the entry consumes the value, so what would be said of it is made before.
        let wrong = format!("entry {index}, {value}, is not {FORMS}");
        let parsed = match &value {
            Value::Number(number) => number.as_f64().map(|r| Self::Ratio(LayerRatio::both(r))),
            // "heads" is a count beside "kv_heads" and a ratio without it.
            Value::Object(keys) if keys.contains_key("kv_heads") => ShapeEntry::deserialize(value)
                .ok()
                .map(|e| Self::Shape(LayerShape { heads: e.heads, kv_heads: e.kv_heads, channels: e.channels })),
            _ => PairEntry::deserialize(value)
                .ok()
                .map(|e| Self::Ratio(LayerRatio { heads: e.heads, channels: e.channels })),
        };
        match parsed {
            // A ratio of 1 would leave a layer without heads or channels.
            Some(Self::Ratio(r)) if ![r.heads, r.channels].iter().all(|r| (0.0..1.0).contains(r)) => {
                Err(format!("entry {index}: a ratio is at least 0 and less than 1"))
            }
            Some(entry) => Ok(entry),
            None => Err(wrong),
        }
    }

    fn ratio(&self) -> Option<LayerRatio> {
        if let Self::Ratio(ratio) = self { Some(*ratio) } else { None }
    }

    fn shape(&self) -> Option<LayerShape> {
        if let Self::Shape(shape) = self { Some(*shape) } else { None }
    }
}

fn entries(json: &str) -> Result<Vec<Entry>, String> {
    let values: Vec<Value> =
        serde_json::from_slice(without_mark(json.as_bytes())).map_err(|e| format!("it is no JSON list: {e}"))?;
    values.into_iter().enumerate().map(|(i, value)| Entry::of(i, value)).collect()
}

fn words(text: &str) -> Result<Vec<Entry>, String> {
    let words = text.split(|c: char| c.is_whitespace() || c == ',').filter(|w| !w.is_empty());
    words
        .enumerate()
        // `from_f64` refuses NaN and infinity, which a number of JSON cannot be either.
        .map(|(i, word)| match word.parse::<f64>().ok().and_then(serde_json::Number::from_f64) {
            Some(number) => Entry::of(i, Value::Number(number)),
            None => Err(format!("entry {i}, \"{word}\", is not a ratio of at least 0 and less than 1")),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_may_be_json_or_words() {
        let want = Schedule::even(&[0.1, 0.2]);
        for text in ["[0.1, 0.2]", "0.1\n0.2\n", "0.1,0.2", r#"[0.1, {"heads": 0.2, "channels": 0.2}]"#] {
            assert_eq!(Schedule::parse(text).unwrap(), want, "{text}");
        }
        let pairs = Schedule::Ratios(vec![LayerRatio { heads: 0.0, channels: 0.5 }]);
        assert_eq!(Schedule::parse(r#"[{"heads": 0, "channels": 0.5}]"#).unwrap(), pairs);
    }

    #[test]
    fn sizes_are_told_by_their_kv_heads() {
        let shape = LayerShape { heads: 6, kv_heads: 2, channels: 1024 };
        let text = r#"[{"heads": 6, "kv_heads": 2, "channels": 1024}]"#;
        assert_eq!(Schedule::parse(text).unwrap(), Schedule::Shapes(vec![shape]));
    }

    #[test]
    fn what_is_no_entry_is_named() {
        for (text, word) in [
            ("0.1 x", "\"x\""),
            ("0.1 1.2", "entry 1"),
            ("[0.1, true]", "true"),
            ("[0.1", "JSON"),
            ("", "no entry"),
            (r#"[{"heads": 0.5}]"#, "entry 0"),
            (r#"[{"heads": 6, "kv_heads": 2, "channels": 0.5}]"#, "entry 0"),
            (r#"[0.1, {"heads": 6, "kv_heads": 2, "channels": 7}]"#, "one kind"),
        ] {
            let error = Schedule::parse(text).unwrap_err();
            assert!(error.contains(word), "{text}: {error}");
        }
    }
}
