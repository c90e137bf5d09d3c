//! What is told while something is downloaded.

use std::path::Path;

use super::name::Name;

/// What is told on the way.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// What will be downloaded, before anything is.
    Begins {
        /// What was asked for.
        name: &'a Name,
        /// The hub.
        endpoint: &'a str,
        /// The cache that it goes to.
        cache: &'a Path,
        /// How many files.
        files: usize,
        /// How many bytes are still to come.
        bytes: u64,
    },
    /// How far it is.
    Arrived {
        /// Bytes that are there, those of earlier tries among them.
        done: u64,
        /// Bytes of all files.
        total: u64,
    },
    /// Another process downloads the same file, which is waited for.
    Waiting {
        /// The file.
        file: &'a str,
    },
    /// The connection broke and is tried again.
    Again {
        /// The file.
        file: &'a str,
        /// What went wrong.
        reason: &'a str,
        /// Seconds until then.
        seconds: f64,
    },
}

/// Who is told.
pub type Observer<'a> = dyn FnMut(Event<'_>) + 'a;
