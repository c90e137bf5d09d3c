//! The values of a page, one after the other, however they are written.

use std::ops::Range;

use serde_json::{Number, Value};

use super::bits::{Delta, ENDS_EARLY, Hybrid, bits};
use super::schema::Stored;

/// How values are written, by their numbers in the format.
const ENCODINGS: [&str; 10] = [
    "PLAIN",
    "GROUP_VAR_INT",
    "PLAIN_DICTIONARY",
    "RLE",
    "BIT_PACKED",
    "DELTA_BINARY_PACKED",
    "DELTA_LENGTH_BYTE_ARRAY",
    "DELTA_BYTE_ARRAY",
    "RLE_DICTIONARY",
    "BYTE_STREAM_SPLIT",
];

/// The name of a way of writing.
pub fn encoding(number: i64) -> String {
    let name = usize::try_from(number).ok().and_then(|number| ENCODINGS.get(number));
    name.map_or_else(|| number.to_string(), |name| (*name).to_owned())
}

/// Where the next value of a page stands.
pub enum Values {
    /// One after the other; truth values a bit each, the others whole bytes.
    Plain { at: usize, bit: usize, end: usize },
    /// Places in the dictionary.
    Places(Hybrid),
    /// Truth values in runs.
    Runs(Hybrid),
    /// Whole numbers as differences.
    Differences(Delta),
    /// Texts behind all of their lengths.
    Lengths { lengths: Delta, at: usize },
    /// Texts that begin as the one before did.
    Prefixes { prefixes: Delta, lengths: Delta, at: usize, last: Vec<u8> },
}

impl Values {
    /// The values that stand in these bytes of a page of `count`, null or not.
    pub fn new(number: i64, stored: Stored, bytes: &[u8], within: Range<usize>, count: u64) -> Result<Self, String> {
        let Range { start, end } = within.clone();
        // All lengths are passed over to find what is behind them, and some thousands of them take two bytes.
        let delta = |within| Delta::new(bytes, within).and_then(|delta| delta.within(count));
        let is_whole = matches!(stored, Stored::Int32 | Stored::UInt32 | Stored::Int64 | Stored::UInt64);
        Ok(match number {
            // Of nulls alone nothing need be written.
            _ if start == end => Self::plain(within),
            0 => Self::plain(within),
            2 | 8 => {
                // 8 has replaced 2, which older writers still call the same.
                let width = u32::from(bytes[start]);
                if width > 32 {
                    return Err(format!("places in the dictionary have {width} bits"));
                }
                Self::Places(Hybrid::new(width, start + 1..end))
            }
            3 if stored == Stored::Bool => {
                let length = length(bytes, start, end)?;
                Self::Runs(Hybrid::new(1, start + LENGTH..start + LENGTH + length))
            }
            5 if is_whole => Self::Differences(delta(within)?),
            6 if stored == Stored::Text => {
                let lengths = delta(within)?;
                Self::Lengths { at: lengths.clone().end(bytes)?, lengths }
            }
            7 if stored == Stored::Text => {
                let prefixes = delta(within)?;
                let lengths = delta(prefixes.clone().end(bytes)?..end)?;
                Self::Prefixes { at: lengths.clone().end(bytes)?, prefixes, lengths, last: Vec::new() }
            }
            _ => {
                return Err(format!(
                    "it is written as {}, which is not read here; write it again with use_dictionary=True or as PLAIN",
                    encoding(number)
                ));
            }
        })
    }

    fn plain(within: Range<usize>) -> Self {
        Self::Plain { at: within.start, bit: 0, end: within.end }
    }

