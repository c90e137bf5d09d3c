//! One pass over files: their documents, as far as the bounds reach.

use std::fs::File;
use std::io::{BufRead, Cursor, Read};
use std::ops::ControlFlow;
use std::path::Path;

use serde_json::Value;

use super::endings::{self, Kind};
use super::input::{self, Opened};
use super::row::{Text, alpaca, listed, plain, root};
use super::table::{NoTable, Rows};
use super::{Bounds, How, csv, parquet};
use crate::disk;
use crate::text::piece::Piece;
use crate::text::{TextError, rows};

/// What kind of file is wanted.
const READABLE: &str = "give a readable UTF-8 text file, gzipped or not";

/// Bytes of a text that are shown at once.
const PIECE: usize = 1 << 18;

/// How much more of files is wanted, and what was found.
pub(super) struct Pass<'a> {
    how: How<'a>,
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
    NoText {
        row: String,
        /// What is there instead, to be said behind that.
        instead: String,
    },
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
    pub fn new(how: How<'a>, bounds: Bounds, shown: Shown<'a>) -> Self {
        let Bounds { documents: wanted, bytes: left, held } = bounds;
        Self { how, wanted, left, held, shown, taken: 0, has_enough: false, found: Found::default() }
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
        let file = disk::told(path);
        let wrong = |reason: String| TextError::File { file: file.clone(), reason };
        let unreadable = |e: std::io::Error| wrong(format!("{e}; {READABLE}"));
        let (before, mut odd) = (self.taken, Odd::default());
        let taken = match input::open(path, self.how.key).map_err(unreadable)? {
            Opened::Columns(file) => self.columns(file, &mut odd),
            Opened::Passing(kind, mut input) => self.passing(kind, &mut input, &mut odd),
        };
        let no_text = |row: String, instead: String| TextError::NoText {
            file: file.clone(),
            row,
            key: self.how.key.to_owned(),
            instead,
        };
        match taken {
            Err(BadRow::Wrong(reason)) => Err(wrong(reason)),
            Err(BadRow::NoText { row, instead }) => Err(no_text(row, instead)),
            // A key under which nothing ever stands is not the one that was meant.
            Ok(()) if odd.nulls > 0 && self.taken == before && !self.found.is_part => {
                Err(no_text("every row".into(), String::new()))
            }
            Ok(()) => {
                self.found.notes.extend(odd.notes(&file, self.how.key));
                Ok(())
            }
        }
    }

    /// Takes what passes by once.
    fn passing(&mut self, kind: Option<Kind>, input: &mut Box<dyn BufRead>, odd: &mut Odd) -> Result<(), BadRow> {
        let wrong = |reason: String| Err(BadRow::Wrong(reason));
        match kind {
            Some(Kind::Text) if matches!(self.shown, Shown::Rows(_)) => {
                wrong(format!("a plain text has no rows; {}", endings::told_rows()))
            }
            Some(Kind::Text) => self.whole(input).map_err(BadRow::Wrong),
            Some(Kind::Lines) => self.lines(input, odd),
            Some(Kind::List) => self.list(input, odd),
            Some(Kind::Separated(separator)) => {
                let input: &mut dyn BufRead = &mut **input;
                let mut table = self.opened(move |wanted, held| csv::Table::open(input, separator, wanted, held))?;
                self.table(&mut table, odd)
            }
            // What lies at its end tells what its beginning is.
            Some(Kind::Columns) => {
                let mut bytes = Vec::new();
                self.fill(input, &mut bytes).map_err(|e| BadRow::Wrong(unreadable(&e)))?;
                if self.found.is_part {
                    return Ok(());
                }
                let length = bytes.len() as u64;
                self.parquet(Box::new(Cursor::new(bytes)), length, odd)
            }
            None => wrong(format!("the ending says nothing known; {}", endings::told())),
        }
    }

    /// The rows of a Parquet file.
    fn columns(&mut self, file: File, odd: &mut Odd) -> Result<(), BadRow> {
        let length = file.metadata().map_err(|e| BadRow::Wrong(unreadable(&e)))?.len();
        self.parquet(Box::new(file), length, odd)
    }

    fn parquet(&mut self, file: Box<dyn parquet::Source>, length: u64, odd: &mut Odd) -> Result<(), BadRow> {
        let mut table = self.opened(|wanted, held| parquet::Table::open(file, length, wanted, held))?;
        self.table(&mut table, odd)
    }

    /// Opens a table for the columns that are wanted.
    fn opened<T>(&self, open: impl FnOnce(Option<&[&str]>, usize) -> Result<T, NoTable>) -> Result<T, BadRow> {
        let key = self.how.key;
        let wanted: Option<Vec<&str>> = match (&self.shown, self.how.columns) {
            // A column may be called a.b, or have a part b.
            (Shown::Documents(_), _) => Some(vec![key, root(key)]),
            (Shown::Rows(_), columns) => columns.map(|all| all.iter().flat_map(|key| [*key, root(key)]).collect()),
        };
        open(wanted.as_deref(), self.held).map_err(|error| match error {
            NoTable::Wrong(reason) => BadRow::Wrong(reason),
            NoTable::Missing(names) => {
                BadRow::NoText { row: "the table".into(), instead: format!("; its columns are {}", listed(&names)) }
            }
        })
    }

    /// The rows of a table.
    fn table(&mut self, table: &mut dyn Rows, odd: &mut Odd) -> Result<(), BadRow> {
        while !self.is_full() {
            let Some(row) = table.next().map_err(BadRow::Wrong)? else { break };
            let left = self.left.checked_sub(row.bytes);
            self.found.is_part = left.is_none();
            let Some(left) = left else { break };
            self.left = left;
            let place = || row.place.to_string();
            if !self.raw(&row.value, place)? {
                self.row(plain(&row.value, self.how.key), odd, place, place)?;
            }
        }
        Ok(())
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
            // One byte more, as where all is read: a row that ends there is told from one that goes on.
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
                self.row(plain(&row, self.how.key), odd, place, place)?;
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
            self.row(alpaca(row, self.how.key), odd, || format!("row {}", i + 1), no_pair)?;
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
            Text::Said(messages) => {
                let wrong = |reason: String| BadRow::Wrong(format!("{}: {reason}", place()));
                let text = (self.how.render)(&messages).map_err(wrong)?;
                self.show(&text, true);
            }
            Text::Null => odd.null(place),
            Text::Missing(instead) => return Err(BadRow::NoText { row: unfit(), instead }),
            Text::Wrong(reason) => return Err(BadRow::Wrong(format!("{}: {reason}", place()))),
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
