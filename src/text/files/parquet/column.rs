//! A column of a group of rows: its pages one after the other, of which one is held.

use serde_json::Value;

use super::bits::Hybrid;
use super::footer::Chunk;
use super::packed::{DAMAGED, unpacked};
use super::page::{Header, What};
use super::read::{Source, read_at};
use super::schema::Leaf;
use super::thrift::Broken;
use super::values::{Values, dictionary, encoding, length};

/// Bytes in which a header is looked for first; those with the smallest and largest text of a page are longer.
const HEADER: u64 = 1 << 12;
/// Most bytes of a header.
const LONGEST_HEADER: u64 = 1 << 24;

/// The levels of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Levels {
    /// At which of the repeated ones it goes on; 0 where a row begins.
    pub repeated: u32,
    /// How many of the optional and repeated ones are there.
    pub defined: u32,
}

/// A column that is read from its first page to its last.
pub struct Column {
    chunk: Chunk,
    /// Where the next page begins, and where the last ends.
    at: u64,
    end: u64,
    /// Values in pages that are still to come.
    left: u64,
    /// Most bytes of a page, and of the values of a dictionary.
    held: usize,
    dictionary: Option<Vec<Value>>,
    /// Bytes of the dictionary.
    weight: usize,
    page: Page,
    next: Option<Levels>,
}

/// A page that is held.
struct Page {
    bytes: Vec<u8>,
    left: u64,
    repeated: Option<Hybrid>,
    defined: Option<Hybrid>,
    values: Values,
}

impl Column {
    /// The column of a chunk that lies in a file of `length` bytes.
    pub fn new(chunk: Chunk, length: u64, held: usize) -> Result<Self, String> {
        if chunk.is_encrypted {
            return Err("it is encrypted; write it again without encryption".into());
        }
        if chunk.is_elsewhere {
            return Err("it lies in another file; give the files themselves".into());
        }
        let end = chunk.start.checked_add(chunk.bytes).filter(|&end| end <= length);
        let end = end.ok_or_else(|| format!("it goes beyond the end of the file; {DAMAGED}"))?;
        // A page of nothing, so that the first value that is asked for turns to the first page.
        let values = Values::Plain { at: 0, bit: 0, end: 0 };
        let page = Page { bytes: Vec::new(), left: 0, repeated: None, defined: None, values };
        let (at, left) = (chunk.start, chunk.values);
        Ok(Self { at, end, left, held, dictionary: None, weight: 0, page, next: None, chunk })
    }

    /// Bytes of the page and the dictionary that are held.
    pub fn holds(&self) -> usize {
        self.page.bytes.len() + self.weight
    }

    /// The levels of the next value; `None` behind the last.
    pub fn levels(&mut self, leaf: &Leaf, file: &mut dyn Source) -> Result<Option<Levels>, String> {
        // Levels are looked at before their value is taken, perhaps several times.
        if self.next.is_some() {
            return Ok(self.next);
        }
        while self.page.left == 0 {
            if self.left == 0 {
                return Ok(None);
            }
            self.turn(leaf, file)?;
        }
        self.page.left -= 1;
        let page = &mut self.page;
        let level = |stream: &mut Option<Hybrid>, most: u32| -> Result<u32, String> {
            match stream {
                // Where there is one level alone, none is written.
                None => Ok(most),
                Some(stream) => match u32::try_from(stream.next(&page.bytes)?) {
                    Ok(level) if level <= most => Ok(level),
                    _ => Err(format!("a level is more than {most}; {DAMAGED}")),
                },
            }
        };
        let repeated = level(&mut page.repeated, leaf.repeated)?;
        let defined = level(&mut page.defined, leaf.defined)?;
        self.next = Some(Levels { repeated, defined });
        Ok(self.next)
    }

    /// The next value, which is null where it is not there.
    pub fn take(&mut self, leaf: &Leaf, file: &mut dyn Source) -> Result<Value, String> {
        let levels = self.levels(leaf, file)?.ok_or_else(|| format!("it has fewer values than rows; {DAMAGED}"))?;
        self.next = None;
        if levels.defined < leaf.defined {
            return Ok(Value::Null);
        }
        self.page.values.next(leaf.stored, &self.page.bytes, self.dictionary.as_deref())
    }

