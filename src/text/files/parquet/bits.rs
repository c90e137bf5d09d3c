//! Numbers in few bits: runs of one value or of packed ones (levels, places in a dictionary), and differences in
//! blocks (lengths, whole numbers). Both are streams: what a run of two thousand million values takes is a few bytes.

use std::ops::Range;

use super::thrift::{signed, varint};

/// What is told where the bytes end before the values do.
pub const ENDS_EARLY: &str = "a page ends early";

/// `width` bits from bit `at` on, the lowest first.
pub fn bits(bytes: &[u8], at: usize, width: u32) -> Option<u64> {
    let end = at.checked_add(width as usize)?.div_ceil(8);
    let part = bytes.get(at / 8..end)?;
    // At most 64 bits, and 7 before them.
    let mut word = [0; 16];
    word[..part.len()].copy_from_slice(part);
    let value = u128::from_le_bytes(word) >> (at % 8);
    Some((value & ((1 << width) - 1)) as u64)
}

/// Runs of one value, and runs of eight packed values or a multiple.
#[derive(Debug)]
pub struct Hybrid {
    width: u32,
    at: usize,
    end: usize,
    left: u64,
    run: Run,
}

#[derive(Debug)]
enum Run {
    /// One value.
    Same(u64),
    /// The bit at which the next begins.
    Packed(usize),
}

impl Hybrid {
    /// The stream of numbers of `width` bits that stands in these bytes of a page.
    pub fn new(width: u32, within: Range<usize>) -> Self {
        Self { width, at: within.start, end: within.end, left: 0, run: Run::Same(0) }
    }

    /// The next number; `bytes` is the page.
    pub fn next(&mut self, bytes: &[u8]) -> Result<u64, &'static str> {
        // Numbers of no bits are all the same, whatever is written of them.
        if self.width == 0 {
            return Ok(0);
        }
        while self.left == 0 {
            self.begin(bytes)?;
        }
        self.left -= 1;
        match &mut self.run {
            Run::Same(value) => Ok(*value),
            Run::Packed(at) => {
                let value = bytes.get(..self.end).and_then(|bytes| bits(bytes, *at, self.width)).ok_or(ENDS_EARLY)?;
                *at += self.width as usize;
                Ok(value)
            }
        }
    }

    fn begin(&mut self, bytes: &[u8]) -> Result<(), &'static str> {
        let bytes = bytes.get(..self.end).ok_or(ENDS_EARLY)?;
        let head = varint(bytes, &mut self.at).ok_or(ENDS_EARLY)?;
        let count = head >> 1;
        // The lowest bit tells packed values, eight to a group, from one value that is repeated.
        if head & 1 == 1 {
            let length = usize::try_from(count).ok().and_then(|groups| groups.checked_mul(self.width as usize));
            self.run = Run::Packed(self.at * 8);
            self.left = count.checked_mul(8).ok_or(ENDS_EARLY)?;
            // The last run may be cut where its values end.
            self.at = self.at.saturating_add(length.ok_or(ENDS_EARLY)?).min(self.end);
        } else {
            let length = self.width.div_ceil(8) as usize;
            let value = bits(bytes, self.at * 8, 8 * length as u32).ok_or(ENDS_EARLY)?;
            (self.run, self.left) = (Run::Same(value), count);
            self.at += length;
        }
        Ok(())
    }
}

/// Most numbers of a block; writers take 128.
const BLOCK: u64 = 1 << 16;

/// Numbers as differences, in blocks of smaller blocks with a width each.
#[derive(Clone, Debug)]
pub struct Delta {
    at: usize,
    end: usize,
    /// Numbers of a smaller block.
    each: usize,
    /// Numbers that are still to come.
    left: u64,
    value: i64,
    is_first: bool,
    least: i64,
    widths: Vec<u8>,
    /// Smaller blocks in a block.
    blocks: usize,
    /// Which of them comes next.
    block: usize,
    /// What is left of this one.
    in_block: usize,
    bit: usize,
}

