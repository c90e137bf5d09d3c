//! One pass over files: their documents, as far as the bounds reach.

use std::io::{BufRead, Read};
use std::ops::ControlFlow;
use std::path::Path;

use serde_json::Value;

use super::Bounds;
use super::input::{self, Kind};
use crate::text::piece::Piece;
use crate::text::{TextError, rows};

/// What kind of file is wanted.
const READABLE: &str = "give a readable UTF-8 text file, gzipped or not";

/// Bytes of a text that are shown at once.
const PIECE: usize = 1 << 18;

/// How much more of files is wanted, and what was found.
pub(super) struct Pass<'a> {
    key: &'a str,
    /// Documents.
    wanted: usize,
    /// Bytes that may still be read.
    left: usize,
    /// Bytes of what has to be held as a whole.
    held: usize,
    shown: Shown<'a>,
    taken: usize,
    has_enough: bool,
    pub found: Found,
}

/// What is to be said of a pass.
#[derive(Default)]
pub(in crate::text) struct Found {
    /// What was not taken as it stands, in sentences that name the file.
    pub notes: Vec<String>,
    /// Whether the bytes did not reach for all that was wanted.
    pub is_part: bool,
    /// Whether the last text is only the beginning of its document.
    pub is_cut: bool,
}

/// Who is shown what a file holds.
pub(super) enum Shown<'a> {
    /// Its documents.
    Documents(&'a mut dyn FnMut(Piece<'_>) -> ControlFlow<()>),
    /// Its rows as they are, each with where it stands; what is wrong with one ends the pass.
    Rows(&'a mut dyn FnMut(&Value, &str) -> Result<(), String>),
}

/// What is wrong with a row: it is no JSON, or it has no text.
enum BadRow {
    Wrong(String),
    NoText(String),
}

/// The text of a row.
enum Text {
    There(String),
    Null,
    Missing,
}

/// Rows that were not taken as they stand: how many, and which was the first.
#[derive(Default)]
struct Odd {
    nulls: usize,
    first_null: String,
    repaired: usize,
    first_repaired: String,
}

impl<'a> Pass<'a> {
    pub fn new(key: &'a str, bounds: Bounds, shown: Shown<'a>) -> Self {
        let Bounds { documents: wanted, bytes: left, held } = bounds;
        Self { key, wanted, left, held, shown, taken: 0, has_enough: false, found: Found::default() }
    }

    /// Whether nothing more is wanted, or nothing more may be read.
    pub fn is_full(&self) -> bool {
        self.has_enough || self.found.is_part || self.taken >= self.wanted
    }

    fn show(&mut self, text: &str, begins: bool) {
        self.taken += usize::from(begins);
        if let Shown::Documents(each) = &mut self.shown {
            self.has_enough = each(Piece { text, begins }).is_break();
        }
    }

    /// Takes the documents of one more file.
    pub fn file(&mut self, path: &Path) -> Result<(), TextError> {
        let file = path.display().to_string();
        let wrong = |reason: String| TextError::File { file: file.clone(), reason };
        let unreadable = |e: std::io::Error| wrong(format!("{e}; {READABLE}"));
        let (kind, mut input) = input::open(path).map_err(unreadable)?;
        let (before, mut odd) = (self.taken, Odd::default());
        let taken = match kind {
            Some(Kind::Text) if matches!(self.shown, Shown::Rows(_)) => {
                Err(BadRow::Wrong("a plain text has no rows; give .jsonl (one object a line) or .json (a list of them)".into()))
            }
            Some(Kind::Text) => self.whole(&mut input).map_err(BadRow::Wrong),
            Some(Kind::Lines) => self.lines(&mut input, &mut odd),
            Some(Kind::List) => self.list(&mut input, &mut odd),
            None => Err(BadRow::Wrong(
                "the ending says nothing known; give .txt, .jsonl (one object a line) or .json (Alpaca rows), or one of them with .gz or .zst".into(),
            )),
        };
        let no_text = |row: String| TextError::NoText { file: file.clone(), row, key: self.key.to_owned() };
        match taken {
            Err(BadRow::Wrong(reason)) => Err(wrong(reason)),
            Err(BadRow::NoText(row)) => Err(no_text(row)),
            // A key under which nothing ever stands is not the one that was meant.
            Ok(()) if odd.nulls > 0 && self.taken == before && !self.found.is_part => Err(no_text("every row".into())),
            Ok(()) => {
                self.found.notes.extend(odd.notes(&file, self.key));
                Ok(())
            }
        }
    }

