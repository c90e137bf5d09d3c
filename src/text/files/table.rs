//! What all tables are: rows one after the other, each with its place.

use std::fmt;

use serde_json::Value;

/// A row of a table.
pub struct Row {
    /// Its columns by their names.
    pub value: Value,
    pub place: Place,
    /// Bytes that it takes.
    pub bytes: usize,
}

/// Where a row stands, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Behind the header.
    Row(u64),
    /// In a group of rows.
    InGroup { row: u64, group: u64 },
}

/// A table that is read from its beginning.
pub trait Rows {
    /// The next row; `None` after the last.
    fn next(&mut self) -> Result<Option<Row>, String>;
}

/// Why a table cannot be read.
#[derive(Debug)]
pub enum NoTable {
    Wrong(String),
    /// None of its columns is wanted; it has these.
    Missing(Vec<String>),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Row(row) => write!(f, "row {row}"),
            Self::InGroup { row, group } => write!(f, "row {row} of row group {group}"),
        }
    }
}
