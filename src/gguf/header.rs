//! The header: keys with their values, and where each tensor stands.

use std::collections::BTreeMap;
use std::io::Read;

use super::GgufError;
use super::cursor::Cursor;
use super::types::name_of;
use super::value::Value;
use crate::quant::BlockType;

/// How a file begins.
pub const MAGIC: &[u8; 4] = b"GGUF";
/// The version that is written.
pub const VERSION: u32 = 3;
/// The data of every tensor begins at a multiple of this, unless a key says otherwise.
pub const ALIGNMENT: u64 = 32;

const ALIGNMENT_KEY: &str = "general.alignment";
/// Largest multiple that is read; far beyond what any file has.
const MOST_ALIGNMENT: u64 = 1 << 20;
/// Most keys; real files have some forty.
const MOST_KEYS: u64 = 1 << 14;
/// Most tensors: more than the largest number of layers has.
const MOST_TENSORS: u64 = 1 << 16;
/// Most axes of a tensor, ggml's own limit.
const MOST_AXES: u32 = 4;
/// Most bytes before the tables' end: several times what a vocabulary of a million tokens takes.
const MOST_BYTES: u64 = 256 << 20;

/// What stands before the data of a file.
#[derive(Debug)]
pub struct Header {
    keys: BTreeMap<String, Value>,
    pub(super) tensors: Vec<TensorInfo>,
}

/// A line of the table of tensors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorInfo {
    /// Its name in the file.
    pub name: String,
    /// Sizes of the axes, outermost first; the file has them the other way round.
    pub shape: Vec<usize>,
    /// How its elements are stored; its rows are whole blocks.
    pub kind: BlockType,
    /// The byte of the file with which it begins.
    pub begin: usize,
    /// Its bytes, all within the file.
    pub bytes: usize,
    /// Which file of a model in several it stands in, counted from 0.
    pub part: usize,
}

impl Header {
    /// Reads the header of a file that has `length` bytes, and holds every tensor's place to them.
    ///
    /// # Errors
    /// When it is no such file, is damaged, or holds a tensor of a type that is not read.
    pub fn read(reader: impl Read, length: u64) -> Result<Self, GgufError> {
        let mut cursor = Cursor::new(reader, length.min(MOST_BYTES));
        if cursor.array("its first bytes").ok().as_ref() != Some(MAGIC) {
            return Err(GgufError::Other);
        }
        check_version(cursor.u32("the version")?)?;
        // A line has at least a length of its name, one axis, a type and an offset.
        let tensors = cursor.count("tensors", 8 + 4 + 8 + 4 + 8, MOST_TENSORS)?;
        let keys = keys(&mut cursor)?;
        let raw = (0..tensors).map(|_| Raw::read(&mut cursor)).collect::<Result<Vec<_>, _>>()?;
        let mut header = Self { keys, tensors: Vec::new() };
        let alignment = header.alignment()?;
        // Offsets count from the end of the padding behind the table.
        let data = cursor.at().next_multiple_of(alignment);
        header.tensors = raw.into_iter().map(|raw| raw.placed(data, alignment, length)).collect::<Result<_, _>>()?;
        refuse_shared(&header.tensors)?;
        Ok(header)
    }

    fn alignment(&self) -> Result<u64, GgufError> {
        let alignment = self.whole(ALIGNMENT_KEY)?.unwrap_or(ALIGNMENT);
        match alignment.is_power_of_two() && alignment <= MOST_ALIGNMENT {
            true => Ok(alignment),
            false => Err(GgufError::key(ALIGNMENT_KEY, format!("is {alignment}, not a power of two"))),
        }
    }

    /// Every tensor, in the order of the table.
    pub fn tensors(&self) -> &[TensorInfo] {
        &self.tensors
    }

    /// The tensor of this name.
    pub fn tensor(&self, name: &str) -> Option<&TensorInfo> {
        self.tensors.iter().find(|tensor| tensor.name == name)
    }

    /// The value of a key, if it is there.
    pub(super) fn value(&self, key: &str) -> Option<&Value> {
        self.keys.get(key)
    }

