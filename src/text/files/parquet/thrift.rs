//! Thrift's compact protocol, as far as the footer and the page headers of Parquet are written in it. Nothing is
//! built of what is passed over, and nothing is taken on trust: a list cannot be longer than its bytes.

/// What a field holds, by its number in the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    True,
    False,
    Byte,
    Int,
    Double,
    Binary,
    List,
    Map,
    Struct,
}

/// Why something is no compact protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// There may be more, of which these bytes are the beginning.
    #[error("it ends early")]
    Short,
    /// No more bytes would help.
    #[error("{0}")]
    Wrong(&'static str),
}

/// Deepest structure; those of Parquet have half of it.
const DEEPEST: usize = 16;

/// Bytes that are read one after the other.
pub struct Compact<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Compact<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Bytes that were read.
    pub fn at(&self) -> usize {
        self.at
    }

    /// The kind of the next field, whose number takes the place of the one before; `None` after the last.
    pub fn field(&mut self, number: &mut i16) -> Result<Option<Kind>, Broken> {
        let head = self.byte()?;
        if head & 0xf == 0 {
            return Ok(None);
        }
        let next = match head >> 4 {
            // Fields mostly follow each other closely: a small step stands in the same byte, and any number behind
            // it.
            0 => i16::try_from(self.zigzag()?).ok(),
            step => number.checked_add(i16::from(step)),
        };
        *number = next.ok_or(Broken::Wrong("a field has an impossible number"))?;
        kind(head & 0xf).map(Some)
    }

    /// A whole number.
    pub fn int(&mut self, kind: Kind) -> Result<i64, Broken> {
        match kind {
            Kind::Int => self.zigzag(),
            Kind::Byte => Ok(i64::from(self.byte()? as i8)),
            _ => Err(OTHER_KIND),
        }
    }

    /// A whole number that counts something.
    pub fn count(&mut self, kind: Kind) -> Result<u64, Broken> {
        u64::try_from(self.int(kind)?).map_err(|_| Broken::Wrong("a count is negative"))
    }

    /// A truth value.
    pub fn flag(&self, kind: Kind) -> Result<bool, Broken> {
        match kind {
            Kind::True => Ok(true),
            Kind::False => Ok(false),
            _ => Err(OTHER_KIND),
        }
    }

    /// Bytes, as those of a name.
    pub fn binary(&mut self, kind: Kind) -> Result<&'a [u8], Broken> {
        if kind != Kind::Binary {
            return Err(OTHER_KIND);
        }
        let length = self.length()?;
        let bytes = &self.bytes[self.at..self.at + length];
        self.at += length;
        Ok(bytes)
    }

    /// How many structures follow in a list.
    pub fn structs(&mut self, kind: Kind) -> Result<usize, Broken> {
        match (kind, self.list(kind)?) {
            (Kind::List, (Kind::Struct, count)) => Ok(count),
            // An empty list may have any kind of elements.
            (Kind::List, (_, 0)) => Ok(0),
            _ => Err(OTHER_KIND),
        }
    }

    /// The next field of a structure that a field of this `kind` begins or has begun.
    pub fn inner(&mut self, kind: Kind, number: &mut i16) -> Result<Option<Kind>, Broken> {
        if kind == Kind::Struct { self.field(number) } else { Err(OTHER_KIND) }
    }

    /// Passes over a field.
    pub fn skip(&mut self, kind: Kind) -> Result<(), Broken> {
        self.skip_within(kind, DEEPEST)
    }

    fn skip_within(&mut self, kind: Kind, depth: usize) -> Result<(), Broken> {
        let deeper = depth.checked_sub(1).ok_or(Broken::Wrong("it is nested too deep"))?;
        match kind {
            Kind::True | Kind::False => {}
            Kind::Byte => drop(self.byte()?),
            Kind::Int => drop(self.varint()?),
            Kind::Double => self.pass(8)?,
            Kind::Binary => {
                let length = self.length()?;
                self.pass(length)?;
            }
            Kind::List => {
                let (element, count) = self.list(kind)?;
                (0..count).try_for_each(|_| self.skip_element(element, deeper))?;
            }
            Kind::Map => {
                let count = self.length()?;
                // An empty map says nothing of its kinds.
                let kinds = if count > 0 { self.byte()? } else { return Ok(()) };
                let (key, value) = (kind_of_element(kinds >> 4)?, kind_of_element(kinds & 0xf)?);
                for _ in 0..count {
                    self.skip_element(key, deeper)?;
                    self.skip_element(value, deeper)?;
                }
            }
            Kind::Struct => {
                let mut number = 0;
                while let Some(kind) = self.field(&mut number)? {
                    self.skip_within(kind, deeper)?;
                }
            }
        }
        Ok(())
    }

    fn skip_element(&mut self, kind: Kind, depth: usize) -> Result<(), Broken> {
        match kind {
            // In a list a truth value is a byte of its own.
            Kind::True | Kind::False => self.pass(1),
            kind => self.skip_within(kind, depth),
        }
    }

    fn list(&mut self, kind: Kind) -> Result<(Kind, usize), Broken> {
        if kind != Kind::List {
            return Err(OTHER_KIND);
        }
        let head = self.byte()?;
        let count = match head >> 4 {
            // A count that four bits do not hold follows.
            15 => self.length()?,
            count => self.within(u64::from(count))?,
        };
        Ok((kind_of_element(head & 0xf)?, count))
    }

    fn byte(&mut self) -> Result<u8, Broken> {
        let byte = *self.bytes.get(self.at).ok_or(Broken::Short)?;
        self.at += 1;
        Ok(byte)
    }

    fn pass(&mut self, count: usize) -> Result<(), Broken> {
        self.at += self.within(count as u64)?;
        Ok(())
    }

    /// So many bytes, or elements of at least a byte each, as are left at least.
    fn within(&self, count: u64) -> Result<usize, Broken> {
        usize::try_from(count).ok().filter(|&count| count <= self.bytes.len() - self.at).ok_or(Broken::Short)
    }

    fn length(&mut self) -> Result<usize, Broken> {
        let length = self.varint()?;
        self.within(length)
    }

    fn varint(&mut self) -> Result<u64, Broken> {
        varint(self.bytes, &mut self.at).ok_or(match self.bytes.len() - self.at {
            0 => Broken::Short,
            _ => Broken::Wrong("a number has no end"),
        })
    }

    fn zigzag(&mut self) -> Result<i64, Broken> {
        self.varint().map(signed)
    }
}

