//! Parquet files as rows: row group by row group, and of each wanted column one page at a time.
//!
//! ```text
//! PAR1  chunk chunk …  chunk chunk …  footer  its length  PAR1
//!       └ row group 1  └ row group 2
//! chunk = header page  header page …     one column of the group: a dictionary perhaps, then values with their levels
//! ```
//!
//! From the format's own description (github.com/apache/parquet-format). Read are texts, numbers and truth values,
//! in structures and lists of them, in all encodings that writers use for these, packed with Snappy, gzip, Zstandard
//! or not at all: what needs no C.

use serde_json::{Map, Value};

use super::table::{NoTable, Place, Row, Rows};
use column::{Column, Levels};
use footer::Group;
use packed::DAMAGED;
use schema::{Leaf, Schema, Shape, Unfit};

mod bits;
mod column;
mod footer;
mod packed;
mod page;
mod read;
mod schema;
mod thrift;
mod values;

pub use footer::MARK;
pub use read::Source;

/// Values, null or not, that a file may have: so many, and so many for each of its bytes. A run of any length takes a few
/// bytes, and nobody waits for the end of all that such a file could tell.
const VALUES: (u64, u64) = (1 << 20, 64);
/// Bytes of its rows, likewise: Zstandard, which packs best, makes as much of a byte.
const BYTES: (u64, u64) = (1 << 28, 1 << 15);
/// The share of the bytes that may be held which a page and a dictionary may have each: rows are made of them.
const SHARE: usize = 4;
/// Bytes that a value takes beside its text.
const BESIDE: usize = size_of::<Value>();
/// Bytes that a structure and each of its parts take at most, beside names and values; and a list, which begins with
/// room for four.
const STRUCTURE: (usize, usize) = (512, 192);
const LIST: usize = 4 * BESIDE;

/// A file whose rows are read one after the other.
pub struct Table {
    file: Box<dyn Source>,
    /// Bytes of the file.
    length: u64,
    /// Most bytes of a page, and of a row.
    held: usize,
    schema: Schema,
    /// Groups that are still to come.
    groups: std::vec::IntoIter<Group>,
    /// Which group this is, from 1, and which row of it comes next.
    place: (u64, u64),
    /// Rows of this group that are still to come.
    left: u64,
    /// Bytes that all rows to come may have.
    room: u64,
    columns: Vec<Column>,
    /// Bytes that the columns hold together.
    pages: usize,
}

impl Table {
    /// Opens a file of `length` bytes for the columns that are `wanted`, or for all with text or numbers. A page and a
    /// row may have `held` bytes.
    pub fn open(mut file: Box<dyn Source>, length: u64, wanted: Option<&[&str]>, held: usize) -> Result<Self, NoTable> {
        let footer = footer::read(&mut *file, length).map_err(NoTable::Wrong)?;
        let schema = Schema::of(&footer, wanted).map_err(|unfit| match unfit {
            Unfit::Wrong(reason) => NoTable::Wrong(reason),
            Unfit::Missing(names) => NoTable::Missing(names),
        })?;
        check(&footer.groups, &schema, length).map_err(NoTable::Wrong)?;
        let (groups, room) = (footer.groups.into_iter(), most(length, BYTES));
        Ok(Self { file, length, held, schema, groups, place: (0, 1), left: 0, room, columns: Vec::new(), pages: 0 })
    }

    /// Begins the next group with rows; whether there is one.
    fn turn(&mut self) -> Result<bool, String> {
        while self.left == 0 {
            let Some(group) = self.groups.next() else { return Ok(false) };
            self.place = (self.place.0 + 1, 1);
            self.left = group.rows;
            let mut chunks: Vec<_> = group.chunks.into_iter().map(Some).collect();
            let mut column = |leaf: &Leaf| -> Result<Column, String> {
                let chunk = chunks.get_mut(leaf.index).and_then(Option::take).ok_or("it is in no group of rows")?;
                Column::new(chunk, self.length, self.held / SHARE)
            };
            let number = self.place.0;
            let columns = self.schema.leaves.iter().map(|leaf| column(leaf).map_err(|e| in_column(number, leaf, &e)));
            self.columns = columns.collect::<Result<_, _>>()?;
            self.pages = 0;
        }
        Ok(true)
    }
}