    /// The keys that begin so, with what follows in their names.
    pub(super) fn beginning<'a>(&'a self, start: &'a str) -> impl Iterator<Item = (&'a str, &'a Value)> {
        self.keys.iter().filter_map(move |(key, value)| Some((key.strip_prefix(start)?, value)))
    }

    /// A number for each of `layers` layers, if the key is there: a list of so many, or one for all.
    ///
    /// # Errors
    /// When it is neither.
    pub fn per_layer(&self, key: &str, layers: usize) -> Result<Option<Vec<u64>>, GgufError> {
        let Some(Value::Wholes(list)) = self.value(key) else {
            return Ok(self.whole(key)?.map(|n| vec![n; layers]));
        };
        let numbers: Option<Vec<u64>> = list.iter().map(|&n| u64::try_from(n).ok()).collect();
        match numbers.filter(|numbers| numbers.len() == layers) {
            Some(numbers) => Ok(Some(numbers)),
            None => Err(GgufError::key(key, format!("is not a list of {layers} whole numbers from 0 up"))),
        }
    }

    /// A text, if the key is there.
    ///
    /// # Errors
    /// When it is of another type.
    pub fn text(&self, key: &str) -> Result<Option<&str>, GgufError> {
        match self.value(key) {
            None => Ok(None),
            Some(Value::Text(text)) => Ok(Some(text)),
            Some(_) => Err(GgufError::key(key, "is not a text")),
        }
    }

    /// A whole number that is not negative, if the key is there.
    ///
    /// # Errors
    /// When it is of another type.
    pub fn whole(&self, key: &str) -> Result<Option<u64>, GgufError> {
        match self.value(key) {
            None => Ok(None),
            Some(Value::Whole(n)) if *n >= 0 => Ok(Some(*n as u64)),
            Some(_) => Err(GgufError::key(key, "is not a whole number from 0 up")),
        }
    }

    /// A number, if the key is there.
    ///
    /// # Errors
    /// When it is of another type.
    pub fn number(&self, key: &str) -> Result<Option<f64>, GgufError> {
        match self.value(key) {
            None => Ok(None),
            Some(Value::Float(x)) => Ok(Some(*x)),
            Some(Value::Whole(n)) => Ok(Some(*n as f64)),
            Some(_) => Err(GgufError::key(key, "is not a number")),
        }
    }

    /// A flag, if the key is there.
    ///
    /// # Errors
    /// When it is of another type.
    pub fn flag(&self, key: &str) -> Result<Option<bool>, GgufError> {
        match self.value(key) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(_) => Err(GgufError::key(key, "is not true or false")),
        }
    }

    /// A list of texts, which must be there.
    pub(super) fn texts(&self, key: &str) -> Result<&[String], GgufError> {
        match self.value(key) {
            Some(Value::Texts(all)) => Ok(all),
            None => Err(GgufError::key(key, "is missing")),
            Some(_) => Err(GgufError::key(key, "is not a list of texts")),
        }
    }
}

fn check_version(version: u32) -> Result<(), GgufError> {
    match version {
        // Version 1 counts in 32 bits, and nothing has written it for years. 3 differs from 2 in nothing that is read
        // here.
        2 | 3 => Ok(()),
        // Versions are small, so that this number alone tells the order of the bytes.
        _ if matches!(version.swap_bytes(), 1..=3) => {
            Err(GgufError::Version(format!("version {} in big-endian order", version.swap_bytes())))
        }
        _ => Err(GgufError::Version(format!("version {version}"))),
    }
}

fn keys<R: Read>(cursor: &mut Cursor<R>) -> Result<BTreeMap<String, Value>, GgufError> {
    // A key has at least the length of its name, a type and a byte.
    let count = cursor.count("keys", 8 + 4 + 1, MOST_KEYS)?;
    let mut keys = BTreeMap::new();
    for _ in 0..count {
        let key = cursor.name("the name of a key")?;
        let value = Value::read(cursor, &key)?;
        if keys.contains_key(&key) {
            return Err(GgufError::Twice(format!("the key {key}")));
        }
        keys.insert(key, value);
    }
    Ok(keys)
}

