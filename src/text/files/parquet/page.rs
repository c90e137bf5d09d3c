//! What stands before the bytes of a page.

use super::packed::DAMAGED;
use super::thrift::{Broken, Compact, Kind};

/// A page, before it is read.
#[derive(Debug, PartialEq, Eq)]
pub struct Header {
    /// Bytes as they stand in the file.
    pub packed: u64,
    /// Bytes that they are made of.
    pub unpacked: u64,
    checksum: Option<u32>,
    pub what: What,
}

/// What a page holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// Values that others point to.
    Dictionary { count: u64 },
    /// Values behind their levels, packed together; how repetition and definition are written.
    Values { count: u64, encoding: i64, levels: (i64, i64) },
    /// Values beside so many bytes of levels, which are not packed.
    ValuesBeside { count: u64, encoding: i64, repeated: u64, defined: u64, is_packed: bool },
    /// Nothing that is needed.
    Other,
}

impl Header {
    /// The header that `bytes` begin with, and its length.
    pub fn parse(bytes: &[u8]) -> Result<(Self, usize), Broken> {
        let input = &mut Compact::new(bytes);
        let mut header = Self { packed: 0, unpacked: 0, checksum: None, what: What::Other };
        let (mut number, mut sizes) = (0, (false, false));
        while let Some(kind) = input.field(&mut number)? {
            match number {
                2 => (header.unpacked, sizes.0) = (input.count(kind)?, true),
                3 => (header.packed, sizes.1) = (input.count(kind)?, true),
                // A sum of 32 bits in a number with a sign.
                4 => header.checksum = Some(input.int(kind)? as u32),
                5 => header.what = values(input, kind)?,
                7 => header.what = dictionary(input, kind)?,
                8 => header.what = values_beside(input, kind)?,
                _ => input.skip(kind)?,
            }
        }
        // Every page has both. Zeros, as a download that was broken off leaves them, would be a page for each byte.
        match sizes {
            (true, true) => Ok((header, input.at())),
            _ => Err(Broken::Wrong("it does not tell its size")),
        }
    }

    /// Holds the bytes of the page to their checksum, if they have one.
    pub fn check(&self, bytes: &[u8]) -> Result<(), String> {
        let Some(told) = self.checksum else { return Ok(()) };
        let mut found = flate2::Crc::new();
        found.update(bytes);
        if found.sum() == told { Ok(()) } else { Err(format!("the checksum of a page is wrong; {DAMAGED}")) }
    }
}

fn values(input: &mut Compact<'_>, kind: Kind) -> Result<What, Broken> {
    let (mut count, mut encoding, mut levels, mut number) = (0, 0, (0, 0), 0);
    while let Some(kind) = input.inner(kind, &mut number)? {
        match number {
            1 => count = input.count(kind)?,
            2 => encoding = input.int(kind)?,
            3 => levels.1 = input.int(kind)?,
            4 => levels.0 = input.int(kind)?,
            _ => input.skip(kind)?,
        }
    }
    Ok(What::Values { count, encoding, levels })
}

fn dictionary(input: &mut Compact<'_>, kind: Kind) -> Result<What, Broken> {
    let (mut count, mut number) = (0, 0);
    while let Some(kind) = input.inner(kind, &mut number)? {
        match number {
            1 => count = input.count(kind)?,
            _ => input.skip(kind)?,
        }
    }
    Ok(What::Dictionary { count })
}

fn values_beside(input: &mut Compact<'_>, kind: Kind) -> Result<What, Broken> {
    let (mut count, mut encoding, mut repeated, mut defined, mut is_packed) = (0, 0, 0, 0, true);
    let mut number = 0;
    while let Some(kind) = input.inner(kind, &mut number)? {
        match number {
            1 => count = input.count(kind)?,
            4 => encoding = input.int(kind)?,
            5 => defined = input.count(kind)?,
            6 => repeated = input.count(kind)?,
            7 => is_packed = input.flag(kind)?,
            _ => input.skip(kind)?,
        }
    }
    Ok(What::ValuesBeside { count, encoding, repeated, defined, is_packed })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_tells_its_sizes() {
        // 1: 2, 2: 6, 3: 4, 7: {1: 1}, as a dictionary has them.
        let bytes = [0x15, 4, 0x15, 12, 0x15, 8, 0x4c, 0x15, 2, 0, 0];
        let (header, length) = Header::parse(&bytes).unwrap();
        assert_eq!((header.unpacked, header.packed, length), (6, 4, bytes.len()));
        assert_eq!(header.what, What::Dictionary { count: 1 });
        for nothing in [&[0; 64][..], &[0x15, 4, 0], &[0x15, 4, 0x15, 12, 0], &[0x15, 4, 0x25, 12, 0]] {
            assert!(matches!(Header::parse(nothing), Err(Broken::Wrong(_))), "{nothing:?}");
        }
    }
}