impl Rows for Table {
    fn next(&mut self) -> Result<Option<Row>, String> {
        if !self.turn()? {
            return Ok(None);
        }
        let ((group, row), is_last) = (self.place, self.left == 1);
        let Self { schema, columns, file, held, pages, .. } = self;
        let (leaves, file, most) = (&schema.leaves[..], &mut **file, *held);
        let mut reading = Reading { group, leaves, columns, file, most, pages, room: most, around: 0 };
        reading.begins()?;
        let mut value = Map::new();
        for (name, shape) in &schema.columns {
            value.insert(name.clone(), reading.value(shape)?);
        }
        // What is left behind the last row of a group would belong to none.
        if is_last {
            reading.ends()?;
        }
        let bytes = most - reading.room - reading.around;
        let room = self.room.checked_sub(bytes as u64);
        self.room = room.ok_or_else(|| format!("its rows are longer than a file of its size can hold; {DAMAGED}"))?;
        self.left -= 1;
        self.place.1 += 1;
        Ok(Some(Row { value: Value::Object(value), place: Place::InGroup { row, group }, bytes }))
    }
}

/// So much, and so much for each byte of the file.
fn most(length: u64, (free, for_each): (u64, u64)) -> u64 {
    length.saturating_mul(for_each).saturating_add(free)
}

/// Refuses what a file of this length cannot have.
fn check(groups: &[Group], schema: &Schema, length: u64) -> Result<(), String> {
    // First: else a group of nothing would be asked for each of the columns.
    if let Some(at) = groups.iter().position(|group| group.chunks.len() != schema.count) {
        let found = groups[at].chunks.len();
        return Err(format!("row group {} has {found} columns instead of {}; {DAMAGED}", at + 1, schema.count));
    }
    let chunks = groups.iter().flat_map(|group| schema.leaves.iter().filter_map(|leaf| group.chunks.get(leaf.index)));
    let values = chunks.map(|chunk| chunk.values).chain(groups.iter().map(|group| group.rows));
    let total = values.fold(0, u64::saturating_add);
    match total > most(length, VALUES) {
        true => Err(format!("it tells of {total} values, more than a file of {length} bytes can have; {DAMAGED}")),
        false => Ok(()),
    }
}

fn in_column(group: u64, leaf: &Leaf, reason: &str) -> String {
    format!("row group {group}, column \"{}\": {reason}", leaf.name)
}

/// A row that is put together.
struct Reading<'a> {
    group: u64,
    leaves: &'a [Leaf],
    columns: &'a mut [Column],
    file: &'a mut dyn Source,
    /// Bytes that the row may take, and that all columns may hold together; those that they do.
    most: usize,
    pages: &'a mut usize,
    /// Bytes that the row may still take, and those that it takes around its values.
    room: usize,
    around: usize,
}

