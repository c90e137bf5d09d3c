//! What an object of JSON has under its keys, without holding it: a result may be far larger than what
//! tells whose it is.

use std::collections::HashMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// The keys of an object, and what sort of value each has.
pub(super) type Keys = HashMap<String, Sort>;

/// What sort of value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    Text,
    Object,
    List,
    /// A number, a truth value or null.
    Other,
}

impl<'de> Deserialize<'de> for Sort {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Sorting)
    }
}

struct Sorting;

impl<'de> Visitor<'de> for Sorting {
    type Value = Sort;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_str<E>(self, _: &str) -> Result<Sort, E> {
        Ok(Sort::Text)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Sort, E> {
        Ok(Sort::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Sort, E> {
        Ok(Sort::Other)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Sort, E> {
        Ok(Sort::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Sort, E> {
        Ok(Sort::Other)
    }

    fn visit_unit<E>(self) -> Result<Sort, E> {
        Ok(Sort::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Sort, A::Error> {
        IgnoredAny.visit_map(map).map(|_| Sort::Object)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Sort, A::Error> {
        IgnoredAny.visit_seq(list).map(|_| Sort::List)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_sorted_without_being_held() {
        let keys: Keys = serde_json::from_str(
            r#"{"a": "x", "b": {"c": [1]}, "d": [{}], "e": 1, "f": -1, "g": 1.5, "h": null, "i": true}"#,
        )
        .unwrap();
        let sorts = ["a", "b", "d", "e", "f", "g", "h", "i"].map(|key| keys[key]);
        let others = [Sort::Other; 5];
        assert_eq!((&sorts[..3], &sorts[3..]), (&[Sort::Text, Sort::Object, Sort::List][..], &others[..]));
        assert!(serde_json::from_str::<Keys>("[1]").is_err() && serde_json::from_str::<Keys>("{\"a\": ").is_err());
    }
}
