//! What stands at the end of a Parquet file: the tree of its columns, and where the parts of each lie.

use super::packed::DAMAGED;
use super::read::{Source, read_at};
use super::thrift::{Broken, Compact, Kind};

/// What a file begins and ends with.
pub const MARK: [u8; 4] = *b"PAR1";
/// What one ends with whose footer is encrypted.
const ENCRYPTED: [u8; 4] = *b"PARE";
/// What a pointer of git-lfs begins with.
const POINTER: [u8; 4] = *b"vers";
/// Most bytes of a footer. What is made of it takes at most some fifty times as much, and those of files with
/// thousands of row groups have a tenth of it.
const MOST: u64 = 16 << 20;
/// Bytes at the end: the length of the footer and the mark.
const TAIL: u64 = 8;

/// What the footer tells.
#[derive(Debug, Default)]
pub struct Footer {
    /// The tree of columns, each before what is inside of it; the first is the row.
    pub elements: Vec<Element>,
    pub groups: Vec<Group>,
}

/// A column, or a structure of columns.
#[derive(Debug, Default)]
pub struct Element {
    pub name: String,
    /// How a value is stored, by its number; none of a structure.
    pub physical: Option<i64>,
    /// 0: always there, 1: there or not, 2: any number of times.
    pub repetition: i64,
    pub children: u64,
    /// What it means, by its number in the older list.
    pub converted: Option<i64>,
    /// What it means, by its number in the newer list.
    pub logical: Option<i16>,
}

/// Rows whose columns lie together.
#[derive(Debug, Default)]
pub struct Group {
    pub rows: u64,
    pub chunks: Vec<Chunk>,
}

/// A column of a group of rows.
#[derive(Debug, Default)]
pub struct Chunk {
    pub codec: i64,
    /// Values, with those that are null.
    pub values: u64,
    /// Where its first page begins, in bytes of the file.
    pub start: u64,
    pub bytes: u64,
    pub is_encrypted: bool,
    /// Whether it lies in another file.
    pub is_elsewhere: bool,
}

/// Reads the footer of a file of `length` bytes.
pub fn read(file: &mut dyn Source, length: u64) -> Result<Footer, String> {
    let head = read_at(file, 0, length.min(MARK.len() as u64))?;
    let tail_at = length.saturating_sub(TAIL);
    let tail = read_at(file, tail_at, length - tail_at)?;
    if head == POINTER {
        return Err("it is no Parquet file, but what git has in its place; run git lfs pull in its folder".into());
    }
    let begins = head == MARK || head == ENCRYPTED;
    if !begins || length < MARK.len() as u64 + TAIL {
        return Err(format!("it is no Parquet file, which begins with PAR1; {DAMAGED}, or name it as what it is"));
    }
    let (size, mark) = tail.split_at(4);
    if head == ENCRYPTED || mark == ENCRYPTED {
        return Err("its footer is encrypted; write it again without encryption".into());
    }
    if mark != MARK {
        return Err(format!("it does not end as a Parquet file does, with PAR1, so it is not whole; {DAMAGED}"));
    }
    let size = u64::from(u32::from_le_bytes([size[0], size[1], size[2], size[3]]));
    if size > tail_at - MARK.len() as u64 {
        return Err(format!("its footer has {size} bytes, more than the file; {DAMAGED}"));
    }
    if size > MOST {
        return Err(format!(
            "its footer has {size} bytes, and {MOST} are the most that are read; write it with larger row groups"
        ));
    }
    let bytes = read_at(file, tail_at - size, size)?;
    parse(&bytes).map_err(|e| format!("its footer: {e}; {DAMAGED}"))
}

fn parse(bytes: &[u8]) -> Result<Footer, Broken> {
    let input = &mut Compact::new(bytes);
    let (mut footer, mut number) = (Footer::default(), 0);
    while let Some(kind) = input.field(&mut number)? {
        match number {
            2 => footer.elements = list(input, kind, element)?,
            4 => footer.groups = list(input, kind, group)?,
            _ => input.skip(kind)?,
        }
    }
    Ok(footer)
}

