//! What a file's bytes must be: the hub names each file by a hash of them, and so does the cache.

use sha1::Sha1;
use sha2::{Digest, Sha256};

use crate::format::hex;

/// A hash on its way.
#[derive(Clone)]
pub(super) enum Hash {
    /// Of large files: that of their bytes.
    Sha256(Sha256),
    /// Of small files, which lie in git itself: that of their bytes behind git's own heading.
    GitBlob(Sha1),
}

impl Hash {
    /// Begins the hash that an etag is, of a file of so many bytes; `None` where it is no hash that we know.
    pub fn of(etag: &str, size: u64) -> Option<Self> {
        let is_hexadecimal = etag.bytes().all(|b| b.is_ascii_hexdigit() && !b.is_ascii_uppercase());
        match etag.len() {
            64 if is_hexadecimal => Some(Self::Sha256(Sha256::new())),
            40 if is_hexadecimal => Some(Self::GitBlob(Sha1::new_with_prefix(format!("blob {size}\0")))),
            _ => None,
        }
    }

    /// Takes more bytes in.
    pub fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(hash) => hash.update(bytes),
            Self::GitBlob(hash) => hash.update(bytes),
        }
    }

    /// The hash of all bytes, in hexadecimal digits.
    pub fn finish(self) -> String {
        match self {
            Self::Sha256(hash) => hex(&hash.finalize()),
            Self::GitBlob(hash) => hex(&hash.finalize()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_git_and_of_sha256sum() {
        let of = |etag: &str, bytes: &[u8]| {
            let mut hash = Hash::of(etag, bytes.len() as u64).unwrap();
            // In two pieces, as bytes arrive.
            let (first, second) = bytes.split_at(bytes.len() / 2);
            hash.update(first);
            hash.update(second);
            hash.finish()
        };
        // `printf 'hello\n' | git hash-object --stdin`, `printf 'hello\n' | sha256sum`, and git's empty blob.
        let git = "ce013625030ba8dba906f756967f9e9ca394464a";
        assert_eq!(of(git, b"hello\n"), git);
        let empty = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391";
        assert_eq!(of(empty, b""), empty);
        let sha = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";
        assert_eq!(of(sha, b"hello\n"), sha);
    }

    #[test]
    fn what_is_no_hash_names_no_file() {
        for etag in ["", "abc", "../../../../../../../../../../../../etc/pw", &"G".repeat(40), &"A".repeat(64)] {
            assert!(Hash::of(etag, 1).is_none(), "{etag}");
        }
    }
}