impl Delta {
    /// The stream that begins in these bytes of a page.
    pub fn new(bytes: &[u8], within: Range<usize>) -> Result<Self, &'static str> {
        let Range { start: mut at, end } = within;
        let bytes = bytes.get(..end).ok_or(ENDS_EARLY)?;
        let mut number = || varint(bytes, &mut at).ok_or(ENDS_EARLY);
        let (size, blocks, left, first) = (number()?, number()?, number()?, number()?);
        let is_right = (1..=BLOCK).contains(&size) && (1..=size).contains(&blocks) && size % blocks == 0;
        let each = if is_right { size / blocks } else { 1 };
        // Whole bytes, because the next stretch begins with one.
        if each % 8 != 0 {
            return Err("differences are in blocks of an impossible size");
        }
        Ok(Self {
            at,
            end,
            each: each as usize,
            left,
            value: signed(first),
            is_first: true,
            least: 0,
            widths: Vec::new(),
            blocks: blocks as usize,
            block: 0,
            in_block: 0,
            bit: 0,
        })
    }

    /// The same stream, which has no more than `count` numbers.
    pub fn within(self, count: u64) -> Result<Self, &'static str> {
        if self.left <= count { Ok(self) } else { Err("a page has more differences than values") }
    }

    /// The next number.
    pub fn next(&mut self, bytes: &[u8]) -> Result<i64, &'static str> {
        self.left = self.left.checked_sub(1).ok_or(ENDS_EARLY)?;
        if std::mem::take(&mut self.is_first) {
            return Ok(self.value);
        }
        if self.in_block == 0 {
            self.begin(bytes.get(..self.end).ok_or(ENDS_EARLY)?)?;
        }
        self.in_block -= 1;
        let width = u32::from(self.widths[self.block - 1]);
        let more = bits(bytes, self.bit, width).ok_or(ENDS_EARLY)?;
        self.bit += width as usize;
        // Differences of numbers of either sign may be larger than either.
        self.value = self.value.wrapping_add(self.least).wrapping_add(more as i64);
        Ok(self.value)
    }

    /// The byte behind the last number.
    pub fn end(mut self, bytes: &[u8]) -> Result<usize, &'static str> {
        while self.left > 0 {
            self.next(bytes)?;
        }
        Ok(self.at)
    }

    fn begin(&mut self, bytes: &[u8]) -> Result<(), &'static str> {
        if self.block == self.widths.len() {
            self.least = signed(varint(bytes, &mut self.at).ok_or(ENDS_EARLY)?);
            self.widths = bytes.get(self.at..self.at + self.blocks).ok_or(ENDS_EARLY)?.to_vec();
            self.at += self.blocks;
            self.block = 0;
        }
        let width = usize::from(self.widths[self.block]);
        if width > 64 {
            return Err("a difference has more than 64 bits");
        }
        (self.bit, self.in_block) = (self.at * 8, self.each);
        self.block += 1;
        self.at += self.each / 8 * width;
        if self.at > self.end { Err(ENDS_EARLY) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_and_packed_numbers_are_the_examples_of_the_format() {
        // Zero to seven in three bits, as the format's documentation has them, after a run of four fives.
        let bytes = [0xff, 0x08, 0x05, 0x03, 0x88, 0xc6, 0xfa];
        let mut stream = Hybrid::new(3, 1..bytes.len());
        let found: Vec<u64> = (0..12).map(|_| stream.next(&bytes).unwrap()).collect();
        assert_eq!(found, [5, 5, 5, 5, 0, 1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(stream.next(&bytes), Err(ENDS_EARLY));
        assert_eq!(Hybrid::new(0, 0..0).next(&[]), Ok(0));
        assert_eq!(Hybrid::new(3, 0..9).next(&[0x08]), Err(ENDS_EARLY));
    }

    #[test]
    fn differences_are_the_examples_of_the_format() {
        // 1, 2, 3, 4, 5, and 7, 5, 3, 1, 2, 3, 4, 5: blocks of 32 with one inside (documentation of the format).
        let ones = [0x20, 0x01, 0x05, 0x02, 0x02, 0x00];
        let mut stream = Delta::new(&ones, 0..ones.len()).unwrap();
        assert_eq!((0..5).map(|_| stream.next(&ones).unwrap()).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
        assert_eq!(stream.next(&ones), Err(ENDS_EARLY));
        // Differences -2, -2, -2, 1, 1, 1, 1: the least is -2, and 0 0 0 3 3 3 3 stand in two bits each.
        let two = [0x20, 0x01, 0x08, 0x0e, 0x03, 0x02, 0xc0, 0x3f, 0, 0, 0, 0, 0, 0, 0xaa];
        let mut stream = Delta::new(&two, 0..two.len()).unwrap();
        assert_eq!(stream.clone().end(&two), Ok(two.len() - 1));
        assert_eq!((0..8).map(|_| stream.next(&two).unwrap()).collect::<Vec<_>>(), [7, 5, 3, 1, 2, 3, 4, 5]);
        assert!(Delta::new(&[0x20, 0x00, 1, 1], 0..4).is_err() && Delta::new(&[0x20], 0..1).is_err());
        assert!(Delta::new(&[0x20, 0x03, 1, 1], 0..4).is_err());
        let five = || Delta::new(&ones, 0..ones.len()).unwrap();
        assert!(five().within(5).is_ok() && five().within(4).is_err());
    }

    #[test]
    fn bits_begin_anywhere_and_are_as_many_as_a_number_has() {
        let bytes: Vec<u8> = (0..20u8).map(|i| i.wrapping_mul(37) + 11).collect();
        let bit = |at: usize| u64::from(bytes[at / 8] >> (at % 8) & 1);
        for (at, width) in [(0, 1), (7, 2), (3, 13), (9, 64), (0, 0), (15, 33)] {
            let want = (0..width).map(|i| bit(at + i) << i).sum::<u64>();
            assert_eq!(bits(&bytes, at, width as u32), Some(want), "{width} bits at {at}");
        }
        assert_eq!((bits(&bytes, 153, 8), bits(&bytes, 152, 8)), (None, Some(u64::from(bytes[19]))));
    }
}