fn list<T>(
    input: &mut Compact<'_>,
    kind: Kind,
    one: impl Fn(&mut Compact<'_>) -> Result<T, Broken>,
) -> Result<Vec<T>, Broken> {
    let count = input.structs(kind)?;
    // Grows as they come: what is told may not be there.
    let mut all = Vec::new();
    for _ in 0..count {
        all.push(one(input)?);
    }
    Ok(all)
}

fn element(input: &mut Compact<'_>) -> Result<Element, Broken> {
    let (mut element, mut number, mut has_name) = (Element::default(), 0, false);
    while let Some(kind) = input.field(&mut number)? {
        match number {
            1 => element.physical = Some(input.int(kind)?),
            3 => element.repetition = input.int(kind)?,
            4 => {
                element.name = String::from_utf8_lossy(input.binary(kind)?).into_owned();
                has_name = true;
            }
            5 => element.children = input.count(kind)?,
            6 => element.converted = Some(input.int(kind)?),
            10 => element.logical = logical(input, kind)?,
            _ => input.skip(kind)?,
        }
    }
    // One without anything would take a byte of the footer, and eighty of memory.
    if has_name { Ok(element) } else { Err(Broken::Wrong("a column has no name")) }
}

/// A union: the number of its only field says what it is.
fn logical(input: &mut Compact<'_>, kind: Kind) -> Result<Option<i16>, Broken> {
    let (mut found, mut number) = (None, 0);
    while let Some(kind) = input.inner(kind, &mut number)? {
        found = Some(number);
        input.skip(kind)?;
    }
    Ok(found)
}

fn group(input: &mut Compact<'_>) -> Result<Group, Broken> {
    let (mut group, mut number, mut has_rows) = (Group::default(), 0, false);
    while let Some(kind) = input.field(&mut number)? {
        match number {
            1 => group.chunks = list(input, kind, chunk)?,
            3 => (group.rows, has_rows) = (input.count(kind)?, true),
            _ => input.skip(kind)?,
        }
    }
    // Likewise.
    if has_rows { Ok(group) } else { Err(Broken::Wrong("a group of rows does not tell how many they are")) }
}

fn chunk(input: &mut Compact<'_>) -> Result<Chunk, Broken> {
    let (mut chunk, mut number, mut has_data) = (Chunk::default(), 0, false);
    while let Some(kind) = input.field(&mut number)? {
        match number {
            1 => {
                input.skip(kind)?;
                chunk.is_elsewhere = true;
            }
            3 => {
                data(input, kind, &mut chunk)?;
                has_data = true;
            }
            8 => {
                input.skip(kind)?;
                chunk.is_encrypted = true;
            }
            _ => input.skip(kind)?,
        }
    }
    // What is encrypted tells nothing else.
    if has_data || chunk.is_encrypted { Ok(chunk) } else { Err(Broken::Wrong("a column does not tell where it lies")) }
}

fn data(input: &mut Compact<'_>, kind: Kind, chunk: &mut Chunk) -> Result<(), Broken> {
    let (mut pages, mut dictionary, mut number) = (0, 0, 0);
    while let Some(kind) = input.inner(kind, &mut number)? {
        match number {
            4 => chunk.codec = input.int(kind)?,
            5 => chunk.values = input.count(kind)?,
            7 => chunk.bytes = input.count(kind)?,
            9 => pages = input.count(kind)?,
            11 => dictionary = input.count(kind)?,
            _ => input.skip(kind)?,
        }
    }
    // A dictionary lies before the pages that use it; some writers tell none as 0.
    chunk.start = if dictionary > 0 { dictionary.min(pages) } else { pages };
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_nothing_is_no_column_and_no_group() {
        // 2: [{4: "a"}], 4: [{3: 1}].
        let right = [0x29, 0x1c, 0x48, 1, b'a', 0, 0x29, 0x1c, 0x36, 2, 0, 0];
        let footer = parse(&right).unwrap();
        assert_eq!((&*footer.elements[0].name, footer.groups[0].rows), ("a", 1));
        assert!(matches!(parse(&[0x29, 0x2c, 0, 0, 0]), Err(Broken::Wrong(reason)) if reason.contains("name")));
        assert!(matches!(parse(&[0x49, 0x2c, 0, 0, 0]), Err(Broken::Wrong(reason)) if reason.contains("rows")));
    }
}