    /// The whole of a file, or its beginning, in pieces.
    fn whole(&mut self, input: &mut impl BufRead) -> Result<(), String> {
        let (mut bytes, mut before, mut begins) = (Vec::new(), 0, true);
        loop {
            let most = self.left.min(PIECE);
            let count = (&mut *input).take(most as u64).read_to_end(&mut bytes).map_err(|e| unreadable(&e))?;
            self.left -= count;
            let goes_on = !input.fill_buf().map_err(|e| unreadable(&e))?.is_empty();
            self.found.is_part = goes_on && self.left == 0;
            let whole = match std::str::from_utf8(&bytes) {
                Ok(text) => text.len(),
                // The piece may end in the middle of a character.
                Err(e) if goes_on && e.error_len().is_none() => e.valid_up_to(),
                Err(e) => return Err(format!("no UTF-8 at byte {}; {READABLE}", before + e.valid_up_to())),
            };
            // What precedes was checked.
            self.show(std::str::from_utf8(&bytes[..whole]).unwrap_or_default(), begins);
            if !goes_on || self.found.is_part || self.has_enough {
                self.found.is_cut = self.found.is_part;
                return Ok(());
            }
            bytes.drain(..whole);
            before += whole;
            begins = false;
        }
    }

    /// Reads what is left of a file, as far as it may be read and held, and notes whether that was all.
    fn fill(&mut self, input: &mut impl Read, bytes: &mut Vec<u8>) -> std::io::Result<()> {
        let most = self.left.min(self.held);
        // One byte more tells a file that ends here from one that goes on.
        let count = input.take(most.saturating_add(1) as u64).read_to_end(bytes)?;
        self.found.is_part = count > most;
        bytes.truncate(most);
        self.left -= bytes.len();
        Ok(())
    }

    /// The rows of a file with one a line.
    fn lines(&mut self, input: &mut impl BufRead, odd: &mut Odd) -> Result<(), BadRow> {
        let mut bytes = Vec::new();
        for number in 1.. {
            if self.is_full() {
                break;
            }
            bytes.clear();
            let place = || format!("line {number}");
            let wrong = |e: &dyn std::fmt::Display| BadRow::Wrong(format!("{}: {e}", place()));
            let most = self.left.min(self.held);
            let mut limited = (&mut *input).take(most.saturating_add(1) as u64);
            let count = limited.read_until(b'\n', &mut bytes);
            let count = count.map_err(|e| BadRow::Wrong(format!("{}: {}", place(), unreadable(&e))))?;
            self.found.is_part = count > most;
            if count == 0 || count > most {
                break;
            }
            self.left -= count;
            let line =
                std::str::from_utf8(&bytes).map_err(|e| BadRow::Wrong(format!("{}: {e}; {READABLE}", place())))?;
            if line.trim().is_empty() {
                continue;
            }
            let (row, repaired) = rows::parse(line).map_err(|e| wrong(&e))?;
            odd.repaired(repaired, place);
            if !self.raw(&row, place)? {
                self.row(plain(&row, self.key), odd, place, place)?;
            }
        }
        Ok(())
    }

