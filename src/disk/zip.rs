//! Zip archives (APPNOTE.TXT 6.3, with the 64-bit sizes of its section 4.3.14), stored or deflated. Names, sizes and
//! places are a stranger's words: each is held to the file, and nothing is made of more bytes than an entry tells of.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use flate2::Crc;
use flate2::read::DeflateDecoder;

use super::DiskError;
use super::given::open;

/// Bytes of the last record without its comment.
const LAST: usize = 22;
/// Most bytes of that comment.
const COMMENT: u64 = u16::MAX as u64;
/// Most bytes of the list of entries: some hundred thousand of them.
const MOST_LIST: u64 = 16 << 20;
/// What stands in a field of 32 bits whose value has 64 elsewhere.
const ELSEWHERE: u64 = u32::MAX as u64;
/// Bytes that are unpacked at once.
const BUFFER: usize = 1 << 16;

/// A file in an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its path in the archive, as it stands there.
    pub name: String,
    /// Its bytes when unpacked.
    pub size: u64,
    packed: u64,
    method: u16,
    is_encrypted: bool,
    crc: u32,
    header: u64,
}

/// An archive.
pub struct Zip {
    path: PathBuf,
    file: File,
    length: u64,
    entries: Vec<Entry>,
}

impl Zip {
    /// Reads the list of an archive's files.
    ///
    /// # Errors
    /// When it cannot be read, or is none.
    pub fn open(path: &Path) -> Result<Self, DiskError> {
        let read = || {
            let mut file = open(path).map_err(|e| e.cause)?;
            let length = file.metadata()?.len();
            let entries = entries(&mut file, length)?;
            Ok(Self { path: path.to_owned(), file, length, entries })
        };
        read().map_err(DiskError::at("read", path))
    }

    /// The files in it; folders are left out.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Shows the bytes of a file in it to `each`, piece by piece.
    ///
    /// # Errors
    /// Those of `each`, or when it cannot be read, is packed in a way that is not known, or is damaged.
    pub fn unpack(
        &mut self,
        entry: &Entry,
        each: &mut dyn FnMut(&[u8]) -> Result<(), DiskError>,
    ) -> Result<(), DiskError> {
        let path = self.path.clone();
        let wrong = |reason: &str| DiskError::at("read", &path)(damaged(format!("{} in it {reason}", entry.name)));
        if entry.is_encrypted {
            return Err(wrong("is encrypted; unpack it with its password first"));
        }
        // The list does not say it: what stands before the data may be longer than what the list has of it.
        let begin = data_of(&mut self.file, entry).map_err(DiskError::at("read", &path))?;
        if begin.checked_add(entry.packed).is_none_or(|end| end > self.length) {
            return Err(wrong("ends behind the end of the file; get it again"));
        }
        self.file.seek(SeekFrom::Start(begin)).map_err(DiskError::at("read", &path))?;
        // Never into the next entry, whatever the packed bytes say.
        let packed = (&mut self.file).take(entry.packed);
        let mut bytes: Box<dyn Read + '_> = match entry.method {
            0 => Box::new(packed),
            8 => Box::new(DeflateDecoder::new(packed)),
            method => return Err(wrong(&format!("is packed by method {method}; pack it anew with zip"))),
        };
        let (mut buffer, mut left, mut crc) = (vec![0; BUFFER], entry.size, Crc::new());
        loop {
            let count = match bytes.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(wrong(&format!("cannot be unpacked ({error}); get it again"))),
            };
            left = left.checked_sub(count as u64).ok_or_else(|| wrong("is longer than it says"))?;
            crc.update(&buffer[..count]);
            each(&buffer[..count])?;
        }
        match left == 0 && crc.sum() == entry.crc {
            true => Ok(()),
            false => Err(wrong("is damaged; get it again")),
        }
    }
}

fn damaged(reason: String) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, reason)
}

fn no_archive() -> io::Error {
    damaged("it is no whole zip archive; get it again".into())
}

/// Numbers of a record, little-endian; `None` behind its end.
struct Record<'a>(&'a [u8]);

impl Record<'_> {
    fn u16(&self, at: usize) -> Option<u64> {
        Some(u16::from_le_bytes(self.0.get(at..at + 2)?.try_into().ok()?).into())
    }

    fn u32(&self, at: usize) -> Option<u64> {
        Some(u32::from_le_bytes(self.0.get(at..at + 4)?.try_into().ok()?).into())
    }

    fn u64(&self, at: usize) -> Option<u64> {
        Some(u64::from_le_bytes(self.0.get(at..at + 8)?.try_into().ok()?))
    }
}

