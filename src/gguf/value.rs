//! The values of keys as they are read: whichever width a number was written with, it is that number.

use std::io::Read;

use super::cursor::Cursor;
use super::{GgufError, Kind};

/// Most elements of a list: twice the largest vocabulary that is read.
const MOST_ELEMENTS: u64 = 1 << 23;

/// The value of a key.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    /// An integer of any width; what 64 bits with a sign do not hold is the nearest that they do.
    Whole(i64),
    /// Of a single, the double with the same shortest decimal form: 1e-5 and not 9.99999974737875e-6.
    Float(f64),
    Bool(bool),
    Text(String),
    Wholes(Vec<i64>),
    Floats(Vec<f64>),
    Texts(Vec<String>),
}

impl Value {
    /// Reads the value of `key`, its type first.
    pub fn read<R: Read>(cursor: &mut Cursor<R>, key: &str) -> Result<Self, GgufError> {
        match kind(cursor, key)? {
            Kind::Array => list(cursor, key),
            kind => scalar(cursor, kind, key),
        }
    }
}

fn kind<R: Read>(cursor: &mut Cursor<R>, key: &str) -> Result<Kind, GgufError> {
    let number = cursor.u32(key)?;
    Kind::of(number).ok_or_else(|| GgufError::key(key, format!("has a value of type {number}, which GGUF has not")))
}

fn scalar<R: Read>(cursor: &mut Cursor<R>, kind: Kind, key: &str) -> Result<Value, GgufError> {
    Ok(match kind {
        Kind::U8 => Value::Whole(u8::from_le_bytes(cursor.array(key)?).into()),
        Kind::I8 => Value::Whole(i8::from_le_bytes(cursor.array(key)?).into()),
        Kind::U16 => Value::Whole(u16::from_le_bytes(cursor.array(key)?).into()),
        Kind::I16 => Value::Whole(i16::from_le_bytes(cursor.array(key)?).into()),
        Kind::U32 => Value::Whole(cursor.u32(key)?.into()),
        Kind::I32 => Value::Whole(i32::from_le_bytes(cursor.array(key)?).into()),
        // What no i64 holds is beyond every bound that a number is held to.
        Kind::U64 => Value::Whole(i64::try_from(cursor.u64(key)?).unwrap_or(i64::MAX)),
        Kind::I64 => Value::Whole(i64::from_le_bytes(cursor.array(key)?)),
        Kind::F32 => Value::Float(decimal(f32::from_le_bytes(cursor.array(key)?))),
        Kind::F64 => Value::Float(f64::from_le_bytes(cursor.array(key)?)),
        Kind::Bool => Value::Bool(cursor.array::<1>(key)? != [0]),
        Kind::String => Value::Text(cursor.text(key)?),
        Kind::Array => return Err(GgufError::key(key, "is a list of lists, which is not read")),
    })
}

fn list<R: Read>(cursor: &mut Cursor<R>, key: &str) -> Result<Value, GgufError> {
    let kind = kind(cursor, key)?;
    let count = cursor.count(key, kind.least_bytes(), MOST_ELEMENTS)?;
    Ok(match kind {
        Kind::String => Value::Texts((0..count).map(|_| cursor.text(key)).collect::<Result<_, _>>()?),
        Kind::F32 | Kind::F64 => Value::Floats(elements(cursor, kind, key, count, |value| match value {
            Value::Float(v) => Some(v),
            _ => None,
        })?),
        // Flags are read as 0 and 1.
        _ => Value::Wholes(elements(cursor, kind, key, count, |value| match value {
            Value::Whole(v) => Some(v),
            Value::Bool(v) => Some(v.into()),
            _ => None,
        })?),
    })
}

fn elements<R: Read, T>(
    cursor: &mut Cursor<R>,
    kind: Kind,
    key: &str,
    count: usize,
    of: impl Fn(Value) -> Option<T>,
) -> Result<Vec<T>, GgufError> {
    let other = || GgufError::key(key, format!("has elements of type {kind:?}, which is not read"));
    (0..count).map(|_| of(scalar(cursor, kind, key)?).ok_or_else(other)).collect()
}

/// The double that is written with the fewest digits which make this single.
fn decimal(single: f32) -> f64 {
    single.to_string().parse().unwrap_or_else(|_| single.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<Value, GgufError> {
        Value::read(&mut Cursor::new(bytes, bytes.len() as u64), "k")
    }

    #[test]
    fn singles_are_the_numbers_that_people_wrote() {
        for number in [1e-5f32, 1e6, 0.1, 5e5] {
            let value = read(&[&6u32.to_le_bytes()[..], &number.to_le_bytes()].concat()).unwrap();
            assert_eq!(value, Value::Float(number.to_string().parse().unwrap()));
        }
        // The single nearest to 1e-5 is 9.99999974738e-6.
        assert_eq!(decimal(1e-5f32), 1e-5);
    }

    #[test]
    fn every_width_is_a_number_and_lists_of_lists_are_refused() {
        let of = |kind: Kind, bytes: &[u8]| read(&[&(kind as u32).to_le_bytes()[..], bytes].concat());
        assert_eq!(of(Kind::I8, &[0xff]).unwrap(), Value::Whole(-1));
        assert_eq!(of(Kind::U16, &[1, 2]).unwrap(), Value::Whole(513));
        assert_eq!(of(Kind::U64, &[0xff; 8]).unwrap(), Value::Whole(i64::MAX));
        assert_eq!(of(Kind::Bool, &[1]).unwrap(), Value::Bool(true));
        let list = |kind: Kind, count: u64, bytes: &[u8]| {
            of(Kind::Array, &[&(kind as u32).to_le_bytes()[..], &count.to_le_bytes(), bytes].concat())
        };
        assert_eq!(list(Kind::Bool, 2, &[0, 1]).unwrap(), Value::Wholes(vec![0, 1]));
        assert!(list(Kind::Array, 1, &[0; 12]).unwrap_err().to_string().contains("list of lists"));
        for kind in [Kind::U8, Kind::String, Kind::F64] {
            // A length that no file can have makes no room for it.
            assert!(matches!(list(kind, MOST_ELEMENTS, &[0]), Err(GgufError::Ends(_))));
            assert!(matches!(list(kind, u64::MAX, &[0]), Err(GgufError::TooMany { .. })));
        }
        assert!(of(Kind::Array, &13u32.to_le_bytes()).is_err() && read(&77u32.to_le_bytes()).is_err());
    }
}