impl Reading<'_> {
    /// Holds all columns to being where a row begins.
    fn begins(&mut self) -> Result<(), String> {
        for place in 0..self.columns.len() {
            if self.levels(place)?.repeated != 0 {
                return Err(self.more(place));
            }
        }
        Ok(())
    }

    /// Holds all columns to having no values behind those of the last row.
    fn ends(&mut self) -> Result<(), String> {
        for place in 0..self.columns.len() {
            if self.peek(place)?.is_some() {
                return Err(self.more(place));
            }
        }
        Ok(())
    }

    fn value(&mut self, shape: &Shape) -> Result<Value, String> {
        match shape {
            Shape::Value(place) => self.take(*place),
            Shape::Group(parts) => {
                let names: usize = parts.iter().map(|(name, _)| name.len() + STRUCTURE.1).sum();
                // Paid before it is made: few bytes of a file tell of many structures.
                self.spend(first(shape), STRUCTURE.0 + names)?;
                self.around += STRUCTURE.0 + names;
                let mut all = Map::new();
                for (name, part) in parts {
                    all.insert(name.clone(), self.value(part)?);
                }
                Ok(Value::Object(all))
            }
            // What is not there has an entry in each of its columns all the same.
            Shape::Optional(defined, of) if self.levels(first(of))?.defined < *defined => {
                self.pass(of)?;
                Ok(Value::Null)
            }
            Shape::Optional(_, of) => self.value(of),
            Shape::List { defined, of, .. } if self.levels(first(of))?.defined < *defined => {
                self.pass(of)?;
                Ok(Value::Array(Vec::new()))
            }
            Shape::List { repeated, of, .. } => {
                self.spend(first(of), LIST)?;
                self.around += LIST;
                let mut all = Vec::new();
                loop {
                    all.push(self.value(of)?);
                    // A level below this one is another list's, and none at all is the end.
                    if self.peek(first(of))?.is_none_or(|next| next.repeated != *repeated) {
                        return Ok(Value::Array(all));
                    }
                }
            }
        }
    }

    /// Passes over what tells that something is not there: one entry in each column.
    fn pass(&mut self, shape: &Shape) -> Result<(), String> {
        match shape {
            Shape::Value(place) => self.take(*place).map(drop),
            Shape::Group(parts) => parts.iter().try_for_each(|(_, part)| self.pass(part)),
            Shape::Optional(_, of) | Shape::List { of, .. } => self.pass(of),
        }
    }

    fn take(&mut self, place: usize) -> Result<Value, String> {
        // The page that it stands in.
        self.peek(place)?;
        let taken = self.columns[place].take(&self.leaves[place], self.file);
        let value = taken.map_err(|e| self.wrong(place, &e))?;
        self.spend(place, BESIDE + value.as_str().map_or(0, str::len))?;
        Ok(value)
    }

    fn spend(&mut self, place: usize, bytes: usize) -> Result<(), String> {
        let room = self.room.checked_sub(bytes);
        self.room = room.ok_or_else(|| self.wrong(place, "a row is larger than the memory for it"))?;
        Ok(())
    }

    fn peek(&mut self, place: usize) -> Result<Option<Levels>, String> {
        let before = self.columns[place].holds();
        let levels = self.columns[place].levels(&self.leaves[place], self.file);
        *self.pages = *self.pages - before + self.columns[place].holds();
        let levels = levels.map_err(|e| self.wrong(place, &e))?;
        match *self.pages > self.most {
            true => {
                Err(self.wrong(place, "it and others have larger pages than memory has room for; write smaller ones"))
            }
            false => Ok(levels),
        }
    }

    fn levels(&mut self, place: usize) -> Result<Levels, String> {
        self.peek(place)?.ok_or_else(|| self.wrong(place, &format!("it has fewer values than rows; {DAMAGED}")))
    }

    fn more(&self, place: usize) -> String {
        self.wrong(place, &format!("it has more values than rows; {DAMAGED}"))
    }

    fn wrong(&self, place: usize, reason: &str) -> String {
        in_column(self.group, &self.leaves[place], reason)
    }
}

/// The first column of a part: it tells whether the part is there.
fn first(shape: &Shape) -> usize {
    match shape {
        Shape::Value(place) => *place,
        Shape::Group(parts) => parts.first().map_or(0, |(_, part)| first(part)),
        Shape::Optional(_, of) | Shape::List { of, .. } => first(of),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rows of a file of conversations where so many bytes may be held.
    fn rows(held: usize) -> Result<usize, String> {
        let bytes: &'static [u8] = include_bytes!("../../../../tests/input/tables/chat.parquet");
        let file = Box::new(std::io::Cursor::new(bytes));
        let mut table = Table::open(file, bytes.len() as u64, None, held).map_err(|e| format!("{e:?}"))?;
        let mut count = 0;
        while table.next()?.is_some() {
            count += 1;
        }
        Ok(count)
    }

    #[test]
    fn what_stands_around_values_takes_memory_too() {
        assert_eq!(rows(1 << 16), Ok(5));
        // The values of the longest row with their texts have 1 KiB, and its nine structures and lists more than 5.
        assert!(rows(1 << 12).unwrap_err().contains("a row is larger than the memory"));
    }

    #[test]
    fn columns_share_the_memory_for_their_pages() {
        // The largest dictionary has 3 values, those of all five columns 11; with 179 bytes of pages.
        assert!(rows(SHARE * 3 * BESIDE).unwrap_err().contains("it and others"));
        // Whatever there is of it, a file is read whole or told to be too large.
        for held in (0..1 << 14).step_by(256) {
            assert!(rows(held).map_or_else(|reason| reason.contains("memory"), |count| count == 5), "{held}");
        }
    }
}