/// A line of the table as it stands in the file.
struct Raw {
    name: String,
    /// Innermost first.
    sizes: Vec<u64>,
    kind: u32,
    offset: u64,
}

impl Raw {
    fn read<R: Read>(cursor: &mut Cursor<R>) -> Result<Self, GgufError> {
        let name = cursor.name("the name of a tensor")?;
        let axes = cursor.u32(&name)?;
        if !(1..=MOST_AXES).contains(&axes) {
            return Err(GgufError::tensor(&name, format!("has {axes} axes; 1 to {MOST_AXES} are read")));
        }
        let sizes = (0..axes).map(|_| cursor.u64(&name)).collect::<Result<_, _>>()?;
        Ok(Self { sizes, kind: cursor.u32(&name)?, offset: cursor.u64(&name)?, name })
    }

    /// Where it stands in a file of `length` bytes whose data begins at `data`.
    fn placed(self, data: u64, alignment: u64, length: u64) -> Result<TensorInfo, GgufError> {
        let Self { name, sizes, kind, offset } = self;
        let kind =
            BlockType::of_id(kind).ok_or_else(|| GgufError::Type { tensor: name.clone(), kind: name_of(kind) })?;
        let wrong = |reason: String| GgufError::tensor(&name, reason);
        let count = |n: &u64| usize::try_from(*n).ok().filter(|&n| n > 0);
        let shape: Option<Vec<usize>> = sizes.iter().rev().map(count).collect();
        let shape = shape.ok_or_else(|| wrong(format!("has the sizes {sizes:?}, one of which is not possible")))?;
        // No block goes on in the next row, so that rows can be read and cut by themselves.
        let row = shape[shape.len() - 1];
        let block = kind.elements();
        if !row.is_multiple_of(block) {
            return Err(wrong(format!("has rows of {row}, which do not fill blocks of {block} as {kind} has them")));
        }
        // A stranger's numbers: their product may be more than a machine counts.
        let rows = shape[..shape.len() - 1].iter().try_fold(1usize, |rows, &n| rows.checked_mul(n));
        let bytes = rows.zip(kind.size_of(row)).and_then(|(rows, in_row)| rows.checked_mul(in_row));
        let bytes = bytes.ok_or_else(|| wrong(format!("has the sizes {sizes:?}, which no file can hold")))?;
        if !offset.is_multiple_of(alignment) {
            return Err(wrong(format!("begins at {offset}, not at a multiple of {alignment}")));
        }
        let begin = data.checked_add(offset).and_then(|begin| usize::try_from(begin).ok());
        let end = begin.and_then(|begin| begin.checked_add(bytes)).filter(|&end| end as u64 <= length);
        match (begin, end) {
            (Some(begin), Some(_)) => Ok(TensorInfo { name, shape, kind, begin, bytes, part: 0 }),
            _ => Err(GgufError::Ends(format!("the data of {name}"))),
        }
    }
}

/// Refuses names that stand twice.
pub(super) fn refuse_twice(tensors: &[TensorInfo]) -> Result<(), GgufError> {
    let mut names: Vec<&str> = tensors.iter().map(|t| t.name.as_str()).collect();
    names.sort_unstable();
    match names.windows(2).find(|two| two[0] == two[1]) {
        Some(twice) => Err(GgufError::Twice(format!("the tensor {}", twice[0]))),
        None => Ok(()),
    }
}

/// Refuses names that stand twice, and tensors with bytes in common.
fn refuse_shared(tensors: &[TensorInfo]) -> Result<(), GgufError> {
    refuse_twice(tensors)?;
    let mut places: Vec<&TensorInfo> = tensors.iter().collect();
    // Stable, so that of two with one place the later is told.
    places.sort_by_key(|t| t.begin);
    match places.windows(2).find(|two| two[0].begin + two[0].bytes > two[1].begin) {
        Some(two) => Err(GgufError::tensor(&two[1].name, format!("begins within the data of {}", two[0].name))),
        None => Ok(()),
    }
}
