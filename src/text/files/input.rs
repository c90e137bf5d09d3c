//! A file as its text: decompressed, without the mark before it, by its kind.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::Path;

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

/// The name without `.gz`, and whether it had it.
pub(super) fn plain_name(path: &Path) -> (String, bool) {
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    match name.strip_suffix(".gz") {
        Some(inner) => (inner.to_owned(), true),
        None => (name, false),
    }
}

/// What the ending of a name says: `None` where it says nothing known.
pub(super) fn kind(name: &str, input: &mut impl BufRead) -> io::Result<Option<Kind>> {
    Ok(match name.rsplit_once('.').map(|(_, ending)| ending) {
        Some("txt" | "md" | "raw") => Some(Kind::Text),
        Some("json") if first_sign(input)? == Some(b'[') => Some(Kind::List),
        Some("jsonl" | "json") => Some(Kind::Lines),
        _ => None,
    })
}

/// Opens a file; what is read is its text.
pub(super) fn open(path: &Path, gzipped: bool) -> io::Result<impl BufRead> {
    let file = File::open(path)?;
    let mut text: Box<dyn Read> = match gzipped {
        // A file may be several gzip members one after the other.
        true => Box::new(flate2::bufread::MultiGzDecoder::new(BufReader::new(file))),
        false => Box::new(file),
    };
    let mut head = Vec::new();
    (&mut text).take(3).read_to_end(&mut head)?;
    let head = without_mark(&head).to_vec();
    Ok(BufReader::new(Cursor::new(head).chain(text)))
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