fn read_at(file: &mut File, at: u64, count: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; count];
    file.seek(SeekFrom::Start(at))?;
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// The list of files, which the records at the end of the archive lead to.
fn entries(file: &mut File, length: u64) -> io::Result<Vec<Entry>> {
    let (begin, size) = list(file, length)?.ok_or_else(no_archive)?;
    if size > MOST_LIST || begin.checked_add(size).is_none_or(|end| end > length) {
        return Err(no_archive());
    }
    let list = read_at(file, begin, size as usize)?;
    let (mut rest, mut entries) = (&list[..], Vec::new());
    while !rest.is_empty() {
        let (entry, length) = entry(rest).ok_or_else(no_archive)?;
        // A folder has a slash at its end, and no bytes.
        if !entry.name.ends_with('/') {
            entries.push(entry);
        }
        rest = &rest[length..];
    }
    Ok(entries)
}

/// Where the list begins and how long it is.
fn list(file: &mut File, length: u64) -> io::Result<Option<(u64, u64)>> {
    let count = length.min(LAST as u64 + COMMENT);
    let end = read_at(file, length - count, count as usize)?;
    // The comment reaches to the end of the file: a mark within it is none.
    let is_last = |at: usize| {
        let record = Record(&end[at..]);
        end[at..].starts_with(b"PK\x05\x06") && record.u16(20) == Some((end.len() - at - LAST) as u64)
    };
    // From the end: what looks like a mark before it is of a file that is packed.
    let Some(at) =
        (0..=end.len().saturating_sub(LAST)).rev().filter(|at| at + LAST <= end.len()).find(|&at| is_last(at))
    else {
        return Ok(None);
    };
    let record = Record(&end[at..]);
    let (Some(size), Some(begin)) = (record.u32(12), record.u32(16)) else { return Ok(None) };
    if size != ELSEWHERE && begin != ELSEWHERE {
        return Ok(Some((begin, size)));
    }
    // Twenty bytes before, a record says where the one with 64 bits is.
    let Some(locator) = at.checked_sub(20).map(|at| Record(&end[at..])) else { return Ok(None) };
    let Some(at) = locator.u64(8).filter(|_| locator.0.starts_with(b"PK\x06\x07")) else { return Ok(None) };
    if at.checked_add(56).is_none_or(|end| end > length) {
        return Ok(None);
    }
    let bytes = read_at(file, at, 56)?;
    let record = Record(&bytes);
    Ok(record.u64(48).zip(record.u64(40)).filter(|_| bytes.starts_with(b"PK\x06\x06")))
}

/// The first entry of a list, and the bytes that it takes there.
fn entry(list: &[u8]) -> Option<(Entry, usize)> {
    let record = Record(list.strip_prefix(b"PK\x01\x02").map(|_| list)?);
    let [name, extra, comment] = [28, 30, 32].map(|at| record.u16(at).map(|n| n as usize));
    let (name_ends, extra_ends) = (46 + name?, 46 + name? + extra?);
    let name = String::from_utf8_lossy(list.get(46..name_ends)?).into_owned();
    let own = [record.u32(24)?, record.u32(20)?, record.u32(42)?];
    let [size, packed, header] = wide(own, list.get(name_ends..extra_ends)?)?;
    let (flags, method) = (record.u16(8)?, u16::try_from(record.u16(10)?).ok()?);
    let crc = u32::try_from(record.u32(16)?).ok()?;
    let entry = Entry { name, size, packed, method, is_encrypted: flags & 1 == 1, crc, header };
    let length = extra_ends + comment?;
    (length <= list.len()).then_some((entry, length))
}

/// Size, packed size and place, of which those that do not fit 32 bits stand in the extra field 1, in this order.
fn wide(own: [u64; 3], mut extra: &[u8]) -> Option<[u64; 3]> {
    if !own.contains(&ELSEWHERE) {
        return Some(own);
    }
    loop {
        let record = Record(extra);
        let (kind, length) = (record.u16(0)?, record.u16(2)? as usize);
        let field = extra.get(4..4 + length)?;
        if kind == 1 {
            let mut at = 0;
            let mut next = |n: u64| {
                if n != ELSEWHERE {
                    return Some(n);
                }
                at += 8;
                Record(field).u64(at - 8)
            };
            return Some([next(own[0])?, next(own[1])?, next(own[2])?]);
        }
        extra = &extra[4 + length..];
    }
}

/// Where the bytes of an entry begin: behind a header of its own, whose lengths need not be those of the list.
fn data_of(file: &mut File, entry: &Entry) -> io::Result<u64> {
    let header = read_at(file, entry.header, 30).map_err(|_| no_archive())?;
    let record = Record(&header);
    let lengths = record.u16(26).zip(record.u16(28)).filter(|_| header.starts_with(b"PK\x03\x04"));
    let (name, extra) = lengths.ok_or_else(no_archive)?;
    Ok(entry.header + 30 + name + extra)
}
