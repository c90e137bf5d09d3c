//! Numbers and texts from a file, never past its end and never more than was bounded before.

use std::io::{ErrorKind, Read};

use super::GgufError;

/// Longest name of a key or a tensor, in bytes; ggml's own have at most 64.
const NAME: u64 = 1 << 10;
/// Longest text of a key, in bytes: that of settings, such as a chat template.
const TEXT: u64 = 16 << 20;

/// A place in a file of known length that is read from its beginning.
pub(super) struct Cursor<R> {
    reader: R,
    at: u64,
    /// Bytes of the file.
    length: u64,
}

impl<R: Read> Cursor<R> {
    /// Of a file that has `length` bytes.
    pub fn new(reader: R, length: u64) -> Self {
        Self { reader, at: 0, length }
    }

    /// How many bytes were read.
    pub fn at(&self) -> u64 {
        self.at
    }

    /// How many are left.
    pub fn left(&self) -> u64 {
        self.length - self.at
    }

    fn fill(&mut self, bytes: &mut [u8], what: &str) -> Result<(), GgufError> {
        let ends = || GgufError::Ends(what.to_owned());
        if bytes.len() as u64 > self.left() {
            return Err(ends());
        }
        self.reader.read_exact(bytes).map_err(|e| match e.kind() {
            // It was longer when it was looked at.
            ErrorKind::UnexpectedEof => ends(),
            _ => e.into(),
        })?;
        self.at += bytes.len() as u64;
        Ok(())
    }

    /// The next bytes; `what` they are of is for messages.
    pub fn array<const N: usize>(&mut self, what: &str) -> Result<[u8; N], GgufError> {
        let mut bytes = [0; N];
        self.fill(&mut bytes, what)?;
        Ok(bytes)
    }

    pub fn u32(&mut self, what: &str) -> Result<u32, GgufError> {
        self.array(what).map(u32::from_le_bytes)
    }

    pub fn u64(&mut self, what: &str) -> Result<u64, GgufError> {
        self.array(what).map(u64::from_le_bytes)
    }

    /// How many of something follow, each of which takes at least `bytes`: at most `most`, and no more
    /// than the file has room for.
    pub fn count(&mut self, what: &str, bytes: u64, most: u64) -> Result<usize, GgufError> {
        let found = self.u64(what)?;
        if found > most {
            return Err(GgufError::TooMany { what: format!("the number of {what}"), found, most });
        }
        // It does not overflow: both are small.
        match found * bytes <= self.left() {
            true => Ok(found as usize),
            false => Err(GgufError::Ends(what.to_owned())),
        }
    }

    /// A name of a key or a tensor.
    pub fn name(&mut self, what: &str) -> Result<String, GgufError> {
        self.bounded_text(what, NAME)
    }

    /// A text of a key. What is no UTF-8 in it is replaced: such bytes stand in tokens of some files.
    pub fn text(&mut self, what: &str) -> Result<String, GgufError> {
        self.bounded_text(what, TEXT)
    }

    fn bounded_text(&mut self, what: &str, most: u64) -> Result<String, GgufError> {
        let found = self.u64(what)?;
        if found > most {
            return Err(GgufError::TooMany { what: format!("the length of {what}"), found, most });
        }
        // Before room for them is made: they may not be there.
        if found > self.left() {
            return Err(GgufError::Ends(what.to_owned()));
        }
        let mut bytes = vec![0; found as usize];
        self.fill(&mut bytes, what)?;
        Ok(String::from_utf8(bytes).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned()))
    }
}
