//! A text cut at its headings; every part knows where it stands.

use super::Wrong;

/// What stands under one heading, up to the next.
pub struct Section<'a> {
    /// The file, from the repository's root.
    pub file: &'a str,
    /// The heading without its `#`.
    pub heading: &'a str,
    /// `#`s of the heading.
    pub depth: usize,
    /// The line of the heading, counted from one.
    pub line: usize,
    /// Markdown without the heading.
    pub text: &'a str,
}

impl<'a> Section<'a> {
    /// The sections of a file. What stands before its first heading belongs to none.
    pub fn all(file: &'a str, text: &'a str) -> Vec<Self> {
        let mut found: Vec<Self> = Vec::new();
        let mut at = 0;
        for (index, line) in text.split_inclusive('\n').enumerate() {
            let begin = at;
            at += line.len();
            let depth = line.bytes().take_while(|&b| b == b'#').count();
            if depth > 0 && line[depth..].starts_with(' ') {
                let heading = line[depth..].trim();
                found.push(Self { file, heading, depth, line: index + 1, text: &text[at..at] });
            } else if let Some(last) = found.last_mut() {
                // Grown line by line, so that the text stays a slice of the file.
                let start = begin - last.text.len();
                last.text = &text[start..at];
            }
        }
        found
    }

    /// Something wrong at a byte of its text.
    pub fn wrong(&self, byte: usize, what: impl std::fmt::Display) -> Wrong {
        let above = self.text.get(..byte).unwrap_or(self.text).matches('\n').count();
        Wrong::new(self.file, self.line + 1 + above, what)
    }

    /// Something wrong at its heading.
    pub fn amiss(&self, what: impl std::fmt::Display) -> Wrong {
        Wrong::new(self.file, self.line, what)
    }

    /// Its lines that are not blank, with the byte at which each begins.
    pub fn lines(&self) -> impl Iterator<Item = (usize, &'a str)> {
        let mut at = 0;
        let placed = self.text.split_inclusive('\n').map(move |line| {
            at += line.len();
            (at - line.len(), line.trim())
        });
        placed.filter(|(_, line)| !line.is_empty())
    }
}