const OTHER_KIND: Broken = Broken::Wrong("a field has another kind than it should");

/// A whole number in groups of seven bits, the lowest first; `None` where it does not end within `bytes` or 64 bits.
pub fn varint(bytes: &[u8], at: &mut usize) -> Option<u64> {
    let mut value = 0;
    for shift in (0..u64::BITS).step_by(7) {
        let byte = *bytes.get(*at)?;
        *at += 1;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// What a number means whose lowest bit is its sign.
pub fn signed(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

fn kind(number: u8) -> Result<Kind, Broken> {
    match number {
        1 => Ok(Kind::True),
        2 => Ok(Kind::False),
        3 => Ok(Kind::Byte),
        4..=6 => Ok(Kind::Int),
        7 => Ok(Kind::Double),
        8 => Ok(Kind::Binary),
        // A set is written as a list is.
        9 | 10 => Ok(Kind::List),
        11 => Ok(Kind::Map),
        12 => Ok(Kind::Struct),
        _ => Err(Broken::Wrong("a field has a kind that there is not")),
    }
}

/// Elements of empty lists may have no kind at all.
fn kind_of_element(number: u8) -> Result<Kind, Broken> {
    if number == 0 { Ok(Kind::Byte) } else { kind(number) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_and_passed_over() {
        // 1: -3, 2: true, 4: "ab", 5: [{1: 1}, {}], 30000: 7.
        let bytes = [0x15, 5, 0x11, 0x28, 2, b'a', b'b', 0x19, 0x2c, 0x15, 2, 0, 0, 0x05, 0xe0, 0xd4, 0x03, 14, 0];
        let mut input = Compact::new(&bytes);
        let mut number = 0;
        let mut next = |input: &mut Compact<'_>| input.field(&mut number).map(|kind| (kind, number));
        assert_eq!(next(&mut input), Ok((Some(Kind::Int), 1)));
        assert_eq!(input.int(Kind::Int), Ok(-3));
        assert_eq!(next(&mut input), Ok((Some(Kind::True), 2)));
        assert_eq!(next(&mut input), Ok((Some(Kind::Binary), 4)));
        assert_eq!(input.binary(Kind::Binary), Ok(&b"ab"[..]));
        assert_eq!(next(&mut input), Ok((Some(Kind::List), 5)));
        assert_eq!(input.skip(Kind::List), Ok(()));
        assert_eq!(next(&mut input), Ok((Some(Kind::Int), 30_000)));
        assert_eq!(input.int(Kind::Int), Ok(7));
        assert_eq!(next(&mut input), Ok((None, 30_000)));
        let mut whole = Compact::new(&bytes);
        assert_eq!((whole.skip(Kind::Struct), whole.at()), (Ok(()), bytes.len()));
        // Cut anywhere, more might help.
        for length in 0..bytes.len() {
            assert_eq!(Compact::new(&bytes[..length]).skip(Kind::Struct), Err(Broken::Short), "{length}");
        }
    }

    #[test]
    fn what_is_too_long_or_too_deep_is_refused() {
        assert_eq!(Compact::new(&[0xfc, 0xff, 0xff, 0x7f]).structs(Kind::List), Err(Broken::Short));
        assert_eq!(Compact::new(&[0xff; 20]).count(Kind::Int), Err(Broken::Wrong("a number has no end")));
        let deep = [0x1c].repeat(40);
        assert_eq!(Compact::new(&deep).skip(Kind::Struct), Err(Broken::Wrong("it is nested too deep")));
        assert!(matches!(Compact::new(&[0x1f]).skip(Kind::Struct), Err(Broken::Wrong(_))));
    }
}