    /// Goes on to the next page.
    fn turn(&mut self, leaf: &Leaf, file: &mut dyn Source) -> Result<(), String> {
        if self.at >= self.end {
            return Err(format!("{} of its values are in no page; {DAMAGED}", self.left));
        }
        let header = self.header(file)?;
        let (bytes, most) = (header.unpacked.max(header.packed), self.held);
        if bytes > most as u64 {
            return Err(format!(
                "a page has {bytes} bytes, and memory has room for {most}; write it with a smaller data_page_size"
            ));
        }
        let after = self.at.saturating_add(header.packed);
        if after > self.end {
            return Err(format!("a page goes beyond the end of its column; {DAMAGED}"));
        }
        // Indexes, and kinds that are still to be thought of: no values stand in them.
        if header.what == What::Other {
            self.at = after;
            return Ok(());
        }
        let packed = read_at(file, self.at, header.packed)?;
        self.at = after;
        header.check(&packed)?;
        match header.what {
            What::Dictionary { count } if self.dictionary.is_none() => {
                let bytes = unpacked(self.chunk.codec, packed, header.unpacked as usize)?;
                let values = dictionary(leaf.stored, &bytes, count, most)?;
                self.weight = bytes.len() + values.len() * size_of::<Value>();
                self.dictionary = Some(values);
                Ok(())
            }
            What::Dictionary { .. } => Err(format!("it has two dictionaries; {DAMAGED}")),
            _ => self.data(leaf, &header, packed),
        }
    }

    fn header(&mut self, file: &mut dyn Source) -> Result<Header, String> {
        let mut window = HEADER;
        loop {
            let most = window.min(self.end - self.at);
            match Header::parse(&read_at(file, self.at, most)?) {
                Ok((header, length)) => {
                    self.at += length as u64;
                    return Ok(header);
                }
                // Only what ends early may be whole in a longer stretch, and only while the column has one.
                Err(Broken::Short) if most == window && window < LONGEST_HEADER => window *= 8,
                Err(e) => return Err(format!("the header of a page: {e}; {DAMAGED}")),
            }
        }
    }

    /// Begins a page of values.
    fn data(&mut self, leaf: &Leaf, header: &Header, packed: Vec<u8>) -> Result<(), String> {
        let size = header.unpacked as usize;
        let (bytes, count, number, repeated, defined) = match header.what {
            What::Values { count, encoding: number, levels } => {
                let bytes = unpacked(self.chunk.codec, packed, size)?;
                // 3 is RLE; what was before it nobody has written for ten years.
                if (leaf.repeated > 0 && levels.0 != 3) || (leaf.defined > 0 && levels.1 != 3) {
                    let other = if levels.0 == 3 { levels.1 } else { levels.0 };
                    return Err(format!("its levels are written as {}, which is not read here", encoding(other)));
                }
                let mut at = 0;
                let mut stream = |most: u32| -> Result<_, &'static str> {
                    let length = if most > 0 { length(&bytes, at, bytes.len())? } else { return Ok(at..at) };
                    let from = at + 4;
                    at = from + length;
                    Ok(from..at)
                };
                let (repeated, defined) = (stream(leaf.repeated)?, stream(leaf.defined)?);
                (bytes, count, number, repeated, defined)
            }
            What::ValuesBeside { count, encoding: number, repeated, defined, is_packed } => {
                // Levels of such a page stand before what is packed, and are never packed themselves.
                let levels =
                    repeated.checked_add(defined).filter(|&levels| levels <= header.unpacked.min(header.packed));
                let levels = levels.ok_or_else(|| format!("its levels are longer than a page; {DAMAGED}"))? as usize;
                let mut bytes = packed;
                let values = bytes.split_off(levels);
                let codec = if is_packed { self.chunk.codec } else { 0 };
                bytes.extend(unpacked(codec, values, size - levels)?);
                (bytes, count, number, 0..repeated as usize, repeated as usize..levels)
            }
            _ => return Err("a page is none of values".into()),
        };
        if count > self.left {
            return Err(format!("its pages have more values than the {} that it has; {DAMAGED}", self.chunk.values));
        }
        self.left -= count;
        let values = defined.end..bytes.len();
        let stream = |most: u32, within| (most > 0).then(|| Hybrid::new(u32::BITS - most.leading_zeros(), within));
        self.page = Page {
            left: count,
            repeated: stream(leaf.repeated, repeated),
            defined: stream(leaf.defined, defined),
            values: Values::new(number, leaf.stored, &bytes, values, count)?,
            bytes,
        };
        Ok(())
    }
}
