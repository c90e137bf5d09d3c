//! What is wrong with a text, and where.

use std::fmt::{self, Display};

/// Why nothing is generated.
#[derive(Debug, PartialEq)]
pub struct Wrong {
    /// From the repository's root.
    pub file: String,
    /// Counted from one.
    pub line: usize,
    /// For whoever wrote the text.
    pub what: String,
}

impl Wrong {
    /// Something wrong in a line of a file.
    pub fn new(file: &str, line: usize, what: impl Display) -> Self {
        Self { file: file.to_owned(), line, what: what.to_string() }
    }
}

impl Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.what)
    }
}
