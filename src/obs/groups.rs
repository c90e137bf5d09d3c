//! Which columns of o_proj belong to which head, and which heads to which key/value head.

use std::ops::Range;

/// What is removed from attention as one.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    serde::Serialize,
    serde::Deserialize,
    strum::IntoStaticStr,
    strum::EnumMessage,
    strum::VariantArray,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum HeadUnit {
    /// A key/value head with all the query heads that read it.
    #[default]
    #[serde(rename = "kv")]
    #[strum(serialize = "kv", message = "key/value heads with their query heads")]
    KeyValue,
    /// Query heads, the same number from every key/value group; keys and values stay.
    #[strum(message = "query heads, as many from every key/value head; keys and values stay")]
    Query,
}

/// How many heads go from one attention layer: K/V heads with the query heads that read them, and query heads of every K/V
/// head that stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct HeadCut {
    /// K/V heads that go with their query heads.
    pub kv_heads: usize,
    /// Query heads that go from every other K/V head.
    pub per_group: usize,
}

impl HeadCut {
    /// So many units of one kind.
    pub fn of(unit: HeadUnit, count: usize) -> Self {
        match unit {
            HeadUnit::KeyValue => Self { kv_heads: count, per_group: 0 },
            HeadUnit::Query => Self { kv_heads: 0, per_group: count },
        }
    }

    /// The units in which it is told what went: the largest of which all that goes is made.
    pub fn unit(self) -> HeadUnit {
        if self.per_group > 0 { HeadUnit::Query } else { HeadUnit::KeyValue }
    }

    /// Whether nothing goes.
    pub fn is_none(self) -> bool {
        self == Self::default()
    }
}

/// Heads of one attention layer. The input of o_proj is the heads' contexts side by side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadLayout {
    /// Query heads, before pruning.
    pub heads: usize,
    /// Key/value heads, before pruning; divides `heads`.
    pub kv_heads: usize,
    /// Columns of one head.
    pub head_dim: usize,
}

impl HeadLayout {
    /// Query heads that read one key/value head.
    pub fn heads_per_group(&self) -> usize {
        self.heads / self.kv_heads
    }

    /// The columns of each unit.
    pub fn units(&self, unit: HeadUnit) -> Vec<Range<usize>> {
        // Query heads that read one K/V head are neighbours in o_proj, so each unit is one run of columns.
        let (count, width) = match unit {
            HeadUnit::KeyValue => (self.kv_heads, self.heads_per_group() * self.head_dim),
            HeadUnit::Query => (self.heads, self.head_dim),
        };
        (0..count).map(|i| i * width..(i + 1) * width).collect()
    }

    /// The columns of each unit, one by one.
    pub(super) fn columns(&self, unit: HeadUnit) -> Vec<Vec<usize>> {
        self.units(unit).into_iter().map(Iterator::collect).collect()
    }

    /// Units of which the same number goes: all K/V groups, or the query heads of one K/V head.
    pub fn set_size(&self, unit: HeadUnit) -> usize {
        match unit {
            HeadUnit::KeyValue => self.kv_heads,
            HeadUnit::Query => self.heads_per_group(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GROUPED: HeadLayout = HeadLayout { heads: 8, kv_heads: 4, head_dim: 3 };

    #[test]
    fn a_kv_unit_spans_the_columns_of_its_query_heads() {
        assert_eq!(GROUPED.units(HeadUnit::KeyValue)[1], 6..12);
        assert_eq!(GROUPED.units(HeadUnit::Query)[1], 3..6);
    }

    #[test]
    fn a_cut_is_told_in_the_largest_units_that_it_is_made_of() {
        let cuts = [
            HeadCut::of(HeadUnit::KeyValue, 2),
            HeadCut::of(HeadUnit::Query, 1),
            HeadCut { kv_heads: 1, per_group: 1 },
        ];
        assert_eq!(cuts.map(HeadCut::unit), [HeadUnit::KeyValue, HeadUnit::Query, HeadUnit::Query]);
        assert!(HeadCut::of(HeadUnit::Query, 0).is_none() && !cuts[0].is_none());
    }

    #[test]
    fn as_many_query_heads_go_from_every_group() {
        assert_eq!([HeadUnit::KeyValue, HeadUnit::Query].map(|unit| GROUPED.set_size(unit)), [4, 2]);
    }
}