    /// The next value of a page.
    pub fn next(&mut self, stored: Stored, bytes: &[u8], dictionary: Option<&[Value]>) -> Result<Value, String> {
        match self {
            Self::Plain { at, bit, end } => {
                if stored == Stored::Bool {
                    let value = bits(bytes.get(..*end).ok_or(ENDS_EARLY)?, *at * 8 + *bit, 1).ok_or(ENDS_EARLY)?;
                    *bit += 1;
                    return Ok(Value::Bool(value == 1));
                }
                let (value, next) = plain(stored, bytes, *at, *end)?;
                *at = next;
                Ok(value)
            }
            Self::Places(places) => {
                let place = places.next(bytes)?;
                let dictionary = dictionary.ok_or("a page has no dictionary")?;
                let value = usize::try_from(place).ok().and_then(|place| dictionary.get(place));
                value.cloned().ok_or_else(|| format!("the dictionary has no value {place}"))
            }
            Self::Runs(runs) => Ok(Value::Bool(runs.next(bytes)? == 1)),
            Self::Differences(numbers) => {
                let number = numbers.next(bytes)?;
                Ok(match stored {
                    // Differences are taken in as many bits as the numbers have.
                    Stored::Int32 => Value::from(number as i32),
                    Stored::UInt32 => Value::from(number as u32),
                    Stored::UInt64 => Value::from(number as u64),
                    _ => Value::from(number),
                })
            }
            Self::Lengths { lengths, at } => {
                let text = taken(bytes, at, lengths.next(bytes)?)?;
                text_of(text)
            }
            Self::Prefixes { prefixes, lengths, at, last } => {
                let prefix = usize::try_from(prefixes.next(bytes)?).ok().filter(|&length| length <= last.len());
                last.truncate(prefix.ok_or("a text begins with more than the one before it")?);
                last.extend_from_slice(taken(bytes, at, lengths.next(bytes)?)?);
                text_of(last)
            }
        }
    }
}

/// Bytes of a length.
const LENGTH: usize = 4;

/// The length that stands at `at`, of something that ends before `end`.
pub fn length(bytes: &[u8], at: usize, end: usize) -> Result<usize, &'static str> {
    let field = bytes.get(..end).and_then(|bytes| bytes.get(at..at + LENGTH)).ok_or(ENDS_EARLY)?;
    let length = u32::from_le_bytes([field[0], field[1], field[2], field[3]]) as usize;
    if length <= end - at - LENGTH { Ok(length) } else { Err(ENDS_EARLY) }
}

/// The next bytes of a text.
fn taken<'a>(bytes: &'a [u8], at: &mut usize, length: i64) -> Result<&'a [u8], &'static str> {
    let length = usize::try_from(length).map_err(|_| "a text has a negative length")?;
    let end = at.checked_add(length).ok_or(ENDS_EARLY)?;
    let text = bytes.get(*at..end).ok_or(ENDS_EARLY)?;
    *at = end;
    Ok(text)
}

/// The value at `at`, and where the next begins.
fn plain(stored: Stored, bytes: &[u8], at: usize, end: usize) -> Result<(Value, usize), String> {
    let bytes = bytes.get(..end).ok_or(ENDS_EARLY)?;
    if stored == Stored::Text {
        let from = at + LENGTH;
        let to = from + length(bytes, at, end)?;
        return Ok((text_of(&bytes[from..to])?, to));
    }
    let four = || bytes.get(at..at + 4).and_then(|b| b.try_into().ok()).ok_or(ENDS_EARLY);
    let eight = || bytes.get(at..at + 8).and_then(|b| b.try_into().ok()).ok_or(ENDS_EARLY);
    // What JSON has no number for is null, as elsewhere.
    let real = |number: f64| Number::from_f64(number).map_or(Value::Null, Value::Number);
    Ok(match stored {
        Stored::Int32 => (Value::from(i32::from_le_bytes(four()?)), at + 4),
        Stored::UInt32 => (Value::from(u32::from_le_bytes(four()?)), at + 4),
        Stored::Float => (real(f64::from(f32::from_le_bytes(four()?))), at + 4),
        Stored::Int64 => (Value::from(i64::from_le_bytes(eight()?)), at + 8),
        Stored::UInt64 => (Value::from(u64::from_le_bytes(eight()?)), at + 8),
        Stored::Double => (real(f64::from_le_bytes(eight()?)), at + 8),
        Stored::Bool | Stored::Text => return Err("truth values have no dictionary".into()),
    })
}

fn text_of(bytes: &[u8]) -> Result<Value, String> {
    let text = std::str::from_utf8(bytes).map_err(|e| format!("a text is no UTF-8 ({e}); write it as UTF-8"))?;
    Ok(Value::String(text.to_owned()))
}

/// The `count` values of a dictionary, which may take `held` bytes beside their texts.
pub fn dictionary(stored: Stored, bytes: &[u8], count: u64, held: usize) -> Result<Vec<Value>, String> {
    if count.saturating_mul(size_of::<Value>() as u64) > held as u64 {
        return Err(format!("a dictionary has {count} values, more than memory has room for; write it as PLAIN"));
    }
    let (mut values, mut at) = (Vec::new(), 0);
    for _ in 0..count {
        let (value, next) = plain(stored, bytes, at, bytes.len())?;
        values.push(value);
        at = next;
    }
    Ok(values)
}
