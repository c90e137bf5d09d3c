//! A file as its text: unpacked, without the mark before it, by its kind.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::Path;

use super::endings::{self, Kind, PACKED, Packing};
use super::parquet;
use super::zstd::Frames;
use crate::disk;
use crate::format::without_mark;

/// A file, opened.
pub(super) enum Opened {
    /// What passes by once, and what that is; `None` where its name says nothing known.
    Passing(Option<Kind>, Box<dyn BufRead>),
    /// A Parquet file, whose parts are read where they lie.
    Columns(File),
}

/// How the name of a Parquet file ends.
const PARQUET: &str = ".parquet";
/// Bytes of the longest mark of a packed file.
const LONGEST_MARK: u64 = 4;
/// Bytes at the beginning that tell what a text is whose name says nothing.
const HEAD: u64 = 512;
/// Bytes that are read at once.
const BUFFER: usize = 1 << 16;

/// Opens a file; what is read is its text. Its kind is what its name says; a pipe has no name, and tells by its
/// beginning, where a header with a column called `key` makes a table of it.
pub(super) fn open(path: &Path, key: &str) -> io::Result<Opened> {
    let mut file = disk::open_named(path).map_err(|e| e.cause)?;
    let is_nameless = disk::is_pipe(path);
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    // One that is packed as a whole has no parts to be read where they lie.
    if !is_nameless && name.ends_with(PARQUET) {
        return Ok(Opened::Columns(file));
    }
    // Until there are as many: a pipe may give the first bytes one by one.
    let mut mark = Vec::new();
    (&mut file).take(if is_nameless { LONGEST_MARK } else { 0 }).read_to_end(&mut mark)?;
    let (name, packing) = match is_nameless {
        true => (&*name, begins_as(&mark)),
        false => endings::unpacked(&name),
    };
    let packed = BufReader::with_capacity(BUFFER, Cursor::new(mark).chain(file));
    let mut text: Box<dyn Read> = match packing {
        Packing::Plain => Box::new(packed),
        // A file may be several members one after the other.
        Packing::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(packed)),
        Packing::Zstd => Box::new(Frames::new(packed)),
    };
    let mut head = Vec::new();
    (&mut text).take(HEAD).read_to_end(&mut head)?;
    let head = without_mark(&head).to_vec();
    let kind_of_nameless = is_nameless.then(|| kind_by(&head, key));
    let mut text = BufReader::with_capacity(BUFFER, Cursor::new(head).chain(text));
    let kind = match kind_of_nameless {
        Some(kind) => Some(kind),
        None => kind(name, &mut text)?,
    };
    Ok(Opened::Passing(kind, Box::new(text)))
}

fn begins_as(head: &[u8]) -> Packing {
    PACKED.iter().find(|(_, mark, _)| head.starts_with(mark)).map_or(Packing::Plain, |&(.., packing)| packing)
}

/// What begins like this.
fn kind_by(head: &[u8], key: &str) -> Kind {
    let mut signs = head.iter().filter(|byte| !byte.is_ascii_whitespace());
    match (signs.next(), signs.next()) {
        // Prose begins with brackets too, but no object without a name and no list of rows without one.
        (Some(b'{'), None | Some(b'"' | b'}')) => Kind::Lines,
        (Some(b'['), None | Some(b'{' | b'"' | b']')) => Kind::List,
        _ if head.starts_with(&parquet::MARK) => Kind::Columns,
        _ => header_with(head, key).map_or(Kind::Text, Kind::Separated),
    }
}

/// What stands between the names of a header, if this is one of several columns with `key` among them.
fn header_with(head: &[u8], key: &str) -> Option<u8> {
    let line = head.split(|&byte| byte == b'\n').next()?;
    let names = |separator: u8| line.split(move |&byte| byte == separator).map(|name| name.trim_ascii());
    let is_key = |name: &[u8]| name == key.as_bytes() || name == format!("\"{key}\"").as_bytes();
    [b'\t', b','].into_iter().find(|&separator| line.contains(&separator) && names(separator).any(is_key))
}

/// What the ending of a name says; of a .json also its beginning, for some hold an object a line.
fn kind(name: &str, input: &mut impl BufRead) -> io::Result<Option<Kind>> {
    Ok(match endings::kind(name) {
        Some(Kind::List) if first_sign(input)? != Some(b'[') => Some(Kind::Lines),
        known => known,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prose_may_begin_with_a_bracket() {
        let kind = |head: &str| kind_by(head.as_bytes(), "text");
        for prose in ["[1] According to the cat", "{sic} The cat sat.", "[The cat sat.]", "The cat", ""] {
            assert_eq!(kind(prose), Kind::Text, "{prose}");
        }
        for rows in ["{\"text\": 1}", " {\n \"text\"", "{}", "{"] {
            assert_eq!(kind(rows), Kind::Lines, "{rows}");
        }
        for list in ["[{\"text\"", "[\n  {", "[]", "[\"a\"]", "["] {
            assert_eq!(kind(list), Kind::List, "{list}");
        }
        assert_eq!(kind("id,text\n1,a"), Kind::Separated(b','));
    }
}
