//! The bytes of a page, unpacked: never more than its header says.

use std::io::Read;

use crate::text::files::zstd::Frames;

/// How pages are packed, by their numbers in the format.
const CODECS: [&str; 8] = ["no codec", "SNAPPY", "GZIP", "LZO", "BROTLI", "LZ4", "ZSTD", "LZ4_RAW"];
/// More than that Snappy cannot make of a byte: a copy of 64 bytes takes two.
const SNAPPY_RATIO: usize = 64;

/// Unpacks bytes that were `size`.
pub fn unpacked(codec: i64, packed: Vec<u8>, size: usize) -> Result<Vec<u8>, String> {
    // Nothing may be packed as nothing.
    if size == 0 {
        return Ok(Vec::new());
    }
    let found = match codec {
        0 => packed,
        1 => snappy(&packed, size)?,
        2 => within(flate2::read::MultiGzDecoder::new(&packed[..]), size)?,
        6 => within(Frames::new(&packed[..]), size)?,
        _ => {
            let name = usize::try_from(codec).ok().and_then(|codec| CODECS.get(codec));
            let name = name.map_or_else(|| format!("codec {codec}"), |name| (*name).to_owned());
            return Err(format!(
                "it is packed with {name}, which is not read here; write it again with snappy, gzip or zstd, as \
                 pyarrow's write_table(…, compression=\"zstd\") does"
            ));
        }
    };
    match found.len() == size {
        true => Ok(found),
        false => Err(format!("a page has {} bytes instead of {size}; {DAMAGED}", found.len())),
    }
}

/// What helps against bytes that are not what they should be.
pub const DAMAGED: &str = "the file is damaged: download or write it again";

fn snappy(packed: &[u8], size: usize) -> Result<Vec<u8>, String> {
    let told = snap::raw::decompress_len(packed).map_err(|e| format!("{e}; {DAMAGED}"))?;
    if told != size || size / SNAPPY_RATIO > packed.len() {
        return Err(format!("a page of {} bytes cannot hold {told}; {DAMAGED}", packed.len()));
    }
    snap::raw::Decoder::new().decompress_vec(packed).map_err(|e| format!("{e}; {DAMAGED}"))
}

/// What is read, and one byte more than there should be at most.
fn within(input: impl Read, size: usize) -> Result<Vec<u8>, String> {
    // Not as large as is told: who tells it may have nothing.
    let mut bytes = Vec::new();
    input.take(size as u64 + 1).read_to_end(&mut bytes).map_err(|e| format!("{e}; {DAMAGED}"))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_as_large_as_it_says() {
        let text = b"the cat sat on the mat ".repeat(50);
        let snappy = snap::raw::Encoder::new().compress_vec(&text).unwrap();
        let zstd = ruzstd::encoding::compress_to_vec(&text[..], ruzstd::encoding::CompressionLevel::Fastest);
        for (codec, packed) in [(0, text.clone()), (1, snappy), (6, zstd)] {
            assert_eq!(unpacked(codec, packed.clone(), text.len()).as_ref(), Ok(&text), "{codec}");
            for size in [1, text.len() - 1, text.len() + 1, 1 << 31] {
                assert!(unpacked(codec, packed.clone(), size).is_err(), "{codec}: {size}");
            }
            assert!(unpacked(codec, packed[..packed.len() / 2].to_vec(), text.len()).is_err(), "{codec}");
        }
        assert!(unpacked(5, vec![0], 1).unwrap_err().contains("LZ4,"));
        assert!(unpacked(-3, vec![0], 1).unwrap_err().contains("codec -3"));
        assert_eq!(unpacked(1, vec![], 0), Ok(vec![]));
    }
}
