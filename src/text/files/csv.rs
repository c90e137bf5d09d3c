//! Tables of separated values as rows (RFC 4180): a header, then a record a row, whose fields may stand in
//! quotation marks with line ends inside.

use std::io::BufRead;

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};
use serde_json::{Map, Value};

use super::table::{NoTable, Place, Row, Rows};

/// Most columns of a table.
const COLUMNS: usize = 1 << 14;
/// Bytes of a record that there is room for at first.
const FIRST: usize = 1 << 12;

/// A table whose rows are read one after the other.
pub struct Table<'a> {
    input: &'a mut dyn BufRead,
    reader: Reader,
    /// Most bytes of a record.
    held: usize,
    /// The bytes of a record without marks and separators, and where each field of it ends.
    bytes: Vec<u8>,
    ends: Vec<usize>,
    /// Columns by their names, of which each is wanted or not.
    columns: Vec<(String, bool)>,
    row: u64,
}

impl<'a> Table<'a> {
    /// Reads the header of a table with this byte between its fields, and makes ready for the columns that are
    /// `wanted`, or for all. A record may have `held` bytes.
    pub fn open(
        input: &'a mut dyn BufRead,
        separator: u8,
        wanted: Option<&[&str]>,
        held: usize,
    ) -> Result<Self, NoTable> {
        let reader = ReaderBuilder::new().delimiter(separator).build();
        let (bytes, ends) = (vec![0; FIRST.min(held)], vec![0; COLUMNS]);
        let mut table = Self { input, reader, held, bytes, ends, columns: Vec::new(), row: 0 };
        let count = table.record().map_err(|reason| NoTable::Wrong(format!("the header: {reason}")))?;
        let count = count.ok_or_else(|| NoTable::Wrong("there is no header with the names of the columns".into()))?;
        for i in 0..count {
            let name = table.field(i).map_err(|reason| NoTable::Wrong(format!("the header: {reason}")))?.to_owned();
            let is_wanted = wanted.is_none_or(|wanted| wanted.contains(&name.as_str()));
            table.columns.push((name, is_wanted));
        }
        match table.columns.iter().any(|(_, is_wanted)| *is_wanted) {
            true => Ok(table),
            false => Err(NoTable::Missing(table.columns.into_iter().map(|(name, _)| name).collect())),
        }
    }

    /// Reads the next record; how many fields it has, or `None` after the last.
    fn record(&mut self) -> Result<Option<usize>, String> {
        let (mut written, mut fields) = (0, 0);
        loop {
            let input = self.input.fill_buf().map_err(|e| e.to_string())?;
            // A last line end that the file may lack ends its last record, and is kept in quotation marks alone.
            let is_end = input.is_empty();
            let input = if is_end { &b"\n"[..] } else { input };
            let (result, read, bytes, ends) =
                self.reader.read_record(input, &mut self.bytes[written..], &mut self.ends[fields..]);
            match is_end {
                // What follows the mark would be one field, and the rows in it no rows.
                true if bytes > 0 => {
                    return Err("a quotation mark is opened in it and never closed; close it, or double it where it \
                                belongs to the text"
                        .into());
                }
                true => {}
                false => self.input.consume(read),
            }
            (written, fields) = (written + bytes, fields + ends);
            match result {
                ReadRecordResult::InputEmpty if is_end => return Ok(None),
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull if self.bytes.len() < self.held => {
                    // Twice as many, so that a long record is copied a few times only.
                    let longer = self.bytes.len().max(FIRST).saturating_mul(2).min(self.held);
                    self.bytes.resize(longer, 0);
                }
                ReadRecordResult::OutputFull => {
                    let most = self.held;
                    return Err(format!("it has more than {most} bytes; is a quotation mark left open before?"));
                }
                ReadRecordResult::OutputEndsFull => return Err(format!("it has more than {COLUMNS} fields")),
                ReadRecordResult::Record => return Ok(Some(fields)),
                ReadRecordResult::End => return Ok(None),
            }
        }
    }

    /// A field of the record that was read last.
    fn field(&self, i: usize) -> Result<&str, String> {
        let begin = if i == 0 { 0 } else { self.ends[i - 1] };
        std::str::from_utf8(&self.bytes[begin..self.ends[i]]).map_err(|e| {
            let column = self.columns.get(i).map_or_else(|| (i + 1).to_string(), |(name, _)| format!("\"{name}\""));
            format!("column {column} is no UTF-8 ({e}); write it as UTF-8")
        })
    }
}

impl Rows for Table<'_> {
    fn next(&mut self) -> Result<Option<Row>, String> {
        let place = Place::Row(self.row + 1);
        let in_row = |reason: String| format!("{place}: {reason}");
        let Some(fields) = self.record().map_err(in_row)? else { return Ok(None) };
        self.row += 1;
        if fields != self.columns.len() {
            let named = self.columns.len();
            return Err(in_row(format!(
                "it has {fields} fields and the header {named}; a field with a separator or a line end stands in \
                 quotation marks"
            )));
        }
        let (mut value, mut bytes) = (Map::new(), 0);
        for (i, (name, _)) in self.columns.iter().enumerate().filter(|(_, (_, is_wanted))| *is_wanted) {
            let field = self.field(i).map_err(in_row)?;
            bytes += field.len() + size_of::<Value>();
            // Of columns of one name the first is meant.
            value.entry(name.clone()).or_insert_with(|| field.into());
        }
        Ok(Some(Row { value: Value::Object(value), place, bytes }))
    }
}
