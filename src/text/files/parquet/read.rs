//! Bytes from anywhere in a file.

use std::io::{Read, Seek, SeekFrom};

use super::packed::DAMAGED;

/// What a table is read from: a file, or what came through a pipe.
pub trait Source: Read + Seek {}

impl<T: Read + Seek> Source for T {}

/// `count` bytes from `at` on, all of which are in the file by its length.
pub fn read_at(file: &mut dyn Source, at: u64, count: u64) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let read = file.seek(SeekFrom::Start(at)).and_then(|_| (&mut *file).take(count).read_to_end(&mut bytes));
    match read {
        Ok(found) if found as u64 == count => Ok(bytes),
        Ok(_) => Err(format!("it ends within the {count} bytes from byte {at} on; {DAMAGED}")),
        Err(e) => Err(format!("the {count} bytes from byte {at} on: {e}")),
    }
}
