//! A file as its text: unpacked, without the mark before it, by its kind.

use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::Path;

use super::zstd::Frames;
use crate::disk;
use crate::format::without_mark;

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// One text.
    Text,
    /// An object a line.
    Lines,
    /// A list of objects.
    List,
}

/// How a file is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Packing {
    Plain,
    Gzip,
    Zstd,
}

/// Endings of packed files, and the bytes that such files begin with.
const PACKED: [(&str, &[u8], Packing); 2] =
    [(".gz", &[0x1f, 0x8b], Packing::Gzip), (".zst", &[0x28, 0xb5, 0x2f, 0xfd], Packing::Zstd)];
/// Endings of files that hold a text and no rows.
const TEXTS: [&str; 3] = ["txt", "md", "raw"];
/// Endings of files that hold rows.
const ROWS: [&str; 2] = ["jsonl", "json"];
/// Bytes at the beginning that tell what a text is whose name says nothing.
const HEAD: u64 = 512;
/// Bytes that are read at once.
const BUFFER: usize = 1 << 16;

/// Opens a file; what is read is its text. Its kind is what its name says, `None` where that is nothing
/// known; a pipe has no name, and tells by its first sign.
pub(super) fn open(path: &Path) -> io::Result<(Option<Kind>, impl BufRead + use<>)> {
    let mut packed = BufReader::with_capacity(BUFFER, disk::open_named(path).map_err(|e| e.cause)?);
    let is_nameless = disk::is_pipe(path);
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let (name, packing) = match is_nameless {
        true => (name, begins_as(packed.fill_buf()?)),
        false => ends_as(&name),
    };
    let mut text: Box<dyn Read> = match packing {
        Packing::Plain => Box::new(packed),
        // A file may be several members one after the other.
        Packing::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(packed)),
        Packing::Zstd => Box::new(Frames::new(packed)),
    };
    let mut head = Vec::new();
    (&mut text).take(HEAD).read_to_end(&mut head)?;
    let head = without_mark(&head).to_vec();
    let sign = head.iter().copied().find(|byte| !byte.is_ascii_whitespace());
    let mut text = BufReader::with_capacity(BUFFER, Cursor::new(head).chain(text));
    let kind = if is_nameless { Some(kind_by(sign)) } else { kind(&name, &mut text)? };
    Ok((kind, text))
}

/// Whether a file's name says that it holds a text and no rows.
pub(in crate::text) fn is_text(path: &Path) -> bool {
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    ends_as(&name).0.rsplit_once('.').is_some_and(|(_, ending)| TEXTS.contains(&ending))
}

/// Whether a file's name says that it is read here.
pub fn is_readable(name: &str) -> bool {
    let (name, _) = ends_as(name);
    let known = |ending: &str| TEXTS.contains(&ending) || ROWS.contains(&ending);
    name.rsplit_once('.').is_some_and(|(_, ending)| known(ending))
}

/// The name without the ending of a packed file, and how it is packed.
fn ends_as(name: &str) -> (String, Packing) {
    let known = PACKED.iter().find_map(|&(ending, _, packing)| Some((name.strip_suffix(ending)?.to_owned(), packing)));
    known.unwrap_or((name.to_owned(), Packing::Plain))
}

fn begins_as(head: &[u8]) -> Packing {
    PACKED.iter().find(|(_, mark, _)| head.starts_with(mark)).map_or(Packing::Plain, |&(.., packing)| packing)
}

fn kind_by(sign: Option<u8>) -> Kind {
    match sign {
        Some(b'{') => Kind::Lines,
        Some(b'[') => Kind::List,
        _ => Kind::Text,
    }
}

/// What the ending of a name says.
fn kind(name: &str, input: &mut impl BufRead) -> io::Result<Option<Kind>> {
    Ok(match name.rsplit_once('.').map(|(_, ending)| ending) {
        Some(ending) if TEXTS.contains(&ending) => Some(Kind::Text),
        Some("json") if first_sign(input)? == Some(b'[') => Some(Kind::List),
        Some(ending) if ROWS.contains(&ending) => Some(Kind::Lines),
        _ => None,
    })
}

/// The first byte that is no white space, which is taken; the byte itself is not.
fn first_sign(input: &mut impl BufRead) -> io::Result<Option<u8>> {
    loop {
        let seen = input.fill_buf()?;
        match seen.iter().position(|byte| !byte.is_ascii_whitespace()) {
            Some(at) => {
                let sign = seen[at];
                input.consume(at);
                return Ok(Some(sign));
            }
            None if seen.is_empty() => return Ok(None),
            None => {
                let length = seen.len();
                input.consume(length);
            }
        }
    }
}