    /// The rows of a file that is one list.
    fn list(&mut self, input: &mut impl Read, odd: &mut Odd) -> Result<(), BadRow> {
        let wrong = |e: &dyn std::fmt::Display| BadRow::Wrong(format!("not a JSON list of rows: {e}"));
        let mut bytes = Vec::new();
        self.fill(input, &mut bytes).map_err(|e| BadRow::Wrong(unreadable(&e)))?;
        if self.found.is_part {
            // A list has an end, and half of one is no JSON.
            return Ok(());
        }
        let text = std::str::from_utf8(&bytes).map_err(|e| BadRow::Wrong(format!("{e}; {READABLE}")))?;
        let (list, repaired) = rows::parse(text).map_err(|e| wrong(&e))?;
        odd.repaired(repaired, || "the list".into());
        for (i, row) in list.as_array().into_iter().flatten().enumerate() {
            if self.is_full() {
                break;
            }
            if self.raw(row, || format!("row {}", i + 1))? {
                continue;
            }
            let no_pair = || format!("row {} is no pair of \"instruction\" and \"output\", and", i + 1);
            self.row(alpaca(row, self.key), odd, || format!("row {}", i + 1), no_pair)?;
        }
        Ok(())
    }

    /// Shows a row as it is, where rows are wanted.
    fn raw(&mut self, row: &Value, place: impl Fn() -> String) -> Result<bool, BadRow> {
        let Shown::Rows(each) = &mut self.shown else { return Ok(false) };
        let place = place();
        each(row, &place).map_err(|reason| BadRow::Wrong(format!("{place}: {reason}")))?;
        self.taken += 1;
        Ok(true)
    }

    /// Takes the text of a row that stands at `place`, which is called `unfit` if it has none.
    fn row(
        &mut self,
        text: Text,
        odd: &mut Odd,
        place: impl Fn() -> String,
        unfit: impl Fn() -> String,
    ) -> Result<(), BadRow> {
        match text {
            Text::There(text) => self.show(&text, true),
            Text::Null => odd.null(place),
            Text::Missing => return Err(BadRow::NoText(unfit())),
        }
        Ok(())
    }
}

fn unreadable(error: &std::io::Error) -> String {
    format!("{error}; {READABLE}")
}

impl Odd {
    fn null(&mut self, place: impl Fn() -> String) {
        if self.nulls == 0 {
            self.first_null = place();
        }
        self.nulls += 1;
    }

    fn repaired(&mut self, repaired: bool, place: impl Fn() -> String) {
        if repaired && self.repaired == 0 {
            self.first_repaired = place();
        }
        self.repaired += usize::from(repaired);
    }

    fn notes(self, file: &str, key: &str) -> impl Iterator<Item = String> {
        let rows = |n: usize| if n == 1 { "1 row".to_owned() } else { format!("{n} rows") };
        let nulls = (self.nulls > 0).then(|| {
            format!(
                "{file}: {} with null under \"{key}\", left out; the first is {}",
                rows(self.nulls),
                self.first_null
            )
        });
        let repaired = (self.repaired > 0).then(|| {
            format!(
                "{file}: {} with NaN, infinities or halves of characters, which are no JSON and were read as null and \
                 U+FFFD; the first is {}",
                rows(self.repaired),
                self.first_repaired
            )
        });
        nulls.into_iter().chain(repaired)
    }
}

/// What stands under the key.
fn plain(row: &Value, key: &str) -> Text {
    match row.get(key) {
        Some(Value::String(text)) => Text::There(text.clone()),
        Some(Value::Null) => Text::Null,
        _ => Text::Missing,
    }
}

/// Instruction, input and output, or what stands under the key.
fn alpaca(row: &Value, key: &str) -> Text {
    let Some(instruction) = row["instruction"].as_str() else { return plain(row, key) };
    let output = match row.get("output") {
        Some(Value::String(output)) => output.as_str(),
        Some(Value::Null) => return Text::Null,
        _ => return Text::Missing,
    };
    // Most rows of Alpaca have an empty input, which makes no line.
    let input = row["input"].as_str().filter(|s| !s.is_empty());
    let parts: Vec<&str> = [Some(instruction), input, Some(output)].into_iter().flatten().collect();
    Text::There(parts.join("\n"))
}
