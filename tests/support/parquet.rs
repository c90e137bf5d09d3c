//! A writer of Parquet files with one column of texts, which shares no code with the reader and can be made to lie.

use std::io::Write as _;

/// What a file tells of a group of rows: as it is, unless somebody changes it.
#[derive(Clone, Debug)]
pub struct Told {
    /// 0: not packed, 1: Snappy, 2: gzip, 6: Zstandard.
    pub codec: i64,
    /// 0: one text after the other.
    pub encoding: i64,
    /// How the levels are written.
    pub levels: i64,
    /// Values of the page, of the column and of the rows.
    pub values: [i64; 3],
    /// Bytes of the page as they were, and as they stand in the file.
    pub unpacked: i64,
    pub packed: i64,
    /// Bytes of the column, 0 for as many as there are, and where it begins.
    pub bytes: i64,
    pub start: i64,
    pub checksum: Option<i64>,
}

/// What a field of a structure holds.
enum Field<'a> {
    Int(i64),
    Text(&'a str),
    Struct(Vec<u8>),
    Structs(&'a [Vec<u8>]),
}

use Field::{Int, Struct, Structs, Text};

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value > 0x7f {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// A structure in Thrift's compact protocol.
fn structure(fields: &[(u8, Field<'_>)]) -> Vec<u8> {
    let (mut out, mut last) = (Vec::new(), 0);
    for (number, field) in fields {
        let step = (number - last) << 4;
        last = *number;
        match field {
            Int(value) => {
                out.push(step | 6);
                varint(&mut out, (value << 1 ^ value >> 63) as u64);
            }
            Text(text) => {
                out.push(step | 8);
                varint(&mut out, text.len() as u64);
                out.extend(text.as_bytes());
            }
            Struct(inner) => {
                out.push(step | 12);
                out.extend(inner);
            }
            Structs(all) => {
                out.extend([step | 9, 0xfc]);
                varint(&mut out, all.len() as u64);
                out.extend(all.concat());
            }
        }
    }
    out.push(0);
    out
}

/// Whether each text is there, and those that are.
fn page(texts: &[Option<&str>]) -> Vec<u8> {
    let mut levels = Vec::new();
    varint(&mut levels, (texts.len().div_ceil(8) as u64) << 1 | 1);
    for eight in texts.chunks(8) {
        levels.push(eight.iter().enumerate().map(|(i, text)| u8::from(text.is_some()) << i).sum());
    }
    let mut out = (levels.len() as u32).to_le_bytes().to_vec();
    out.extend(levels);
    for text in texts.iter().flatten() {
        out.extend((text.len() as u32).to_le_bytes());
        out.extend(text.as_bytes());
    }
    out
}

fn packed(codec: i64, bytes: &[u8]) -> Vec<u8> {
    match codec {
        1 => snap::raw::Encoder::new().compress_vec(bytes).unwrap(),
        2 => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        }
        6 => ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest),
        _ => bytes.to_vec(),
    }
}

/// A file of these groups of rows, in which `change` makes another of what is told of each.
pub fn lying(groups: &[Vec<Option<&str>>], codec: i64, change: impl Fn(&mut Told)) -> Vec<u8> {
    let (mut file, mut told_groups, mut rows) = (b"PAR1".to_vec(), Vec::new(), 0);
    for texts in groups {
        let whole = page(texts);
        let bytes = packed(codec, &whole);
        let count = texts.len() as i64;
        let mut told = Told {
            codec,
            encoding: 0,
            levels: 3,
            values: [count; 3],
            unpacked: whole.len() as i64,
            packed: bytes.len() as i64,
            bytes: 0,
            start: file.len() as i64,
            checksum: None,
        };
        let header = |told: &Told| {
            let values =
                [(1, Int(told.values[0])), (2, Int(told.encoding)), (3, Int(told.levels)), (4, Int(told.levels))];
            let mut fields = vec![(1, Int(0)), (2, Int(told.unpacked)), (3, Int(told.packed))];
            fields.extend(told.checksum.map(|sum| (4, Int(sum))));
            fields.push((5, Struct(structure(&values))));
            structure(&fields)
        };
        change(&mut told);
        let header = header(&told);
        if told.bytes == 0 {
            told.bytes = (header.len() + bytes.len()) as i64;
        }
        file.extend(header);
        file.extend(bytes);
        let data = [
            (1, Int(6)),
            (4, Int(told.codec)),
            (5, Int(told.values[1])),
            (6, Int(told.unpacked)),
            (7, Int(told.bytes)),
            (9, Int(told.start)),
        ];
        let chunk = structure(&[(2, Int(told.start)), (3, Struct(structure(&data)))]);
        told_groups.push(structure(&[(1, Structs(&[chunk])), (2, Int(told.bytes)), (3, Int(told.values[2]))]));
        rows += told.values[2];
    }
    let row = structure(&[(4, Text("schema")), (5, Int(1))]);
    let text = structure(&[(1, Int(6)), (3, Int(1)), (4, Text("text")), (6, Int(0))]);
    let fields = [(1, Int(1)), (2, Structs(&[row, text])), (3, Int(rows)), (4, Structs(&told_groups))];
    let footer = structure(&fields);
    file.extend(&footer);
    file.extend((footer.len() as u32).to_le_bytes());
    file.extend(b"PAR1");
    file
}

/// A file of these groups of rows.
pub fn table(groups: &[Vec<Option<&str>>], codec: i64) -> Vec<u8> {
    lying(groups, codec, |_| {})
}
